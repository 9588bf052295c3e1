# SPDX-License-Identifier: GPL-2.0-or-later
"""Other tools asked the same question: gdb's watch, perf's counts."""
import os
import re
import shutil
import subprocess

from support.case import Skip, equal, test
from support.tool import watch
from support.victims import book_of, program


def tool(name):
    found = shutil.which(name)
    if not found:
        raise Skip(f"{name} is not installed")
    return found


def gdb_says(program_name, fault, count):
    """Old value, new value and function of each stop of gdb's hardware watchpoint."""
    script = os.path.join(os.environ["TEST_SCRATCH"], "script")
    with open(script, "w") as out:
        # Read by address of the symbol: in gdb's own words `level` as an int.
        out.write("set pagination off\nset confirm off\nset breakpoint pending on\n"
                  "set debuginfod enabled off\nbreak main\nrun\nwatch level\n"
                  + "continue\n" * count + "kill\nquit\n")
    result = subprocess.run([tool("gdb"), "-nx", "-batch", "-x", script, "--args",
                             program(program_name), "--only", fault, str(count)],
                            capture_output=True, text=True, timeout=60, check=False)
    stops = re.findall(r"Old value = (-?\d+)\nNew value = (-?\d+)\n(?:0x\w+ in )?(\w+)",
                       result.stdout)
    if "atchpoint" not in result.stdout:
        raise Skip("gdb set no watchpoint: " + result.stderr.strip()[-120:])
    return [(int(a), int(b), c) for a, b, c in stops]


@test("witness: gdb's watch stops at the same stores, with the same values", seconds=90)
def gdb():
    for fault, count in [("raise_level", 3), ("swap_level", 3)]:
        theirs = gdb_says("globals_nopie", fault, count)
        said = watch("level", "--", program("globals_nopie"), "--only", fault, count)
        ours = [(h["old"], h["new"], h["store"]["function"]) for h in said.hits]
        equal(ours, theirs, f"stores of {fault}")


def perf_counts(address, size, *words):
    output = os.path.join(os.environ["TEST_SCRATCH"], "perf")
    subprocess.run([tool("perf"), "stat", "-x,", "-o", output, "-e", f"mem:{address}/{size}:w",
                    *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=False)
    try:
        with open(output) as text:
            found = re.search(r"^(\d+),,mem:", text.read(), re.M)
    except OSError:
        found = None
    if not found:
        raise Skip("perf counts no breakpoints here")
    return int(found.group(1))


@test("witness: perf stat counts the same number of hits")
def perf():
    # Initialised data: of what is zero at first, perf also counts how the kernel clears it in exec.
    for fault, target in [("raise_level", "level"), ("claim_level", "level"),
                          ("hide_there", "globals_other.c:hidden")]:
        command = [program("globals_nopie"), "--only", fault, "20"]
        said = watch(target, "--", *command)
        counted = perf_counts(book_of(said, fault)["addr"], 4, *command)
        equal(said.loss["hits"], counted, f"hits of {fault}")
        equal(counted, 20, "hits")
