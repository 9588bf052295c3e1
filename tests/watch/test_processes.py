# SPDX-License-Identifier: GPL-2.0-or-later
"""Children of a watched process: each with memory of its own, some with another program."""
from support.case import check, equal, test
from support.tool import Watch, nothing_lost, watch
from support.victims import Victim, book_of, books_of, program


def compare_forks(said, books):
    parent = int(books["parent"][0]["pid"])
    nothing_lost(said)
    mine = [h for h in said.hits if h["pid"] == parent]
    equal(len(mine), int(books["parent"][0]["inherited_writes"]), "hits of the parent")
    equal([h["new"] for h in mine], [1, 2, 3, 1001, 1002, 1003], "the parent's values")
    equal([h["old"] for h in mine], [0, 1, 2, 3, 1001, 1002], "what was there before")
    for number in range(3):
        book = books[f"child{number}"][0]
        hits = [h for h in said.hits if h["pid"] == int(book["pid"])]
        equal(len(hits), int(book["inherited_writes"]), f"hits of child {number}")
        base = 100 * (number + 1)
        equal([h["new"] for h in hits], [base + 1, base + 2, base + 3], "a child's values")
        # The first one's old value was the parent's: known or not told, never wrong.
        check(hits[0]["old"] in (None, 3), f"first old of a child: {hits[0]['old']}")
        equal([h["old"] for h in hits[1:]], [base + 1, base + 2], "a child's values before")
    last = int(books["exec"][0]["pid"])
    equal([h["new"] for h in said.hits if h["pid"] == last], [-1], "the child that executes")
    equal(len(said.hits), 6 + 9 + 1, "all hits")
    for w in said.writers:
        check(w["where"]["function"] in ("write_parent", "write_child"), "a false writer")


@test("processes: children of a command")
def forks():
    said = watch("inherited", "--", program("forks"), 3, 3)
    compare_forks(said, books_of(said.rest))


@test("processes: children of a living process")
def forks_attached():
    with Victim("forks", 3, 3) as victim:
        run = Watch("-p", str(victim.pid), "inherited").armed()
        victim.go()
        books = victim.finish()
        compare_forks(run.finish(), books)


@test("processes: a page that all of them write")
def common():
    with Victim("forks", 3, 2) as victim:
        run = Watch("-p", str(victim.pid), "*in_common").armed()
        victim.go()
        books = victim.finish()
        said = run.finish()
    equal(said.loss["hits"], sum(int(b["writes"]) for b in books["write_common"]), "hits")
    equal([h["new"] for h in said.hits], list(range(1, 7)), "values")
    equal([h["old"] for h in said.hits], list(range(6)), "values before, whoever wrote them")
    nothing_lost(said)


@test("processes: posix_spawn of another program makes no hits and no harm")
def spawn():
    said = watch("touched", "--", program("actor"), "write=2", "spawn", "write=2", "spawn")
    equal(said.loss["hits"], 4, "hits")
    equal(said.loss["command_exit"], 0, "the command's status")
    nothing_lost(said)


@test("processes: a vfork child writes into its parent's memory")
def vfork():
    said = watch("touched", "--", program("actor"), "write=2", "vfork=3",
                 "sleep=300", "write=1")
    equal(said.loss["hits"], 6, "hits")
    equal([h["new"] for h in said.hits], [1, 2, 3, 4, 5, 6], "values")
    equal(len({h["pid"] for h in said.hits}), 2, "processes")
    nothing_lost(said)


@test("processes: a command that becomes another program is told as a gap")
def exec_of_command():
    for words in [["write=2", "start-over", "write=3"], ["write=2", "start-over", "sleep=250"],
                  ["write=2", "thread", "become-true"], ["write=2", "become-true"]]:
        said = watch("touched", "--", program("actor"), *words)
        equal(said.loss["hits"], 2, f"hits of {words}")
        equal(len(said.loss["gaps"]), 1, f"gaps of {words}")
        check("another program" in said.loss["gaps"][0], said.loss["gaps"][0])
        equal(said.behind, [], "changes behind")
        equal(said.loss["command_exit"], 0, "the command's status")


@test("processes: a process that becomes another program ends the run")
def exec_of_process():
    with Victim("actor", "say=1", "echo", "start-over", "say=2", "echo", "write=3",
                wait=False) as victim:
        victim.line("say 1")
        run = Watch("-p", str(victim.pid), "touched").armed()
        victim.go()
        victim.line("say 2")
        said = run.finish()
        victim.go()
        victim.finish()
    equal(said.loss["end"], "process", "why it ended")
    check("another program" in said.loss["gaps"][0], str(said.loss["gaps"]))
    equal(said.loss["hits"] + len(said.behind), 0, "hits and changes")


@test("processes: a child that lives on when the command has ended")
def orphan():
    said = watch("touched", "--", program("actor"), "write=1", "fork=2", "write=1")
    equal(sorted(h["new"] for h in said.hits), [1, 2, 1000, 1001], "values")
    equal(int(book_of(said, "touch")["writes"]), 2, "the parent's writes")


@test("processes: numbers are those of the PID namespace that one is in")
def in_a_namespace():
    within = ["unshare", "--pid", "--fork", "--mount-proc"]
    said = watch("inherited", "--", program("forks"), 3, 3, within=within)
    compare_forks(said, books_of(said.rest))
    said = watch("inherited", "--if", "pid == 1 || pid == 2", "--", program("forks"), 3, 3, within=within)
    equal({h["pid"] for h in said.hits}, {2}, "whose hits")
    check(said.loss["filtered"] and len(said.hits) == 6, "those of the others are filtered")
