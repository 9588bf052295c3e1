# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of a process and of its libraries. The program victim_calls (tests/victims/user/calls.c)
prints its own books."""
import collections
import re
import signal
import subprocess

import culprit
import machine
from harness import TWO, case, wait_for
from victim import USER_CALLS as CALLS

FORKS = CALLS.replace("victim_calls", "victim_forks")


def booked(lines):
    """calls= of each book."""
    found = (re.match(r"books (\w+) calls=(\d+)", line) for line in lines)
    return {m.group(1): int(m.group(2)) for m in found if m}


def traced(test, *args, count=3, threads=2):
    """culprit probe ARGS -- victim_calls, which runs to its end: the run, and the program's books."""
    run = culprit.Probe(test, *args, "--", CALLS, str(count), str(threads)).wait()
    if test.same((run.status, run.loss.get("end"), run.loss.get("command_exit")), (0, "command", 0),
                 f"{args}: status, end"):
        return run, booked(run.said)
    raise RuntimeError(run.stderr().strip())


def values(call):
    return {a["name"]: a["value"] for a in call["args"]}


@case("probe, processes: arguments and results of a program from its first instruction on", on=TWO)
def command(test):
    functions = ["call_numbers", "call_string", "call_person", "call_fails", "call_nest", "call_by_value"]
    run, books = traced(test, *functions, "--ret")
    for name in functions:
        test.same((len(run.calls(name)), run.function(name)["calls"], run.function(name).get("returns")),
                  (books[name],) * 3, f"{name}: calls")
    for v in range(3):
        test.same(values(run.calls("call_numbers")[v]), {"a": v + 1, "b": -2, "c": 200, "mood": "ANGRY"},
                  "call_numbers")
        test.same(values(run.calls("call_string")[v]), {"text": '"a user string"'}, "call_string")
        test.matches(values(run.calls("call_person")[v])["person"],
                     r'^{age = 30, name = .+, mood = TIRED, initials = "sb"}$', "call_person")
        point = values(run.calls("call_by_value")[v])
        test.same((point["point"], point["by"]), (f"{{x = {v + 1}, y = 5}}", 2), "call_by_value")
    test.same([c["ret"] for c in run.calls("call_numbers")], [200 + v for v in (1, 2, 3)], "results")
    test.same([c["ret"] for c in run.calls("call_by_value")], [2 * (v + 5) for v in (1, 2, 3)], "results")
    test.same([(c["ret"], c["error"]) for c in run.calls("call_fails")], [(-2, "ENOENT")] * 3, "errors")
    test.same(sorted(c["ret"] for c in run.calls("call_nest")), 3 * [0] + 3 * [1] + 3 * [2] + 3 * [3],
              "call_nest")
    test.same({c["comm"] for c in run.calls()}, {"victim_calls"}, "comm")


@case("probe, processes: parts of a struct by value are numbers of their own", on=TWO)
def parts(test):
    run, _ = traced(test, "call_tagged", "--args", "tagged.number, tagged.tag, tagged")
    test.same([[a["value"] for a in c["args"]] for c in run.calls()],
              [[n, '"tag"', f'{{tag = "tag", number = {n}}}'] for n in (1, 2, 3)], "arguments")
    for part, wanted in (("tagged.tag", [('"tag"', 3)]), ("tagged.number", [(1, 1), (2, 1), (3, 1)])):
        run, _ = traced(test, "call_tagged", "--count", "--by", part)
        test.same(sorted((g["by"][0]["value"], g["calls"]) for g in run.of("group")), wanted, part)
    run, _ = traced(test, "call_by_value", "--hist", "point.x")
    histogram = run.of("histogram")[0]
    test.same([histogram[key] for key in ("calls", "min", "max")], [3, 1, 3], "bars")


@case("probe, processes: without debug information, arguments by their number", on=TWO)
def untyped(test):
    bare = CALLS + "_bare"  # beside its library
    subprocess.run(["strip", "--strip-debug", "-o", bare, CALLS], check=True)
    for words in ([], ["--args", "arg1"], ["--ret"]):
        run = culprit.Probe(test, "call_numbers", "--if", "arg0 == 2 && (u8)arg2 == 200", *words, "--", bare,
                            "3", "0").wait()
        f = run.function("call_numbers")
        test.same((run.status, f["calls"], f["matched"], len(run.calls())), (0, 3, 1, 1), f"{words}: calls")


@case("probe, processes: a call that never returns is not another one that does", on=TWO)
def leaves(test):
    for condition, returned in (("how == 1", []), ("how != 3", [2, 2, 2]), ("how != 2", [3, 3, 3])):
        run, books = traced(test, "call_leaves", "--ret", "--if", condition)
        test.same([(values(c)["how"], c["ret"]) for c in run.calls()], [(how, how) for how in returned], condition)
        f = run.function("call_leaves")
        test.same((f["calls"], f["matched"]), (books["call_leaves"], len(returned)), f"{condition}: calls, matched")
        test.same(run.loss["unreturned"], 3, f"{condition}: had not returned")


@case("probe, processes: floating point is refused politely, and the rest is shown", on=TWO)
def floating(test):
    run, books = traced(test, "call_double", "--ret")
    test.same(len(run.calls()), books["call_double"], "calls")
    for v, call in enumerate(run.calls(), 1):
        factor, by = call["args"]
        test.same((factor["name"], factor["value"], by["value"]), ("factor", None, v), "arguments")
        test.matches(factor.get("why"), "floating point", "why")
    done = culprit.text("probe", "call_double", "--if", "factor > 1.0 && by == 1", "--", CALLS)
    test.check(done.returncode in (1, 2) and not done.stdout, f"--if: {done.returncode} {done.stdout!r}")
    test.matches(done.stderr, "floating point", "--if: stderr")


@case("probe, processes: a running one by -p; what it changed; it ends", on=TWO)
def running(test):
    victim = subprocess.Popen([CALLS, "--wait", "4", "0"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    test.cleanups.append(victim.kill)
    test.matches(victim.stdout.readline(), rf"^ready pid={victim.pid}$", "the victim")
    run = culprit.probe(test, "call_person", "call_from_*", "--diff", "-p", str(victim.pid))
    victim.stdin.write("\n")
    victim.stdin.flush()
    books = booked(victim.communicate(timeout=30)[0].splitlines())
    run.wait()
    test.same((run.status, run.loss["end"]), (0, "process"), "status, end")
    test.same(run.probing.get("pid"), victim.pid, "pid")
    for name in ("call_person", "call_from_here", "call_from_there"):
        test.same(run.function(name)["calls"], books[name], f"{name}: calls")
    for call in run.calls("call_person"):
        test.matches(call["args"][0].get("after"), r"^{age = 31, ", "after")
    test.same({c["pid"] for c in run.calls()}, {victim.pid}, "pid of the calls")


@case("probe, processes: a library's function", on=TWO)
def library(test):
    for spec in ("lib_write_exported", "libvictim.so:lib_write_exported"):
        run, books = traced(test, spec)
        test.same([values(c)["value"] for c in run.calls()], [101, 102, 103], f"{spec}: arguments")
        test.same({c["where"]["module"] for c in run.calls()}, {"libvictim.so"}, f"{spec}: module")
        test.same(run.function("lib_write_exported")["calls"], books["lib_write_exported"], spec)


@case("probe, processes: inlined copies", on=TWO)
def inlined(test):
    run, books = traced(test, "call_inlined", count=5)
    test.same((run.probing["sites"], run.probing["inlined"]), (2, 2), "sites")
    test.same(run.function("call_inlined")["calls"], books["call_from_here"] + books["call_from_there"],
              "calls")
    told = [a["value"] for c in run.calls() for a in c["args"]]
    test.check(all(v is None or v in range(-5, 6) for v in told), f"arguments are {told}")
    test.same(len({c["where"]["addr"] for c in run.calls()}), 2, "places")


def places(level, here):
    """Arguments of call_places, as its source has them."""
    age, name = (level + 40, "own") if here else (20, "somebody else")
    return {"level": level if here else -level, "total": level * 300 if here else level << 32,
            "fixed": 7 if here else 8, "unused": level if here else 9,
            "person": rf"{{age = {age}, name = (0x[0-9a-f]+( \(.*\))?|\"{name}\"), .*}}"}


@case("probe, processes: arguments of inlined copies, where the compiler left them", on=TWO)
def located(test):
    for program in CALLS, CALLS + "_O0":
        shown = collections.Counter()
        run = culprit.Probe(test, "call_places", "--", program, "4", "0").wait()
        test.same((run.status, run.probing["inlined"], len(run.calls())), (0, 2, 8), f"{program}: copies, calls")
        for i, call in enumerate(run.calls()):
            wanted = places(i // 2 + 1, i % 2 == 0)
            for arg in call["args"]:
                if arg["value"] is None:
                    test.matches(arg.get("why"), "^(optimized out|not seen)$", f"{arg['name']}")
                elif arg["name"] == "person":
                    test.matches(arg["value"], wanted["person"], f"call {i}: person")
                else:
                    test.same(arg["value"], wanted[arg["name"]], f"call {i}: {arg['name']}")
                shown[arg["name"]] += arg["value"] is not None
        if program != CALLS:
            test.same(dict(shown), {name: 8 for name in ("level", "person", "total", "fixed", "unused")}, "at -O0")
        test.check(shown["level"] >= 4 and shown["fixed"] == 8, f"{program}: shown are {dict(shown)}")
    run = culprit.Probe(test, "call_places", "--count", "--by", "fixed", "--if", "level < 3", "--",
                        CALLS + "_O0", "4", "0").wait()
    test.same(sorted((g["by"][0]["value"], g["calls"]) for g in run.of("group")), [(7, 2), (8, 4)], "groups")


@case("probe, processes: threads: who called how often, by the book", on=TWO)
def threads(test):
    run, books = traced(test, "call_thread", "--ret", count=50, threads=4)
    test.same((len(run.calls()), run.function("call_thread")["calls"]), (books["call_thread"],) * 2, "calls")
    test.check(all(c["ret"] == values(c)["number"] * 1000 + values(c)["i"] for c in run.calls()), "a result")
    tids = collections.Counter((c["tid"], values(c)["number"]) for c in run.calls())
    test.same(sorted(tids.values()), [50] * 4, "calls by thread")
    run, books = traced(test, "call_thread", "--count", "--by", "tid, number", "--if", "number != 2",
                        count=2000, threads=4)
    test.same([g["calls"] for g in run.of("group")], [2000] * 3, "groups")
    f = run.function("call_thread")
    test.same((f["calls"], f["filtered"]), (books["call_thread"], 2000), "calls, filtered")
    for g in run.of("group"):
        test.check(g["by"][1]["value"] in (0, 1, 3), f"a group by {g['by']}")


def names(shown):
    return [f["function"] for f in shown["stack"] if f["user"]]


@case("probe, processes: its own stack, by the source's order, with the direct caller", on=TWO)
def stack(test):
    outer = ["call_all", "victim_run", "main"]
    run, books = traced(test, "call_fails", "call_nest", "lib_write_exported", "--stack", "user", count=1)
    for name in "call_fails", "lib_write_exported":
        stacks = [names(c) for c in run.calls(name)]
        test.same([s[:4] for s in stacks], [[name] + outer], f"{name}: the stack")
    for call, depth in zip(run.calls("call_nest"), range(4)):
        test.same(names(call)[:depth + 4], (depth + 1) * ["call_nest"] + outer, f"call_nest, {depth} deep")
    run, books = traced(test, "call_fails", "call_nest", "--count", count=5)
    seen = sorted((names(g)[:names(g).index("main") + 1], g["calls"]) for g in run.of("group"))
    test.same(seen, sorted([([f] * n + outer, 5) for f, n in
                            [("call_fails", 1)] + [("call_nest", n) for n in range(1, 5)]]), "groups")


@case("probe, processes: children that it forks, by their books", on=TWO)
def forks(test):
    run = culprit.Probe(test, "write_*", "--ret", "--stack", "user", "--", FORKS, "30", "3").wait()
    test.same((run.status, run.loss.get("command_exit")), (0, 0), "status")
    books = [dict(re.findall(r"(\w+)=(-?\d+)", line)) for line in run.said
             if re.match(r"books (child\d|exec|parent) ", line)]
    wanted = {int(b["pid"]): int(b["inherited_writes"]) + int(b.get("common_writes", 0)) for b in books}
    test.same(len(wanted), 5, "processes")
    test.same(dict(collections.Counter(c["pid"] for c in run.calls())), wanted, "calls by process")
    test.check(all(c["returned"] for c in run.calls()), "a call that did not return")
    test.same({f["function"] for c in run.calls() for f in c["stack"][:1]}, {"main"},
              "where they return to, in children too")
    test.check(any("ran other programs 1 time" in gap for gap in run.loss["gaps"]), f"gaps: {run.loss['gaps']}")


@case("probe, processes: children that run another program: the same library's functions", on=TWO)
def programs(test):
    run = culprit.Probe(test, "libc.so.6:exit", "--stack", "user", "--", "sh", "-c",
                        "/bin/true; /bin/cat /dev/null; /bin/true; :").wait()
    test.same((run.status, run.loss["gaps"]), (0, []), "status, gaps")
    comms = collections.Counter(c["comm"] for c in run.calls() if c["comm"] != "sh")
    test.same(dict(comms), {"true": 2, "cat": 1}, "programs")
    for call in run.calls():
        test.check(not call["stack"] or call["stack"][0]["function"] == "exit", f"{call['comm']}: {call['stack']}")


@case("probe, processes: children that are gone are followed no more", on=TWO)
def gone(test):
    script = """while read n; do
    while [ $n -gt 0 ]; do n=$((n - 1)); (: >/tmp/followed); done
    python3 -c "$0"
    echo done
done"""
    # By a thread, whose exec ends the first one and takes its number: the process goes on.
    execs = """import os, threading
threading.Thread(target=os.execv, args=("/bin/sh", ["sh", "-c", "sleep 1; : >/tmp/followed"])).start()"""
    parent = subprocess.Popen(["sh", "-c", script, execs], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    test.cleanups.append(parent.kill)
    run = culprit.probe(test, "do_sys_openat2", "--kernel", "--if", 'filename == "/tmp/followed"',
                        "-p", str(parent.pid))
    print(40, file=parent.stdin, flush=True)
    test.same(parent.stdout.readline(), "done\n", "the parent says")
    # Their numbers will be others'; and the table has room for so many.
    test.check(wait_for(lambda: machine.elements("followed") == 1, 20),
               f"{machine.elements('followed')} processes are followed")
    run.end()
    test.same((len({c["pid"] for c in run.calls()} - {parent.pid}), len(run.calls())), (41, 41), "children, calls")
    test.same(run.loss["gaps"], [], "gaps")


@case("probe, processes: killed while probed", on=TWO)
def killed(test):
    victim = subprocess.Popen([CALLS, "--wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    test.cleanups.append(victim.kill)
    victim.stdout.readline()
    run = culprit.probe(test, "call_*", "--ret", "-p", str(victim.pid))
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    run.wait()
    test.same((run.status, run.loss.get("end"), run.stderr()), (0, "process", ""), "status, end, stderr")
    done = culprit.text("probe", "call_numbers", "-p", str(victim.pid))
    test.same((done.returncode, done.stdout), (1, ""), "a process that is gone: status, stdout")
    test.matches(done.stderr, str(victim.pid), "a process that is gone: stderr")


@case("probe, processes: numbers are those of the PID namespace that one is in", on=TWO)
def in_a_namespace(test):
    inside = ["unshare", "--pid", "--fork", "--mount-proc"]
    script = "echo $$; for n in 1 2; do : >/tmp/inside; done; /bin/sh -c 'echo $$; : >/tmp/inside'"
    run = culprit.Probe(test, "do_sys_openat2", "--kernel", "--if", 'filename == "/tmp/inside"',
                        "--", "sh", "-c", script, within=inside).wait()
    pids = [int(line) for line in run.said]
    test.same([c["pid"] for c in run.calls()], [pids[0], pids[0], pids[1]], "who opened it")
    test.same((len(set(pids)), run.loss["gaps"]), (2, []), "two processes, gaps")
    run = culprit.Probe(test, "call_numbers", "--if", f"pid == {pids[0]}", "--", CALLS, "3", "2",
                        within=inside).wait()
    test.same((len(run.calls()), {c["pid"] for c in run.calls()}), (3, {pids[0]}), "a process's function")
    with subprocess.Popen(["sh", "-c", "while :; do : >/tmp/outside; sleep 0.01; done"]) as outside:
        run = culprit.Probe(test, "do_sys_openat2", "--if", 'filename == "/tmp/outside"', "--count", "2",
                            within=inside).wait()
        outside.kill()
    test.same({c["pid"] for c in run.calls()}, {0}, "one that has no number here")
    test.check("PID namespace" in str(run.loss["gaps"]), f"the ledger: {run.loss['gaps']}")


@case("probe, processes: names that are not there", on="debian-6.12-rt")
def unknown(test):
    for spec, pattern in (("call_nubers", r"call_nubers.*call_numbers"), ("nolib.so:f", r"nolib\.so"),
                          ("nothing_like_*", r"nothing_like_\*")):
        done = culprit.text("probe", spec, "--", CALLS, "1")
        test.same((done.returncode, done.stdout), (1, ""), f"{spec}: status, stdout")
        test.matches(done.stderr, pattern, f"{spec}: stderr")
