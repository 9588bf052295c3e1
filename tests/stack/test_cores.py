# SPDX-License-Identifier: GPL-2.0-or-later
"""Core files, of the golden ones' architectures and of processes of this machine."""
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile

from stacks import SOURCE, Program, look, names, run
from support.case import Skip, check, equal, test

CORES = SOURCE / "tests/golden/cores"
ARCHES = ["x86_64", "aarch64", "arm", "mips", "mipsel", "mips64", "mips64el"]
# As chain.c of that directory says; None: the code that a signal handler returns to.
CRASHED = ["crash", "handler", None, "raw", "interrupted", "middle", "outer", "begin"]


@test("cores: of each architecture, the thread that got the signal first")
def golden():
    for arch in ARCHES:
        said = look(CORES / f"chain-{arch}.core", "--exe", CORES / f"chain-{arch}")
        equal(said.process["arch"], arch, "architecture")
        equal(said.process["signal"], 11, "signal")
        equal(said.process["threads"], 3, "threads")
        first = said.stacks[0]
        equal([t.get("signal") for t in first["threads"]], [11], "who got it")
        where = names(first)[:len(CRASHED)]
        where[2] = None # arch x86_64 has a name for it
        equal(where, CRASHED, arch)
        check(first["frames"][2]["signal"], f"{arch}: no frame of the signal")


@test("cores: without its program a core shows places in files and build ids")
def no_program():
    with tempfile.TemporaryDirectory() as nothing:
        said = look(CORES / "chain-x86_64.core", "--sysroot", nothing)
    frame = said.stacks[0]["frames"][0]
    equal((frame["function"], frame["module"]), (None, "chain-x86_64"), "place")
    check(len(frame["build_id"]) == 40, frame)
    check("--exe" in said.process["notes"][0], said.process)


def places(said):
    return {t["tid"]: [(f["addr"], f["function"], f["file"], f["line"]) for f in s["frames"] if f["user"]]
            for s in said.stacks for t in s["threads"]}


def same_as_live(take):
    """The stacks of a process as it lives and as a core of it has them."""
    with tempfile.TemporaryDirectory() as where:
        with Program("chain", 30, "pause", cwd=where) as p:
            live = look(p.pid)
            core = take(p, where)
        said = look(core)
        equal(said.process["notes"], [], "notes")
        equal(places(said), places(live), "frames of all threads")
        return said, p.pid


def dump(p, where):
    resource.prlimit(p.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.kill(p.pid, signal.SIGSEGV)
    p.process.wait(60)
    cores = list(pathlib.Path(where).glob("core*"))
    equal(len(cores), 1, "cores")
    return cores[0]


@test("cores: the kernel's core has the same stacks as the process had")
def kernel_core():
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if not pattern.startswith("core"):
        raise Skip(f"core_pattern is {pattern!r}: cores are not written where we are")
    said, _ = same_as_live(dump)
    equal(said.process["reason"], f"SI_USER by process {os.getpid()}", "reason")


def gcore(p, where):
    core = pathlib.Path(where) / "of-gdb"
    subprocess.run(["gdb", "-nx", "-batch", "-p", str(p.pid), "-ex", f"generate-core-file {core}"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
    check(core.exists(), "gdb wrote no core")
    return core


@test("cores: gdb's core of a process has its stacks, and says that no signal ended it")
def gdb_core():
    if not shutil.which("gdb"):
        raise Skip("no gdb")
    said, _ = same_as_live(gcore)
    check("signal" not in said.process, said.process)


@test("cores: a limit of size cuts a core off; it is told, and what is there shown")
def cut():
    with tempfile.TemporaryDirectory() as where:
        with Program("chain", 30, "pause", cwd=where) as p:
            core = dump(p, where)
        size = core.stat().st_size
        os.truncate(core, size // 3)
        said = look(core)
        check(f"{size // 3} of {size} bytes" in said.process["notes"][0], said.process["notes"])
        equal(said.process["threads"], 31, "threads")


@test("cores: what is none is refused in a sentence")
def refused():
    with tempfile.NamedTemporaryFile() as file:
        check("is empty" in run(file.name, expected=1).errors, "empty")
        file.write(b"\x28\xb5\x2f\xfd and so on")
        file.flush()
        check("zstd -d" in run(file.name, expected=1).errors, "compressed")
    check("--exe" in run(CORES / "chain-arm", expected=1).errors, "a program")
    check("directory" in run(str(CORES), expected=1).errors, "a directory")
    check("no such file" in run("/nonexistent/core", expected=1).errors, "nothing")
