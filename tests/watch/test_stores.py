# SPDX-License-Identifier: GPL-2.0-or-later
"""Stores that are no plain move: by the C library, by string and vector instructions, by the kernel."""
from support.case import check, equal, test
from support.tool import nothing_lost, watch
from support.victims import book_of, program


def frames(hit):
    return [f["function"] for f in hit["stack"]]


def in_stack(hit, book):
    """
    The library's leaf functions keep no frame pointer, so that by frame pointers alone their direct
    caller is not seen. Where it is seen, its line is the booked one.
    """
    names = frames(hit)
    check("victim_run" in names and "main" in names, f"stack: {names}")
    mine = [f for f in hit["stack"] if f["function"] == book["func"]]
    check(not mine or mine[0]["line"] == int(book["line"]), f"line of the call: {mine}")


def by_library(fault, target, build="globals", module="libc.so.6"):
    said = watch(target, "--", program(build), "--only", fault, 3)
    book = book_of(said, fault)
    nothing_lost(said)
    changes = [h for h in said.hits if not h["unchanged"]]
    check(len(changes) >= int(book["writes"]), "fewer changes than calls")
    for h in said.hits:
        equal(h["store"]["module"], module, "module of the store")
        check(h["store"]["certainty"] in ("certain", "likely"), "store not found")
    in_stack(said.hits[0], book)
    return said, book


@test("stores: memcpy of 24 bytes")
def memcpy():
    said, _ = by_library("copy_block", "fields.block")
    check("{a = 30, b = 31, c = 32}" == said.hits[-1]["new"], said.hits[-1]["new"])
    equal(said.hits[0]["old"], "{a = 1, b = 2, c = 3}", "first old")


@test("stores: strcpy into a char array")
def strcpy():
    said, _ = by_library("write_name", "fields.name")
    equal(said.hits[0]["old"], '"untouched"', "first old")
    equal(said.hits[-1]["new"], '"d-name-3"', "last new")


@test("stores: memset")
def memset():
    said, _ = by_library("fill_wide", "wide:8")
    equal(said.hits[-1]["new"], 0x0303030303030303, "last new")


@test("stores: memcpy of a static program")
def static_memcpy():
    by_library("copy_block", "fields.block", "globals_static", "victim_globals_static")


@test("stores: one of 16 bytes by SSE")
def sse():
    said = watch("wide:16", "--", program("globals"), "--only", "store_sse", 3)
    book = book_of(said, "store_sse")
    nothing_lost(said)
    equal({w["where"]["line"] for w in said.writers}, {int(book["line"])}, "lines")
    equal([w["where"]["certainty"] for w in said.writers], ["certain"], "certainty")
    check("movups" in said.writers[0]["where"]["insn"], said.writers[0]["where"]["insn"])
    changes = [h for h in said.hits if not h["unchanged"]]
    equal(len(changes), int(book["writes"]), "stores that changed something")
    equal(changes[0]["old"], " ".join(["00"] * 16), "first old")
    equal(changes[-1]["new"], " ".join(["03"] * 16), "last new")
    said = watch("*(long *)&wide[8]", "--", program("globals"), "--only", "store_sse", 3)
    equal(said.loss["hits"], int(book["writes"]), "hits on the upper half")


@test("stores: rep movsb, one hit a byte")
def rep():
    said = watch("wide:8", "--", program("globals"), "--only", "store_rep", 2)
    book = book_of(said, "store_rep")
    nothing_lost(said)
    equal({w["where"]["line"] for w in said.writers}, {int(book["line"])}, "lines")
    check("movsb" in said.writers[0]["where"]["insn"], said.writers[0]["where"]["insn"])
    equal(said.hits[0]["old"], int(book["first_old"]), "first old")
    equal(said.hits[-1]["new"], int(book["last_new"]), "last new")


def by_kernel(fault):
    said = watch("from_file", "--stack", "both", "--", program("globals"), "--only", fault, 3)
    book = book_of(said, fault)
    loss = said.loss
    equal(loss["dropped"] + loss["busy"] + loss["unreadable"] + loss["behind"], 0, "losses")
    changes = [h["new"] for h in said.hits if not h["unchanged"]]
    equal(said.hits[0]["old"], int(book["first_old"]), "first old")
    equal(said.hits[-1]["new"], int(book["last_new"]), "last new")
    check(len(changes) >= 3, f"changes: {changes}")
    names = set()
    for h in said.hits:
        equal(h["user_mode"], False, "user mode")
        names.add(h["store"]["function"])
        if "same_stack_as" in h:
            continue
        kernel = [f["function"] for f in h["stack"] if not f["user"]]
        check(any("read" in str(name) for name in kernel), f"kernel stack: {kernel}")
        user = [f["function"] for f in h["stack"] if f["user"]]
        check("read" in user[0], f"user stack: {user}")
        in_stack(h, book)
    check(all(n and ("copy" in n or "iter" in n) for n in names), f"kernel functions: {names}")


@test("stores: by the kernel in read(2), with the user's line")
def read():
    by_kernel("read_into")


@test("stores: by the kernel in pread(2), with the user's line")
def pread():
    by_kernel("pread_into")


@test("stores: kernel and user frames as --stack says")
def stacks_of_a_system_call():
    for which, kernel, user in [("kernel", True, False), ("user", False, True), ("none", False, False)]:
        said = watch("from_file", "--stack", which, "--",
                     program("globals"), "--only", "read_into", 1)
        all_frames = [f for h in said.hits for f in h.get("stack", [])]
        equal(any(not f["user"] for f in all_frames), kernel, f"kernel frames with {which}")
        equal(any(f["user"] for f in all_frames), user, f"user frames with {which}")


@test("stores: three thousand instructions, each a writer of its own")
def crowd():
    said = watch("cell", "--max-rate", "none", "--if", "0", "--stack", "none", "--", program("crowd"))
    nothing_lost(said)
    equal(said.loss["hits"], 6000, "hits")
    equal([w["hits"] for w in said.writers], [2] * 3000, "writers")
