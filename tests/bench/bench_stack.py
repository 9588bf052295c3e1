#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""stack: all threads of a process, against eu-stack and gdb; the unwinder alone, against libdwfl and libunwind.

The peers run in turn on the same process, round after round; the median of the rounds is printed.
"""
import argparse
import json
import os
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build")


def start(options):
    """The program whose threads are all about 25 frames deep, once they are there."""
    process = subprocess.Popen([os.path.join(BUILD, "tests/stack/chain"), str(options.threads), "pause"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    ready = select.select([process.stdout], [], [], 120)[0]
    if not ready or not os.read(process.stdout.fileno(), 100).startswith(b"ready"):
        sys.exit("the threads did not start")
    return process


def run(command):
    """Seconds by the clock, seconds of processor time, output."""
    with tempfile.TemporaryFile("w+") as out:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
        status, usage = os.wait4(process.pid, 0)[1:]
        took = time.monotonic() - begin
        process.returncode = status
        out.seek(0)
        return {"elapsed": took, "cpu": usage.ru_utime + usage.ru_stime, "mb": usage.ru_maxrss / 1024,
                "text": out.read()}


def tools(pid):
    """Name and command of each."""
    return {"culprit": [os.path.join(BUILD, "culprit"), "stack", "--json", str(pid)],
            "eu-stack": ["eu-stack", "-p", str(pid)],
            "eu-stack -s -i": ["eu-stack", "-s", "-i", "-p", str(pid)],
            "gdb": ["gdb", "-batch", "-nx", "-p", str(pid), "-ex", "thread apply all bt"]}


def complete(name, result, threads):
    """Whether it showed all threads to their outermost frame."""
    if name == "culprit":
        summary = json.loads(result["text"].splitlines()[-1])
        result["stopped"] = json.loads(result["text"].splitlines()[0])["stopped"]
        return summary["complete"] == threads + 1
    return len(re.findall(r"\blink_20\b", result["text"])) == threads


def median(rounds, name, key):
    return statistics.median(r[name][key] for r in rounds)


def report(rounds, frames, options):
    """Prints both tables."""
    print(f"\n{options.threads} threads of about 25 frames, {len(rounds)} rounds; medians, and the ratio to culprit")
    print(f"{'':16} {'elapsed ms':>11} {'ratio':>6} {'cpu ms':>8} {'ratio':>6} {'memory MB':>10}")
    for name in rounds[0]:
        figures = [median(rounds, name, "elapsed") * 1e3,
                   statistics.median(r[name]["elapsed"] / r["culprit"]["elapsed"] for r in rounds),
                   median(rounds, name, "cpu") * 1e3,
                   statistics.median(r[name]["cpu"] / r["culprit"]["cpu"] for r in rounds),
                   median(rounds, name, "mb")]
        print(f"{name:16} {figures[0]:11.1f} {figures[1]:6.1f} {figures[2]:8.1f} {figures[3]:6.1f} {figures[4]:10.1f}")
    stopped = sorted(r["culprit"]["stopped"] * 1e3 for r in rounds)
    print(f"the process stood still for culprit: {statistics.median(stopped):.1f} ms "
          f"({stopped[0]:.1f} to {stopped[-1]:.1f})")
    print("\nthe unwinder alone, on the same stops, without names: frames a second of processor time")
    for line in frames.splitlines():
        name, n, ns = line.split()
        print(f"{name:16} {int(n) / int(ns) * 1e3:8.2f} million, {int(ns) / int(n):6.0f} ns a frame")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1000)
    parser.add_argument("--real-time", action="store_true",
                        help="all of it under SCHED_RR, where others use the machine")
    options = parser.parse_args()
    if options.real_time:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
    process = start(options)
    try:
        rounds = []
        for _ in range(options.rounds):
            figures = {}
            for name, command in tools(process.pid).items():
                figures[name] = run(command)
                if not complete(name, figures[name], options.threads):
                    sys.exit(f"{name} did not show all frames")
            rounds.append(figures)
        frames = subprocess.run([os.path.join(BUILD, "tests/bench/bench_frames"), str(process.pid), "20"],
                                capture_output=True, text=True, check=True).stdout
        report(rounds, frames, options)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
