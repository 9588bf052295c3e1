# SPDX-License-Identifier: GPL-2.0-or-later
"""Arguments and results, as text: held to what the victim calls its functions with, and to its books."""
import ctypes
import mmap
import os
import re
import tempfile

import culprit
import machine
import victim
from harness import TWO, case

ROUNDS = 2


def number(shown):
    """Of a value that may be printed in hexadecimal or by name."""
    return shown if isinstance(shown, int) else int(shown, 0) if isinstance(shown, str) else shown


def expected(v):
    """The arguments of call_args' functions, by name (kmod/probe.c); texts are patterns."""
    return {
        "victim_args_eight": {"a": v, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": -8},
        "victim_args_small": {"s": rf"^{{x = {v}, y = -3}}$"},
        "victim_args_pair": {"pair": rf"^{{first = {v}, second = ({0x1122334455667788}|0x1122334455667788)}}$",
                             "after": r"^'p'$"},
        "victim_args_big": {"before": v, "big": r"^{words = {1, 2, 3, 4, 5}}$"},
        "victim_args_node": {"node": r"^{id = 11, next = 0x[0-9a-f]+ \(second\.?\d*( \[victim\])?\), "
                                     r"bits = {low = 5, middle = 600, high = -7}, label = .+}$"},
        "victim_args_enum": {"color": r"^VICTIM_BLUE$", "on": "^true$" if v & 1 else "^false$"},
        "victim_args_string": {"text": r'^"a kernel string"$', "len": 15},
        "victim_args_narrow": {"a": -1, "b": 255, "c": -300, "d": 65000, "e": v},
        "victim_args_fails": {"error": 5},
        "victim_args_pointer": {"p": r"^0x[0-9a-f]{16}$"},
    }


def same_arguments(test, call, wanted):
    name = call["where"]["function"]
    test.same([a["name"] for a in call["args"]], list(wanted), f"{name}: names")
    for arg in call["args"]:
        want = wanted.get(arg["name"])
        if isinstance(want, str):
            test.matches(str(arg["value"]), want, f"{name}: {arg['name']}")
        else:
            test.same(number(arg["value"]), want, f"{name}: {arg['name']}")


@case("probe: every argument by name and type, and what comes back", on=TWO)
def arguments(test):
    victim.reset()
    run = culprit.probe(test, "victim:victim_args_*", "--ret")
    victim.perform("call_args", ROUNDS)
    run.end()
    books = victim.books()
    for name, wanted in expected(1).items():
        calls, book = run.calls(name), books[name]
        test.same((len(calls), run.function(name)["calls"]), (book["calls"],) * 2, f"{name}: calls")
        for v, call in enumerate(calls, 1):
            same_arguments(test, call, expected(v)[name])
            test.same((call["comm"], call["pid"], call["returned"], call["place"],
                       call["where"]["module"]),
                      (machine.read("/proc/self/comm").strip(), os.getpid(), True, "entry", "victim"),
                      f"{name}: who")
        if name == "victim_args_enum":
            test.same([c["ret"] for c in calls], ["VICTIM_BLUE", "VICTIM_RED"], f"{name}: ret")
        elif calls:
            test.same(number(calls[-1]["ret"]) % 2**64, book["last_new"] % 2**64, f"{name}: ret")
    test.same([(c["ret"], c["error"]) for c in run.calls("victim_args_fails")],
              [(-5, "EIO")] * ROUNDS, "a failing call")
    test.same([c["error"] for c in run.calls("victim_args_eight")], [None] * ROUNDS, "errors of none")
    addresses = dict(machine.symbols(r"victim_args_\w+", "victim"))
    test.same({c["where"]["function"]: int(c["where"]["addr"], 16) for c in run.calls()},
              {name: addresses[name] for name in {c["where"]["function"] for c in run.calls()}},
              "addresses")
    test.same((run.loss["dropped"], run.loss["calls"]), (0, sum(books[n]["calls"] for n in books
              if n.startswith("victim_args_"))), "the ledger")


@case("probe: recursion: each depth with its arguments, results and time", on=TWO)
def recursion(test):
    run = culprit.probe(test, "victim:victim_args_nest", "--ret")
    victim.perform("call_args", ROUNDS)
    run.end()
    calls = run.calls()
    test.same(sorted(c["args"][0]["value"] for c in calls), sorted(ROUNDS * [0, 1, 2, 3]), "depths")
    for i in range(0, len(calls) - 3, 4):
        inner_first = sorted(calls[i:i + 4], key=lambda c: c["args"][0]["value"])
        test.same([c["ret"] for c in inner_first], [0, 1, 2, 3], "results")
        for inner, outer in zip(inner_first, inner_first[1:]):
            test.check(outer["time"] <= inner["time"], "the outer call begins after the inner one")
            test.check(inner["time"] + inner["dur"] <= outer["time"] + outer["dur"] + 1e-9,
                       "the inner call ends after the outer one")
    test.same(run.function("victim_args_nest")["returns"], 4 * ROUNDS, "returns")


class ColdText:
    """A text in a page of a file that this process has mapped and never touched."""

    def __init__(self, text):
        self.file = tempfile.TemporaryFile()
        self.file.write(text.encode() + b"\0" * (mmap.PAGESIZE - len(text)))
        self.file.flush()
        self.map = mmap.mmap(self.file.fileno(), mmap.PAGESIZE, access=mmap.ACCESS_COPY)
        self.view = ctypes.c_char.from_buffer(self.map)
        self.address = ctypes.addressof(self.view)


@case("probe: user strings: in memory, not there yet, and nowhere", on=TWO)
def user_strings(test):
    victim.reset()
    cold = ColdText("not there yet")
    run = culprit.probe(test, "victim:victim_calls_user", "--ret")
    test.check(not machine.resident(cold.address), "the page is there already")
    victim.perform("call_user", 1, cold.address)
    test.check(machine.resident(cold.address), "the page has not come")
    victim.perform("call_user", 1, cold.address)
    victim.perform("call_user", 1, 16)
    run.end()
    calls = run.calls()
    if not test.same(len(calls), 3, "calls"):
        return
    texts = [call["args"][0] for call in calls]
    test.check(texts[0]["value"] == '"not there yet"' or texts[0].get("why"),
               f"the first, not in memory: {texts[0]}")
    test.same(texts[1]["value"], '"not there yet"', "the second")
    test.check(texts[2].get("why"), f"at 16: {texts[2]}")
    test.same([(c["ret"], c["error"]) for c in calls], [(13, None), (13, None), (-14, "EFAULT")],
              "results")
    test.same(victim.book("victim_calls_user")["failed"], 1, "failed, by the book")


@case("probe: an empty user string is one, and no unreadable one", on=TWO)
def empty_string(test):
    here = [ctypes.create_string_buffer(text, 64) for text in (b"", b"full")]
    mine = f"pid == {os.getpid()}"
    runs = [culprit.Probe(test, "victim:victim_calls_user", "--if", mine, *args)
            for args in ((), ("--count", "--by", "text"))]
    for run in runs:
        run.armed()
    for text, times in zip(here, (2, 1)):
        victim.perform("call_user", times, ctypes.addressof(text))
    for run in runs:
        run.end()
    shown, counted = runs
    test.same([(c["args"][0]["value"], c["args"][0].get("why")) for c in shown.calls()],
              [('""', None), ('""', None), ('"full"', None)], "the calls")
    test.same({g["by"][0]["value"]: g["calls"] for g in counted.of("group")}, {'""': 2, '"full"': 1},
              "groups")


@case("probe: --diff shows what the call changed", on=TWO)
def diff(test):
    victim.reset()
    run = culprit.probe(test, "victim:victim_calls_change", "--diff")
    victim.perform("call_change", 2)
    run.end()
    calls = run.calls()
    test.same(len(calls), 2, "calls")
    for by, call in enumerate(calls, 1):
        state, other = call["args"]
        test.same(state["value"],
                  '{level = 40, phase = VICTIM_COLD, name = "before", untouched = 0}', "before")
        phase = "VICTIM_HOT" if by & 1 else "VICTIM_WARM"
        test.same(state.get("after"),
                  f'{{level = {40 + by}, phase = {phase}, name = "after-{by}", untouched = 0}}', "after")
        test.same((other["name"], other["value"], "after" in other), ("by", by, False), "by")
        test.same(call["ret"], 40 + by, "ret")
    test.same(calls[-1]["ret"], victim.book("victim_calls_change")["last_new"], "the book")
    run = culprit.probe(test, "victim:victim_args_node", "--diff")
    victim.perform("call_args")
    run.end()
    test.same(["after" in a for c in run.calls() for a in c["args"]], [False], "what nobody changed")


@case("probe: pointers that come back: NULL, an error, an object", on=TWO)
def pointers(test):
    victim.reset()
    run = culprit.probe(test, "victim:victim_calls_find", "--ret")
    victim.perform("call_find", 9)
    run.end()
    book = victim.book("victim_calls_find")
    test.same([c["error"] for c in run.calls()], ["ENXIO", None, None] * 3, "errors by name")
    test.same([str(c["ret"]) for c in run.calls()].count("NULL"), book["null"], "NULL")
    test.same(run.function("victim_calls_find").get("errors"), book["not_found"], "errors counted")
    for call in run.calls()[1::3]:
        test.matches(call["ret"], r"^{level = \d+, phase = VICTIM_\w+, name = |^%#x" % book["state"],
                     "the object")


@case("probe: times: inside the function's own, and no longer than around its call", on=TWO)
def times(test):
    victim.reset()
    run = culprit.probe(test, "victim:victim_calls_slow", "--ret")
    slow = culprit.probe(test, "victim:victim_calls_slow", "--slow", "10ms")
    victim.perform("call_slow", 12)
    run.end()
    slow.end()
    book = victim.book("victim_calls_slow")
    whole = round(sum(c["dur"] for c in run.calls()) * 1e9)
    test.check(book["inside_ns"] <= whole <= book["around_ns"],
               f"{whole} ns, not {book['inside_ns']}..{book['around_ns']}")
    test.same(round(run.function("victim_calls_slow")["dur_sum"] * 1e9), whole, "the sum of dur")
    counts = slow.function("victim_calls_slow")
    test.same((counts["calls"], counts["matched"] + counts["filtered"]), (12, 12), "calls")
    test.same((counts.get("timed"), run.function("victim_calls_slow")["timed"]), (counts["matched"] or None, 12),
              "how many the times are of")
    test.check(book["inside_long"] <= counts["matched"] <= book["around_long"],
               f"{counts['matched']} took 10 ms, not {book['inside_long']}..{book['around_long']}")
    long = [c for c in slow.calls() if number(c["args"][0]["value"]) == 20000]
    test.same(len(long), 3, "calls that took 20 ms")
    test.check(all(c["dur"] >= 0.01 for c in slow.calls()), "a short one is shown")


@case("probe: flags, and expressions in the place of arguments", on=TWO)
def expressions(test):
    victim.reset()
    run = culprit.probe(test, "victim:victim_calls_flags", "--ret")
    args = culprit.probe(test, "victim:victim_args_node",
                         "--args", "node->next->id, node->bits.middle, node->label, node->next->next, comm")
    victim.perform("call_flags", 1, 0x8000_0000_1234)
    victim.perform("call_args")
    run.end()
    args.end()
    test.same([(number(c["args"][0]["value"]), number(c["ret"])) for c in run.calls()],
              [(0x8000_0000_1234, 0x34)], "flags and result")
    test.same([[a["value"] for a in c["args"]] for c in args.calls()],
              [[22, 600, '"first"', "NULL", f'"{machine.read("/proc/self/comm").strip()}"']], "--args")


@case("probe: two CPUs at once, each call told with its CPU", on=TWO)
def both(test):
    victim.reset()
    run = culprit.probe(test, "victim:victim_calls_both", "--ret")
    victim.perform("call_both", 100)
    run.end()
    book = victim.book("victim_calls_both")
    for cpu, key in enumerate(("first", "second")):
        calls = [c for c in run.calls() if c["cpu"] == cpu]
        test.same(len(calls), book[key], f"calls on CPU {cpu}")
        test.same([c["args"][1]["value"] for c in calls], list(range(1, 101)), f"CPU {cpu}: in order")
        test.check(all(c["args"][0]["value"] == cpu and c["ret"] == c["args"][1]["value"] and
                       re.match("kworker", c["comm"]) for c in calls), f"CPU {cpu}: a call is wrong")
