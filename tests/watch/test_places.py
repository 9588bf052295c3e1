# SPDX-License-Identifier: GPL-2.0-or-later
"""Targets that are no plain variable: addresses, casts, pointers that are followed, objects on the heap."""
import re
import subprocess

from support.case import check, equal, test
from support.tool import Watch, fails, nothing_lost, watch
from support.victims import Victim, agrees, book_of, books_of, program


@test("places: object->refs, followed when it was armed")
def followed():
    with Victim("heap", "--only", "hold_object", 4) as victim:
        run = start(victim, "object->refs")
        victim.go()
        books = victim.finish()
        said = run.finish()
    agrees(said, books["hold_object"][0])
    nothing_lost(said)
    equal(said.loss["end"], "process", "why it ended")
    equal(said.armed[0]["value"], 1, "value when armed")


@test("places: object->next->refs and card->balance")
def followed_twice():
    with Victim("heap", 2) as victim:
        run = start(victim, "object->next->refs", "card->balance")
        victim.go()
        books = victim.finish()
        said = run.finish()
    book = books["copy_name"][0]
    mine = said.hits_of("copy_name")
    equal(len(mine), int(book["writes"]), "bytes over the end")
    equal(mine[0]["old"], 500, "balance before")
    equal(mine[-1]["new"], int(book["last_new"]), "balance after")
    equal({h["store"]["line"] for h in mine}, {int(book["line"])}, "line")


@test("places: the pointer itself")
def pointer():
    said = watch("object", "--", program("heap"), "--only", "replace_object", 3)
    mine = said.hits_of("replace_object")
    book = book_of(said, "replace_object")
    equal(mine[-1]["new"].split()[0], book["last_new"], "last new")
    equal(len(mine), 4, "stores")  # the first is before the books


@test("places: a null pointer is not followed, and that is said")
def null():
    text = fails("object->refs", "--", program("heap"))
    check("object->refs" in text and "NULL" in text, text)


@test("places: *(int *)0xADDR and 0xADDR:SIZE")
def addresses():
    addr = "0x" + re.search(r"^0*([0-9a-f]+) \S level$", nm("globals_nopie"), re.M).group(1)
    for target, ctype in [(f"*(int *){addr}", "int"), (f"{addr}:4", None),
                          (f"*(int*)({addr})", "int")]:
        said = watch(target, "--", program("globals_nopie"), "--only", "raise_level", 3)
        agrees(said, book_of(said, "raise_level"))
        equal(said.armed[0]["ctype"], ctype, "type")
    said = watch(f"*(unsigned char *){addr}", "--", program("globals_nopie"),
                 "--only", "raise_level", 3)
    equal(said.loss["hits"], 3, "hits on the first byte")


@test("places: symbol+offset:size")
def offset():
    said = watch("seats+20:4", "--", program("globals"), "--only", "take_seat", 3)
    agrees(said, book_of(said, "take_seat"))


@test("places: a cast to a struct of the program")
def cast():
    said = watch("((struct seat *)seats)[2].taken", "--", program("globals"),
                 "--only", "take_seat", 3)
    agrees(said, book_of(said, "take_seat"))


@test("places: as nm and addr2line see them")
def other_witnesses():
    said = watch("level", "--", program("globals"), "--only", "raise_level", 1)
    symbols = dict((n, int(a, 16)) for a, n in re.findall(r"^([0-9a-f]+) \S (\w+)$", nm("globals"), re.M))
    base = int(said.armed[0]["addr"], 16) - symbols["level"]
    check(base % 4096 == 0, f"level is {base:#x} away from where nm has it")
    store = said.hits[0]["store"]
    equal(int(store["addr"], 16) - base - store["offset"], symbols["raise_level"], "raise_level")
    out = subprocess.run(["addr2line", "-fe", program("globals"),
                          hex(int(store["addr"], 16) - base)], capture_output=True, text=True,
                         check=True).stdout.split()
    equal(out[0], "raise_level", "addr2line's function")
    equal(int(out[1].rsplit(":", 1)[1]), store["line"], "addr2line's line")


@test("places: on the stack of a thread, by address")
def stack_address():
    with Victim("globals", "--stay", "--only", "store_sse", 1) as victim:
        maps = open(f"/proc/{victim.pid}/maps").read()
        top = int(re.search(r"-(\w+) .*\[stack\]", maps).group(1), 16)
        run = start(victim, f"{top - 64:#x}:8", "--for", "300ms")
        said = run.finish()
        victim.go()
        victim.line("done")
        victim.go()
        books = victim.finish()
    equal(said.loss["end"], "time", "why it ended")
    equal(int(books["store_sse"][0]["writes"]), 1, "writes")


def nm(name):
    return subprocess.run(["nm", program(name)], capture_output=True, text=True, check=True).stdout


def start(victim, *arguments):
    return Watch("-p", str(victim.pid), *arguments).armed()
