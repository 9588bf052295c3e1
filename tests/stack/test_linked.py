# SPDX-License-Identifier: GPL-2.0-or-later
"""Cores that do not tell which files were mapped: those of qemu-user, of programs with libraries."""
import functools
import pathlib
import re
import resource
import shutil
import signal
import struct
import subprocess
import tempfile

from stacks import SOURCE, Program, look, names
from support.case import check, equal, test
from test_built import CHAIN, built, own
from test_hostile import ABSURD, bounded

MACHINES = {"aarch64": "aarch64-linux-gnu", "arm": "arm-linux-gnueabihf", "mips": "mips-linux-gnu",
            "mipsel": "mipsel-linux-gnu", "mips64": "mips64-linux-gnuabi64",
            "mips64el": "mips64el-linux-gnuabi64"}


may_dump = functools.partial(resource.setrlimit, resource.RLIMIT_CORE,
                             (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def core_in(where):
    """That of the program; qemu dies of the signal too, and the kernel writes its own."""
    cores = list(pathlib.Path(where).glob("qemu_*.core"))
    equal(len(cores), 1, "cores")
    return cores[0]


class Linked:
    """The program and its core in `where`, and what it said before it died."""

    def __init__(self, where, arch, *flags):
        self.root = f"/usr/{MACHINES[arch]}"
        self.exe = pathlib.Path(where) / "linked"
        subprocess.run([MACHINES[arch] + "-gcc", "-g", "-O1", "-fno-optimize-sibling-calls", *flags, "-o",
                        self.exe, SOURCE / "tests/stack/programs/linked.c"], check=True)
        said = subprocess.run([f"qemu-{arch}", "-L", self.root, self.exe], cwd=where, text=True, timeout=60,
                              stdout=subprocess.PIPE, preexec_fn=may_dump, check=False).stdout
        self.core = core_in(where)
        self.qsort = int(re.search(r"^qsort (\w+)$", said, re.M)[1], 16)
        self.debug = int(re.search(r"^debug (\w+)$", said, re.M)[1], 16)
        self.links = [(int(at, 16), int(bias, 16), name)
                      for at, bias, name in re.findall(r"^link (\w+) (\w+) (.*)$", said, re.M)]
        self.libc = next(bias for _, bias, name in self.links if "libc.so" in name)

    def where(self, addr):
        """In the core: the offset of the process' memory at `addr`, and how its words are packed."""
        data = self.core.read_bytes()
        order, wide = ("<" if data[5] == 1 else ">"), data[4] == 2
        phoff = struct.unpack_from(order + ("Q" if wide else "I"), data, 32 if wide else 28)[0]
        count = struct.unpack_from(order + "H", data, 56 if wide else 44)[0]
        for i in range(count):
            f = struct.unpack_from(order + ("IIQQQQQQ" if wide else "IIIIIIII"), data, phoff + i * (56 if wide else 32))
            offset, vaddr, size = (f[2], f[3], f[5]) if wide else (f[1], f[2], f[4])
            if f[0] == 1 and vaddr <= addr < vaddr + size:
                return offset + addr - vaddr, order + ("Q" if wide else "I")
        raise AssertionError(f"the core has no {addr:x}")


def of_libc(said):
    return [f for f in said.stacks[0]["frames"] if f["module"] == "libc.so.6"]


def assert_own(said):
    """The program's own functions, in their order."""
    own = [name for name in names(said.stacks[0]) if name in ("crash", "compare", "sort", "main")]
    equal(own, ["crash", "compare", "sort", "main"], "functions")


@test("linked: libraries of a core without a list of files are found by the dynamic linker's, on each architecture")
def libraries():
    for arch in MACHINES:
        for flags in [["-pie"], ["-no-pie"]]:
            with tempfile.TemporaryDirectory() as where:
                p = Linked(where, arch, *flags)
                said = look(p.core, "--exe", p.exe, "--sysroot", p.root)
                assert_own(said)
                frames = {f["function"]: f for f in of_libc(said)}
                check({"abort", "qsort_r"} <= frames.keys() or {"abort", "qsort"} <= frames.keys(), frames.keys())
                if "qsort" in frames:
                    equal(int(frames["qsort"]["addr"], 16) - frames["qsort"]["offset"], p.qsort & ~(arch == "arm"),
                          f"{arch}: where qsort begins")
                equal(len(said.process["notes"]), 1, said.process["notes"])
                check("nobody can tell" in said.process["notes"][0], said.process["notes"])


@test("linked: a library beside the program, which is not below --sysroot, is found where its name says")
def own_library():
    with tempfile.TemporaryDirectory() as where:
        library = pathlib.Path(where) / "libown.so"
        subprocess.run([MACHINES["arm"] + "-gcc", "-g", "-O1", "-fno-optimize-sibling-calls", "-shared", "-fPIC",
                        "-o", library, SOURCE / "tests/stack/programs/own.c"], check=True)
        p = Linked(where, "arm", "-DLIBRARY", "-Wl,--no-as-needed", str(library), f"-Wl,-rpath,{where}")
        said = look(p.core, "--exe", p.exe, "--sysroot", p.root)
        assert_own(said)
        frame = next(f for f in said.stacks[0]["frames"] if f["function"] == "crash")
        equal((frame["module"], pathlib.Path(frame["file"]).name), ("libown.so", "own.c"), "the library's function")


@test("linked: the stacks of all threads, to where the C library has begun them")
def threads():
    for arch, machine in MACHINES.items():
        with tempfile.TemporaryDirectory() as where:
            path, root = built(where, machine + "-gcc"), f"/usr/{machine}"
            with Program("built", "-L", root, path, path=f"/usr/bin/qemu-{arch}", cwd=where,
                         preexec_fn=may_dump) as p:
                p.process.send_signal(signal.SIGABRT)
                p.process.wait(60)
            said = look(core_in(where), "--exe", path, "--sysroot", root)
            # Any of them may be the one that the signal was given to.
            equal(sorted([name for name, _ in own(s)] for s in said.stacks),
                  [[*CHAIN, "main"], [*CHAIN, "thread"]], arch)
            equal(said.summary["complete"], 2, f"complete, {arch}")


@test("linked: a library that is not here, or is another one, has its name and no names of functions")
def absent():
    with tempfile.TemporaryDirectory() as where:
        p = Linked(where, "aarch64")
        other = pathlib.Path(where) / "root/lib"
        other.mkdir(parents=True)
        for words in ["cannot be read", "not the file that ran"]:
            said = look(p.core, "--exe", p.exe, "--sysroot", other.parent)
            frames = of_libc(said)
            check(frames, "no frame of the library")
            for f in frames:
                equal((f["function"], f["offset"]), (None, int(f["addr"], 16) - p.libc), "place")
            check(any(words in note for note in said.process["notes"]), said.process["notes"])
            shutil.copy(p.root + "/lib/ld-linux-aarch64.so.1", other / "libc.so.6")


@test("linked: a list of libraries that was made to mislead ends, and that is said")
def hostile():
    for arch in ["aarch64", "mips"]:
        with tempfile.TemporaryDirectory() as where:
            p = Linked(where, arch)
            data = p.core.read_bytes()
            at, packed = p.where(p.links[1][0])
            size = struct.calcsize(packed)
            bias, name, dynamic, following, before = range(5)
            lies = [(following, p.links[0][0]), (following, p.links[1][0]), (before, 0)]
            lies += [(field, value % (1 << 8 * size)) for field in [bias, name, dynamic, following, before]
                     for value in [*ABSURD, 1, p.links[1][0] + 1]]
            for field, value in lies:
                lie = bytearray(data)
                struct.pack_into(packed, lie, at + field * size, value)
                p.core.write_bytes(lie)
                said = bounded(p.core, "--exe", p.exe, "--sysroot", p.root)
                notes = " ".join(said[0]["notes"])
                if field in (following, before):
                    check("makes no sense" in notes or (field, value) == (following, 0), f"{field} {value:x}: {notes}")
            for offset in range(0, 2 * size, size):
                lie = bytearray(data)
                struct.pack_into(packed, lie, p.where(p.debug)[0] + offset, p.links[0][0] + 3)
                p.core.write_bytes(lie)
                bounded(p.core, "--exe", p.exe, "--sysroot", p.root)
