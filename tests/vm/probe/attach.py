# SPDX-License-Identifier: GPL-2.0-or-later
"""Attaching by every way the kernel has, by the unit tests that the machine at hand cannot perform."""
import os
import re
import subprocess

import machine
from harness import case

UNIT = os.path.dirname(os.environ.get("CULPRIT_TEST_SCHEMA_CHECK", "."))


def unit(test, name, *words):
    done = subprocess.run([os.path.join(UNIT, f"unit-{name}"), *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    told = "\n".join(line for line in done.stdout.splitlines()
                     if not re.search(r"\] (\w+$|\w+ test)", line) or "FAILED" in line)
    passed = re.search(r"PASSED  \] [1-9]", done.stdout)
    test.check(done.returncode == 0 and passed and "SKIPPED" not in done.stdout,
               f"unit-{name}: status {done.returncode}: {told or done.stdout[-300:]}")


@case("attach: fentry, kprobes, kprobe-multi, uprobes, raw tracepoints", seconds=240)
def attach(test):
    unit(test, "trace-attach", "*", "*leak*")


@case("attach: rounds and failing calls leak nothing, by every way", seconds=500, on="debian-6.1")
def leaks(test):
    unit(test, "trace-attach", "*leak*")


@case("attach: kretprobes with few instances, and nothing of them is left", seconds=240)
def kretprobe(test):
    unit(test, "trace-kretprobe")


@case("names: what the kernel lets through of its symbols is what its file has")
def some_symbols(test):
    unit(test, "sym-kallsyms_some")


@case("runs: each call fails in turn, and nothing is left", seconds=500, on="debian-6.1")
def runs(test):
    if test.kernel.endswith("-rt"):
        test.skip("each attachment takes a second or more there; walked on the other kernels")
    machine.one_cpu(test)
    unit(test, "probe-run")
