# SPDX-License-Identifier: GPL-2.0-or-later
"""One watcher, measured once: against a process's variable, or against the kernel's."""
import os
import re
import subprocess
import time

import measure

SETTLE = 0.05
# Parts of a run: the median of their costs passes over moments when the machine was away, the lowest
# is what a hit costs where nobody disturbs.
CHUNKS = 40
PATIENCE = 60


class UserTarget:
    """A process with a variable (target.c)."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        _, self.pid, self.addr = self.process.stdout.readline().split()

    def _ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def expect_armed(self):
        """Starts looking for the moment."""
        self._ask("armed")

    def armed_ns(self, tool):
        """When its stores began to trap."""
        return int(self.process.stdout.readline().split()[1])

    def run(self, count):
        """(wall, cpu) in ns of `count` stores."""
        self._ask(f"run {count}")
        _, wall, cpu, _ = self.process.stdout.readline().split()
        return int(wall), int(cpu)

    def end(self):
        """It ends by itself."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class KernelTarget:
    """The variable `victim_million` of the loaded victim module."""

    RUN = "/sys/kernel/debug/victim/run"
    BOOKS = "/sys/kernel/debug/victim/books"
    # Stores that all trap take longer than these, even when the emulation was held up meanwhile.
    FEW = 20
    FEW_NS = FEW * 5000
    IN_A_ROW = 3

    def __init__(self):
        book = self._book()
        self.addr = re.search(r" addr=(\S+)", book).group(1)

    def _book(self):
        with open(self.BOOKS, encoding="ascii") as f:
            return next(line for line in f if line.startswith("write_million "))

    def _store(self, count):
        with open(self.RUN, "w", encoding="ascii") as f:
            f.write(f"million {count}")

    def _loop_ns(self):
        return int(re.search(r"loop_ns=(\d+)", self._book()).group(1))

    def expect_armed(self):
        """Nothing to prepare: a few stores now and then tell."""

    def armed_ns(self, tool):
        """When its stores began to trap; 0 when the tool ended instead."""
        deadline = time.monotonic() + PATIENCE
        first, slow = 0, 0
        while tool.look() and time.monotonic() < deadline:
            start = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            self._store(self.FEW)
            if self._loop_ns() < self.FEW_NS:
                slow = 0
                time.sleep(0.002)
                continue
            first = first if slow else start
            slow += 1
            if slow == self.IN_A_ROW:
                return first
        return 0

    def run(self, count):
        """(wall, cpu) in ns of `count` stores: the loop alone."""
        self._store(count)
        return self._loop_ns(), self._loop_ns()

    def end(self):
        """The module stays."""


def run_in_chunks(target, count, before=None):
    """Per store: (wall over all of them, median of the chunks' cpu, the lowest of those). `before`: each chunk."""
    each = max(count // CHUNKS, 1)
    ran = []
    for _ in range(CHUNKS):
        if before:
            before()
        ran.append(target.run(each))
    cpu = [cpu for _, cpu in ran]
    return (sum(wall for wall, _ in ran) / (each * CHUNKS), measure.median(cpu) / each,
            min(cpu) / each)


def measure_once(watcher, target, count, scratch):
    """Runs `watcher` on a fresh target; the figures as a dict."""
    count = max(int(count * watcher.share), CHUNKS) // CHUNKS * CHUNKS
    free_wall, free_cpu, free_low = run_in_chunks(target, count)
    target.expect_armed()
    tool = measure.Tool(watcher.argv, os.path.join(scratch, "out"))
    armed = target.armed_ns(tool)
    time.sleep(SETTLE)
    before = tool.cpu_ns()
    wall, cpu, low = run_in_chunks(target, count)
    tool.look()
    target.end()
    memory = tool.end()
    said = tool.said()
    if not armed:
        print(f"bench: {watcher.name} never armed: {said.strip()[:300]}", flush=True)
        return {"name": watcher.name}
    hits, details = watcher.hits(said), watcher.details(said)
    return {
        "name": watcher.name,
        "armed_ms": (armed - tool.started) / 1e6,
        "wall": wall - free_wall,
        "cpu": cpu - free_cpu,
        "low": low - free_low,
        "own": max(tool.used_ns() - before, 0) / count,
        "memory": memory,
        "counted": None if hits is None else hits >= count,
        "kept": None if details is None else min(details / count, 1.0),
    }
