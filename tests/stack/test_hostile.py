# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks and files that were made to mislead: a bounded time, bounded memory, and an end that is told."""
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import zlib

from stacks import BUILD, CULPRIT, Program, threads, untouched
from support.case import check, equal, test, until
from test_cores import CORES

ADDRESS_SPACE = 1 << 30
TERABYTE = 1 << 40
RESIDENT_KB = 200 << 10
ABSURD = [1 << 31, 1 << 40, 1 << 63, (1 << 64) - 1]


def bounded(*arguments, seconds=15, memory=RESIDENT_KB, expected=(0,), space=ADDRESS_SPACE):
    """Its output as JSON, line by line; it had so much memory (KB) and time, and no more."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (space, space))
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        # pylint: disable-next=consider-using-with
        p = subprocess.Popen([CULPRIT, "stack", "--json"] + [str(a) for a in arguments], stdout=out,
                             stderr=errors, preexec_fn=limit)
        end = time.monotonic() + seconds
        while (done := os.wait4(p.pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > end:
                p.kill()
                p.wait()
                raise AssertionError(f"more than {seconds} s: {arguments}")
            time.sleep(0.002)
        p.returncode = os.waitstatus_to_exitcode(done[1])
        out.seek(0)
        errors.seek(0)
        said = errors.read()
        check(p.returncode in expected, f"{p.returncode} of {arguments}: {said[:300]}")
        check(done[2].ru_maxrss < memory, f"{done[2].ru_maxrss} KB of {arguments}")
        if p.returncode:
            check(said.startswith("culprit: ") and said.count("\n") == 1, said)
        return [json.loads(line) for line in out]


def misled(how, *size):
    """The stack of the thread that hostile has made; which was not held for long."""
    with Program("hostile", how, *size) as p:
        said = bounded(p.pid)
        check(said[0]["stopped"] < 4, f"stopped for {said[0]['stopped']} s")
        tid = [t for t in threads(p.pid) if t != p.pid][0]
        untouched(p.pid)
    return next(s for s in said if s["type"] == "stack" and s["threads"][0]["tid"] == tid)


@test("hostile: frames that are each other's callers end, and that is said")
def loops():
    for how in ["loop", "self", "down"]:
        stack = misled(how)
        check(stack["end"], f"{how}: no end is told")
        user = [f for f in stack["frames"] if f["user"]]
        check(1 < len(user) < 5 or how != "loop", f"{how}: {len(user)} frames")
        check(len(user) < 1200, f"{how}: {len(user)} frames")
        check(not any(f["certain"] for f in user[1:]), f"{how}: certain")


@test("hostile: a stack that is nothing but return addresses is looked through only so far")
def words():
    stack = misled("words", 64)
    check(stack["end"], "no end is told")
    user = [f for f in stack["frames"] if f["user"]]
    check(500 < len(user) < 1200, len(user))
    check(all(f["method"] == "stack scan" and not f["certain"] for f in user[1:]), user[1])


@test("hostile: a tall stack without two frames alike: what is shown is bounded", alone=True)
def tall():
    stack = misled("tall", 256)
    check("too deep" in (stack["end"] or ""), stack["end"])
    # As many as were followed in a second.
    check(100 < len(stack["frames"]) <= 65537, len(stack["frames"]))


class Copy:
    """A file whose bytes are changed in turn, and put back."""

    def __init__(self, source, path):
        self.whole = pathlib.Path(source).read_bytes()
        self.path = path
        pathlib.Path(path).write_bytes(self.whole)

    def write(self, at, data):
        with open(self.path, "r+b") as file:
            file.seek(at)
            file.write(data)

    def with_(self, at, size, value):
        self.write(at, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))

    def restore(self, at, size):
        self.write(at, self.whole[at:at + size])


def table(image, where, count):
    """Offsets of the headers of one kind, of a 64-bit file; `where`: of e_phoff or e_shoff."""
    start, = struct.unpack_from("<Q", image, where)
    size, n = struct.unpack_from("<HH", image, count)
    return [start + i * size for i in range(n)]


def each_absurd(copy, headers, fields, look):
    runs = 0
    for header in headers:
        for field in fields:
            for value in ABSURD:
                copy.with_(header + field, 8, value)
                look()
                runs += 1
            copy.restore(header + field, 8)
    return runs


@test("hostile: a core whose headers have absurd sizes", seconds=200)
def core_headers():
    core = Copy(CORES / "chain-x86_64.core", os.environ["TEST_SCRATCH"] + "/core")
    look = lambda: bounded(core.path, "--exe", CORES / "chain-x86_64", expected=(0, 1))
    headers = table(core.whole, 32, 54)
    # p_offset, p_vaddr, p_filesz, p_memsz
    check(each_absurd(core, headers, [8, 16, 32, 40], look) > 100, "runs")
    for n in [0, 1, 0xfffe, 0xffff]: # 0xffff: the first section header has the number
        core.with_(56, 2, n)
        look()
    core.restore(56, 2)
    for field in [32, 40]: # e_phoff, e_shoff
        for value in ABSURD:
            core.with_(field, 8, value)
            look()
        core.restore(field, 8)
    notes, = struct.unpack_from("<Q", core.whole, headers[0] + 8)
    for field in [0, 4]: # n_namesz, n_descsz
        for value in [0, 5, 0x7fffffff, 0xfffffffc, 0xffffffff]:
            core.with_(notes + field, 4, value)
            look()
        core.restore(notes + field, 4)
    equal(len(look()), len(bounded(CORES / "chain-x86_64.core", "--exe", CORES / "chain-x86_64")),
          "lines of what was put back")


@test("hostile: a program whose sections have absurd sizes", seconds=200)
def program_sections():
    exe = Copy(CORES / "chain-x86_64", os.environ["TEST_SCRATCH"] + "/exe")
    core = CORES / "chain-x86_64.core"
    headers = table(exe.whole, 40, 58)
    # sh_addr, sh_offset, sh_size, sh_entsize; and of its segments p_offset, p_filesz, p_memsz
    runs = each_absurd(exe, headers, [16, 24, 32, 56], lambda: bounded(core, "--exe", exe.path))
    runs += each_absurd(exe, table(exe.whole, 32, 54), [8, 32, 40],
                        lambda: bounded(core, "--exe", exe.path))
    check(runs > 100, runs)


def with_sections(source, path, names, data):
    """A copy of a program, with sections that are compressed and have these bytes, all the same."""
    image = bytearray(pathlib.Path(source).read_bytes())
    table_at, (count, names_in) = struct.unpack_from("<Q", image, 40)[0], struct.unpack_from("<HH", image, 60)
    table = [list(struct.unpack_from("<IIQQQQIIQQ", image, table_at + 64 * i)) for i in range(count)]
    texts = image[table[names_in][4]:table[names_in][4] + table[names_in][5]]
    for name in names:
        table.append([len(texts), 1, 0x800, 0, len(image), len(data), 0, 0, 1, 0]) # SHF_COMPRESSED
        texts += name.encode() + b"\0"
    image += data
    table[names_in][4:6] = len(image), len(texts)
    image += texts + bytes(-(len(image) + len(texts)) % 8)
    struct.pack_into("<Q", image, 40, len(image))
    struct.pack_into("<H", image, 60, len(table))
    pathlib.Path(path).write_bytes(image + b"".join(struct.pack("<IIQQQQIIQQ", *entry) for entry in table))
    os.chmod(path, 0o755)


@test("hostile: a program whose debug information grows by a thousand when it is unpacked", seconds=60)
def inflated():
    plain, path = os.environ["TEST_SCRATCH"] + "/plain", os.environ["TEST_SCRATCH"] + "/inflated"
    subprocess.run(["objcopy", "-g", BUILD / "tests/stack/chain", plain], check=True)
    packed, size = zlib.compressobj(9), 128 << 20
    data = struct.pack("<IIQQ", 1, 0, size, 1) + b"".join(packed.compress(bytes(size >> 5)) for _ in range(32))
    with_sections(plain, path, [".debug_info", ".debug_abbrev", ".debug_str", ".debug_line", ".debug_frame"],
                  data + packed.flush())
    with Program("chain", 20, "pause", path=path) as program:
        said = bounded(program.pid)
        named = {f.get("function") for o in said for f in o.get("frames", [])}
        check("main" in named, named)


def made_core(path, headers, size, notes=b""):
    """A core of x86_64 with these program headers (type, flags, offset, vaddr, filesz, memsz)."""
    behind = 64 + 64 + 56 * len(headers)
    counted = min(len(headers), 0xffff)
    with open(path, "wb") as file:
        file.write(b"\x7fELF\2\1\1" + bytes(9) + struct.pack(
            "<HHIQQQIHHHHHH", 4, 62, 1, 0, 128, 64, 0, 64, 56, counted, 64, 1, 0))
        # The first section header: how many program headers there are, when it is too many.
        file.write(struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, len(headers), 0, 0))
        for kind, flags, offset, vaddr, filesz, memsz in headers:
            file.write(struct.pack("<IIQQQQQQ", kind, flags, behind + offset, vaddr, 0, filesz, memsz, 1))
        file.write(notes)
        file.truncate(behind + size)


def status_note(pc, sp, fp=0):
    """NT_PRSTATUS of x86_64."""
    status = bytearray(336)
    struct.pack_into("<H", status, 12, signal.SIGSEGV)
    struct.pack_into("<i", status, 32, 7)
    struct.pack_into("<Q", status, 112 + 4 * 8, fp)
    struct.pack_into("<Q", status, 112 + 16 * 8, pc)
    struct.pack_into("<Q", status, 112 + 19 * 8, sp)
    return struct.pack("<III", 5, len(status), 1) + b"CORE\0\0\0\0" + bytes(status)


PT_LOAD, PT_NOTE = 1, 4


@test("hostile: a core of a terabyte that is mostly a hole", seconds=60)
def terabyte():
    path = os.environ["TEST_SCRATCH"] + "/core"
    note, tera = status_note(0x400000, 0x10000), 1 << 40
    made_core(path, [(PT_NOTE, 0, 0, 0, tera, 0), (PT_LOAD, 6, 0, 0x1000, tera, tera)], tera, note)
    said = bounded(path)
    equal(said[0]["threads"], 1, "threads")
    check(said[0]["notes"], "that notes are missing is told")


@test("hostile: a core of a million segments", seconds=60)
def segments():
    path = os.environ["TEST_SCRATCH"] + "/core"
    note, n = status_note(0x400000, 0x10000), 1 << 20
    made_core(path, [(PT_NOTE, 0, 0, 0, len(note), 0)] +
              [(PT_LOAD, 6, 0, 0x10000 + (i * 0x9e3779b1 % n << 12), 4096, 4096) for i in range(n)],
              1 << 16, note)
    equal(bounded(path, memory=512 << 10)[0]["threads"], 1, "threads")


@test("hostile: a core of as much code of as many files as are read", seconds=60)
def files():
    path, n, base, longest = os.environ["TEST_SCRATCH"] + "/core", 16384, 0x400000, "/" + 2000 * "x"
    where = [base + i * 8192 for i in range(n)]
    told = struct.pack("<QQ", n, 4096) + b"".join(struct.pack("<QQQ", a, a + 4096, 0) for a in where)
    told += b"".join(f"{longest}{i}".encode() + b"\0" for i in range(n))
    note = status_note(where[-1], 0x1000) + struct.pack("<III", 5, len(told), 0x46494c45) + b"CORE\0\0\0\0" + told
    made_core(path, [(PT_NOTE, 0, 0, 0, len(note), 0)] + [(PT_LOAD, 5, 0, a, 0, 4096) for a in where],
              len(note), note)
    said = bounded(path, memory=300 << 10)
    equal(said[1]["frames"][0]["module"], f"{longest[1:]}{n - 1}", "the module")


def made_program(path, base, text, symbols):
    """A program of x86_64 with this code and these symbols (address, size)."""
    names = b"\0" + b"s\0" + b"\0.text\0.symtab\0.strtab\0"
    table = bytes(24) + b"".join(struct.pack("<IBBHQQ", 1, 2, 0, 1, addr, size) for addr, size in symbols)
    sections = [(0,) * 10, (4, 1, 6, base, 4096, len(text), 0, 0, 16, 0),
                (10, 2, 0, 0, 4096 + len(text), len(table), 3, 0, 8, 24),
                (18, 3, 0, 0, 4096 + len(text) + len(table), len(names), 0, 0, 1, 0)]
    with open(path, "wb") as file:
        file.write(b"\x7fELF\2\1\1" + bytes(9) + struct.pack(
            "<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 120, 0, 64, 56, 1, 64, len(sections), 3))
        file.write(struct.pack("<IIQQQQQQ", 1, 5, 4096, base, base, len(text), len(text), 4096))
        file.write(b"".join(struct.pack("<IIQQQQIIQQ", *s) for s in sections).ljust(4096 - 120, b"\0"))
        file.write(text + table + names)


@test("hostile: a program of a million symbols within one", seconds=90)
def nested():
    # Each frame is of code that one symbol covers, behind a million that end before it.
    path, exe = os.environ["TEST_SCRATCH"] + "/core", os.environ["TEST_SCRATCH"] + "/nested"
    base, stack, size, n = 0x400000, 0x7f0000000000, 2 << 20, 1 << 20
    first = size - (1 << 20)
    text = bytearray(b"\x90" * size)
    sites = range(first + 64, size, 64)
    for site in sites:
        text[site - 5:site] = b"\xe8" + struct.pack("<i", first - site)
    made_program(exe, base, bytes(text), [(base, 2 * size)] + [(base + i, 1) for i in range(first)][:n])
    frames = b"".join(struct.pack("<2Q", stack + i * 16 + 16, base + site) for i, site in enumerate(sites))
    told = struct.pack("<5Q", 1, 4096, base, base + size, 1) + exe.encode() + b"\0"
    note = status_note(base + sites[5], stack, stack)
    note += struct.pack("<III", 5, len(told), 0x46494c45) + b"CORE\0\0\0\0" + told + bytes(-len(told) % 4)
    made_core(path, [(PT_NOTE, 0, 0, 0, len(note), 0), (PT_LOAD, 5, 0, base, 0, size),
                     (PT_LOAD, 6, len(note), stack, len(frames), len(frames))], len(note) + len(frames), note + frames)
    said = bounded(path, "--method", "fp", memory=300 << 10)
    equal({f["function"] for f in said[1]["frames"]}, {"s"}, "functions")
    check(len(said[1]["frames"]) > 10000, len(said[1]["frames"]))


@test("hostile: a core of a quarter of a million places with code, whose addresses are alike in some bits", seconds=90)
def alike():
    path, code, stack, n = os.environ["TEST_SCRATCH"] + "/core", 1 << 32, 0x7f0000000000, 4
    each, size = 60000, 1 << 45
    # What was a table's slot once: the low bits, with those above them mixed in.
    places = [code + (i << 24) + (i << 12) % (1 << 24) + i % 4096 for i in range(1, n * each + 1)]
    places = [p - p % 4096 + (p >> 12) % 4096 for p in places]
    frames = b"".join(struct.pack("<2Q", stack + i * 16 + 16, p) for i, p in enumerate(places))
    notes = b"".join(status_note(places[i], stack + 16 * each * i, stack + 16 * each * i) for i in range(n))
    # Each stack is a segment of its own, so that it ends there.
    made_core(path, [(PT_NOTE, 0, 0, 0, len(notes), 0), (PT_LOAD, 5, 0, code, 0, size)] +
              [(PT_LOAD, 6, len(notes) + 16 * each * i, stack + 16 * each * i, 16 * each - 16, 16 * each - 16)
               for i in range(n)], len(notes) + len(frames), notes + frames)
    said = bounded(path, seconds=40, memory=512 << 10)
    check(sum(len(o.get("frames", [])) for o in said) > 200000, [len(o.get("frames", [])) for o in said])


@test("hostile: a core of frames each of which takes long to find ends at its time", seconds=80)
def costly():
    # Each return address is behind a call of code that leads there past thousands of instructions,
    # and so are the words between them.
    path, code, stack = os.environ["TEST_SCRATCH"] + "/core", 0x400000, 0x7f0000000000
    numbers, size = random.Random(1), 1 << 20
    sites = range(8192, size - 4096, 64)
    text = bytearray(b"\x90" * size)
    for site in sites:
        text[site - 5:site] = b"\xe8" + struct.pack("<i", -5 - numbers.randrange(3000))
    frames = b"".join(struct.pack("<8Q", stack + i * 64 + 64, *[code + numbers.choice(sites) for _ in range(7)])
                      for i in range(20000))
    note = status_note(code + sites[5], stack, stack)
    made_core(path, [(PT_NOTE, 0, 0, 0, len(note), 0), (PT_LOAD, 5, len(note), code, size, size),
                     (PT_LOAD, 6, len(note) + size, stack, len(frames), len(frames))],
              len(note) + size + len(frames), note + bytes(text) + frames)
    said = bounded(path, seconds=40)
    frames = said[1]["frames"]
    check(len(frames) > 100, len(frames))
    check(said[1]["end"], "its end")
    check(not any(f["certain"] for f in frames[1:]), "certain")


def large_program(name, change):
    """A program of a terabyte that is mostly a hole; `change` gets it and its sections' headers."""
    exe = Copy(BUILD / "tests/stack/chain", os.environ["TEST_SCRATCH"] + "/" + name)
    os.chmod(exe.path, 0o755)
    headers = table(exe.whole, 40, 58)
    texts, = struct.unpack_from("<Q", exe.whole, headers[struct.unpack_from("<H", exe.whole, 62)[0]] + 24)
    sections = {}
    for at in headers:
        text = texts + struct.unpack_from("<I", exe.whole, at)[0]
        sections[exe.whole[text:exe.whole.index(b"\0", text)].decode()] = at
    os.truncate(exe.path, TERABYTE)
    change(exe, sections)
    return exe.path


@test("hostile: a program with sections as large as a terabyte, and as many", seconds=200)
def program_holes():
    behind = 1 << 30

    def grown(name):
        def change(exe, sections):
            offset, size = struct.unpack_from("<QQ", exe.whole, sections[name] + 24)
            exe.write(behind, exe.whole[offset:offset + size])
            exe.write(sections[name] + 24, struct.pack("<QQ", behind, TERABYTE - behind & ~255))
        return change

    def many(exe, sections):
        exe.with_(60, 2, 0) # e_shnum: section 0 has the number
        exe.with_(sections[""] + 32, 8, 2 << 20)

    def packed(exe, sections):
        zeros, deflate = bytes(1 << 20), zlib.compressobj(1)
        data = b"".join(deflate.compress(zeros) for _ in range(600)) + deflate.flush()
        exe.write(behind, struct.pack("<IIQQ", 1, 0, 600 << 20, 1) + data)
        exe.with_(sections[".debug_str"] + 8, 8, 0x800) # SHF_COMPRESSED
        exe.write(sections[".debug_str"] + 24, struct.pack("<QQ", behind, len(data) + 24))

    changes = {name[1:]: grown(name) for name in [".symtab", ".strtab", ".debug_info", ".debug_str", ".eh_frame",
                                                 ".note.gnu.build-id"]}
    for name, change in {**changes, "many": many, "packed": packed}.items():
        with Program("chain", 2, "pause", path=large_program(name, change)) as p:
            said = bounded(p.pid, space=resource.RLIM_INFINITY)
        equal(sum(len(s["threads"]) for s in said if s["type"] == "stack"), 3, f"{name}: threads")
        os.unlink(os.environ["TEST_SCRATCH"] + "/" + name)


def cut_short(path, size, *arguments):
    """
    What culprit writes to stderr, and its exit status, when the file is cut to `size` as soon as
    it has been mapped: strace stops culprit there.
    """
    log = pathlib.Path(path + ".strace")
    command = ["strace", "-f", "-qq", "-o", str(log), "-P", path, "-e", "trace=mmap",
               "-e", "inject=mmap:signal=SIGSTOP:when=1", CULPRIT, "stack", "--json"]
    with subprocess.Popen(command + [str(a) for a in arguments], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as p:
        until(lambda: log.exists() and "stopped by SIGSTOP" in log.read_text(), 20, "mapped")
        os.truncate(path, size)
        os.kill(int(log.read_text().split()[0]), signal.SIGCONT)
        said = p.communicate(timeout=30)[1]
    return said, p.returncode


@test("hostile: a file that is cut short while it is mapped: no crash, and it is told", seconds=80)
def cut_files():
    scratch = os.environ["TEST_SCRATCH"]
    exe, library = scratch + "/cut-exe", scratch + "/libc.so.6"
    shutil.copy(CORES / "chain-x86_64", exe)
    results = [cut_short(exe, 0, "--exe", exe, CORES / "chain-x86_64.core")]
    with Program("chain", 3, "pause") as p:
        maps = pathlib.Path(f"/proc/{p.pid}/maps").read_text()
    shutil.copy(next(line.split()[-1] for line in maps.splitlines() if "/libc.so" in line), library)
    with Program("chain", 3, "pause", env=dict(os.environ, LD_LIBRARY_PATH=scratch)) as p:
        results.append(cut_short(library, 4096, p.pid))
    for (said, status), path in zip(results, [exe, library]):
        equal(status, 1, f"exit status: {said}")
        check(said.startswith(f"culprit: stack: {path}: was cut short") and said.count("\n") == 1, said)
