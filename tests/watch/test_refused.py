# SPDX-License-Identifier: GPL-2.0-or-later
"""What cannot be watched, and what the error then says. Each is one line with a way out."""
import ctypes
import os
import pathlib
import signal
import subprocess
import tempfile
import time

from support.case import check, equal, test
from support.registers import free_registers, hold
from support.tool import CULPRIT, Watch, fails, watch
from support.victims import Victim, program


def has(text, *words):
    for word in words:
        check(word in text, f"'{word}' is not in: {text}")


@test("refused: a process that does not exist")
def no_process():
    child = subprocess.Popen(["true"])
    child.wait()
    has(fails("-p", str(child.pid), "level"), str(child.pid), "no")
    check(watch("-p", "0", "x", status=2).lines == [], "output")
    check(watch("-p", "-5", "x", status=2).lines == [], "output")


@test("refused: a zombie")
def zombie():
    child = subprocess.Popen(["true"])
    time.sleep(0.1)
    text = fails("-p", str(child.pid), "level")
    child.wait()
    has(text, str(child.pid))
    check("ended" in text or "no such process" in text or "gone" in text, text)


@test("refused: a kernel thread")
def kernel_thread():
    text = fails("-p", "2", "level")
    has(text, "2")
    check("kernel thread" in text or "no memory" in text, text)


@test("refused: a thread's number for a process's")
def thread():
    with Victim("pool", 2, 50, wait=False) as victim:
        victim.line("ready")
        tid = max(int(t) for t in os.listdir(f"/proc/{victim.pid}/task"))
        has(fails("-p", str(tid), "counter"), str(tid), f"-p {victim.pid}")


def as_nobody(*arguments):
    """culprit by a user without rights; a copy, since the build may stand where nobody can go."""
    copy = pathlib.Path(os.environ["TEST_SCRATCH"], "culprit")
    if not copy.exists():
        copy.write_bytes(pathlib.Path(CULPRIT).read_bytes())
        copy.chmod(0o755)
        copy.parent.chmod(0o755)
    def drop():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    return subprocess.run([str(copy), "watch", *arguments], capture_output=True, text=True,
                          preexec_fn=drop, timeout=20, check=False, cwd="/")


@test("refused: another user's process, without rights")
def other_user():
    with Victim("globals") as victim:
        result = as_nobody("-p", str(victim.pid), "level")
        equal(result.returncode, 1, "exit status")
        has(result.stderr, str(victim.pid))
        check("root" in result.stderr or "CAP_" in result.stderr, result.stderr)
        equal(result.stdout, "", "output")


@test("refused: one's own command, without rights")
def no_rights():
    result = as_nobody("0x7000000:4", "--", "/bin/true")
    equal(result.returncode, 1, "exit status")
    check("CAP_BPF" in result.stderr or "CAP_PERFMON" in result.stderr, result.stderr)
    check("root" in result.stderr, result.stderr)


@test("refused: no debug register is free")
def none_free():
    with Victim("globals", "--stay", "--only", "raise_level", 2) as victim:
        with hold(victim.pid, 4):
            text = fails("-p", str(victim.pid), "level")
            has(text, "debug register", "4")
        with hold(victim.pid, 3):
            text = fails("-p", str(victim.pid), "fields.block")
            has(text, "debug register")
            run = Watch("-p", str(victim.pid), "level").armed()
            victim.go()
            victim.line("done")
            equal(run.stop().loss["hits"], 2, "hits with the last register")
        victim.go()
        victim.finish()
    equal(free_registers(), 4, "free registers")


@test("refused: who may hold the debug registers is named once")
def holders():
    sleepers = [subprocess.Popen(["sleep", "60"]) for _ in range(3)]
    tracer = subprocess.Popen(["strace", "-o", "/dev/null", "-p", str(sleepers[0].pid), "-p", str(sleepers[2].pid)],
                              stderr=subprocess.PIPE, text=True)
    try:
        equal(["attached" in tracer.stderr.readline() for _ in range(2)], [True, True], "strace is attached")
        with hold(sleepers[1].pid, 4):
            text = fails("-p", str(sleepers[1].pid), "0x1000:4")
        has(text, "no free debug register")
        equal([text.count(f"({pid})") for pid in (tracer.pid, os.getpid())], [1, 1], f"times in: {text}")
    finally:
        for process in [tracer] + sleepers:
            process.kill()
            process.wait()


@test("refused: more than four registers hold")
def too_wide():
    text = fails("wide", "--", program("globals"))
    has(text, "64 bytes")
    text = fails("fields.block", "level", "from_file", "--", program("globals"))
    has(text, "5 debug registers")
    text = fails("level", "level", "level", "level", "level", "--", program("globals"))
    has(text, "4")


@test("refused: names that are nothing")
def names():
    has(fails("fields.nothing", "--", program("globals")), "nothing")
    has(fails("levle", "--", program("globals")), "level")
    has(fails("level.member", "--", program("globals")), "member")
    has(fails("*level", "--", program("globals")), "pointer")
    has(fails("level + 1", "--", program("globals")), "value")
    has(fails("raise_level", "--exec", "--if", "old > 1", "--", program("globals")), "old")


@test("refused: without a type the size that its symbol has is proposed")
def untyped():
    source = "struct { char c[24]; } block; char three[3]; int main(void) { return block.c[three[0]]; }"
    with tempfile.TemporaryDirectory() as where:
        path = f"{where}/untyped"
        subprocess.run(["cc", "-x", "c", "-", "-o", path], input=source, text=True, check=True)
        for name, size in [("block", 24), ("three", 3)]:
            text = fails(name, "--", path)
            has(text, f"it has {size})", f"{name}:{size}, or", f"*(int *)&{name}")
            check("kernel" not in text, text)
            equal(watch(f"{name}:{size}", "--", path).armed[0]["size"], size, "size")


@test("refused: two bit fields of one word, and the word itself is proposed")
def bit_fields():
    source = """struct { unsigned low : 3, high : 5; unsigned char other; } flags;
int main(void) { flags.low = 5; flags.high = 9; flags.other = 1; return 0; }"""
    with tempfile.TemporaryDirectory() as where:
        path = f"{where}/bits"
        subprocess.run(["cc", "-g", "-x", "c", "-", "-o", path], input=source, text=True, check=True)
        has(fails("flags.low", "flags.high", "--", path), "flags.low and flags.high share memory",
            "one word of 4 bytes", "the whole word: flags.low:4")
        seen = watch("flags.low:4", "--if", "new != old", "--", path)
        equal([hit["new"] & 0xff for hit in seen.hits], [5, 5 | 9 << 3, 5 | 9 << 3], "the word's values")
        has(fails("flags", "flags.high", "--", path), "could not be told apart; watch one of them")


@test("refused: options that do not go together")
def usage():
    for arguments in [["level"], ["--read", "x"], ["--rw", "--exec", "x"], ["--keep-going", "x"],
                      ["--count", "0", "x"], ["--for", "soon", "x"], ["--stack", "all", "x"], [],
                      ["--bogus", "x"], ["level", "--"]]:
        if arguments == ["level"]:
            continue
        said = watch(*arguments, status=2)
        check(said.errors.startswith("culprit: "), said.errors)
        equal(said.text, "", f"output of {arguments}")
    has(fails("--cpu", "0", "level", "--", program("globals"), status=2), "--cpu")


@test("refused: a filter with a mistake, before anything runs")
def filters():
    for option in ["--if", "--expect"]:
        text = fails("touched", option, "newer > 3", "--", program("actor"), "say=1")
        has(text, "newer")
        has(fails("level", option, "new > (", "--", program("globals"), status=2), "missing here")
        has(fails("level", option, "new = 1", "--", program("globals"), status=2), "==")


@test("refused: what is no expression is bad usage, an unknown name is not")
def syntax():
    for target in ["level +", "(level", "fields.", "*(struct *)0", "level:0", "0x10:99999999999999999999"]:
        fails(target, "--", program("globals"), status=2)
    for target in ["levle", "fields.nothing", "level.member", "level + 1", "*(struct nobody *)0"]:
        fails(target, "--", program("globals"), status=1)
    fails("--kernel", "--cpu", "one", "pid_max:4", "--", program("globals"), status=2)


@test("refused: a process that ends while it is being armed")
def ends_meanwhile():
    for delay in [0, 0.002, 0.005, 0.01, 0.02, 0.03]:
        child = subprocess.Popen([program("actor"), f"sleep={int(delay * 1000)}", "write"],
                                 stdout=subprocess.DEVNULL)
        run = Watch("-p", str(child.pid), "touched")
        said = run.finish()
        child.wait()
        check(said.status in (0, 1), f"status {said.status}")
        if said.status == 1:
            has(said.errors, str(child.pid))
            equal(said.errors.count("culprit: "), 1, "error lines")
        else:
            equal(said.loss["end"], "process", "why it ended")


@test("refused: SIGKILL of the process while it is watched")
def process_killed():
    with Victim("globals") as victim:
        run = Watch("-p", str(victim.pid), "level").armed()
        victim.send(signal.SIGKILL)
        said = run.finish(5)
        victim.process.wait()
    equal((said.status, said.loss["end"]), (0, "process"), "status and end")


@test("refused: descriptors run out")
def descriptors():
    import resource
    with Victim("pool", 60, 50, wait=False) as victim:
        victim.line("ready")
        said = watch("-p", str(victim.pid), "counter", "--for", "100ms", status=1,
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48)))
        has(said.errors, "open files", "ulimit")
    ctypes.CDLL(None)


@test("refused: what is no variable's place, with what was perhaps meant")
def no_place():
    with Victim("globals") as victim:
        has(fails("-p", str(victim.pid), "main"), "main is a function", "--exec", "culprit probe main")
        has(fails("-p", str(victim.pid), "&level"), "to watch that: level")
        for name in ["main::victim", "main()::victim"]:
            has(fails("-p", str(victim.pid), name), "local variable of main()", "0xADDR:SIZE")
    has(fails("record.port:31", "--", program("unaligned")), "not aligned", "record.port:7")


@test("refused: not, a library by its name with a version")
def library_version():
    with Victim("globals") as victim:
        said = watch("-p", str(victim.pid), "libc.so.6:stdout", "libc.so.6:environ", "--for", "50ms")
        equal([(a["target"], a["size"]) for a in said.armed],
              [("libc.so.6:stdout", 8), ("libc.so.6:environ", 8)], "targets")
