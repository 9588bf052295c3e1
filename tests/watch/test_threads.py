# SPDX-License-Identifier: GPL-2.0-or-later
"""All threads of a process: there before, made while it is armed, made later."""
import os
import pathlib
import signal
import subprocess
import time

from support.case import check, equal, test, until
from support.tool import Watch, nothing_lost, watch
from support.victims import Victim, agrees, book_of, books_of, program


@test("threads: of a command, early and late, each by its own number")
def of_a_command():
    said = watch("shared", "--max-rate", "none", "--", program("threads"), 200, 4)
    books = books_of(said.rest)
    agrees(said, books["add_plain"][0])
    nothing_lost(said)
    for number in range(5):
        book = books[f"thread{number}"][0]
        mine = [h for h in said.hits if h["tid"] == int(book["tid"])]
        equal(len(mine), int(book["shared_writes"]), f"hits of thread {number}")
    check(all(h["old"] == h["new"] - 1 for h in said.hits), "a value before is wrong")
    equal(len({h["pid"] for h in said.hits}), 1, "processes")


@test("threads: of a living process, and one that comes later")
def of_a_process():
    with Victim("threads", 200, 8) as victim:
        run = Watch("-p", str(victim.pid), "shared", "--max-rate", "none").armed()
        victim.go()
        books = victim.finish()
        said = run.finish()
    equal(said.armed[0]["threads"], 9, "threads armed")
    agrees(said, books["add_plain"][0])
    nothing_lost(said)
    late = books["thread8"][0]
    equal(late["late"], "1", "the last one is late")
    equal(len([h for h in said.hits if h["tid"] == int(late["tid"])]), 200, "hits of the late one")


@test("threads: all at once, counts exact and doubt told")
def contended():
    said = watch("contended", "--max-rate", "none", "--", program("threads"), 2000, 4)
    book = book_of(said, "add_atomic")
    equal(said.loss["hits"], int(book["writes"]), "hits")
    equal(sum(w["hits"] for w in said.writers), int(book["writes"]), "hits of all writers")
    # `new` may be another CPU's already whose trap is still to come: seldom.
    mixed = [h for h in said.hits if h["old_certain"] and h["old"] != h["new"] - 1]
    check(len(mixed) <= len(said.hits) // 20, f"{len(mixed)} of {len(said.hits)} values are mixed")
    equal(said.writers[0]["last_value"], int(book["last_new"]), "last value")


@test("threads: two CPUs racing without locks")
def race():
    said = watch("raced", "--max-rate", "none", "--", program("race"), 3000)
    books = books_of(said.rest)
    equal(said.loss["hits"], int(books["race_plain"][0]["writes"]), "hits")
    wrong = [h for h in said.hits if h["old_certain"] and h["new"] - h["old"] not in (0, 1)]
    check(len(wrong) <= len(said.hits) // 10, f"{len(wrong)} certain old values are not")


@test("threads: a thread's own variable is refused by name, watched by address")
def thread_local():
    said = watch("own", "--", program("threads"), status=1)
    check("thread-local" in said.errors, said.errors)


@test("threads: 200 of them, armed one by one")
def many():
    with Victim("pool", 200, 20, wait=False) as victim:
        victim.line("ready")
        time.sleep(0.1)
        run = Watch("-p", str(victim.pid), "counter", "--stack", "none").armed()
        before = run.text()
        time.sleep(0.5)
        victim.send(signal.SIGTERM)
        books = victim.finish()
        said = run.finish()
    equal(said.armed[0]["threads"], 201, "threads armed")
    first = said.armed[0]["value"]
    total = int(books["add_one"][0]["writes"])
    # What was added between reading the value and counting is called early, and not lost. A store
    # that the value already has may be trapped a moment later: one a CPU.
    check(-os.cpu_count() <= total - first - said.loss["hits"] <= 5,
          f"{said.loss['hits']} hits, {total} additions, {first} before; {len(before)}")
    check(len({h["tid"] for h in said.hits}) == 200, "not all threads were seen")
    equal(said.loss["gaps"], [], "gaps")


@test("threads: made and ended all the time while it is armed")
def churn():
    with Victim("pool", 3, 0.5, "churn", wait=False) as victim:
        victim.line("ready")
        for _ in range(4):
            run = Watch("-p", str(victim.pid), "counter", "--stack", "none", "--for", "400ms")
            said = run.finish()
            equal(said.status, 0, f"status: {said.errors}")
            check(said.loss["hits"] > 50, f"{said.loss['hits']} hits in 0.4 s")
            news = [h["new"] for h in said.hits]
            # The others may add while one's value is being read: only the number is certain.
            check(abs(max(news) - min(news) + 1 - len(news)) <= 4,
                  f"{len(news)} hits from {min(news)} to {max(news)}")
            equal(said.loss["dropped"] + said.loss["busy"], 0, "losses")
        victim.send(signal.SIGTERM)
        victim.finish()


@test("threads: the first one leaves, the others go on")
def first_leaves():
    said = watch("touched", "--", program("actor"), "write=2", "leave-to-thread", "sleep=100",
                 "write=3")
    agrees(said, book_of(said, "touch"))
    nothing_lost(said)
    equal(said.loss["command_exit"], 0, "the command's status")
    said = watch("touched", "--", program("actor"), "write=2", "leave-to-thread", "exit=5")
    equal(said.loss["command_exit"], 5, "the command's status")


@test("threads: -p of a process whose first thread has left")
def first_has_left():
    with subprocess.Popen([program("actor"), "write=2", "leave-to-thread", "sleep=4000", "write=3",
                           "sleep=200"], stdout=subprocess.PIPE, text=True) as victim:
        try:
            state = pathlib.Path(f"/proc/{victim.pid}/stat")
            until(lambda: ") Z " in state.read_text(), 5, "the first thread has left")
            said = Watch("-p", str(victim.pid), "touched").finish(20)
        finally:
            victim.kill()
        books = victim.stdout.read()
    equal(said.status, 0, f"status: {said.errors}")
    equal(said.armed[0]["threads"], 1, "threads")
    equal([(h["store"]["function"], h["old"], h["new"], h["pid"]) for h in said.hits],
          [("touch", n, n + 1, victim.pid) for n in (2, 3, 4)], "stores")
    check(all(h["tid"] != h["pid"] for h in said.hits), "a store by the first thread")
    check("writes=5" in books, books)
    equal((said.loss["end"], said.loss["gaps"]), ("process", []), "end and gaps")
