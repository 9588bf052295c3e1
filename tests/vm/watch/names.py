# SPDX-License-Identifier: GPL-2.0-or-later
"""One name for several things, names and memory of kernels that tell less."""
import os
import re
import subprocess

import culprit
import victim
from harness import case

UNIT = os.path.dirname(os.environ.get("CULPRIT_TEST_SCHEMA_CHECK", "."))
BOOKS = {"level.c": "hide_in_level", "refs.c": "hide_in_refs"}


def refused(test, target, pattern, debug=True):
    more = ["--debug", culprit.DEBUG] if debug else []
    done = culprit.text("watch", *more, target)
    test.same((done.returncode, done.stdout), (1, ""), f"{target}: status, stdout")
    test.matches(done.stderr, pattern, f"{target}: stderr")
    return done.stderr


@case("names: of two statics none is chosen, and their places are told")
def ambiguous(test):
    addresses = {victim.book(name)["addr"] for name in BOOKS.values()}
    for target in ("hidden", "victim:hidden"):
        said = refused(test, target, r"2 symbols are named 'hidden'.*level\.c.*refs\.c")
        test.same({int(a, 16) for a in re.findall(r"victim at (0x[0-9a-f]+)", said)}, addresses,
                  f"{target}: addresses")
    # BTF alone does not name source files.
    refused(test, "victim:hidden", r"2 symbols.*FILE\.c:hidden.*debug information of victim",
            debug=False)


@case("names: file.c:variable is that file's alone")
def by_file(test):
    for file, guilty in BOOKS.items():
        for target in (f"{file}:hidden", f"victim:{file}:hidden"):
            victim.reset()
            run = culprit.Watch(test, target).armed()
            for name in BOOKS.values():
                victim.perform(name, 3)
            run.end()
            culprit.same_as_book(test, run, guilty, target, int)
            culprit.nothing_lost(test, run, victim.book(guilty)["writes"])
            test.same(int(run.of("armed")[0]["addr"], 16), victim.book(guilty)["addr"], target)


@case("names: by address where a name does not tell")
def by_address(test):
    victim.reset()
    target = f"0x{victim.book('hide_in_refs')['addr']:x}:4"
    run = culprit.Watch(test, target).armed()
    victim.perform("hide_in_refs", 2)
    run.end()
    culprit.nothing_lost(test, run, 2)
    test.same({w["where"]["function"] for w in run.writers()}, {"hide_in_refs"}, "writers")


@case("names: files and types that are not there", on="debian-6.12-rt")
def unknown(test):
    refused(test, "nofile.c:hidden", r"nofile\.c:hidden")
    refused(test, "level.c:hiden", r"level\.c:hiden")
    refused(test, "victm:level.c:hidden", r"'victm' is not loaded")
    refused(test, "((struct task_strct *)1)->pid", r"nearest: task_struct")
    refused(test, "((task_struct *)1)->pid", r"write \(struct task_struct \*\)")


@case("names, memory: the kernel without its data symbols, and without /proc/kcore", seconds=240)
def told_less(test):
    names = ["mem-kernel", "sym-system_map", "sym-kallsyms"]
    # This one asserts what is said where no vmlinux tells more.
    if not os.path.exists(f"/usr/lib/debug/boot/vmlinux-{os.uname().release}"):
        names.append("sym-kernel")
    for name in names:
        done = subprocess.run([os.path.join(UNIT, f"unit-{name}")], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        told = "\n".join(line for line in done.stdout.splitlines()
                         if not re.search(r"\] (\w+$|\w+ test)", line) or "FAILED" in line)
        test.check(done.returncode == 0 and "SKIPPED" not in done.stdout,
                   f"unit-{name}: status {done.returncode}: {told or done.stdout[-300:]}")
