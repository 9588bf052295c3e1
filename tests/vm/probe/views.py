# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts, histograms and rates of a victim that is called with known values."""
import collections
import os
import pathlib
import subprocess
import tempfile
import time

import culprit
import machine
import victim
from harness import OTHER_TWO, case


def comm():
    return machine.read("/proc/self/comm").strip()


def by(group):
    return tuple(a["value"] for a in group["by"])


@case("probe, views: --count by stack: as many groups as ways to call it", on=OTHER_TWO)
def stacks(test):
    run = culprit.probe(test, "victim:victim_args_nest", "--count")
    victim.perform("call_args", 25)
    run.end()
    groups = run.of("group")
    deep = {sum(f["function"] == "victim_args_nest" for f in g["stack"]): g["calls"] for g in groups}
    test.same(deep, {1: 25, 2: 25, 3: 25, 4: 25}, "calls by depth of the stack")
    test.check(all("run_write" in [f["function"] for f in g["stack"]] for g in groups),
               "a stack does not lead to the caller")
    test.same((run.loss["calls"], run.loss["shown"], run.loss["ungrouped"]), (100, 0, 0), "ledger")


@case("probe, views: --count --by: groups of values, their sums by the book", on=OTHER_TWO)
def groups(test):
    victim.reset()
    run = culprit.probe(test, "victim:victim_calls_errno", "--count", "--by", "comm, ret")
    victim.perform("call_errno", 40)
    subprocess.run(["sh", "-c", "echo call_errno 6 >/sys/kernel/debug/victim/run"], check=True)
    run.end()
    wanted = {(f'"{c}"', ret): n for c, per in ((comm(), (10, 10, 10, 10)), ("sh", (1, 2, 2, 1)))
              for ret, n in zip((0, -2, -13, -12), per)}
    seen = {(str(by(g)[0]), by(g)[1]): g["calls"] for g in run.of("group")}
    names = {0: 0, "-ENOENT": -2, "-EACCES": -13, "-ENOMEM": -12}
    seen = {(who if who.startswith('"') else f'"{who}"', names.get(ret, ret)): n
            for (who, ret), n in seen.items()}
    test.same(seen, wanted, "groups")
    test.same([g["calls"] for g in run.of("group")],
              sorted((g["calls"] for g in run.of("group")), reverse=True), "the order")
    book = victim.book("victim_calls_errno")
    f = run.function("victim_calls_errno")
    test.same((f["calls"], f["errors"]), (book["calls"], book["errors"]), "calls, errors")
    test.same(sum(g["errors"] for g in run.of("group")), book["errors"], "the groups' errors")


def bars(histogram):
    return {b["low"]: b["calls"] for b in histogram["bars"] if b["calls"]}


@case("probe, views: --hist of known values: each bar by the book", on=OTHER_TWO)
def histogram(test):
    run = culprit.probe(test, "victim:victim_calls_flags", "--hist", "flags")
    linear = culprit.probe(test, "victim:victim_calls_flags", "--hist", "flags", "--linear", "0,32,4")
    victim.perform("call_flags", 1000)
    victim.perform("call_flags", 7, 0)
    run.end()
    linear.end()
    wanted = collections.Counter(1 << (v.bit_length() - 1) for v in range(1, 1001))
    wanted[0] = 7
    h = run.of("histogram")[0]
    test.same(bars(h), dict(wanted), "powers of two")
    test.same((h["calls"], h["measure"], h["min"], h["max"]), (1007, "flags", 0, 1000),
              "calls, measure, min, max")
    h = linear.of("histogram")[0]
    wanted = collections.Counter({low: 4 for low in range(4, 32, 4)})
    wanted.update({0: 3 + 7, 32: 1000 - 31})
    test.same(bars(h), dict(wanted), "bars of equal width")
    test.check(all(b["high"] == b["low"] + 4 for b in h["bars"] if b["low"] < 32), "a bar's width")


@case("probe, views: --hist of numbers below and above zero", on=OTHER_TWO)
def negative(test):
    run = culprit.probe(test, "victim:exec_me", "--hist", "a - 10", "--linear", "-12,12,4")
    victim.perform("exec_me", 20)
    run.end()
    h = run.of("histogram")[0]
    test.same(bars(h), dict(collections.Counter((v - 10) // 4 * 4 for v in range(1, 21))), "bars")
    test.same((h["calls"], h["min"], h["max"]), (20, -9, 10), "calls, min, max")


@case("probe, views: --hist: bars of equal width are exact, far from zero too", on=OTHER_TWO)
def narrow(test):
    run = culprit.probe(test, "victim:exec_me", "--hist", "a + 1000000", "--linear", "1000003,1000033,1")
    victim.perform("exec_me", 40)
    run.end()
    h = run.of("histogram")[0]
    wanted = {1000000 + v: 1 for v in range(3, 33)}
    wanted.update({None: 2, 1000033: 8})
    test.same(bars(h), wanted, "bars")
    test.same((h["calls"], h["min"], h["max"]), (40, 1000001, 1000040), "calls, min, max")


@case("probe, views: what could not be read is no 0", on=OTHER_TWO)
def unreadable(test):
    victim.reset()
    by_value = culprit.probe(test, "victim:victim_calls_find", "--count", "--by", "ret->level, which % 3")
    measured = culprit.probe(test, "victim:victim_calls_find", "--hist", "ret->level")
    victim.perform("call_find", 31)
    by_value.end()
    measured.end()
    book = victim.book("victim_calls_find")
    bad = int(book["null"]) + int(book["not_found"])
    groups = {a[1]["value"]: (a[0]["value"], a[0].get("why"), g["calls"])
              for g in by_value.of("group") for a in (g["by"],)}
    test.same((groups[0], groups[1]), ((None, "unreadable", int(book["null"])),
                                       (None, "unreadable", int(book["not_found"]))), "groups of no pointer")
    test.check(groups[2][0] is not None and groups[2][2] == 31 - bad, f"the group of the pointer: {groups[2]}")
    h = measured.of("histogram")[0]
    test.same((h["calls"], h["unread"], sum(bars(h).values())), (31 - bad, bad, 31 - bad), "the histogram")
    test.same((by_value.loss["unread"], measured.loss["unread"]), (bad, bad), "the ledger")


def is_there(path):
    try:
        os.close(os.open(path, os.O_RDONLY))
        return True
    except OSError:
        return False


@case("probe, views: --by of a string: one group for each text, wherever it lies", on=OTHER_TWO)
def texts(test):
    long = "/no/" + "x" * 200
    wanted = collections.Counter()
    run = culprit.probe(test, "do_sys_openat2", "--count", "--by", "filename, ret", "--if", f'comm == "{comm()}"')
    place = culprit.probe(test, "do_sys_openat2", "--count", "--by", "(void *)filename",
                          "--if", f'comm == "{comm()}" && filename ~ "/no/*"')
    for n in range(60):
        path = ("/no/where", "/no/where/else", "/etc/passwd", '/no/"quoted"', long)[n % 5]
        there = is_there((path + "\0" * n).rstrip("\0"))
        wanted[path, there] += 1
    run.end()
    place.end()
    seen = collections.Counter()
    for g in run.of("group"):
        seen[g["by"][0]["value"], g["by"][1]["value"] not in (-2, -36)] += g["calls"]
    shown = {long: f'"{long[:127]}"...', '/no/"quoted"': '"/no/\\"quoted\\""'}
    wanted = {(shown.get(path, f'"{path}"'), there): n for (path, there), n in wanted.items()}
    test.same({key: n for key, n in seen.items() if key in wanted or "/no/" in key[0]}, wanted, "groups")
    test.same((run.loss["unread"], run.loss["ungrouped"]), (0, 0), "ledger")
    test.check(all(g["by"][0]["value"].startswith("0x") for g in place.of("group")), "a place is a place")
    run = culprit.probe(test, "wake_up_new_task", "--count", "--by", "p->comm", "--if", f'comm == "{comm()}"')
    for _ in range(3):
        subprocess.run(["true"], check=True, preexec_fn=lambda: None)
    run.end()
    test.same([(g["by"][0]["value"], g["calls"]) for g in run.of("group")], [(f'"{comm()}"', 3)], "an array")


@case("probe, views: --by of a name in unsigned bytes, as a dentry has it: by its text", on=OTHER_TWO)
def names(test):
    run = culprit.probe(test, "vfs_unlink", "--count", "--by", "dentry->d_name.name", "--if", f'comm == "{comm()}"')
    shown = culprit.probe(test, "vfs_unlink", "--args", "dentry->d_name.name", "--if", f'comm == "{comm()}"')
    with tempfile.TemporaryDirectory(dir="/tmp") as top:
        for n in range(5):
            path = pathlib.Path(top, str(n))
            path.mkdir()
            (path / ("other", "a name")[n % 2]).touch()
        for path in sorted(pathlib.Path(top).glob("*/*")):
            path.unlink()
    run.end()
    shown.end()
    test.same(sorted((g["by"][0]["value"], g["calls"]) for g in run.of("group")), [('"a name"', 2), ('"other"', 3)],
              "groups")
    test.same([c["args"][0]["value"] for c in shown.calls()], ['"other"', '"a name"'] * 2 + ['"other"'], "calls")


@case("probe, views: --by of a string: what is filtered at the return takes no room in the table", on=OTHER_TWO)
def many_texts(test):
    condition = f'comm == "{comm()}" && filename ~ "/tmp/many/*"'
    run = culprit.probe(test, "do_sys_openat2", "--count", "--by", "filename", "--if", condition, "--errors")
    with tempfile.TemporaryDirectory(dir="/tmp") as top:
        os.symlink(top, "/tmp/many")
        # More than there is room for.
        for n in range(8500):
            os.close(os.open(f"/tmp/many/{n}", os.O_CREAT | os.O_WRONLY))
            os.unlink(f"/tmp/many/{n}")
        for n in range(30):
            is_there(f"/tmp/many/none{n % 10}")
        os.unlink("/tmp/many")
    run.end()
    test.same(sorted((g["by"][0]["value"], g["calls"]) for g in run.of("group")),
              [(f'"/tmp/many/none{n}"', 3) for n in range(10)], "groups")
    test.same((run.loss["calls"] - run.loss["filtered"], run.loss["matched"], run.loss["ungrouped"]), (30, 30, 0),
              "ledger")


def mix(key, word):
    key = (key ^ word) * 0x9e3779b97f4a7c15 % 2**64
    return key ^ key >> 32


def same_key():
    """Two strings of 16 characters that the kernel side's mix() (src/bpf/probe_texts.bpf.h) gives one key."""
    words = [int.from_bytes(half, "little") for half in (b"/no/abcd", b"/no/same")]
    for n in range(1000):
        other = int.from_bytes(f"/no/{n:04}".encode(), "little")
        pair = words, [other, mix(0, words[0]) ^ words[1] ^ mix(0, other)]
        texts = [b"".join(w.to_bytes(8, "little") for w in text) for text in pair]
        if 0 not in texts[1] and b"/" not in texts[1][8:]:
            return texts
    raise RuntimeError("no such pair")


@case("probe, views: --by of strings that are made to have one key: neither is taken for the other", on=OTHER_TWO)
def clash(test):
    first, second = same_key()
    run = culprit.probe(test, "do_sys_openat2", "--count", "--by", "filename", "--if",
                        f'comm == "{comm()}" && filename ~ "/no/*"')
    for path in 3 * [first] + 2 * [second] + [first]:
        is_there(path)
    run.end()
    test.same([(g["by"][0]["value"], g["calls"]) for g in run.of("group")], [('"/no/abcd/no/same"', 4)], "groups")
    test.same((run.loss["matched"], run.loss["ungrouped"]), (6, 2), "ledger")


@case("probe, views: several functions: each by its own argument of that name, whatever its type", on=OTHER_TWO)
def several(test):
    run = culprit.probe(test, "victim:victim_args_*", "--count", "--by", "arg0")
    victim.perform("call_args", 2)
    run.end()
    seen = collections.defaultdict(dict)
    for g in run.of("group"):
        seen[g["function"]][g["by"][0]["value"]] = g["calls"]
    test.same(seen["victim_args_eight"], {1: 1, 2: 1}, "a word")
    test.same(seen["victim_args_small"], {"{x = 1, y = -3}": 1, "{x = 2, y = -3}": 1}, "a struct in a word")
    test.same(seen["victim_args_pair"], {f"{{first = {v}, second = {0x1122334455667788}}}": 1 for v in (1, 2)},
              "a struct in two words")
    test.same(seen["victim_args_nest"], {d: 2 for d in range(4)}, "a function that calls itself")
    test.same(seen["victim_args_enum"], {"VICTIM_BLUE": 2}, "an enum")
    test.same(sum(g["calls"] for g in run.of("group")), run.loss["calls"], "the sum")
    run = culprit.probe(test, "victim:victim_args_*", "--hist", "a")
    victim.perform("call_args", 9)
    run.end()
    hist = {h["function"]: (h["calls"], h["min"], h["max"]) for h in run.of("histogram")}
    test.same(hist, {"victim_args_eight": (9, 1, 9), "victim_args_narrow": (9, -1, -1)}, "histograms")
    test.same((run.probing["sites"], run.probing["refused"]), (2, 10), "sites, refused")
    test.check(all("unknown name 'a'" in r["why"] for r in run.probing["refusals"]), "reasons")


@case("probe, views: user stacks of several processes are named, though they end before the run", on=OTHER_TWO)
def processes(test):
    run = culprit.probe(test, "kernel_clone", "--count", "--stack", "user", "--if", 'comm ~ "victim_*"')
    started = [subprocess.Popen([os.path.join(os.path.dirname(victim.USER_CALLS), f"victim_{name}"), "--wait", "2", "2"], text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE) for name in ("forks", "threads")]
    for p in started:
        p.stdout.readline()
        p.communicate("\n", timeout=60)
    run.end()
    groups = run.of("group")
    test.same({(g["pid"], g["comm"]) for g in groups},
              {(p.pid, f"victim_{name}") for p, name in zip(started, ("forks", "threads"))}, "processes")
    test.same(sum(g["calls"] for g in groups if g["comm"] == "victim_forks"), 3, "forks")
    for g in groups:
        test.check(g["stack"] and g["stack"][0]["module"].startswith("libc") and g["stack"][0]["function"],
                   f"{g['comm']}: {g['stack'][:1]}")


@case("probe, views: --hist of a result by another value, and of times", on=OTHER_TWO)
def histograms(test):
    victim.reset()
    by_ret = culprit.probe(test, "victim:victim_calls_errno", "--hist", "which", "--by", "ret")
    dur = culprit.probe(test, "victim:victim_calls_slow", "--hist", "dur")
    victim.perform("call_errno", 31)
    victim.perform("call_slow", 12)
    by_ret.end()
    dur.end()
    test.same(sorted(h["calls"] for h in by_ret.of("histogram")), [7, 8, 8, 8], "calls by result")
    total = collections.Counter()
    for h in by_ret.of("histogram"):
        test.same(sum(bars(h).values()), h["calls"], f"the sum of {by(h)}")
        total.update(bars(h))
    test.same(dict(total), {1: 1, 2: 2, 4: 4, 8: 8, 16: 16}, "bars together")
    h, book = dur.of("histogram")[0], victim.book("victim_calls_slow")
    test.same((h["is_time"], h["calls"], sum(bars(h).values())), (True, 12, 12), "dur")
    long = sum(b["calls"] for b in h["bars"] if b["low"] is not None and b["low"] >= 0.0083)
    least = sum(b["calls"] for b in h["bars"] if b["low"] is not None and b["low"] >= 0.0167)
    test.check(long >= book["inside_long"] >= 3 and least <= book["around_long"] + 12 - 3,
               f"{long} and {least} long ones, of {book['inside_long']}")
    test.check(h["max"] >= 0.0188, f"the longest took {h['max']} s")


@case("probe, views: --rate: lines a second whose sum is the book's", on=OTHER_TWO)
def rate(test):
    victim.reset()
    run = culprit.probe(test, "victim:victim_calls_errno", "--rate")
    end = time.monotonic() + 3
    while time.monotonic() < end:
        victim.perform("call_errno", 20)
        time.sleep(0.05)
    run.end()
    book, rates = victim.book("victim_calls_errno"), run.of("rate")
    test.check(len(rates) >= 2, f"{len(rates)} lines")
    test.same(run.function("victim_calls_errno")["calls"], book["calls"], "calls")
    test.check(0 < sum(r["calls"] for r in rates) <= book["calls"], "the sum is above the book")
    for one, next_one in zip(rates, rates[1:]):
        test.check(next_one["time"] - next_one["span"] >= one["time"] - 0.001, "seconds overlap")
    test.same(sum(r["calls"] for r in rates), book["calls"], "the sum of the rates")


@case("probe, views: --errors: every failing call, none of the others", on=OTHER_TWO)
def errors(test):
    victim.reset()
    run = culprit.probe(test, "victim:victim_calls_errno", "--errors")
    victim.perform("call_errno", 12)
    run.end()
    calls = run.calls()
    test.same([(c["args"][0]["value"], c["error"]) for c in calls],
              [(i, ("ENOENT", "EACCES", "ENOMEM")[i % 4 - 1]) for i in range(1, 13) if i % 4], "calls")
    test.same([f["function"] for c in calls[:1] for f in c["stack"]][:2],
              ["victim_calls_errno", "call_errno"], "the stack")
    test.same(run.function("victim_calls_errno")["errors"], victim.book("victim_calls_errno")["errors"],
              "errors")


@case("probe, views: --count N ends a run; --for too", on=OTHER_TWO)
def limits(test):
    victim.reset()
    run = culprit.probe(test, "victim:victim_calls_errno", "--count", "4", "--stack", "kernel")
    victim.perform("call_errno", 9)
    run.wait()
    test.same((run.status, run.loss["end"], len(run.calls()), run.loss["shown"]), (0, "count", 4, 4),
              "--count")
    test.check(run.calls()[0]["stack"] and run.calls()[1].get("same_stack_as") == 1, "stacks")
    run = culprit.Probe(test, "victim:victim_calls_errno", "--for", "300ms").wait()
    test.same((run.status, run.loss["end"], run.loss["calls"]), (0, "time", 0), "--for")
    test.same(run.of("uncalled")[0]["functions"], 1, "uncalled")
