# SPDX-License-Identifier: GPL-2.0-or-later
"""Started and ended many times, by force too: the kernel is as it was before."""
import json
import os
import random
import signal
import subprocess
import threading
import time

import culprit
import victim
from harness import all_free, case, free_slots, wait_for

SOME_KILLS, KILLS, ROUNDS = 10, 100, 300
WORKERS = 2
PATIENCE = 60  # seconds for one that is on its way


def programs():
    """BPF programs that are loaded, but for those of the machine itself."""
    listed = subprocess.run(["bpftool", "prog", "show", "--json"], stdout=subprocess.PIPE, text=True)
    return sorted(p.get("name", "?") for p in json.loads(listed.stdout or "[]"))


def perf_events():
    """Open perf events of all processes."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if "perf_event" in os.readlink(f"/proc/{pid}/fd/{fd}"):
                    found.append(pid)
        except OSError:
            pass
    return found


def nothing_left(test, before):
    test.check(wait_for(lambda: free_slots() == all_free(), PATIENCE), f"free are {free_slots()}")
    test.check(wait_for(lambda: programs() == before, 20, 1), f"BPF programs left: {programs()}")
    test.same(perf_events(), [], "processes with perf events")
    victim.reset()
    run = culprit.Watch(test, "victim:victim_level").armed()
    victim.perform("set_level", 3)
    run.end()
    culprit.same_as_book(test, run, "set_level", shown=int)
    victim.perform("check")


class Stores(threading.Thread):
    """Something to be hit by, all the time."""

    def __init__(self, *faults):
        super().__init__(daemon=True)
        self.faults, self.stopped = faults, False

    def run(self):
        while not self.stopped:
            for fault in self.faults:
                victim.perform(fault, 50)
            time.sleep(0.02)

    def stop(self):
        self.stopped = True
        self.join(20)


def in_parallel(work, count):
    """work(i) for each number, by a few threads; what they say went wrong."""
    numbers, wrong = iter(range(count)), []
    lock, stopped = threading.Lock(), threading.Event()

    def worker():
        while not stopped.is_set():
            with lock:
                i = next(numbers, None)
            if i is None:
                return
            try:
                what = work(i)
            except Exception as error:
                what = f"{type(error).__name__}: {error}"
            if what:
                wrong.append(f"round {i}: {what}")

    threads = [threading.Thread(target=worker) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:  # also when the time is up
        stopped.set()
        for thread in threads:
            thread.join(PATIENCE)
    return wrong


# Two registers at most: two run at once.
TARGETS = [["victim:victim_level"], ["victim:victim_level", "victim:stats.word"], ["victim:victim_ticks"],
           ["victim:victim_level", "--if", "new > 20"],
           ["victim:victim_rw", "--rw"], ["--exec", "victim:exec_me"]]


def kills(test, count):
    before = programs()
    start = time.monotonic()
    culprit.run(test, "victim:victim_level", "--for", "1ms")
    whole = (time.monotonic() - start) * 1.6  # before, while and after it is armed
    stores = Stores("set_level", "write_word", "bump_rw", "exec_me")
    stores.start()
    test.cleanups.append(stores.stop)
    rng = random.Random(test.kernel)
    waits = [rng.uniform(0, whole) for _ in range(count)]

    def kill(i):
        targets = TARGETS[i % len(TARGETS)]
        process = subprocess.Popen(["culprit", "watch", "--debug", culprit.DEBUG] + targets,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        time.sleep(waits[i])
        process.send_signal(signal.SIGKILL)
        stderr = process.communicate()[1]
        if process.returncode != -signal.SIGKILL:
            return f"ended by itself with {process.returncode}: {stderr.strip()}"
        return stderr and f"said {stderr.strip()}"

    test.differences += in_parallel(kill, count)
    stores.stop()
    nothing_left(test, before)


@case("SIGKILL at random moments leaves no breakpoint, no program")
def some_kills(test):
    kills(test, SOME_KILLS)


@case("SIGKILL at random moments, many times", seconds=900, on="debian-6.12")
def many_kills(test):
    kills(test, KILLS)


@case("attached and detached many times", seconds=1800, on="debian-6.1")
def rounds(test):
    before = programs()
    places = [victim.place("set_level"), victim.place("write_word")]
    stores = Stores("set_level")
    stores.start()
    test.cleanups.append(stores.stop)

    def watch(i):
        done = culprit.text("watch", "--json", "--for", "1ms", places[i % 2])
        if done.returncode or done.stderr or '"loss"' not in done.stdout:
            return f"status {done.returncode}: {done.stderr.strip()}"
        return None

    test.differences += in_parallel(watch, ROUNDS)
    stores.stop()
    nothing_left(test, before)
