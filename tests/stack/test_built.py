# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that were built in ways of their own."""
import os
import pathlib
import re
import subprocess
import tempfile

from stacks import SOURCE, Program, look, threads
from support.case import Skip, check, equal, test
from test_hostile import bounded

CHAIN = ["wait_here", "step", *["below"] * 4]


def built(where, compiler, *flags, name="built"):
    """Compiled there in two steps, as what -gsplit-dwarf writes is named by the object."""
    path = pathlib.Path(where) / name
    subprocess.run([compiler, "-g", "-O1", *flags, "-c", "-o", f"{name}.o", SOURCE / "tests/stack/programs/built.c"],
                   cwd=where, check=True)
    subprocess.run([compiler, *flags, "-o", path, f"{name}.o", "-pthread"], cwd=where, check=True)
    return path


def by_gdb(pid):
    """Of the first thread's own functions: name, and line of the file."""
    text = subprocess.run(["gdb", "-nx", "-batch", "-p", str(pid), "-ex", "bt"], text=True, timeout=60, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return re.findall(r"^#\d+ +(?:0x\w+ in )?(\w+) .* at \S*built\.c:(\d+)$", text, re.M)


def unfolded(stack):
    """Its frames, each as often as it is there: a recursion is told once."""
    frames, at = [], 0
    while at < len(stack["frames"]):
        f = stack["frames"][at]
        part = stack["frames"][at:at + f.get("period", 1)]
        frames += part * f.get("times", 1)
        at += len(part)
    return frames


def own(stack):
    return [(f["function"], str(f["line"])) for f in unfolded(stack) if f["user"] and f["function"] in
            {*CHAIN, "main", "thread"} and (f["file"] or "").endswith("built.c")]


@test("built: what is inlined in a program whose debug information is in .dwo files, as gdb has it")
def split_dwarf():
    for compiler, version in [("gcc", 4), ("gcc", 5), ("clang-14", 4), ("clang-14", 5)]:
        with tempfile.TemporaryDirectory() as where:
            path = built(where, compiler, f"-gdwarf-{version}", "-gsplit-dwarf")
            with Program("built", path=str(path)) as p:
                said = own(look(p.pid).of(p.pid))
                equal([name for name, _ in said], [*CHAIN, "main"], f"{compiler} {version}")
                equal(said[1:], by_gdb(p.pid)[1:], f"{compiler} {version}") # the innermost may still be on its way


@test("built: a .dwo file that is not there, another's, or nothing to be read, is done without")
def split_lost():
    with tempfile.TemporaryDirectory() as where:
        path = built(where, "gcc", "-gsplit-dwarf")
        dwo = path.with_suffix(".dwo")
        other = built(where, "gcc", "-gsplit-dwarf", "-O2", name="other").with_suffix(".dwo")
        with Program("built", path=str(path)) as p:
            check("step" in dict(own(look(p.pid).of(p.pid))), "it is not read while it is there")
            for change in [lambda: other.rename(dwo), lambda: os.mkfifo(dwo), lambda: dwo.symlink_to("/dev/zero"),
                           lambda: None]:
                dwo.unlink(missing_ok=True)
                change()
                said = bounded(p.pid, seconds=10)
                found = own(next(s for s in said if s["type"] == "stack" and s["threads"][0]["tid"] == p.pid))
                equal([name for name, _ in found], ["wait_here", *["below"] * 4, "main"], "functions")


@test("built: stacks in pieces, to their ends")
def split_stacks():
    if os.uname().machine != "x86_64":
        raise Skip("gcc splits stacks on x86_64")
    with tempfile.TemporaryDirectory() as where:
        path = built(where, "gcc", "-fsplit-stack", "-fuse-ld=gold")
        with Program("built", path=str(path)) as p:
            said = look(p.pid)
            other = [t for t in threads(p.pid) if t != p.pid][0]
            for tid, first in [(p.pid, "main"), (other, "thread")]:
                stack = said.of(tid)
                equal([name for name, _ in own(stack)], [*CHAIN, first], "functions")
                check(sum(f["function"] == "__morestack" for f in unfolded(stack)) >= 1, "the stack is in one piece")
            equal(said.summary["complete"], 2, "complete")


@test("built: with musl, whose functions have no tables, static and dynamic")
def musl():
    for flags in [["-static"], []]:
        with tempfile.TemporaryDirectory() as where:
            path = built(where, "musl-gcc", *flags)
            with Program("built", path=str(path)) as p:
                said = look(p.pid)
                other = [t for t in threads(p.pid) if t != p.pid][0]
                for tid, first in [(p.pid, "main"), (other, "thread")]:
                    equal([name for name, _ in own(said.of(tid))], [*CHAIN, first], f"functions, {flags}")
                equal(said.summary["complete"], 2, f"complete, {flags}")


@test("built: what runs under qemu-user is told apart from qemu")
def emulated():
    with tempfile.TemporaryDirectory() as where:
        path = built(where, "arm-linux-gnueabihf-gcc")
        with Program("built", "-L", "/usr/arm-linux-gnueabihf", path, path="/usr/bin/qemu-arm") as p:
            notes = look(p.pid).process["notes"]
            check(len(notes) == 1 and "qemu-arm itself" in notes[0] and f"kill -ABRT {p.pid}" in notes[0], notes)
