# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs with planted faults, their books, and culprit's word against them."""
import os
import re
import select
import signal
import subprocess
import time

from support.case import check, equal
from support.tool import BUILD, nothing_lost, watch

USER = BUILD / "tests/victims/user"
OWN = BUILD / "tests/watch"


def program(name):
    """A victim of tests/victims, or a program that stands with these tests."""
    for path in [USER / f"victim_{name}", OWN / name]:
        if path.exists():
            return str(path)
    raise AssertionError(f"no program {name} is built")


def books_of(text):
    """Lists by name: forks has several accounts of one function."""
    books = {}
    for line in re.findall(r"^books (.*)$", text, re.MULTILINE):
        name, *pairs = line.split(" ")
        books.setdefault(name, []).append(dict(p.split("=", 1) for p in pairs if "=" in p))
    return books


def book_of(said, name):
    books = books_of(said.rest if hasattr(said, "rest") else said)
    check(name in books, f"no books of {name}; {getattr(said, 'text', said)[-600:]!r}")
    return books[name][0]


class Victim:
    """A program that waits to be told to start."""

    def __init__(self, name, *arguments, wait=True, **popen):
        words = [program(name)] + (["--wait"] if wait else []) + [str(a) for a in arguments]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        bufsize=0, **popen)
        self.pid = self.process.pid
        self.text = ""
        self.at = 0  # where the next line() begins
        if wait:
            self.line("ready pid=")

    def line(self, start, seconds=20):
        """Reads up to a line that starts so."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(f"^{re.escape(start)}.*\n", self.text[self.at:], re.M)
            if found:
                self.at += found.end()
                return found.group()
            check(time.monotonic() < end, f"the victim did not say '{start}'")
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                data = os.read(self.process.stdout.fileno(), 65536).decode()
                check(data, f"the victim ended without '{start}'")
                self.text += data

    def go(self):
        self.process.stdin.write(b"\n")

    def finish(self, seconds=30):
        """Its books, after it ended as it should."""
        out, _ = self.process.communicate(timeout=seconds)
        self.text += out.decode()
        equal(self.process.returncode, 0, "the victim's exit status")
        return books_of(self.text)

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def alive(self):
        return self.process.poll() is None

    def send(self, number):
        os.kill(self.pid, number)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.alive():
            self.process.send_signal(signal.SIGCONT)
            self.kill()


ENUMERATORS = {1: "RED", 2: "GREEN", 4: "BLUE", -1: "NO_COLOR"}


def same_value(shown, booked, how=None):
    """Whether culprit printed what the books hold; `how`: the kind of type."""
    if how == "bool":
        return shown == ("true" if int(booked) else "false")
    if how == "enum":
        return shown == ENUMERATORS.get(int(booked), booked)
    if how == "float":
        return float(shown) == float(booked)
    if how == "pointer":
        return shown.split()[0] == ("NULL" if int(booked, 16) == 0 else booked)
    return shown == int(booked)


def agrees(said, book, how=None, target=0, hits=None):
    """The function of one book: place, number, values and silence of its stores."""
    writes = int(book["writes"])
    mine = [h for h in said.hits_of(book["func"]) if h["store"]["line"] == int(book["line"])]
    writers = [w for w in said.writers_of(book["func"]) if w["where"]["line"] == int(book["line"])]
    what = f"{book['func']} on {book['var']}"
    equal(sum(w["hits"] for w in writers), writes, f"{what}: hits by the line of its store")
    equal(sum(w["unchanged"] for w in writers), int(book["silent"]), f"{what}: silent stores")
    equal(len(mine), writes if hits is None else hits, f"{what}: hits shown")
    for w in writers:
        check(w["where"]["certainty"] in ("certain", "likely"), f"{what}: store not found")
    for h in mine:
        equal(h["store"]["certainty"], "certain", f"{what}: certainty")
        equal(h["unchanged"], h["old"] == h["new"], f"{what}: unchanged")
    if mine:
        for shown, key in [(mine[0]["old"], "first_old"), (mine[-1]["old"], "last_old"),
                           (mine[-1]["new"], "last_new")]:
            check(same_value(shown, book[key], how),
                  f"{what}: {key} is {shown!r}, the books say {book[key]}")
    equal(said.armed[target]["addr"], book["addr"], f"{what}: address")


def exactly(name, fault, target, *, count=3, how=None, build="globals", options=(), book=None):
    """Runs one fault; nobody else writes, every store is told with its values."""
    said = watch(target, *options, "--", program(build), "--only", fault, count)
    entry = book_of(said, book or fault)
    agrees(said, entry, how)
    nothing_lost(said)
    equal(said.loss["hits"], int(entry["writes"]), f"{name}: hits")
    equal(said.loss["end"], "command", "why it ended")
    equal(said.loss["command_exit"], 0, "the command's status")
    equal({w["where"]["function"] for w in said.writers}, {entry["func"]}, "writers")
    return said, entry
