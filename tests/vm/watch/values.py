# SPDX-License-Identifier: GPL-2.0-or-later
"""Plain variables and members of every kind: who stored, where, what, how often."""
import os
import subprocess
import tempfile

import culprit
import victim
from harness import case, wait_for

MODES = {0: "VICTIM_IDLE", 3: "VICTIM_RUNNING", 7: "VICTIM_BROKEN", -1: "VICTIM_LOST"}


def number(n):
    return n


def watch(test, *targets, more=()):
    victim.reset()
    return culprit.Watch(test, *targets, *more).armed(len(targets))


@case("level: every writer of one variable, told apart")
def level(test):
    target = "victim:victim_level"
    run = watch(test, target)
    for fault, numbers in [("set_level", (3,)), ("raise_level", (3,)), ("lower_level", (2,)),
                           ("add_level", (3,)), ("swap_level", (2,)), ("claim_level", (2, 77)),
                           ("mask_level", (2, 0x4d)), ("mark_level", (2, 0x1000)),
                           ("corrupt_level", (2,)), ("same_level", (3,)), ("set_level", (1, 100))]:
        victim.on_cpu(len(fault) % 2, fault, *numbers)
    run.end()
    names = ["set_level", "raise_level", "lower_level", "add_level", "swap_level", "claim_level",
             "mask_level", "mark_level", "corrupt_level", "same_level"]
    books = [culprit.same_as_book(test, run, name, shown=number) for name in names]
    test.same(len(run.writers()), len(names), "writers")
    culprit.nothing_lost(test, run, sum(b["writes"] for b in books))
    test.same(run.loss["unchanged"], sum(b["silent"] for b in books), "silent stores")
    test.check(all(h["old_certain"] for h in run.hits()), "an old value is not certain")
    test.same({(h["pid"], h["tid"], h["comm"], h["user_mode"]) for h in run.hits()},
              {(os.getpid(), os.getpid(), "python3", False)}, "processes")
    test.same([h["number"] for h in run.hits()], list(range(1, len(run.hits()) + 1)), "numbers")
    times = [h["time"] for h in run.hits()]
    test.check(times == sorted(times), "hits are out of order")
    armed = run.of("armed")[0]
    test.same({key: armed[key] for key in ("ctype", "size", "access", "percpu", "cpus", "slots",
                                           "slots_per_cpu", "proved_cpus")},
              {"ctype": "int", "size": 4, "access": "write", "percpu": False, "cpus": 2, "slots": 1,
               "slots_per_cpu": 4, "proved_cpus": 2}, "armed")
    test.same(int(armed["addr"], 16), books[0]["addr"], "address")
    test.same(run.status, 0, "status")


def members(test, faults, shown=None):
    """Watches a book's variable each, performs the faults, compares. `shown` by book."""
    books = {name: victim.book(name) for name in faults}
    targets = {name: "victim:" + books[name]["var"] for name in faults}
    run = watch(test, *targets.values())
    for name, numbers in faults.items():
        victim.perform(name, *numbers)
    run.end()
    total = 0
    for name, target in targets.items():
        b = culprit.same_as_book(test, run, name, target, (shown or {}).get(name, number))
        test.same(len(run.writers(target=target)), 1, f"{name}: writers of {target}")
        total += b["writes"]
    culprit.nothing_lost(test, run, total)
    return run


@case("stats: 1, 2 and 4 bytes, a bool, in four registers")
def narrow(test):
    run = members(test, {"write_byte": (4, ), "write_bool": (4, ), "write_half": (3, 65000),
                         "write_word": (3, 4000000000)},
                  {"write_bool": lambda n: "true" if n else "false"})
    test.same([a["ctype"] for a in run.of("armed")], ["u8", "bool", "u16", "u32"], "types")


@case("stats: signed members and 8 bytes")
def signed(test):
    run = members(test, {"write_balance": (3, 2000000000), "write_delta": (3,), "write_tiny": (3,),
                         "write_quad": (3, 0x7fffffff)})
    test.same([w["min"] for w in run.writers("write_tiny")], [-3], "minimum of a signed byte")
    test.same([w["max"] for w in run.writers("write_tiny")], [-1], "maximum of a signed byte")


@case("stats: enumeration by name, array element, pointers by symbol")
def named(test):
    victim.perform("set_handler", 2)
    victim.perform("set_cell", 2)
    faults = {"write_mode": (4,), "count_error": (3,), "set_handler": (2,), "set_cell": (2,)}
    targets = ["victim:stats.mode", "victim:stats.errors[2]", "victim:stats.handler",
               "victim:stats.cell"]
    run = watch(test, *targets)
    for name, numbers in faults.items():
        victim.perform(name, *numbers)
    run.end()
    culprit.same_as_book(test, run, "write_mode", targets[0], lambda n: MODES[n])
    culprit.same_as_book(test, run, "count_error", targets[1], number)
    for name, target in (("set_handler", targets[2]), ("set_cell", targets[3])):
        b = victim.book(name)
        shots = run.hits(name, target)
        if test.same(len(shots), b["writes"], f"{name}: hits"):
            test.matches(shots[-1]["new"], b["last_new_sym"].split("+")[0], f"{name}: new")
            test.matches(shots[-1]["old"], b["last_old_sym"].split("+")[0], f"{name}: old")
    test.matches(run.of("armed")[0]["ctype"], "enum victim_mode", "type")


@case("stats.block: 24 bytes over three registers")
def block(test):
    target = "victim:stats.block"
    run = watch(test, target)
    victim.perform("write_block", 3, 41)
    run.end()
    test.same(run.of("armed")[0]["slots"], 3, "registers")
    for part in "abc":
        b = victim.book("write_block_" + part)
        writers = run.writers("write_block", line=b["line"])
        test.same([w["hits"] for w in writers], [b["writes"]], f"hits on line {b['line']}")
        test.same([w["unchanged"] for w in writers], [b["silent"]], "silent stores")
    culprit.nothing_lost(test, run, 9)
    shots = run.hits()
    test.matches(shots[-1]["new"], r"41.*42.*43", "new")
    test.same([h["old"] for h in shots[1:]], [h["new"] for h in shots[:-1]], "values one after another")


@case("stats.block: cleared by one rep stosq")
def cleared(test):
    victim.perform("write_block", 1, 5)
    run = watch(test, "victim:stats.block")
    victim.perform("clear_block", 1)
    run.end()
    writers = run.writers()
    test.same({w["where"]["function"] for w in writers}, {"clear_block"}, "writers")
    test.same([w["where"]["line"] for w in writers], [victim.book("clear_block")["line"]], "line")
    test.matches(writers[0]["where"]["insn"], victim.SHAPES["rep-stosq"], "instruction")
    test.matches(run.hits()[-1]["new"], r"\b0\b.*\b0\b.*\b0\b", "new")


BITS = {"write_ready": (3,), "write_phase": (3,), "write_count": (3, 4000), "write_drift": (3,),
        "write_owner": (3, 2000)}


def bits_of(test, name):
    """One bit field watched while all of its word are stored to."""
    target = "victim:" + victim.book(name)["var"]
    run = watch(test, target)
    for other, numbers in BITS.items():
        victim.perform(other, *numbers)
    run.end()
    for other in BITS:
        b = victim.book(other)
        if other == name:
            wanted = (b["writes"], 0, b["silent"])
        else:
            wanted = (b["writes"], b["writes"] - b["silent"], b["writes"])
        test.same([(w["hits"], w["neighbour"], w["unchanged"], w["where"]["line"])
                   for w in run.writers(other)], [wanted + (b["line"],)],
                  f"{other} seen at {target}: hits, neighbour, unchanged, line")
    b = victim.book(name)
    shots = run.hits(name)
    test.same([w["last_value"] for w in run.writers(name)], [b["last_new"]], f"{name}: value")
    test.same((shots[0]["old"], shots[-1]["old"], shots[-1]["new"]),
              (b["first_old"], b["last_old"], b["last_new"]), f"{name}: values")
    owner = victim.book("write_owner")
    test.same(sum(h["neighbour"] for h in run.hits("write_owner")),
              owner["writes"] - owner["silent"], "hits of a neighbour that are marked")
    return run.of("armed")[0]


@case("bit fields: each its own value, neighbours counted apart")
def bits(test):
    for name, place in (("write_phase", (1, 3)), ("write_drift", (16, 5)), ("write_count", (4, 12))):
        armed = bits_of(test, name)
        test.same((armed["bit_offset"], armed["bit_size"]), place, f"{name}: bits")


@case("a bit field with a filter")
def bits_filtered(test):
    run = watch(test, "victim:victim_bits.drift", more=("--if", "new < -1"))
    for name in ("write_drift", "write_owner"):
        victim.perform(name, 3)
    run.end()
    shown = [(h["store"]["function"], h["old"], h["new"]) for h in run.hits("write_drift")]
    test.same(shown, [("write_drift", -1, -2), ("write_drift", -2, -3)], "hits")
    test.same((run.loss["hits"], run.loss["filtered"], run.loss["busy"]),
              (6, 6 - len(run.hits()), 0), "ledger")


@case("targets that share memory are refused")
def shared(test):
    for targets in (["victim:victim_bits.phase", "victim:victim_bits.count"],
                    ["victim:stats.block", "victim:stats.block.b"],
                    ["victim:stats.word", victim.place("write_word", 2)],
                    ["victim:victim_ticks", f"{victim.book('count_tick')['cpu1_addr']:#x}:8"]):
        done = culprit.text("watch", "--debug", culprit.DEBUG, *targets)
        test.same((done.returncode, done.stdout), (1, ""), f"{targets}: status and stdout")
        test.matches(done.stderr, "share memory", f"{targets}: stderr")


@case("silent stores are hits, and marked")
def silent(test):
    run = watch(test, "victim:victim_level")
    victim.perform("same_level", 5)
    run.end()
    culprit.same_as_book(test, run, "same_level", shown=number)
    test.same([h["unchanged"] for h in run.hits()], [True] * 5, "unchanged")
    test.same(run.loss["unchanged"], 5, "unchanged in the ledger")


@case("text: what a user reads")
def text(test):
    out = tempfile.TemporaryFile("w+")
    run = subprocess.Popen(["culprit", "watch", "--debug", culprit.DEBUG, "victim:victim_level",
                            "--count", "3"], stdout=out, stderr=subprocess.PIPE, text=True)
    test.cleanups.append(lambda: run.poll() is None and run.kill())

    def shown():
        out.seek(0)
        return out.read()
    test.check(wait_for(lambda: "proved live" in shown(), 60), "never armed")
    victim.perform("set_level", 2, 7)
    victim.perform("corrupt_level", 1)
    stderr = run.communicate(timeout=60)[1]
    test.same((run.returncode, stderr), (0, ""), "status and stderr")
    said = shown()
    for pattern in (r"watching victim:victim_level \(int, 4 bytes at 0x", r"2 of 2 CPUs",
                    r"\bset_level\+0x\w+ \[victim\]", r"tests/victims/kmod/level\.c:\d+",
                    r"7 -> -559038737", r"unchanged", r"nothing was lost: 3 hits, 3 seen"):
        test.matches(said, pattern, "the report")


@case("an atomic_t is the number in it: in hits, conditions and the table")
def wrapped(test):
    run = watch(test, "victim:calls_by_cpu[0]", more=("--if", "new > 4"))
    wrong = watch(test, "victim:calls_by_cpu[1]", more=("--expect", "new < 4"))
    victim.perform("call_both", 6)
    run.end()
    wrong.wait()
    count = victim.book("victim_calls_both")["first"]
    test.same(count, 6, "the victim's count")
    armed = run.of("armed")[0]
    test.same((armed["ctype"], armed["value"]), ("atomic_t", 0), "type, value")
    test.same([(h["old"], h["new"]) for h in run.hits()], [(4, 5), (5, 6)], "hits")
    writers = [(w["hits"], w["min"], w["max"], w["last_value"]) for w in run.writers()]
    test.same(writers, [(6, 1, 6, 6), (1, 0, 0, 0)], "the table: counted, and reset before")
    test.same((wrong.status, [h["new"] for h in wrong.hits() if h["violation"]]), (3, [4]), "the guilty")
