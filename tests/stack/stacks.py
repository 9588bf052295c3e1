# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs to be looked at, culprit's word on them, and that they were left as they were."""
import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import time

from support.case import check, until

BUILD = pathlib.Path(os.environ["TEST_BUILD"])
SOURCE = pathlib.Path(__file__).resolve().parents[2]
CULPRIT = str(BUILD / "culprit")
SCHEMA = str(SOURCE / "docs/schema/stack.schema.json")


class Program:
    """One of tests/stack/programs, once it has said that it is ready."""

    def __init__(self, name, *arguments, path=None, **popen):
        self.path = path or str(BUILD / "tests/stack" / name)
        self.process = subprocess.Popen([self.path] + [str(a) for a in arguments], bufsize=0,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, **popen)
        self.pid = self.process.pid
        self.text = b""
        end = time.monotonic() + 30
        while b"ready" not in self.text:
            ready = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]
            data = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            check(data, f"{name} did not get ready: {self.text}")
            self.text += data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()

    def counted(self):
        """Tells it to end; what it has counted."""
        self.process.stdin.close()
        self.text += self.process.stdout.read()
        self.process.wait(20)
        return int(self.text.rsplit(b"counted ", 1)[1])


def status(pid, tid=None):
    text = pathlib.Path(f"/proc/{pid}/task/{tid or pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def threads(pid):
    return sorted(int(t) for t in os.listdir(f"/proc/{pid}/task"))


def untouched(pid):
    """Nobody traces any of its threads, and none stands still for that."""
    def free():
        for tid in threads(pid):
            with contextlib.suppress(OSError):
                s = status(pid, tid)
                if s["TracerPid"].strip() != "0" or s["State"].startswith("t"):
                    return False
        return True
    until(free, 5, f"that nobody traces {pid}")


class Said:
    def __init__(self, result):
        self.status = result.returncode
        self.text = result.stdout
        self.errors = result.stderr
        self.objects = []
        if self.text.startswith('{"type"'):
            self.objects = [json.loads(line) for line in self.text.splitlines()]

    def one(self, kind):
        found = [o for o in self.objects if o["type"] == kind]
        check(len(found) == 1, f"{len(found)} of {kind}; {self.errors}")
        return found[0]

    process = property(lambda self: self.one("process"))
    summary = property(lambda self: self.one("summary"))
    stacks = property(lambda self: [o for o in self.objects if o["type"] == "stack"])

    def of(self, tid):
        """The stack of a thread."""
        found = [s for s in self.stacks if any(t["tid"] == tid for t in s["threads"])]
        check(len(found) == 1, f"thread {tid} has {len(found)} stacks")
        return found[0]


def names(stack, user=True):
    return [f["function"] for f in stack["frames"] if f["user"] == user]


def run(*arguments, expected=0, seconds=30, **options):
    os.environ["COLUMNS"] = "250"
    command = [CULPRIT, "stack"] + [str(a) for a in arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False,
                            errors="surrogateescape", **options)
    check(result.returncode == expected,
          f"exit status {result.returncode}, expected {expected}: {result.stderr.strip()}")
    if expected:
        check(result.stdout == "", f"output in spite of failure: {result.stdout[:200]}")
        check(result.stderr.count("\n") == 1 and result.stderr.startswith("culprit: "), result.stderr)
    else:
        check(result.stderr == "", result.stderr)
    return Said(result)


def look(pid, *arguments, **options):
    """As JSON, held to the schema; afterwards the process is as it was."""
    said = run("--json", *arguments, pid, **options)
    checker = str(BUILD / "tests/unit/schema-check")
    result = subprocess.run([checker, SCHEMA], input=said.text, text=True, stderr=subprocess.PIPE,
                            check=False)
    check(result.returncode == 0, f"schema: {result.stderr[:300]}")
    check(said.objects[0]["type"] == "process" and said.objects[-1]["type"] == "summary",
          "the order of lines")
    s = said.summary
    check(s["complete"] + s["truncated"] + s["missing"] == s["threads"], f"sums: {s}")
    check(sum(len(x["threads"]) for x in said.stacks) == s["threads"] ==
          said.process["threads"], "each thread once")
    if os.path.exists(f"/proc/{pid}"):
        untouched(pid)
    return said


def send(pid, number=signal.SIGUSR1):
    os.kill(pid, number)
