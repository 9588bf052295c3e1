# SPDX-License-Identifier: GPL-2.0-or-later
"""System calls by the functions that the kernel enters for them: arguments, conditions and groups by the
call's own names. Held to strace, and to what this process itself asks for."""
import ctypes
import errno
import mmap
import os
import re
import struct
import subprocess
import sys
import tempfile

import culprit
from harness import TWO, case

SIX_WORDS = """
import mmap, os
for i in range(3):
    m = mmap.mmap(-1, 4096 << i, mmap.MAP_PRIVATE, mmap.PROT_READ)
    f = os.open("/etc/passwd", os.O_RDONLY)
    n = mmap.mmap(f, 100 + i, mmap.MAP_SHARED, mmap.PROT_READ)
    os.pread(f, 10 + i, 20 + i)
    os.access("/tmp/no" + str(i), os.W_OK)
    os.mkdir("/tmp/probe-dir" + str(i), 0o710 + i)
    os.rmdir("/tmp/probe-dir" + str(i))
"""
COMMAND = [sys.executable, "-I", "-S", "-B", "/tmp/six_words.py"]
# Of each call what does not differ from run to run: (its place, its name in the kernel).
STEADY = {
    "openat": [(0, "dfd"), (1, "filename"), (2, "flags"), (3, "mode")],
    "mmap": [(1, "len"), (2, "prot"), (3, "flags"), (5, "off")],
    "pread64": [(0, "fd"), (2, "count"), (3, "pos")],
    "access": [(0, "filename"), (1, "mode")],
    "mkdir": [(0, "pathname"), (1, "mode")],
    "rmdir": [(0, "pathname")],
}
ADDRESSES = ("mmap",)  # what they return is another in each run


def parsed(text):
    """A number or a string as strace -X raw writes it."""
    if text.startswith('"'):
        return text.strip('"')
    if text == "NULL":
        return 0
    n = int(text, 8) if re.fullmatch(r"0\d+", text) else int(text, 0)
    return n - 2**32 if 2**31 <= n < 2**32 else n


def straced(test):
    """(call, arguments, result) in order."""
    with tempfile.NamedTemporaryFile("r") as out:
        subprocess.run(["strace", "-X", "raw", "-s", "4096", "-e", "trace=" + ",".join(STEADY),
                        "-o", out.name] + COMMAND, check=True, stdout=subprocess.DEVNULL)
        text = out.read()
    calls = []
    for name, args, result, error in re.findall(r"^(\w+)\((.*)\) += (-?\w+)(?: E(\w+))?", text, re.M):
        args = [parsed(a) for a in args.split(", ")]
        if name == "openat" and len(args) == 3:
            args.append(0)
        calls.append((name, {key: args[i] for i, key in STEADY[name]},
                      "E" + error if error else None if name in ADDRESSES else int(result, 0)))
    test.check(len(calls) > 40, f"strace saw {len(calls)} calls")
    return calls


def probed(run):
    calls = []
    for call in run.calls():
        name = call["where"]["function"].replace("__x64_sys_", "")
        args = {a["name"]: a["value"] for a in call["args"]}
        args = {key: args[key].strip('"') if isinstance(args[key], str) else args[key]
                for _, key in STEADY[name]}
        calls.append((name, args, call["error"] or (None if name in ADDRESSES else call["ret"])))
    return calls


def probe(test, names, *options):
    run = culprit.Probe(test, "--kernel", *["__x64_sys_" + n for n in names], *options, "--", *COMMAND).wait()
    test.same((run.status, run.loss["end"], run.loss.get("command_exit")), (0, "command", 0), "end")
    return run


@case("probe: system calls by their own arguments, as strace has them", seconds=200, on=TWO)
def arguments(test):
    with open(COMMAND[-1], "w") as f:
        f.write(SIX_WORDS)
    straced(test)  # the first run fills caches
    witness = straced(test)
    run = probe(test, STEADY, "--ret")
    seen = probed(run)
    test.same(len(seen), len(witness), "calls")
    for ours, theirs in zip(seen, witness):
        test.same(ours, theirs, "call")
    opens = [c for c in witness if c[0] == "openat"]
    run = probe(test, ["openat"], "--errors")
    test.same(probed(run), [c for c in opens if isinstance(c[2], str)], "--errors")
    test.check(run.calls() and run.calls()[0]["stack"], "--errors: no stack")
    run = probe(test, ["openat"], "--ret", "--if", 'filename ~ "/etc/*" && (flags & 02000000) && ret >= 0')
    test.same(probed(run), [c for c in opens if c[1]["filename"].startswith("/etc/") and
                            c[1]["flags"] & 0o2000000 and isinstance(c[2], int)], "--if")
    test.same(run.function("__x64_sys_openat")["calls"], len(opens), "--if: calls")
    run = probe(test, ["mmap"], "--if", "off == 0 && prot == 1", "--args", "regs->si, len")
    wanted = [c[1]["len"] for c in witness if c[0] == "mmap" and c[1]["off"] == 0 and c[1]["prot"] == 1]
    test.same([[a["value"] for a in c["args"]] for c in run.calls()], [[n, n] for n in wanted], "--args")


@case("probe: system calls in groups by their own arguments, many functions at once", seconds=200, on=TWO)
def groups(test):
    with open(COMMAND[-1], "w") as f:
        f.write(SIX_WORDS)
    straced(test)
    witness = straced(test)
    run = probe(test, ["openat"], "--count", "--by", "filename, flags, ret")
    wanted = {}
    for name, args, result in witness:
        if name == "openat" and isinstance(result, int):
            key = (args["filename"], args["flags"], result)
            wanted[key] = wanted.get(key, 0) + 1
    seen = {}
    for group in run.of("group"):
        by = {a["name"]: a["value"] for a in group["by"]}
        if by["ret"] >= 0:
            seen[by["filename"].strip('"'), by["flags"], by["ret"]] = group["calls"]
    test.same(seen, wanted, "--by")
    # More functions than have a program of their own.
    run = probe(test, ["*"], "--if", "pathname == 0 || pathname != 0", "--ret")
    test.same([c for c in probed(run)], [c for c in witness if c[0] in ("mkdir", "rmdir")], "a glob")
    run = probe(test, ["pread64"], "--hist", "count")
    sizes = [c[1]["count"] for c in witness if c[0] == "pread64"]
    test.same((run.of("histogram")[0]["calls"], run.of("histogram")[0]["measure"]), (len(sizes), "count"), "--hist")


# nr in %edi, an array of six words at %rsi: int $0x80
COMPAT = bytes.fromhex("53 55 89f8 4989f0 418b18 418b4804 418b5008 418b700c 418b7810 418b6814 cd80 5d 5b c3")
ACCESS, COPY_FILE_RANGE = 33, 377  # arch/x86/entry/syscalls/syscall_32.tbl


@case("probe: system calls of 32 bits, whose arguments are in other registers", on=TWO)
def narrow(test):
    code = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
                     mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(COMPAT)
    at = ctypes.addressof(ctypes.c_char.from_buffer(code))
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)(at)
    low = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40)  # MAP_32BIT
    low.write(b"/etc/hostname\0")
    offset = "&" + str(int.from_bytes(b"/etc/hos", "little"))
    name = ctypes.addressof(ctypes.c_char.from_buffer(low))
    test.check(name < 2**32, f"a name at {name:#x}")
    run = culprit.probe(test, "__ia32_sys_access", "__ia32_sys_copy_file_range", "--ret", "-p", str(os.getpid()),
                        "--kernel")
    results = [call(ACCESS, struct.pack("6I", name, 4, 0, 0, 0, 0)),
               call(COPY_FILE_RANGE, struct.pack("6I", 2**32 - 2, 0, 2**32 - 3, name, 5, 7))]
    run.end()
    test.same([[(a["name"], a["value"]) for a in c["args"]] for c in run.calls()],
              [[("filename", '"/etc/hostname"'), ("mode", 4)],
               [("fd_in", -2), ("off_in", "NULL"), ("fd_out", -3), ("off_out", offset), ("len", 5), ("flags", 7)]],
              "arguments")
    test.same([c["ret"] for c in run.calls()], [0, -errno.EBADF], "results")
    test.same(results[0], 0, "access")


@case("probe: numbers that are addresses are told as such, others are not", on=TWO)
def addresses(test):
    libc = ctypes.CDLL(None, use_errno=True)
    page = mmap.mmap(-1, 8192, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    at = ctypes.addressof(ctypes.c_char.from_buffer(page))
    kernel = 0xffff888000001000
    run = culprit.probe(test, "__x64_sys_mprotect", "__x64_sys_munmap", "-p", str(os.getpid()), "--kernel",
                        "--if", f"(void *)arg0 == (void *){at} || arg1 == {kernel}")
    libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(8192), 3)
    libc.munmap(ctypes.c_void_p(4096), ctypes.c_size_t(kernel))
    run.end()
    test.same([[(a["name"], a["value"]) for a in c["args"]] for c in run.calls()],
              [[("start", f"{at:#x}"), ("len", 8192), ("prot", 3)], [("addr", "0x1000"), ("len", kernel)]],
              "arguments")
    run = culprit.probe(test, "__x64_sys_mprotect", "--count", "--by", "start, len", "-p", str(os.getpid()),
                        "--kernel", "--if", f"start == {at}")
    libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(8192), 3)
    run.end()
    test.same([[(a["name"], a["value"]) for a in g["by"]] for g in run.of("group")],
              [[("start", f"{at:#x}"), ("len", 8192)]], "groups")
