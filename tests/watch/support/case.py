# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests and how they are run: each in a process of its own, two at a time, with a deadline.

A test that leaves a process behind has failed, whatever else it found.
"""
import ctypes
import os
import pathlib
import pickle
import select
import signal
import sys
import tempfile
import time
import traceback

PR_SET_CHILD_SUBREAPER = 36

TESTS = []


class Skip(Exception):
    """This machine cannot run the test; the text says why."""


class Test:
    def __init__(self, function, name, alone, seconds):
        self.function = function
        self.name = name
        self.alone = alone
        self.seconds = seconds


def test(name, alone=False, seconds=40):
    """Registers a function as a test. `alone`: nothing else runs meanwhile (it measures time)."""
    def add(function):
        TESTS.append(Test(function, name, alone, seconds))
        return function
    return add


def check(condition, why):
    if not condition:
        raise AssertionError(why)


def shortened(value):
    text = repr(value)
    return text if len(text) < 200 else text[:200] + " ..."


def equal(found, wanted, what):
    check(found == wanted, f"{what}: {shortened(found)}, expected {shortened(wanted)}")


def until(condition, seconds=10, what="a condition"):
    """Waits for what is about to become true."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < end, f"{what} did not come in {seconds} s")
        time.sleep(0.005)


def children():
    """Processes whose parent is this one, dead ones not counted."""
    found = []
    for task in pathlib.Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            try:
                state = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if state not in "ZX":
                found.append(int(pid))
    return found


def left_behind():
    """Names and ends what the test has started and not waited for."""
    names = []
    end = time.monotonic() + 1
    while children() and time.monotonic() < end:
        time.sleep(0.01)
    for pid in children():
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            names.append(f"{pid} " + b" ".join(words[:6]).decode(errors="replace"))
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    return names


def perform(one):
    """Runs in the test's own process; its outcome as (word, why)."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.setsid()
    with tempfile.TemporaryDirectory(prefix="culprit-watch-") as scratch:
        os.environ["TEST_SCRATCH"] = scratch
        try:
            one.function()
            outcome = ("ok", "")
        except Skip as skip:
            outcome = ("skip", str(skip))
        except AssertionError as error:
            at = traceback.extract_tb(error.__traceback__)
            mine = [f for f in at if "/support/" not in f.filename] or at
            place = f"{os.path.basename(mine[-1].filename)}:{mine[-1].lineno}"
            outcome = ("not ok", f"{place}: {error}")
        except BaseException:  # a defect of the test is a failure too
            outcome = ("not ok", traceback.format_exc().strip().replace("\n", "\n    "))
        left = left_behind()
    if left and outcome[0] == "ok":
        outcome = ("not ok", "left processes behind: " + "; ".join(left))
    return outcome


class Running:
    def __init__(self, one):
        self.one = one
        self.started = time.monotonic()
        self.fd, theirs = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.fd)
            outcome = perform(one)
            with os.fdopen(theirs, "wb") as out:
                pickle.dump(outcome, out)
            os._exit(0)
        os.close(theirs)

    def late(self):
        return time.monotonic() - self.started > self.one.seconds

    def outcome(self):
        if self.late():
            os.kill(self.pid, signal.SIGTERM)  # its session's processes end in finish()
            result = ("not ok", f"took more than {self.one.seconds} s")
        else:
            with os.fdopen(self.fd, "rb") as source:
                data = source.read()
            result = pickle.loads(data) if data else ("not ok", "the test's process died")
        end_session(self.pid)
        os.waitpid(self.pid, 0)
        return result


def end_session(leader):
    """Ends what still runs in the session that a test had to itself."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == leader:
            continue
        try:
            fields = pathlib.Path(f"/proc/{entry}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()
            if int(fields[3]) == leader:
                os.kill(int(entry), signal.SIGKILL)
        except OSError:
            pass


def report(one, outcome, seconds, counts):
    word, why = outcome
    counts[word] += 1
    text = {"ok": f"ok - {one.name}", "skip": f"ok - {one.name} # SKIP {why}",
            "not ok": f"not ok - {one.name}: {why}"}[word]
    print(f"{text} ({seconds:.1f} s)" if os.environ.get("TEST_TIMES") else text, flush=True)


def run_all(tests, jobs):
    counts = {"ok": 0, "not ok": 0, "skip": 0}
    waiting = sorted(tests, key=lambda t: (t.alone, -t.seconds))  # the longest first
    running = []
    while waiting or running:
        while waiting and (not running if waiting[0].alone else len(running) < jobs) and \
                not any(r.one.alone for r in running):
            running.append(Running(waiting.pop(0)))
        ready = select.select([r.fd for r in running], [], [], 0.2)[0]
        for r in [r for r in running if r.fd in ready or r.late()]:
            running.remove(r)
            report(r.one, r.outcome(), time.monotonic() - r.started, counts)
    return counts
