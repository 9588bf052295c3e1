# SPDX-License-Identifier: GPL-2.0-or-later
"""How a run ends, and what a user is told when it cannot start."""
import os
import re
import signal
import subprocess

import culprit
import victim
from harness import case, last_case


@case("SIGINT and SIGTERM end a run with its summary")
def signals(test):
    for signum in (signal.SIGINT, signal.SIGTERM):
        victim.reset()
        run = culprit.Watch(test, "victim:victim_level").armed()
        victim.perform("set_level", 3)
        run.end(signum)
        test.same((run.status, run.loss.get("end"), len(run.writers()), run.stderr()),
                  (0, "signal", 1, ""), f"{signum.name}: status, end, writers, stderr")


@case("--for and --count end a run")
def limits(test):
    run = culprit.run(test, "victim:victim_level", "--for", "300ms")
    test.same((run.status, run.loss["end"], run.loss["hits"]), (0, "time", 0), "--for")
    test.check(0.3 <= run.loss["ran"] < 20, f"ran {run.loss['ran']} s")
    run = culprit.Watch(test, "victim:victim_level", "--count", "4").armed()
    victim.perform("set_level", 6)
    run.wait()
    test.same((run.status, run.loss["end"], len(run.hits())), (0, "count", 4), "--count")


@case("-- CMD: the run ends with the command, which keeps its status")
def command(test):
    victim.reset()
    faults = "echo set_level 3 >/sys/kernel/debug/victim/run; exit 7"
    run = culprit.run(test, "--kernel", "victim:victim_level", "--", "sh", "-c", faults)
    test.same((run.status, run.loss["end"], run.loss.get("command_exit")), (0, "command", 7), "end")
    culprit.same_as_book(test, run, "set_level", shown=int)
    test.same({h["comm"] for h in run.hits()}, {"sh"}, "process")
    run = culprit.run(test, "victim:victim_level", "--", "sh", "-c", faults)
    test.same((run.status, len(run.hits())), (0, 3), "without --kernel: falls back to it")
    run = culprit.run(test, "--kernel", "victim:victim_level", "--", "sh", "-c", "kill -9 $$")
    test.same((run.status, run.loss.get("command_signal")), (0, 9), "a command killed")
    run = culprit.run(test, "--kernel", "victim:victim_level", "--", "/no/such/command")
    test.same(run.status, 1, "no such command: status")
    test.matches(run.stderr(), "/no/such/command", "no such command: stderr")


@case("a closed pipe ends it without a word")
def pipe(test):
    read, write = os.pipe()
    process = subprocess.Popen(["culprit", "watch", "--json", "--debug", culprit.DEBUG,
                                "victim:victim_level"], stdout=write, stderr=subprocess.PIPE,
                               text=True)
    test.cleanups.append(lambda: process.poll() is None and process.kill())
    os.close(write)
    test.matches(os.read(read, 65536).decode(), '^{"type":"armed"', "first line")
    os.close(read)
    victim.perform("set_level", 3)
    stderr = process.communicate(timeout=30)[1]
    test.same((process.returncode, stderr), (0, ""), "status and stderr")


def refused(test, args, pattern, status=1, preexec=None, debug=True):
    """It fails with one line on stderr (and the place in the expression), and nothing on stdout."""
    more = ["--debug", culprit.DEBUG] if debug else []
    done = culprit.text("watch", *more, *args, preexec_fn=preexec)
    what = " ".join(args)
    test.same((done.returncode, done.stdout), (status, ""), f"{what}: status, stdout")
    test.check(re.search(pattern, done.stderr), f"{what}: stderr is {done.stderr!r}, not /{pattern}/")
    if status == 1:
        test.check(len(re.findall(r"^\S", done.stderr, re.M)) == 1, f"{what}: stderr is {done.stderr!r}")
    test.check(done.stderr.startswith("culprit: watch: "), f"{what}: stderr is {done.stderr!r}")


@case("errors: --cpu N of what has copies, and of what has none", on="debian-6.12-rt")
def mixed(test):
    for targets in (["victim:victim_level", "victim:victim_ticks"], ["victim:victim_ticks", "victim:victim_level"]):
        refused(test, [*targets, "--cpu", "1"], r"copy of victim:victim_ticks .* watches victim:victim_level; .* two runs",
                status=2)


@case("errors: names that are not there, with near ones", on="debian-6.12-rt")
def unknown(test):
    refused(test, ["victim:victim_levle"], r"victim_levle.*victim_level")
    refused(test, ["victm:victim_level"], r"victm.*victim")
    refused(test, ["no_such_symbol_at_all"], r"no_such_symbol_at_all")
    refused(test, ["victim:stats.handlr"], r"handlr.*handler")
    refused(test, ["victim:stats.errors[2]x"], r"stats\.errors\[2\]x", status=2)


@case("errors: a symbol without a type says how to give one")
def untyped(test):
    refused(test, ["victim:victim_level"], r"victim:victim_level:\d.*\*\(\w+ \*\)&.*--debug",
            debug=False)
    if not test.kernel.startswith("debug"):  # that one has debug information
        refused(test, ["pid_max"], r"pid_max:\d", debug=False)


@case("errors: too large, too many, not a place", on="debian-6.12-rt")
def too_much(test):
    size = victim.book("write_text")["addr"] - victim.book("write_byte")["addr"]
    test.check(size > 32, "stats is not as large as it was")
    refused(test, ["victim:stats"], r"victim:stats has \d+ bytes.*name a member")
    refused(test, ["victim:stats.block", "victim:stats.word", "victim:stats.quad"],
            r"5 debug registers together.*has 4")
    refused(test, ["victim_level:4"] * 5, r"5 targets.*4 debug registers")
    refused(test, ["victim:victim_level + 1"], r"value, not a place")
    refused(test, ["victim:victim_level", "--if", "nwe > 3"], r"nwe.*new")
    refused(test, ["victim:victim_level", "--cpu", "7"], r"CPU 7 is not online")


@case("errors: an address that the kernel refuses, or that is not there")
def bad_places(test):
    refused(test, ["cpu_tlbstate+0:8"], r"0x[0-9a-f]+", debug=False)
    refused(test, ["*(int *)0"], r"0x0\b", debug=False)
    refused(test, ["0x1000:8"], r"0x1000\b", debug=False)
    victim.perform("drop_object")
    test.cleanups.append(lambda: victim.perform("replace_object"))
    refused(test, ["victim:victim_object->refs"], r"NULL|0x8\b")


@case("errors: wrong words are status 2", on="debian-6.12-rt")
def usage(test):
    refused(test, ["--read", "victim:victim_level"], r"cannot trap on loads.*--rw", status=2)
    refused(test, ["victim:victim_level", "--for", "soon"], r"--for soon.*duration", status=2)
    refused(test, ["--rw", "--exec", "victim:exec_me"], r"exclude each other", status=2)
    refused(test, [], r"no target", status=2)
    refused(test, ["victim:victim_level", "--stack", "kernal"], r"kernel", status=2)


def nobody():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


@case("errors: without privilege, kernel addresses hidden")
def unprivileged(test):
    path = "/proc/sys/kernel/kptr_restrict"
    before = open(path).read()
    test.cleanups.append(lambda: open(path, "w").write(before))
    for restrict in ("2", "0"):
        with open(path, "w") as f:
            f.write(restrict)
        refused(test, ["jiffies_64:8"], r"root|CAP_|kptr_restrict", preexec=nobody, debug=False)
    with open(path, "w") as f:
        f.write("2")
    run = culprit.Watch(test, "jiffies_64:8", "--for", "100ms", debug=False).wait()
    test.matches(f"{run.status} {run.stderr()}", r"^0 |kptr_restrict", "as root with kptr_restrict=2")


@last_case("JSON: every line that was seen obeys the schema")
def schema(test):
    culprit.obeys_schema(test, "watch")
