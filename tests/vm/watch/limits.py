# SPDX-License-Identifier: GPL-2.0-or-later
"""What the hardware, the machine and the ring can bear: exact counts, budgets, CPUs that go."""
import re
import signal
import subprocess
import time

import culprit
import victim
from harness import PATIENCE, SLOTS, all_free, case, free_slots, wait_for


def watch(test, *args, targets=1):
    victim.reset()
    return culprit.Watch(test, *args).armed(targets)


def exact(test, stores):
    run = watch(test, "victim:victim_million", "--max-rate", "none", "--stack", "none")
    victim.perform("million", stores)
    run.end(seconds=300)
    b, loss = victim.book("write_million"), run.loss
    test.same(b["writes"], stores, "the book")
    test.same((loss["hits"], loss["seen"]), (stores, stores), "hits")
    test.same([(w["where"]["function"], w["where"]["line"], w["hits"], w["min"], w["max"],
                w["last_value"]) for w in run.writers()],
              [("write_million", b["line"], stores, 1, stores, stores)], "writers")
    test.same(loss["detailed"] + loss["dropped"], stores, "detailed and dropped")
    test.same(len(run.hits()), loss["detailed"], "hits shown")


@case("ten thousand stores, exact counts")
def thousands(test):
    exact(test, 10000)


@case("a million stores, exact counts", seconds=900, on="debian-6.12")
def million(test):
    exact(test, 1000000)


@case("the ring overflows: a stopped culprit loses details, and no counts", seconds=200)
def overflow(test):
    stores = 30000
    run = watch(test, "victim:victim_million", "--max-rate", "none")
    run.process.send_signal(signal.SIGSTOP)
    victim.perform("million", stores)
    run.process.send_signal(signal.SIGCONT)
    run.end()
    loss = run.loss
    test.check(loss["dropped"] > 0, "nothing was dropped: the ring is larger than this test thinks")
    test.same((loss["hits"], loss["seen"], loss["detailed"] + loss["dropped"]),
              (stores, stores, stores), "hits, seen, detailed and dropped")
    test.same([w["hits"] for w in run.writers()], [stores], "hits of the writer")


@case("a storm is disarmed by the rate budget, and the machine lives")
def storm(test):
    run = watch(test, "victim:victim_storm")
    victim.perform("storm", 6000)
    try:
        run.process.wait(20)
    except subprocess.TimeoutExpired:
        run.process.send_signal(signal.SIGINT)
    run.wait()
    victim.perform("storm_stop")
    loss = run.loss
    test.same((run.status, [w["where"]["function"] for w in run.writers()]), (0, ["write_storm"]),
              "status, writers")
    if loss["end"] == "signal":
        # An emulated CPU that shares its host may be too slow for its own budget.
        rate = victim.book("write_storm")["writes"] / 6
        test.check(rate < loss["max_rate"], f"not disarmed at {rate:.0f} hits a second")
    else:
        test.same((loss["end"], loss["disarmed"]), ("rate", True), "end")
        test.check(loss["hits"] > loss["max_rate"] > 0, "fewer hits than were allowed")


@case("a storm is disarmed at once by a small --max-rate")
def storm_small(test):
    run = watch(test, "victim:victim_storm", "--max-rate", "500")
    victim.perform("storm", 6000)
    run.wait()
    victim.perform("storm_stop")
    test.same((run.status, run.loss["end"], run.loss["disarmed"]), (0, "rate", True), "end")
    test.check(500 < run.loss["hits"] and run.loss["ran"] < 5, "disarmed late")


@case("--max-rate N is the budget")
def max_rate(test):
    run = watch(test, "victim:victim_level", "--max-rate", "50")
    victim.perform("set_level", 40)
    time.sleep(1.5)
    victim.perform("set_level", 40)
    test.check(run.process.poll() is None, "ended below its budget")
    victim.perform("set_level", 60)
    run.wait()
    test.same((run.loss["end"], run.loss["max_rate"]), ("rate", 50), "end")


@case("a change through another mapping is told: behind the CPU's back")
def alias(test):
    victim.perform("direct_write", 1, 500)
    run = watch(test, "victim:victim_page.value")
    time.sleep(0.4)
    victim.perform("alias_write", 1, 4711)
    test.check(run.wait_lines("behind", 1, 20), "no record `behind`")
    victim.perform("direct_write", 1, 9)
    run.end()
    told = run.of("behind")
    test.same([(r["old"], r["new"]) for r in told], [(500, 4711)], "behind")
    test.check(all(0 < r["from"] < r["to"] for r in told), "from and to")
    test.same([(h["store"]["function"], h["old"], h["new"]) for h in run.hits()],
              [("direct_write", 4711, 9)], "the hit after it")
    test.same(run.loss["behind"], 1, "behind in the ledger")


def online(cpu, on):
    with open(f"/sys/devices/system/cpu/cpu{cpu}/online", "w") as f:
        f.write(str(int(on)))


def seen_on(run, cpu, fault, *numbers):
    """Performs a fault on a CPU until it is seen: the CPU is watched again from then on."""
    def once():
        seen = sum('"type":"hit"' in line for line in run.lines)
        victim.on_cpu(cpu, fault, *numbers)
        return run.wait_lines("hit", seen + 1, 0.5)
    return wait_for(once, 20)


@case("a CPU goes and comes back: armed again, and the gap is told")
def hotplug(test):
    test.cleanups.append(lambda: online(1, True))
    run = watch(test, "victim:victim_level")
    victim.on_cpu(1, "set_level", 2)
    test.check(run.wait_lines("hit", 2, 20), "no hit")
    online(1, False)
    time.sleep(1)
    victim.on_cpu(0, "raise_level", 3)
    test.check(run.wait_lines("hit", 5, 20), "no hit with one CPU")
    online(1, True)
    test.check(seen_on(run, 1, "add_level"), "CPU 1 is not watched when it is back")
    test.same(free_slots(), "cpu0=3 cpu1=3", "free registers")
    victim.on_cpu(1, "lower_level", 4)
    run.end()
    wanted = {"set_level": 2, "raise_level": 3, "lower_level": 4}
    test.same({w["where"]["function"]: w["hits"] for w in run.writers()
               if w["where"]["function"] in wanted}, wanted, "writers")
    test.same({h["cpu"] for h in run.hits("lower_level")}, {1}, "CPU after it came back")
    gaps = " / ".join(run.loss["gaps"])
    test.matches(gaps, r"CPU 1 went offline.*CPU 1 came online", "gaps")
    test.same((run.status, run.loss["hits"]), (0, run.loss["seen"]), "status, hits and seen")


@case("a CPU goes and comes back: a per-CPU variable")
def hotplug_percpu(test):
    test.cleanups.append(lambda: online(1, True))
    online(1, False)
    run = watch(test, "victim:victim_ticks")
    victim.perform("count_tick", 2)
    test.check(run.wait_lines("hit", 2, 20), "no hit with one CPU")
    online(1, True)
    test.check(seen_on(run, 1, "count_tick", 1, 1), "CPU 1 is not watched when it has come")
    before = len([line for line in run.lines if '"type":"hit"' in line])
    victim.perform("count_tick", 3)
    test.check(run.wait_lines("hit", before + 6, 20), "hits are missing")
    run.end()
    test.same(len([h for h in run.hits() if h["cpu"] == 0]), 5, "hits on CPU 0")
    test.same((run.status, run.loss["hits"]), (0, run.loss["seen"]), "status, hits and seen")


@case("a CPU goes and comes back: one that --cpu names, or that watches another's copy")
def hotplug_named(test):
    test.cleanups.append(lambda: online(1, True))
    for target, cpu in (("victim:victim_level", "1"), ("victim:victim_ticks", "0")):
        run = watch(test, target, "--cpu", cpu)
        online(1, False)
        time.sleep(1)
        online(1, True)
        if cpu == "1":
            test.check(seen_on(run, 1, "add_level"), "CPU 1 is not watched when it is back")
            victim.on_cpu(0, "add_level", 2)
        else:
            test.check(seen_on(run, 1, "write_remote", 1), "CPU 1 does not watch when it is back")
        run.end()
        test.same({h["cpu"] for h in run.hits()}, {1}, f"--cpu {cpu}: who stored")
        test.matches(" / ".join(run.loss["gaps"]), r"CPU 1 went offline.*CPU 1 came online", f"--cpu {cpu}: gaps")


class Held:
    """Another tool that has all debug registers of some CPUs."""

    def __init__(self, test, *cpus):
        self.process = subprocess.Popen([SLOTS, "hold"] + [str(c) for c in cpus], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        test.cleanups.append(self.release)
        test.same(self.process.stdout.readline(), f"held {4 * len(cpus)}\n", "registers held")

    def release(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait(20)


@case("no free register: an error that names the holder")
def no_slot(test):
    held = Held(test, 0, 1)
    run = culprit.run(test, "victim:victim_level")
    test.same((run.status, run.records), (1, []), "status and output")
    test.matches(run.stderr(), rf"no free debug register.*slots \({held.process.pid}\)", "stderr")
    test.same(run.stderr().count("\n"), 1, "lines on stderr")
    held.release()
    run = culprit.run(test, "victim:victim_level", "--for", "10ms")
    test.same(run.status, 0, "status when they are free again")


@case("one CPU has no free register: an error without --partial")
def partial(test):
    Held(test, 1)
    run = culprit.run(test, "victim:victim_level")
    test.same(run.status, 1, "status")
    test.matches(run.stderr(), r"CPU 1 has no free debug register", "stderr")
    run = watch(test, "victim:victim_level", "--partial")
    victim.on_cpu(0, "set_level", 3)
    victim.on_cpu(1, "set_level", 2)
    run.end()
    test.same((run.status, run.loss["hits"], run.of("armed")[0]["cpus"]), (0, 3, 1), "with --partial")
    test.matches(" ".join(run.loss["gaps"]), r"CPU 1 was not watched for .* until the end", "gaps")
    run = watch(test, "victim:victim_level", "--cpu", "0")
    victim.on_cpu(0, "set_level", 3)
    run.end()
    test.same((run.status, run.loss["hits"]), (0, 3), "with --cpu 0")


@case("two culprits at once, on different targets")
def two(test):
    one = watch(test, "victim:victim_level")
    two = watch(test, "victim:stats.word")
    test.same(free_slots(), "cpu0=2 cpu1=2", "free registers")
    victim.perform("set_level", 5)
    victim.perform("write_word", 7)
    for run, wanted in ((one, ("set_level", 5)), (two, ("write_word", 7))):
        run.end()
        test.same([(w["where"]["function"], w["hits"]) for w in run.writers()], [wanted],
                  f"writers of {run.args[-1]}")


@case("the module goes while it is watched, and comes back")
def unload(test):
    run = watch(test, "victim:victim_level", "victim:victim_ticks", targets=2)
    victim.perform("set_level", 2)
    victim.unload()
    time.sleep(0.5)
    victim.load()
    victim.perform("set_level", 1)
    run.end()
    test.same(run.status, 0, "status")
    # The new one may come to the same place: then its store is seen too.
    test.check([w["hits"] in (2, 3) for w in run.writers("set_level")][:1] == [True],
               "what was seen before is gone")
    test.check(wait_for(lambda: free_slots() == all_free(), PATIENCE), "registers are taken")
    run = watch(test, "victim:victim_level")
    victim.perform("set_level", 2)
    run.end()
    culprit.nothing_lost(test, run, 2)


@case("a CPU comes online with its registers taken: armed when they are free, and the time told")
def taken_at_first(test):
    test.cleanups.append(lambda: online(1, True))
    online(1, False)
    run = watch(test, "victim:victim_level")
    test.cleanups.append(lambda: run.process.send_signal(signal.SIGCONT))
    run.process.send_signal(signal.SIGSTOP)  # not to be first at the registers
    online(1, True)
    held = Held(test, 1)
    run.process.send_signal(signal.SIGCONT)
    began = time.monotonic()
    time.sleep(3)
    victim.on_cpu(1, "set_level", 2)
    victim.on_cpu(0, "raise_level", 3)
    test.check(run.wait_lines("hit", 3, 20), "no hit by the other CPU")
    held.release()
    released = time.monotonic()
    test.check(seen_on(run, 1, "add_level"), "CPU 1 is not watched when its registers are free")
    seen = time.monotonic()
    victim.on_cpu(1, "lower_level", 4)
    run.end()
    wanted = {"raise_level": 3, "lower_level": 4}
    test.same({w["where"]["function"]: w["hits"] for w in run.writers()
               if w["where"]["function"] != "add_level"}, wanted, "writers")
    gaps = " / ".join(run.loss["gaps"])
    test.matches(gaps, r"CPU 1 was not watched for .*no free debug register", "gaps")
    told = re.search(r"CPU 1 was not watched for ([0-9.]+) s, from .* until it could be armed", gaps)
    test.check(told, f"not told when it was armed: {gaps}")
    test.check(released - began - 0.5 < float(told[1]) < seen - began + 0.5,
               f"{told[1]} s, expected {released - began} to {seen - began}")
    test.same((run.status, run.loss["hits"]), (0, run.loss["seen"]), "status, hits and seen")
