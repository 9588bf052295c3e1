# SPDX-License-Identifier: GPL-2.0-or-later
"""Probes in the kernel's busiest places, in what the tracer itself calls, on what goes away under them,
attached and ended many times, by force too: counts stay true and nothing is left behind."""
import os
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import culprit
import machine
import victim
from harness import case, last_case, wait_for
from victim import USER_CALLS as CALLS

SOME_KILLS, KILLS, ROUNDS = 11, 50, 200
SOME_CALLS, CALLS_OF_A_SOAK = 50000, 1000000
IN_A_ROW, ROWS = 200000, 20  # calls on each of two CPUs; with a probe so many times as much
WORKERS = 2
READS = 200


def nothing_left(test, before):
    after = {}

    def same():
        after.update(machine.attached())
        return after == before
    if not wait_for(same, 20, 0.5):
        for key, value in after.items():
            test.same(value, before[key], f"left behind: {key}")


def still_works(test):
    victim.reset()
    run = culprit.probe(test, "victim:exec_me", "--ret")
    victim.perform("exec_me", 3)
    run.end()
    test.same([c["ret"] for c in run.calls()], [3, 6, 9], "a probe afterwards")


class Load:
    """Processes that read, write, open and allocate, until stopped."""

    def __init__(self, test):
        script = "while :; do cat /proc/self/status >/dev/null; ls /proc/1 >/dev/null; done"
        self.process = subprocess.Popen(["sh", "-c", script], start_new_session=True,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        test.cleanups.append(self.stop)

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


# What reading a file, the ring, maps and locks go through, so also what a probe's own work is made of.
OWN_PATHS = [
    ["vfs_read", "vfs_write"],
    ["_raw_spin_lock*"],
    ["__kmalloc*", "kfree"],
    ["bpf_ringbuf_*", "*ring_buffer_lock_reserve"],
    ["htab_map_*", "array_map_*", "__htab_*"],
    ["copy_from_kernel_nofault", "copy_from_user_nofault"],
]


@case("probe, stress: in what a probe itself goes through", seconds=400)
def own_paths(test):
    machine.one_cpu(test)
    load = Load(test)
    for i, specs in enumerate(OWN_PATHS):
        for words in (["--count", "--by", "cpu"], ["--ret", "--args", "comm"])[:2 if i == 0 else 1]:
            run = culprit.Probe(test, *specs, *words)
            if run.wait_lines("probing", 1):
                for _ in range(READS):
                    machine.read("/proc/self/comm")
                run.end()
            else:
                run.wait()
            if not run.records:  # a kernel without such functions, or that refuses them, says so
                test.same(run.status, 1, f"{specs}: status")
                test.check(len(run.stderr().strip().splitlines()) == 1, f"{specs}: {run.stderr()}")
                continue
            loss = run.loss
            test.same((run.status, loss.get("end")), (0, "signal"), f"{specs}: status, end")
            test.same(sum(f["calls"] for f in run.of("function")), loss["calls"], f"{specs}: sum")
            if "--count" in words:
                groups = sum(g["calls"] for g in run.of("group"))
                test.same(groups + loss["ungrouped"], loss["matched"], f"{specs}: groups")
            else:
                test.same(len(run.calls()) + loss["dropped"], loss["matched"], f"{specs}: shown, dropped")
            if specs[0] == "vfs_read":
                test.check(run.function("vfs_read")["calls"] >= READS, f"{specs}: {loss['calls']} calls")
    load.stop()
    machine.write("/sys/devices/system/cpu/cpu1/online", "1")
    still_works(test)


def heavy(test, count):
    victim.reset()
    run = culprit.probe(test, "victim:victim_calls_flags", "--count", "--by", "comm")
    victim.perform("call_flags", count)
    run.end()
    f = run.function("victim_calls_flags")
    test.same(victim.book("victim_calls_flags")["calls"], count, "the book")
    test.same((f["calls"], f["matched"], sum(g["calls"] for g in run.of("group"))), (count,) * 3,
              "calls, matched, the groups' sum")
    test.same((run.loss["missed"], run.loss["dropped"], run.loss["ungrouped"]), (0, 0, 0), "ledger")
    victim.reset()
    run = culprit.probe(test, "victim:victim_calls_both", "--count", "--by", "cpu")
    victim.perform("call_both", count // 10)
    run.end()
    test.same([g["calls"] for g in run.of("group")], [count // 10] * 2, "two CPUs at once")


@case("probe, stress: heavy load: counts are exact, drops are told", seconds=200)
def some_calls(test):
    heavy(test, SOME_CALLS)


@case("probe, stress: a million calls, exact counts", seconds=600, on="debian-6.12")
def million(test):
    heavy(test, CALLS_OF_A_SOAK)


def calls_a_second(count):
    """Of so many calls on each of two CPUs at once."""
    start = time.monotonic()
    victim.perform("call_both", count)
    return 2 * count / (time.monotonic() - start)


@case("probe, stress: a million calls a second: each is counted, and the machine is alive", seconds=300,
      on="debian-6.12")
def rate(test):
    victim.reset()
    free = max(calls_a_second(IN_A_ROW) for _ in range(3))
    victim.reset()
    run = culprit.probe(test, "victim:victim_calls_both", "--count", "--stack", "none")
    rate = calls_a_second(IN_A_ROW * ROWS)
    run.end()
    f = run.function("victim_calls_both")
    test.same((f["calls"], f["matched"]), (2 * IN_A_ROW * ROWS,) * 2, "calls, matched")
    test.same((run.loss["missed"], run.loss["recursion"]), (0, 0), "ledger")
    test.say(f"{rate / 1e6:.2f} million calls a second, {free / 1e6:.2f} million without a probe")
    # A slow machine's share: a tenth of what it does without.
    test.check(rate >= min(1e6, free / 10), f"{rate} calls a second, {free} without a probe")
    still_works(test)


@case("probe, stress: a stopped culprit loses details, and no counts", seconds=200)
def overflow(test):
    count = 60000
    run = culprit.probe(test, "victim:victim_calls_flags", "--ret")
    run.process.send_signal(signal.SIGSTOP)
    victim.perform("call_flags", count)
    run.process.send_signal(signal.SIGCONT)
    run.end()
    loss = run.loss
    test.check(loss["dropped"] > 0, "nothing was dropped: the ring is larger than this test thinks")
    test.same((loss["calls"], loss["matched"], loss["shown"] + loss["dropped"], len(run.calls())),
              (count, count, count, loss["shown"]), "calls, matched, shown and dropped, shown")


@case("probe, stress: the module is unloaded under its probe, or held by it", seconds=200)
def unload(test):
    for words in (["victim:exec_me", "--ret"], ["victim:exec_me", "victim:victim_args_*"],
                  ["victim:exec_me", "--ret", "--maxactive", "4"], ["victim:exec_me+0"]):
        run = culprit.probe(test, *words)
        victim.perform("exec_me", 3)
        done = subprocess.run(["rmmod", "victim"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode == 0:
            victim.load()
        else:
            test.matches(done.stdout, "in use", f"{words}: rmmod")
        run.end()
        test.same((run.status, run.loss.get("calls")), (0, 3), f"{words}: status, calls")
        if done.returncode:  # no more held
            test.check(wait_for(lambda: subprocess.run(["rmmod", "victim"], stderr=subprocess.DEVNULL)
                                .returncode == 0, 10, 0.5), f"{words}: the module is still held")
            victim.load()
    still_works(test)


KINDS = [["victim:exec_me"], ["victim:exec_me", "--ret"], ["victim:victim_args_*", "--count"],
         ["victim:victim_calls_errno", "--errors", "--maxactive", "8"], ["sched:sched_switch", "--count"],
         ["victim:victim_args_*", "--ret"], ["victim:exec_me", "--hist", "a"],
         ["vfs_read", "--if", "count > 100000"], ["victim:inline_here+0", "--stack", "kernel"],
         ["victim:victim_args_node", "--diff"]]


def in_parallel(work, count):
    """work(i) for each number, a few at once; what they say went wrong."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return [f"round {i}: {what}" for i, what in enumerate(pool.map(work, range(count))) if what]


def kills(test, count):
    before = machine.attached()
    start = time.monotonic()
    culprit.Probe(test, "victim:victim_calls_errno", "--maxactive", "8", "--for", "1ms").wait()
    whole = (time.monotonic() - start) * 1.6
    rng = random.Random(test.kernel)
    waits = [rng.uniform(0, whole) for _ in range(count)]

    def kill(i):
        args = ["call_*", "--ret", "--", CALLS, "--wait"] if i % 11 == 10 else KINDS[i % len(KINDS)]
        process = subprocess.Popen(["culprit", "probe", "--debug", culprit.DEBUG] + args,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        time.sleep(waits[i])
        process.send_signal(signal.SIGKILL)
        process.wait()
        stderr = os.read(process.stderr.fileno(), 4096).decode() if process.returncode > 0 else ""
        process.stderr.close()
        return process.returncode != -signal.SIGKILL and f"{args}: {process.returncode}: {stderr}"

    test.differences += in_parallel(kill, count)
    subprocess.run(["sh", "-c", "for p in $(pidof victim_calls); do kill -9 $p; done"])
    nothing_left(test, before)
    still_works(test)


@case("probe, stress: SIGKILL at random moments leaves nothing", seconds=200)
def some_kills(test):
    kills(test, SOME_KILLS)


@case("probe, stress: SIGKILL at random moments, many times", seconds=600, on="debian-6.12")
def many_kills(test):
    kills(test, KILLS)


@case("probe, stress: given up while many are attached, it ends, and they go away", seconds=300)
def given_up(test):
    before = machine.attached()
    run = culprit.Probe(test, "tcp_*", "--count")
    # A kernel without fprobe attaches one by one, a link each.
    links, end = len(before["links"]), time.monotonic() + culprit.PATIENCE
    while len(machine.listed("link")) <= links + 12 and time.monotonic() < end:
        if run.wait_lines("probing", 1, 0.1) or run.ended:
            break
    run.end(seconds=20)
    if run.status == 1:
        test.matches(run.stderr(), r"interrupted while \w+, \d+ of \d+ places: nothing stays attached",
                     "stderr")
    else:
        test.same(run.status, 0, "status")
    nothing_left(test, before)


@case("probe, stress: attached and detached many times, by every way", seconds=900, on="debian-6.1")
def rounds(test):
    count = int(os.environ.get("CULPRIT_TEST_ROUNDS", ROUNDS))
    before = machine.attached()

    def attach(i):
        args = KINDS[i % len(KINDS)]
        done = culprit.text("probe", "--json", "--debug", culprit.DEBUG, *args, "--for", "1ms")
        if done.returncode or done.stderr or '"loss"' not in done.stdout:
            return f"{args}: status {done.returncode}: {done.stderr.strip()}"
        return None

    test.differences += in_parallel(attach, count)
    nothing_left(test, before)
    still_works(test)


@last_case("probe: nothing is left when all is done, and every JSON line obeys the schema")
def at_the_end(test):
    left = machine.attached()
    for key in ("kprobe_events", "uprobe_events", "kprobes/list", "enabled_functions", "links"):
        test.check(not left[key], f"left behind: {key}: {left[key]}")
    culprit.obeys_schema(test, "probe")
