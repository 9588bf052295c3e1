# SPDX-License-Identifier: GPL-2.0-or-later
"""culprit at work, as one who runs it sees it: a process, its JSON lines, its status."""
import json
import os
import signal
import subprocess
import tempfile
import threading
import time

import victim

DEBUG = os.path.dirname(victim.MODULE)
LINES = {"watch": [], "probe": []}  # JSON that was seen, for the tests of the schemas
MOST_LINES = 200  # of one run
PATIENCE = 60  # seconds until armed, and until ended


class Run:
    """`culprit COMMAND --json ARGS`, started. Its records are in `records` once end() was called."""
    command = ready = None  # ready: the type of the record that says it is at work

    def __init__(self, test, *args, debug=True, preexec=None, within=()):
        self.args = [*within, "culprit", self.command, "--json"] + (["--debug", DEBUG] if debug else [])
        self.args += args
        self.errors = tempfile.TemporaryFile("w+")
        self.lines = []
        self.status = None
        self.ended = False
        self.changed = threading.Condition()
        self.process = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, text=True,
                                        stdout=subprocess.PIPE, stderr=self.errors,
                                        preexec_fn=preexec)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.test = test
        test.cleanups.append(self.kill)

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line)
                self.changed.notify()
        with self.changed:
            self.ended = True
            self.changed.notify()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def wait_lines(self, kind, count, seconds=PATIENCE):
        """Until there are so many records of a type; False when there will not be."""
        start = f'{{"type":"{kind}"'
        end = time.monotonic() + seconds
        seen = at = 0
        with self.changed:
            while True:
                while at < len(self.lines):
                    seen += self.lines[at].startswith(start)
                    at += 1
                if seen >= count:
                    return True
                left = end - time.monotonic()
                if self.ended or left <= 0:
                    return False
                self.changed.wait(left)

    def armed(self, targets=1):
        """Waits until it watches; itself."""
        if not self.wait_lines(self.ready, targets):
            self.kill()
            raise RuntimeError(f"not armed: {' '.join(self.args)}: {self.stderr().strip()}")
        return self

    def wait(self, seconds=PATIENCE):
        """Waits for its end without asking for it; itself."""
        try:
            self.status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.test.differences.append(f"culprit does not end in {seconds} s: {self.args}")
            self.kill()
            self.status = None
        self.reader.join(PATIENCE)
        lines = [line for line in self.lines if line.startswith("{")]
        LINES[self.command].extend(lines[:MOST_LINES] + lines[MOST_LINES:][-20:])
        self.records = [json.loads(line) for line in lines]
        self.tell()
        return self

    def end(self, signum=signal.SIGINT, seconds=PATIENCE):
        self.process.send_signal(signum)
        return self.wait(seconds)

    def tell(self):
        """What one wants to know when the case fails."""
        loss = [line.strip() for line in self.lines[-1:] if '"loss"' in line]
        self.test.notes.append(f"$ {' '.join(self.args)}\nstatus {self.status} "
                               f"{self.stderr().strip()}" + "".join("\n" + s for s in loss))

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read()

    def of(self, kind, target=None):
        return [r for r in self.records if r["type"] == kind and
                (target is None or r["target"] == target)]

    @property
    def loss(self):
        return self.records[-1] if self.records and self.records[-1]["type"] == "loss" else {}


class Watch(Run):
    command, ready = "watch", "armed"

    def hits(self, function=None, target=None):
        return [h for h in self.of("hit", target)
                if function is None or h["store"]["function"] == function]

    def writers(self, function=None, target=None, line=None):
        return [w for w in self.of("writer", target)
                if (function is None or w["where"]["function"] == function) and
                (line is None or w["where"]["line"] == line)]


class Probe(Run):
    """Lines that a command itself wrote to stdout are in `said`."""
    command, ready = "probe", "probing"

    @property
    def said(self):
        return [line.rstrip("\n") for line in self.lines if not line.startswith("{")]

    @property
    def probing(self):
        return self.of("probing")[0]

    def calls(self, function=None):
        return [c for c in self.of("call") if function in (None, c["where"]["function"])]

    def function(self, name):
        """Its exact counts; zeroes when it was not called."""
        found = [f for f in self.of("function") if f["function"] == name]
        return found[0] if found else dict.fromkeys(("calls", "matched", "filtered"), 0)


def run(test, *args, seconds=PATIENCE, **more):
    """A run that ends by itself."""
    return Watch(test, *args, **more).wait(seconds)


def probe(test, *args, **more):
    """A probe that is attached."""
    return Probe(test, *args, **more).armed()


def text(*args, seconds=PATIENCE, **more):
    """`culprit ARGS` without JSON: a CompletedProcess with text."""
    return subprocess.run(["culprit"] + list(args), stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds, **more)


def obeys_schema(test, command):
    """All lines of that command that were seen."""
    lines = LINES[command]
    path = os.path.join(os.path.dirname(__file__), f"../../../docs/schema/{command}.schema.json")
    done = subprocess.run([os.environ["CULPRIT_TEST_SCHEMA_CHECK"], path], text=True,
                          input="".join(lines), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    test.same((done.returncode, done.stdout[:1000]), (0, ""), f"of {len(lines)} lines")
    test.check(lines, "no lines were seen")


def same_as_book(test, watch, name, target=None, shown=str, hits=None):
    """Holds what the watch says of one guilty function against its book. `shown`: how a value of
    the book is printed; int for numbers. `hits`: how often the register fires, if not by `writes`."""
    b = victim.book(name)
    writers = watch.writers(b["func"], target, b["line"])
    what = f"{name}: "
    if not test.same(len(writers), 1, what + "writers of that function and line"):
        return b
    w, wanted = writers[0], b["writes"] if hits is None else hits
    test.same(w["hits"], wanted, what + "hits")
    test.same(w["unchanged"] - w["neighbour"], b["silent"], what + "silent stores")
    test.same((w["where"]["module"], w["where"]["certainty"]), ("victim", "certain"), what + "place")
    test.matches(w["where"]["file"], r"^tests/victims/kmod/\w+\.c$", what + "file")
    test.matches(w["where"]["insn"], victim.SHAPES[b["insn"]], what + "instruction")
    shots = [h for h in watch.hits(b["func"], target) if h["store"]["line"] == b["line"]]
    if test.same(len(shots), wanted, what + "hits shown") and shots:
        test.same(shots[0]["old"], shown(b["first_old"]), what + "value before the first")
        test.same(shots[-1]["old"], shown(b["last_old"]), what + "value before the last")
        test.same(shots[-1]["new"], shown(b["last_new"]), what + "value after the last")
        test.same(shots[-1]["cpu"], b["cpu"], what + "CPU of the last")
        test.check(all(h["access"] == "write" for h in shots), what + "an access is no write")
    return b


def nothing_lost(test, watch, hits):
    """A clean ledger with so many hits."""
    loss = watch.loss
    test.same({key: loss.get(key) for key in ("hits", "seen", "detailed")},
              {"hits": hits, "seen": hits, "detailed": hits}, "ledger")
    test.same({key: loss.get(key) for key in ("dropped", "busy", "unattributed", "unreadable")},
              {"dropped": 0, "busy": 0, "unattributed": 0, "unreadable": 0}, "ledger")
    test.same(loss.get("gaps"), [], "gaps")
