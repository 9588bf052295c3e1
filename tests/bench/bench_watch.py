#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""watch: cost of a hit, time until armed and memory, against perf, bpftrace and gdb.

The peers run in turn, round after round. A ratio is taken within a round, against the floor there
(the kernel's own counting, `perf stat`), and the median of the rounds is printed.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import guest
import measure
import watch_run
import watch_tools

NEEDED = ["perf", "bpftrace", "gdb", "strip"]
HEAD = ["", "per hit", "best", "elapsed", "own time", "armed", "ms", "memory MB", "counts", "details"]
EXPLAIN = """\
per hit    processor time that a store costs the thread that makes it, over that of the floor
           (median of a run's parts, so that moments away from the CPU do not count)
best       the same of the cheapest part of any round: nearest to an idle machine
elapsed    the same by the clock: with the waits, and with whom it shares the CPUs
own time   the tool's own processor time for a hit, until it has ended, over the floor's hit
armed      from the start of the tool until stores trap, over the floor; and in milliseconds
memory     largest resident size
counts     exact, short, or not told;  details: share of the hits that it has more of than the count"""


def ratios(rounds, name, key):
    """Median over the rounds of a figure over the floor's of that round; `own` over its `cpu`."""
    found = []
    for figures in rounds:
        floor = figures.get(watch_tools.FLOOR, {}).get("cpu" if key == "own" else key)
        mine = figures.get(name, {}).get(key)
        if floor and mine is not None:
            found.append(mine / floor)
    return measure.median(found)


def values(rounds, name, key):
    """The values of all rounds that have it."""
    return [f[name][key] for f in rounds if f.get(name, {}).get(key) is not None]


def best(rounds, name):
    """The cheapest part of any round over the floor's cheapest."""
    floor, mine = values(rounds, watch_tools.FLOOR, "low"), values(rounds, name, "low")
    return min(mine) / min(floor) if floor and mine else None


def row(rounds, name):
    """A line of the table."""
    memory = values(rounds, name, "memory")
    counted = values(rounds, name, "counted")
    return [
        name,
        measure.show(ratios(rounds, name, "cpu")),
        measure.show(best(rounds, name)),
        measure.show(ratios(rounds, name, "wall")),
        measure.show(ratios(rounds, name, "own")),
        measure.show(ratios(rounds, name, "armed_ms")),
        measure.show(measure.median(values(rounds, name, "armed_ms")), "{:.0f}"),
        measure.show(max(memory) / 1e6 if memory else None, "{:.1f}"),
        "-" if not counted else "exact" if all(counted) else "short",
        measure.show(measure.median(values(rounds, name, "kept")), "{:.0%}"),
    ]


def report(title, rounds):
    """Prints the table of one kind of target."""
    names = [] if not rounds else list(rounds[0])
    floor = measure.median(values(rounds, watch_tools.FLOOR, "cpu"))
    print(f"\n{title}; a hit of the floor: {measure.show(floor and floor / 1000)} us here and now")
    measure.table(HEAD, [row(rounds, name) for name in names])


def native(options, scratch):
    """A process's variable, on this machine."""
    rounds = []
    for number in range(options.rounds):
        figures = {}
        first = watch_run.UserTarget("build/tests/bench/bench_target")
        names = [w.name for w in watch_tools.for_process(first.pid, first.addr, scratch)]
        first.end()
        for i, name in enumerate(names):
            guest.progress(f"{number + 1}/{options.rounds} {name}")
            target = watch_run.UserTarget("build/tests/bench/bench_target")
            watcher = watch_tools.for_process(target.pid, target.addr, scratch)[i]
            figures[name] = watch_run.measure_once(watcher, target, options.count, scratch)
        rounds.append(figures)
    guest.progress("")
    return rounds


def in_guest(options):
    """A kernel variable, in a guest machine."""
    headers = os.path.join(subprocess.check_output(
        ["tools/vm", "path", options.kernel], text=True).strip(), "headers")
    # Not below the directory for temporary files: the guest has its own.
    module = os.path.join("build", "bench", options.kernel)
    os.makedirs(module, exist_ok=True)
    subprocess.run(["tests/victims/kmod/build", headers, module], check=True)
    script = ["python3", "-B", "tests/bench/watch_kernel.py", os.path.join(module, "victim.ko"),
              str(options.guest_count), str(options.rounds)]
    return guest.rounds(options.kernel, script, options.rounds)


def binary_size(scratch):
    """Bytes of the stripped binary."""
    path = os.path.join(scratch, "stripped")
    subprocess.run(["strip", "-o", path, "build/culprit"], check=True)
    return os.path.getsize(path)


def main():
    """Options in, tables out."""
    parser = argparse.ArgumentParser(prog="tools/bench watch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=20000, help="stores of a native run")
    parser.add_argument("--guest-count", type=int, default=5000, help="stores of a run in a guest")
    parser.add_argument("--kernel", default="debian-6.12")
    parser.add_argument("--only", choices=["native", "guest"])
    parser.add_argument("--raw", metavar="FILE", help="keep all figures, as JSON")
    options = parser.parse_args()

    missing = [tool for tool in NEEDED if not shutil.which(tool)]
    if missing or os.geteuid():
        sys.exit("bench: run it as root, with these installed: " + ", ".join(NEEDED))
    os.makedirs("build/bench", exist_ok=True)
    raw = {}
    with tempfile.TemporaryDirectory() as scratch:
        if options.only != "guest":
            raw["native"] = native(options, scratch)
            report("a process's variable, on this machine", raw["native"])
        if options.only != "native":
            raw["guest"] = in_guest(options)
            report(f"a kernel variable, all CPUs, {options.kernel} in an emulated guest",
                   raw["guest"])
        size = binary_size(scratch)
    print(f"\nstatic binary, stripped: {size / 1e6:.1f} MB\n\n{EXPLAIN}")
    if options.raw:
        with open(options.raw, "w", encoding="ascii") as f:
            json.dump(raw, f, indent=1)


if __name__ == "__main__":
    main()
