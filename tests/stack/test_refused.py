# SPDX-License-Identifier: GPL-2.0-or-later
"""What cannot be shown: a sentence each, and what can be shown still."""
import os
import pathlib
import subprocess

from stacks import BUILD, CULPRIT, Program, look, names, run, threads
from support.case import check, equal, test


def has(text, *words):
    for word in words:
        check(word in text, f"no {word!r} in {text!r}")


@test("refused: no such process, none at all, too many")
def usage():
    has(run(2147483647, expected=1).errors, "no process 2147483647")
    has(run("bash", expected=1).errors, "pidof bash")
    check("pidof" not in run("./bash", expected=1).errors, "a path is no process")
    for arguments in [[], [""], ["0"], ["99999999999"], ["1", "2"], ["--json", "--folded", "1"],
                      ["--frames", "0", "1"], ["--frames", "x", "1"], ["--exe", "x", "1"],
                      ["--all-tasks", "1"], ["--kernel", "./core"], ["--bogus", "1"],
                      ["1", "--", "true"]]:
        run(*arguments, expected=2)


@test("refused: a process that has ended and was not waited for")
def zombie():
    child = subprocess.Popen(["true"])
    while pathlib.Path(f"/proc/{child.pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z":
        pass
    has(run(child.pid, expected=1).errors, f"({child.pid}) is a zombie", str(os.getpid()))
    child.wait()


@test("refused: a kernel thread shows where it is in the kernel, and the way to more")
def kernel_thread():
    said = run("--json", 2)
    equal(names(said.stacks[0]), [], "frames in user space")
    check("kthreadd" in names(said.stacks[0], user=False), said.text)
    has(" ".join(said.process["notes"]), "kernel thread", "--kernel 2")


@test("refused: a thread's number shows its process, that thread first")
def thread():
    with Program("chain", 9, "pause", 5) as p:
        tid = threads(p.pid)[7]
        said = look(tid)
        equal(said.process["pid"], p.pid, "process")
        equal(said.process["threads"], 10, "threads")
        check(tid in [t["tid"] for t in said.stacks[0]["threads"]], said.stacks[0]["threads"])
        has(" ".join(said.process["notes"]), f"{tid} is a thread of process {p.pid}")


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
    return subprocess.run([str(copy), "stack", *arguments], capture_output=True, text=True,
                          preexec_fn=drop, timeout=20, check=False, cwd="/")


@test("refused: another user's process")
def other_user():
    with Program("chain", 1, "pause") as p:
        result = as_nobody(str(p.pid))
        equal(result.returncode, 1, "exit status")
        has(result.stderr, str(p.pid), "root")
        equal(result.stdout, "", "output")


@test("refused: a process that has a capability more than we")
def more_capabilities():
    with Program("chain", 1, "pause") as p:
        result = subprocess.run(["setpriv", "--inh-caps=-sys_ptrace", "--bounding-set=-sys_ptrace",
                                 CULPRIT, "stack", str(p.pid)],
                                capture_output=True, text=True, timeout=20, check=False)
        equal(result.returncode, 1, "exit status")
        has(result.stderr, str(p.pid), "though this is root", "CAP_SYS_PTRACE")


@test("refused: one's own process is shown without rights, but for the kernel's frames")
def own():
    path = pathlib.Path(os.environ["TEST_SCRATCH"], "chain")
    path.write_bytes((BUILD / "tests/stack/chain").read_bytes())
    path.chmod(0o755)
    path.parent.chmod(0o755)
    def drop():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    with Program("chain", 2, "pause", path=str(path), preexec_fn=drop) as p:
        result = as_nobody(str(p.pid))
        equal(result.returncode, 0, result.stderr)
        has(result.stdout, "link_20", "nothing is missing")
        equal(result.stdout.count("/proc/PID/stack is for root"), 1, "the note")
        check("  kernel " not in result.stdout, result.stdout)


@test("refused: 32-bit code is told, and where it is")
def narrow():
    path = BUILD / "tests/stack/narrow"
    with Program("narrow", path=str(path)) as p:
        said = look(p.pid)
        has(" ".join(said.process["notes"]), "32-bit")
        equal(names(said.stacks[0]), ["wait_for_ever"], "where it is")
        check(names(said.stacks[0], user=False), "kernel frames")
        has(said.stacks[0]["end"], "32-bit")
        equal(said.summary["truncated"], 1, "truncated")


@test("refused: an output file that cannot be written, before anything is stopped")
def output():
    with Program("chain", 1, "pause") as p:
        has(run("-o", "/nonexistent/x", p.pid, expected=1).errors, "/nonexistent/x")
        path = os.environ["TEST_SCRATCH"] + "/record"
        run("-o", path, p.pid)
        text = pathlib.Path(path).read_text()
        check(text.startswith('{"type":"process"'), text[:100])
        equal(os.stat(path).st_mode & 0o777, 0o600, "mode")
