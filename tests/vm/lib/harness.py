# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases, and how they are run: one after the other, each bounded in time, each leaving no debug
register taken. A case is a function of one argument, a Case, on which it calls same() and check();
it goes on after a difference, so that all of them are told."""
import os
import re
import signal
import subprocess
import time
import traceback

KERNELS = ("debian-6.1", "debian-6.12", "debian-6.12-rt", "debug-6.12")
TWO = "debian-6.1 debian-6.12"  # their verifiers differ; the other kernels have those of 6.12
OTHER_TWO = "debian-6.1 debian-6.12-rt"  # the same; that guest has the most time to spare
CASES = []
LAST_CASES = []
SLOTS = os.environ.get("CULPRIT_TEST_SLOTS", "slots")
MOST_TOLD = 12  # differences of one case
PATIENCE = 20  # seconds for what comes by itself: a CPU may get no time for as long
MOST_AGAIN = 3  # cases that get a second try: emulated CPUs are not always to be relied on


class Skipped(Exception):
    pass


class OutOfTime(Exception):
    pass


def case(name, seconds=90, on=None):
    """A test of this name, which is ended after so many seconds. What does one thing many times, and what is
    the same on any kernel (wrong words), is `on` one of them, what depends on the verifier alone on TWO or
    OTHER_TWO; on others a run has to ask for it."""
    if on and not set(on.split()) <= set(KERNELS):
        raise ValueError(f"{name}: no kernel {on}")

    def add(function):
        CASES.append((name, seconds, on, function))
        return function
    return add


def last_case(name, seconds=90):
    """One that looks at what the others left."""
    def add(function):
        LAST_CASES.append((name, seconds, None, function))
        return function
    return add


class Case:
    def __init__(self, name, kernel):
        self.name = name
        self.kernel = kernel
        self.differences = []
        self.notes = []    # told when it fails
        self.cleanups = [] # called at the end, last one first

    def check(self, good, what):
        if not good:
            self.differences.append(what)
        return good

    def same(self, seen, wanted, what):
        return self.check(seen == wanted, f"{what} is {seen!r}, not {wanted!r}")

    def matches(self, seen, pattern, what):
        return self.check(re.search(pattern, seen or ""), f"{what} is {seen!r}, not /{pattern}/")

    def say(self, what):
        """Told however it ends."""
        say(f"# {self.kernel}: {self.name}: {what}")

    def skip(self, why):
        raise Skipped(why)


def free_slots():
    return subprocess.run([SLOTS], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60).stdout.strip()


def online_cpus():
    cpus = []
    for part in open("/sys/devices/system/cpu/online").read().strip().split(","):
        first, _, last = part.partition("-")
        cpus += range(int(first), int(last or first) + 1)
    return cpus


def all_free():
    return " ".join(f"cpu{cpu}=4" for cpu in online_cpus())


def wait_for(condition, seconds, step=0.05):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(step)
    return bool(condition())


def on_alarm(signum, frame):
    raise OutOfTime()


def perform(test, function, seconds):
    """Runs the case, its cleanups, and looks whether registers were left behind."""
    signal.alarm(seconds)
    try:
        function(test)
    except Skipped:
        raise
    except OutOfTime:
        test.differences.append(f"did not end in {seconds} s")
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        test.differences.append(f"{type(error).__name__}: {error} "
                                f"({os.path.basename(where.filename)}:{where.lineno})")
    finally:
        signal.alarm(0)
        for cleanup in reversed(test.cleanups):
            try:
                cleanup()
            except Exception as error:
                test.differences.append(f"cleaning up: {error}")
    if not wait_for(lambda: free_slots() == all_free(), PATIENCE):
        test.differences.append(f"debug registers were left behind: free are {free_slots()}")


def say(line):
    print(line, flush=True)


class Again:
    """How many cases may still be run a second time."""
    left = MOST_AGAIN


def failures(name, seconds, function, kernel, expected_skips):
    """Runs the case: what was wrong, and notes; why it was skipped, if so."""
    test = Case(name, kernel)
    try:
        perform(test, function, seconds)
    except Skipped as why:
        if (kernel, name) in expected_skips:
            return [], [], str(why)
        test.differences.append(f"skipped, which is not expected here: {why}")
    told = test.differences[:MOST_TOLD]
    if len(test.differences) > MOST_TOLD:
        told.append(f"and {len(test.differences) - MOST_TOLD} more")
    return told, test.notes, None


def run_case(name, seconds, function, kernel, expected_skips):
    """Says how it went: passed, failed or skipped; before, for tests/vm/run, which one it is."""
    say(f"@ {name}")
    first = None
    while True:
        start = time.monotonic()
        told, notes, skipped = failures(name, seconds, function, kernel, expected_skips)
        for line in told[1:] + notes if told else []:
            say("# " + line.replace("\n", "\n# "))
        if not told or first or not Again.left:
            break
        Again.left -= 1
        first = told[0]
        say(f"# again - {kernel}: {name}: {first}")
    if skipped is not None:
        say(f"ok - {kernel}: {name} # skipped: {skipped}")
        return "skipped"
    if told:
        say(f"not ok - {kernel}: {name}: {told[0]}")
        return "failed"
    say(f"ok - {kernel}: {name} ({time.monotonic() - start:.1f} s)" +
        (f" # unsteady: {first}" if first else ""))
    return "passed"


def run_all(kernel, patterns, everything, expected_skips, behind=0):
    """Status 0 when nothing failed. The first `behind` of the cases were done before. Cases that are on
    another kernel are done when there is a pattern, or `everything` is asked for; if not, they are named."""
    cases = [c for c in CASES + LAST_CASES
             if not patterns or any(re.search(pattern, c[0]) for pattern in patterns)]
    if not patterns and not everything:
        for name in (name for name, _, on, _ in cases if on and kernel not in on.split()):
            say(f"# not asked for - {kernel}: {name}")
        cases = [c for c in cases if not c[2] or kernel in c[2].split()]
    count = dict.fromkeys(("passed", "failed", "skipped"), 0)
    signal.signal(signal.SIGALRM, on_alarm)
    for name, seconds, _, function in cases[behind:]:
        count[run_case(name, seconds, function, kernel, expected_skips)] += 1
    say(f"# {kernel}: {count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] else 0
