#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's part of the probe bench: probe_kernel.py COUNT ROUNDS [ONLY]; figures as JSON lines."""
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import time

import measure
import probe_tools
import watch_run

ENABLED = f"{probe_tools.TRACING}/enabled_functions"
LISTED = f"{probe_tools.TRACING}/available_filter_functions"
PATIENCE = 100
# The function is patched before a tool's last program is, and before it counts.
SETTLE = 1
CATCH_UP, PAUSE = 2, 0.01
IDLE_NS = 500000  # in a pause


def expected(prober):
    """How many functions it attaches to, nearly: a tool may leave some out."""
    if prober.view != probe_tools.MANY:
        return 1
    with open(LISTED, encoding="ascii") as f:
        names = [line.split()[0] for line in f]
    return sum(any(fnmatch.fnmatchcase(n, g) for g in probe_tools.GLOBS) for n in names) * 0.9


def is_probed(n):
    """Whether the function is patched now, or so many are, whoever asked for it."""
    with open(ENABLED, encoding="ascii", errors="replace") as f:
        names = [line.split()[0] for line in f if not line.startswith((" ", "\t"))]
    return probe_tools.FUNCTION in names and len(names) >= n


def wait_for(tool, n):
    """When so many functions were probed; 0 when the tool ended instead."""
    deadline = time.monotonic() + PATIENCE
    while tool.look() and time.monotonic() < deadline:
        if is_probed(n):
            return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        time.sleep(0.005 if n == 1 else 0.03)
    return 0


def used_ns(pid):
    """Processor time of a process's first thread."""
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[0])
    except OSError:
        return 0


def let_it_print(pid):
    """Until the tool has nothing more to do: what it loses costs less than what it shows."""
    deadline, last = time.monotonic() + CATCH_UP, -1
    while time.monotonic() < deadline:
        now = used_ns(pid)
        if 0 <= now - last < IDLE_NS and last >= 0:
            return
        last = now
        time.sleep(PAUSE)


def measure_once(prober, target, count, scratch):
    """Runs `prober`; the figures as a dict."""
    name = f"{prober.view}/{prober.tool}"
    prints = prober.view == probe_tools.PRINTED_VIEW
    _, _, free = watch_run.run_in_chunks(target, count, (lambda: time.sleep(PAUSE)) if prints else None)
    n = expected(prober)
    started = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    if prober.setup:
        subprocess.run(["sh", "-c", prober.setup], check=True)
    tool = measure.Tool(prober.argv, os.path.join(scratch, "out"))
    armed = wait_for(tool, n)
    time.sleep(SETTLE)
    _, median, low = watch_run.run_in_chunks(
        target, count, (lambda: let_it_print(tool.pid)) if prints else None)
    tool.look()
    ended = time.monotonic()
    memory = tool.end()
    ended = time.monotonic() - ended
    if prober.undo:
        subprocess.run(["sh", "-c", prober.undo], check=False)
    if not armed:
        print(f"bench: {name} never attached: {tool.said().strip()[:300]}", flush=True)
        return {"name": name}
    return {"name": name, "floor": free, "low": low - free, "median": median - free,
            "armed_ms": (armed - started) / 1e6, "ended_ms": ended * 1e3, "memory": memory}


def main():
    """Every prober in turn, and again."""
    count, rounds = int(sys.argv[1]), int(sys.argv[2])
    only = sys.argv[3] if len(sys.argv) > 3 else ""
    with tempfile.TemporaryDirectory() as scratch:
        target = watch_run.UserTarget("build/tests/bench/bench_calls")
        for _ in range(rounds):
            for prober in probe_tools.all_of_them(scratch):
                if only in prober.view:
                    print(json.dumps(measure_once(prober, target, count, scratch)), flush=True)
        target.end()


if __name__ == "__main__":
    main()
