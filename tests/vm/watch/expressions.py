# SPDX-License-Identifier: GPL-2.0-or-later
"""Compiled expressions on this kernel, whose verifier has its own taste."""
import os
import re
import subprocess

from harness import case

DIFFERENTIAL = os.environ.get("CULPRIT_TEST_DIFFERENTIAL", "expr-differential")
EACH, SOAK = 4, 24  # seconds
FIXED = "0x20240229"


def differential(test, seconds, *seed):
    done = subprocess.run([DIFFERENTIAL, "--seconds", str(seconds), *seed], timeout=200, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    test.check(done.returncode == 0, done.stdout[-2000:])
    seen = re.search(r"^(\d+) expressions .* (\d+) runs .* 0 wrong$", done.stdout, re.M)
    if test.check(seen, f"ended with {done.stdout[-300:]!r}"):
        print(f"# {done.stdout.split(chr(10))[0]}: {seen.group(0)}", flush=True)
        test.check(int(seen.group(2)) > 200, "hardly anything was run")


@case("random expressions: compiled as evaluated, and none refused by the verifier", seconds=240)
def expressions(test):
    differential(test, EACH, "--seed", FIXED)
    differential(test, EACH)


@case("random expressions for a longer time", seconds=240, on="debian-6.12-rt")
def more_expressions(test):
    differential(test, SOAK)
