# SPDX-License-Identifier: GPL-2.0-or-later
"""Variables of every kind in a program's data: who wrote them, what was there before and after."""
from support.case import check, equal, test
from support.tool import nothing_lost, watch
from support.victims import agrees, book_of, books_of, exactly, program

LEVEL = ["raise_level", "set_level", "corrupt_level", "add_level", "swap_level", "claim_level",
         "mark_level", "mask_level"]

# fault, target, how its values print, C type, size
FIELDS = [
    ("write_byte", "fields.byte", None, 1),
    ("write_bool", "fields.on", "bool", 1),
    ("write_half", "fields.half", None, 2),
    ("write_word", "fields.word", None, 4),
    ("write_balance", "fields.balance", None, 4),
    ("write_quad", "fields.quad", None, 8),
    ("write_color", "fields.color", "enum", 4),
    ("write_ratio", "fields.ratio", "float", 4),
    ("write_weight", "fields.weight", "float", 8),
    ("set_cell", "fields.cell", "pointer", 8),
    ("set_handler", "fields.handler", "pointer", 8),
    ("take_seat", "seats[2].taken", None, 4),
]


def field_test(fault, target, how, size):
    def run():
        said, _ = exactly(fault, fault, target, how=how, count=5)
        equal(said.armed[0]["size"], size, "size")
        equal(said.armed[0]["slots"], 1, "registers")
        if how == "pointer":
            name = {"set_cell": "(cells", "set_handler": "(handle_"}[fault]
            check(all(name in h["new"] for h in said.hits), "pointers are not named")
    test(f"globals: {target} by {fault}")(run)


for entry in FIELDS:
    field_test(*entry)


@test("globals: every way to store into an int, the whole program at once")
def all_of_level():
    said = watch("level", "--", program("globals"), 4)
    books = books_of(said.rest)
    for fault in LEVEL + ["same_level"]:
        agrees(said, books[fault][0])
    nothing_lost(said)
    equal(said.loss["hits"], sum(int(books[f][0]["writes"]) for f in LEVEL + ["same_level"]), "hits")
    equal(said.loss["unchanged"], sum(int(books[f][0]["silent"]) for f in LEVEL + ["same_level"]),
          "unchanged")
    equal(len(said.writers), len(LEVEL) + 1, "writers")
    equal(said.loss["command_exit"], 0, "the command's status")


@test("globals: loads and stores told apart with --rw")
def loads():
    said = watch("level", "--rw", "--", program("globals"), "--only", "read_level", 5)
    book = book_of(said, "read_level")
    equal([h["access"] for h in said.hits], ["read"] * int(book["reads"]), "accesses")
    check(not any(h["unchanged"] for h in said.hits), "a load counts as a store without effect")
    equal([(w["access"], w["unchanged"]) for w in said.writers], [("read", 0)], "its writer")
    equal(said.loss["unchanged"], 0, "unchanged in the ledger")
    said = watch("level", "--rw", "--", program("globals"), "--only", "set_level", 5)
    equal([h["access"] for h in said.hits], ["write"] * 5, "accesses")
    said = watch("level", "--rw", "--", program("globals"), "--only", "raise_level", 5)
    equal([h["access"] for h in said.hits], ["rw"] * 5, "accesses of read-modify-write")
    said = watch("level", "--rw", "--", program("globals"), "--only", "same_level", 5)
    silent = int(book_of(said, "same_level")["silent"])
    equal(sum(w["unchanged"] for w in said.writers if w["access"] == "write"), silent,
          "silent stores among loads")
    equal(said.loss["unchanged"], silent, "silent stores in the ledger")


@test("globals: two statics of one name, by their files")
def statics():
    exactly("here", "hide_here", "globals.c:hidden")
    exactly("there", "hide_there", "globals_other.c:hidden")


@test("globals: a bit field is told from its neighbours in the word")
def bit_fields():
    said = watch("bits.drift", "--", program("globals"), 3)
    books = books_of(said.rest)
    nothing_lost(said)
    agrees(said, books["write_drift"][0])
    total = 0
    for fault in ["write_ready", "write_phase", "write_count", "write_owner"]:
        writers = said.writers_of(fault)
        writes = int(books[fault][0]["writes"])
        equal(sum(w["hits"] for w in writers), writes, f"hits of {fault}")
        equal(sum(w["neighbour"] for w in writers) +
              sum(w["unchanged"] - w["neighbour"] for w in writers), writes,
              f"{fault} left drift as it was")
        total += writes
    equal(said.loss["hits"], total + int(books["write_drift"][0]["writes"]), "hits")
    equal(said.armed[0]["bit_offset"], 16, "bit offset")
    equal(said.armed[0]["bit_size"], 5, "bit size")


@test("globals: 24 bytes over three registers")
def block():
    said = watch("fields.block", "--", program("globals"), "--only", "write_block", 4)
    books = books_of(said.rest)
    nothing_lost(said)
    equal(said.armed[0]["slots"], 3, "registers")
    for part in "abc":
        book = books[f"write_block_{part}"][0]
        mine = [h for h in said.hits if h["store"]["line"] == int(book["line"])]
        equal(len(mine), int(book["writes"]), f"stores into .{part}")
        wanted = f"{part} = {book['last_new']}"
        check(wanted in mine[-1]["new"], f"{mine[-1]['new']} has not {wanted}")
        equal(len([h for h in mine if h["unchanged"]]), int(book["silent"]), f"silent .{part}")


@test("globals: one member of the 24 bytes only")
def member():
    said = watch("fields.block.b", "--", program("globals"), "--only", "write_block", 4)
    book = books_of(said.rest)["write_block_b"][0]
    agrees(said, book)
    equal(said.loss["hits"], int(book["writes"]), "hits")


@test("globals: fields at odd addresses")
def unaligned():
    for fault, size, slots in [("write_port", 2, 2), ("write_seen", 4, 2), ("write_bytes", 8, 2),
                               ("write_end", 1, 1)]:
        said = watch(f"record.{fault[6:]}", "--", program("unaligned"), "--only", fault, 3)
        book = book_of(said, fault)
        equal(said.armed[0]["addr"], book["addr"], "address")
        equal(said.armed[0]["size"], size, "size")
        check(said.armed[0]["slots"] >= slots, f"{said.armed[0]['slots']} registers")
        equal({w["where"]["line"] for w in said.writers}, {int(book["line"])}, "line")
        equal(said.hits[0]["old"], int(book["first_old"]), "first old")
        equal(said.hits[-1]["new"], int(book["last_new"]), "last new")
        changes = [h for h in said.hits if not h["unchanged"]]
        equal(len(changes), int(book["writes"]), f"changes by {fault}")


@test("globals: neighbours of an odd field are not its writers")
def odd_neighbours():
    said = watch("record.seen", "--", program("unaligned"), 3)
    equal({w["where"]["function"] for w in said.writers}, {"write_seen"}, "writers of seen")


@test("globals: several targets at once, each hit with its own")
def several():
    said = watch("level", "fields.word", "seats[2].taken", "from_file", "--",
                 program("globals"), 2)
    books = books_of(said.rest)
    nothing_lost(said)
    equal([a["target"] for a in said.armed],
          ["level", "fields.word", "seats[2].taken", "from_file"], "targets")
    agrees(said, books["write_word"][0], target=1)
    agrees(said, books["take_seat"][0], target=2)
    for h in said.hits_of("write_word"):
        equal(h["target"], "fields.word", "target of a hit")


def build_test(build):
    @test(f"globals: built as {build}")
    def run():
        exactly(build, "corrupt_level", "level", build=build)
        exactly(build, "take_seat", "seats[2].taken", build=build)
        exactly(build, "hide_there", "globals_other.c:hidden", build=build)
        said = watch("bits.phase", "--", program(build), "--only", "write_phase", 3)
        agrees(said, book_of(said, "write_phase"))


for name in ["globals_O0", "globals_O2", "globals_nopie", "globals_static"]:
    build_test(name)
