#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""probe: cost of a call, time until attached and memory, against bpftrace, perf and ftrace.

The peers run in turn, round after round, in a guest. A ratio is taken within a round, against the
cheaper of bpftrace's ways in the same view, and the median of the rounds is printed.
"""
import argparse
import json
import os
import shutil
import sys

import guest
import measure

NEEDED = ["perf", "bpftrace", "trace-cmd"]
HEAD = ["", "ns a call", "median", "ratio", "attached ms", "ratio", "gone ms", "memory MB"]
HEAD_OF_INSTRUCTIONS = ["", "instructions a call", "ratio"]
EXPLAIN = """\
ratio      over the cheapest of bpftrace's ways in that view and round, median of the rounds
*          does less than culprit there: no ratio is taken to it"""
EXPLAIN_TIMES = """\
ns a call  what a call costs more than without any probe: the cheapest of a run's parts, median of the
           rounds; next to it the median part
attached   from the start of the tool until ftrace has patched the function (many: nine of ten)
gone       from Ctrl-C until the tool has ended; memory: largest resident size"""


def values(rounds, name, key):
    """The values of all rounds that have it."""
    return [f[name][key] for f in rounds if f.get(name, {}).get(key) is not None]


def ratio(rounds, name, key):
    """Median over the rounds of a figure over bpftrace's best in that view and round."""
    view, found = name.split("/")[0], []
    for figures in rounds:
        peers = [f[key] for n, f in figures.items()
                 if n.startswith(view + "/bpftrace") and not n.endswith("*") and key in f]
        mine = figures.get(name, {}).get(key)
        if peers and min(peers) > 0 and mine is not None:
            found.append(mine / min(peers))
    return measure.median(found)


def row(rounds, name, icount):
    """A line of the table."""
    memory = values(rounds, name, "memory")

    def middle(key):
        return measure.show(measure.median(values(rounds, name, key)), "{:.0f}")

    tool = "  " + name.split("/")[1]
    # No part is disturbed, but in some a tool may have lost what it should print.
    if icount:
        return [tool, middle("median"), measure.show(ratio(rounds, name, "median"))]
    return [tool, middle("low"), middle("median"),
            measure.show(ratio(rounds, name, "low")), middle("armed_ms"),
            measure.show(ratio(rounds, name, "armed_ms")), middle("ended_ms"),
            measure.show(max(memory) / 1e6 if memory else None, "{:.1f}")]


def report(kernel, rounds, icount):
    """Prints the table."""
    floors = [f["floor"] for figures in rounds for f in figures.values() if "floor" in f]
    print(f"\na kernel function, {kernel} in an emulated guest of one CPU; the system call without a probe: "
          f"{measure.show(measure.median(floors), '{:.0f}')} {'instructions' if icount else 'ns here and now'}")
    head, rows, last = HEAD_OF_INSTRUCTIONS if icount else HEAD, [], None
    for name in rounds[0] if rounds else []:
        view = name.split("/")[0]
        if view != last:
            rows.append([view] + [""] * (len(head) - 1))
        last = view
        rows.append(row(rounds, name, icount))
    measure.table(head, rows)


def main():
    """Options in, table out."""
    parser = argparse.ArgumentParser(prog="tools/bench probe")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=20000, help="calls of a run")
    parser.add_argument("--kernel", default="debian-6.12")
    parser.add_argument("--instructions", action="store_true",
                        help="count the guest's instructions in place of its time: for a busy machine")
    parser.add_argument("--only", default="", metavar="TEXT", help="views whose name has it")
    parser.add_argument("--raw", metavar="FILE", help="keep all figures, as JSON")
    options = parser.parse_args()

    missing = [tool for tool in NEEDED if not shutil.which(tool)]
    if missing or os.geteuid():
        sys.exit("bench: run it as root, with these installed: " + ", ".join(NEEDED))
    script = ["python3", "-B", "tests/bench/probe_kernel.py", str(options.count),
              str(options.rounds), options.only]
    # Starting trace-cmd patches code that other CPUs may be in, which emulated ones do not always survive.
    machine = ["--icount"] if options.instructions else ["--smp", "1"]
    rounds = guest.rounds(options.kernel, script, options.rounds, machine)
    report(options.kernel, rounds, options.instructions)
    print("\n" + EXPLAIN)
    if not options.instructions:
        print(EXPLAIN_TIMES)
    if options.raw:
        with open(options.raw, "w", encoding="ascii") as f:
            json.dump(rounds, f, indent=1)


if __name__ == "__main__":
    main()
