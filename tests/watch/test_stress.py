# SPDX-License-Identifier: GPL-2.0-or-later
"""Attached to and left many times, or killed at any moment: the victim lives, nothing stays behind."""
import os
import random
import signal
import subprocess
import threading
import time

from support.case import check, equal, test
from support.registers import free_registers
from support.tool import CULPRIT, Watch
from support.victims import Victim

ROUNDS = 300
KILLS = 100


def several(total, lanes, work):
    """`work` so many times, some of them at once; the first failure is raised."""
    failed = []
    left = iter(range(total))
    lock = threading.Lock()

    def lane():
        while not failed:
            with lock:
                number = next(left, None)
            if number is None:
                return
            try:
                work(number)
            except BaseException as error:  # handed to the test
                failed.append(error)
    threads = [threading.Thread(target=lane) for _ in range(lanes)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]


def survived(victim):
    """It ends as it should, its books are right, and its registers are free."""
    check(victim.alive(), f"the victim died: {victim.process.returncode}")
    for tid in os.listdir(f"/proc/{victim.pid}/task"):
        equal(free_registers(int(tid)), 4, f"free registers of thread {tid}")
    victim.send(signal.SIGTERM)
    books = victim.finish()
    total = int(books["add_one"][0]["writes"])
    check(f"counter={total}\n" in victim.text, "the counter is not what was added")
    equal(free_registers(), 4, "free registers")


def attach(victim, number):
    said = Watch("-p", str(victim.pid), "counter", "--stack", "none",
                 *(["--count", "2"] if number % 2 else ["--for", "5ms"])).finish(valid=False)
    equal(said.status, 0, f"status of round {number}: {said.errors}")
    equal(len(said.of("loss")), 1, f"ledgers of round {number}")
    equal(said.loss["gaps"], [], "gaps")
    check(said.loss["end"] in ("count", "time"), said.loss["end"])
    return said.loss["hits"]


@test(f"stress: {ROUNDS} times attached to one victim", seconds=120)
def rounds():
    hits = []
    with Victim("pool", 4, 0.3, wait=False) as victim:
        victim.line("ready")
        several(ROUNDS, 3, lambda number: hits.append(attach(victim, number)))
        survived(victim)
    equal(len(hits), ROUNDS, "rounds")
    check(sum(hits) >= ROUNDS, f"{sum(hits)} hits in all rounds")


def kill_at_random(victim, number):
    with open(os.devnull, "w") as null:
        process = subprocess.Popen([CULPRIT, "watch", "-p", str(victim.pid), "counter", "--json"],
                                   stdout=null, stderr=null)
    # From the first moments of its start to well after it was armed.
    time.sleep(random.Random(number).uniform(0, 0.08))
    process.send_signal(signal.SIGKILL)
    equal(process.wait(), -signal.SIGKILL, "how it ended")


@test(f"stress: {KILLS} times killed at a random moment", seconds=120)
def kills():
    with Victim("pool", 4, 0.3, wait=False) as victim:
        victim.line("ready")
        several(KILLS, 2, lambda number: kill_at_random(victim, number))
        survived(victim)


@test("stress: killed while it watches threads that come and go")
def kills_churn():
    with Victim("pool", 4, 0.2, "churn", wait=False) as victim:
        victim.line("ready")
        for number in range(20):
            kill_at_random(victim, 1000 + number)
            check(victim.alive(), f"the victim died: {victim.process.returncode}")
        victim.send(signal.SIGTERM)
        victim.finish()


@test("stress: three at once, each with its own registers and counts")
def three():
    with Victim("pool", 3, 1, wait=False) as victim:
        victim.line("ready")
        runs = [Watch("-p", str(victim.pid), "counter", "--stack", "none") for _ in range(3)]
        for run in runs:
            run.armed()
        time.sleep(0.2)
        victim.send(signal.SIGTERM)
        victim.finish()
        for run in runs:
            said = run.finish()
            equal(said.loss["busy"], 0, "hits that were not seen")
            check(said.loss["hits"] > 100, f"{said.loss['hits']} hits")


@test("stress: a program under gdb-like registers: two of four are left")
def shared_with_another():
    from support.registers import hold
    with Victim("pool", 1, 1, wait=False) as victim:
        victim.line("ready")
        with hold(victim.pid, 2):
            said = Watch("-p", str(victim.pid), "counter", "--for", "50ms").finish()
            equal(said.status, 0, f"status: {said.errors}")
        survived(victim)
