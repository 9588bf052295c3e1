# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs of culprit, and what they said."""
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile

from support.case import check, equal, until

BUILD = pathlib.Path(os.environ["TEST_BUILD"])
SOURCE = pathlib.Path(__file__).resolve().parents[3]
CULPRIT = str(BUILD / "culprit")
SCHEMA = str(SOURCE / "docs/schema/watch.schema.json")

# Both write whole lines to one file: ours start like this, and no program of the tests does that.
LINE = re.compile(r'^\{"type":.*\}\n', re.MULTILINE)


class Said:
    """What a run with --json wrote, and what the command wrote to the same place."""

    def __init__(self, text, errors, status):
        self.text = text
        self.errors = errors
        self.status = status
        self.lines = LINE.findall(text)
        self.objects = [json.loads(line) for line in self.lines]
        self.rest = LINE.sub("", text)

    def of(self, kind):
        return [o for o in self.objects if o["type"] == kind]

    armed = property(lambda self: self.of("armed"))
    hits = property(lambda self: self.of("hit"))
    writers = property(lambda self: self.of("writer"))
    behind = property(lambda self: self.of("behind"))

    @property
    def loss(self):
        losses = self.of("loss")
        check(len(losses) == 1, f"{len(losses)} loss lines; stderr: {self.errors.strip()}")
        return losses[0]

    def hits_of(self, function):
        return [h for h in self.hits if h["store"]["function"] == function]

    def writers_of(self, function):
        return [w for w in self.writers if w["where"]["function"] == function]


def scratch_file():
    return tempfile.NamedTemporaryFile("w+", dir=os.environ["TEST_SCRATCH"], delete=False)


class Watch:
    """A run of culprit that is under way."""

    def __init__(self, *arguments, json_lines=True, expected=None, within=(), **popen):
        self.out = scratch_file()
        self.err = scratch_file()
        command = [*within, CULPRIT, "watch"] + (["--json"] if json_lines else []) + list(arguments)
        self.process = subprocess.Popen(
            command, stdin=popen.pop("stdin", subprocess.DEVNULL),
            stdout=popen.pop("stdout", self.append(self.out)), stderr=self.err, **popen)
        self.pid = self.process.pid

    @staticmethod
    def append(file):
        return open(file.name, "a")

    def text(self):
        return pathlib.Path(self.out.name).read_text(errors="surrogateescape")

    def errors(self):
        return pathlib.Path(self.err.name).read_text()

    def seen(self, pattern, seconds=10):
        """Waits for a line on standard output."""
        def look():
            if self.process.poll() is not None:
                found = re.search(pattern, self.text(), re.MULTILINE)
                check(found, f"ended without {pattern}: {self.errors().strip()}")
                return found
            return re.search(pattern, self.text(), re.MULTILINE)
        return until(look, seconds, pattern)

    def armed(self):
        self.seen(r'^\{"type":"armed".*\}$')
        return self

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.finish()

    def finish(self, seconds=30, valid=True):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"culprit did not end in {seconds} s: "
                                 f"{self.text()[-300:]} {self.errors()}") from None
        said = Said(self.text(), self.errors(), status)
        if valid and said.lines:
            hold_to_schema(said)
        return said


def hold_to_schema(said):
    checker = next((BUILD / "tests/unit").glob("schema-check"), None)
    check(checker, "schema-check is not built")
    result = subprocess.run([checker, SCHEMA], input="".join(said.lines), text=True,
                            stderr=subprocess.PIPE, check=False)
    check(result.returncode == 0, f"schema: {result.stderr[:300]}")


def watch(*arguments, status=0, seconds=30, **options):
    """A run to its end. The order of its lines and its ledger are held to what the docs say."""
    run = Watch(*[str(a) for a in arguments], **options)
    said = run.finish(seconds)
    check(said.status == status,
          f"exit status {said.status}, expected {status}: {said.errors.strip()}")
    if options.get("json_lines", True) and status in (0, 3):
        in_order(said)
    return said


def in_order(said):
    kinds = [o["type"] for o in said.objects]
    check(kinds and kinds[0] == "armed", "the first line is not armed")
    equal(kinds[-1], "loss", "last line")
    rank = {"armed": 0, "hit": 1, "behind": 1, "writer": 2, "loss": 3}
    ranks = [rank[k] for k in kinds]
    check(ranks == sorted(ranks), f"lines out of order: {kinds}")
    times = [h["time"] for h in said.hits]
    check(times == sorted(times), "hits out of order")
    equal([h["number"] for h in said.hits], list(range(1, len(times) + 1)), "numbers of hits")


def fails(*arguments, **options):
    """A run that cannot be: one line on standard error, nothing on standard output."""
    said = watch(*arguments, status=options.pop("status", 1), **options)
    lines = said.errors.strip().split("\n")
    check(lines[0].startswith("culprit: watch: "), f"stderr starts otherwise: {lines[0]}")
    equal(said.lines, [], "lines on standard output")
    return said.errors.strip()


def nothing_lost(said):
    """Every hit was counted and told."""
    loss = said.loss
    for key in ["dropped", "busy", "unattributed", "unreadable", "behind"]:
        equal(loss[key], 0, f"loss.{key}")
    equal(loss["seen"], loss["hits"], "loss.seen")
    equal(loss["detailed"] + loss["filtered"], loss["seen"], "loss.detailed + filtered")
    equal(sum(w["hits"] for w in said.writers), loss["seen"], "hits of all writers")
    equal(sum(w["unchanged"] for w in said.writers), loss["unchanged"], "unchanged of all writers")
    for w in said.writers:
        equal(sum(p["hits"] for p in w["processes"]), w["hits"], "hits of a writer's processes")
    equal(loss["gaps"], [], "gaps")
    equal(loss["disarmed"], False, "disarmed")
