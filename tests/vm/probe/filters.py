# SPDX-License-Identifier: GPL-2.0-or-later
"""--if: which calls match is computed here from what the victim calls its functions with; that all
were looked at comes from its books."""
import os
import select
import signal
import subprocess
import threading

import culprit
import machine
import victim
from harness import TWO, case

AT_ONCE = 5  # probes that run together
OTHERS = 200  # calls that are not culprit's own


def hold(test, fault, count, conditions):
    """Each (function, condition, calls that match): matched and filtered are exact."""
    for i in range(0, len(conditions), AT_ONCE):
        some = conditions[i:i + AT_ONCE]
        victim.reset()
        runs = [culprit.Probe(test, f"victim:{function}", "--if", condition)
                for function, condition, _ in some]
        for run in runs:
            run.armed()
        victim.perform(fault, count)
        books = victim.books()
        for run, (function, condition, matching) in zip(runs, some):
            run.end()
            f = run.function(function)
            calls = books[function]["calls"]
            test.same((f["calls"], f["matched"], f["filtered"], len(run.calls())),
                      (calls, matching, calls - matching, matching),
                      f"{function}, {condition}: calls, matched, filtered, shown")


@case("probe, filters: arguments of every type", seconds=200, on=TWO)
def arguments(test):
    hold(test, "call_args", 12, [
        ("victim_args_eight", "a > 5 && b + c == 5", 7),
        ("victim_args_eight", "h == -8 && g == 7 && a & 1", 6),
        ("victim_args_small", "s.y == -3 && s.x >= 4", 9),
        ("victim_args_pair", "pair.second == 0x1122334455667788 && after == 'p' && pair.first < 3", 2),
        ("victim_args_big", "big.words[4] == 5 && before % 4 == 0", 3),
        ("victim_args_node", "node->next->id == 22 && node->bits.high == -7", 12),
        ("victim_args_node", "node->bits.middle != 600 || node->next->next", 0),
        ("victim_args_node", 'node->label == "first"', 12),
        ("victim_args_enum", "color == VICTIM_BLUE && on", 6),
        ("victim_args_string", 'text ~ "a kern*" && len == 15', 12),
        ("victim_args_string", 'text == "a kernel"', 0),
        ("victim_args_narrow", "a == -1 && b == 255 && c < -200 && d > 64000 && e % 3 == 0", 4),
        ("victim_args_pointer", "p != 0", 12),
        ("victim_args_nest", "depth >= 2", 24),
        ("victim_args_nest", "caller == victim_args_nest", 36),
    ])


@case("probe, filters: results, times, and mixed with arguments", seconds=200, on=TWO)
def results(test):
    hold(test, "call_errno", 20, [
        ("victim_calls_errno", "ret < 0", 15),
        ("victim_calls_errno", "ret == -ENOENT || ret == -EACCES", 10),
        ("victim_calls_errno", "which < 10 && ret == -ENOMEM", 2),
        ("victim_calls_errno", "ret == 0 || which == 1", 6),
        ("victim_calls_errno", "dur > 60000000000", 0),
    ])
    hold(test, "call_args", 6, [
        ("victim_args_nest", "ret == depth && dur > 0", 24),
        ("victim_args_eight", "ret - a == 19 && h < 0", 6),
        ("victim_args_narrow", "ret < 0 && e == 2", 1),
        ("victim_args_string", 'text ~ "a*" && ret == 15', 6),
        ("victim_args_enum", "ret == VICTIM_RED", 3),
    ])
    hold(test, "call_find", 9, [("victim_calls_find", "ret == 0", 3),
                                ("victim_calls_find", "ret && (long)ret > -4096 && (long)ret < 0", 3)])


@case("probe, filters: what never returns is not what comes to its place on the stack", on=TWO)
def endless(test):
    exit_group = 231  # x86_64
    run = culprit.probe(test, "x64_sys_call", "--ret", "--if", f"regs->orig_ax == {exit_group}")
    for _ in range(OTHERS // 10):
        subprocess.run(["/bin/true"], check=True)
    run.end()
    f = run.function("x64_sys_call")
    test.same((run.calls(), f["matched"]), ([], 0), "returns of exit_group()")
    test.check(f["calls"] > OTHERS and run.loss["unreturned"] >= OTHERS // 10,
               f"{f['calls']} calls, of which {run.loss['unreturned']} had not returned")


@case("probe, filters: who calls, and where", seconds=200, on=TWO)
def who(test):
    pid, comm = os.getpid(), machine.read("/proc/self/comm").strip()
    hold(test, "call_errno", 8, [
        ("victim_calls_errno", f"pid == {pid} && tid == {threading.get_native_id()}", 8),
        ("victim_calls_errno", f"pid != {pid}", 0),
        ("victim_calls_errno", f'comm == "{comm}" && which > 6', 2),
        ("victim_calls_errno", f'comm ~ "{comm[:3]}*" && ret', 6),
        ("victim_calls_errno", "caller == call_errno", 8),
    ])
    victim.reset()
    runs = [culprit.Probe(test, "victim:exec_me", *words) for words in
            (["--if", "cpu == 1"], ["--cpu", "1"], ["--if", "cpu == 0 && a > 2"])]
    for run in runs:
        run.armed()
    victim.on_cpu(0, "exec_me", 5)
    victim.on_cpu(1, "exec_me", 4)
    for run, matching, calls in zip(runs, (4, 4, 3), (9, None, 9)):
        run.end()
        f = run.function("exec_me")
        test.same((f["matched"], len(run.calls())), (matching, matching), f"{run.args[5:]}: matched")
        if calls:
            test.same((f["calls"], f["filtered"]), (calls, calls - matching), f"{run.args[5:]}: calls")


@case("probe, filters: calls of culprit's own that are refused are told apart, each counted once", on=TWO)
def own(test):
    witness = machine.Kprobe(test, "do_sys_poll")
    witness.by_task()
    outer = -witness.hits()
    run = culprit.probe(test, "do_sys_poll", "--if", "nfds == 77777")
    inner, inner_own = -witness.hits(), -witness.hits_of(run.process.pid)
    for _ in range(OTHERS):
        select.poll().poll(1)
    inner, inner_own = inner + witness.hits(), inner_own + witness.hits_of(run.process.pid)
    run.end()
    outer, outer_own = outer + witness.hits(), witness.hits_of(run.process.pid)
    counted = run.loss["calls"], run.loss["own"]
    test.check(inner_own > 5 and inner_own <= counted[1] <= outer_own,
               f"{counted[1]} of its own, not {inner_own}..{outer_own}")
    test.check(counted[0] >= OTHERS and inner <= sum(counted) <= outer,
               f"{counted} calls, not {inner}..{outer}")
    test.same((run.loss["filtered"], run.loss["matched"]), (counted[0], 0), "filtered, matched")


@case("probe, filters: what cannot be compiled is told with its place", on="debian-6.12-rt")
def refused(test):
    for condition, pattern in (("nodd->id == 1", "nodd.*node"), ("node->idd == 1", r"idd.*\bid\b"),
                               ("node == ", "==")):
        done = culprit.text("probe", "--debug", culprit.DEBUG, "victim:victim_args_node", "--if",
                            condition)
        test.check(done.returncode in (1, 2) and not done.stdout,
                   f"{condition}: status {done.returncode}, stdout {done.stdout!r}")
        test.matches(done.stderr, pattern, f"{condition}: stderr")
        test.matches(done.stderr, r"\^", f"{condition}: no caret")


@case("probe, filters: of a tracepoint: what it tells is asked, shown and counted", on=TWO)
def tracepoint(test):
    sent = {signal.SIGURG: 7, signal.SIGWINCH: 3, signal.SIGCONT: 5}  # which nobody dies of
    me, name = os.getpid(), f'"{machine.read("/proc/self/comm").strip()}"'
    event, mine = "signal:signal_generate", f"task->tgid == {me} && pid == {me}"
    some = culprit.Probe(test, event, "--if", f"sig == {signal.SIGCONT:d} && {mine}",
                         "--args", "sig, task->tgid, comm")
    groups = culprit.Probe(test, event, "--count", "--by", "sig, comm", "--if", mine)
    histogram = culprit.Probe(test, event, "--hist", "sig", "--linear", "0,64,1", "--if", mine)
    for run in (some, groups, histogram):
        run.armed()
    for signum, times in sent.items():
        for _ in range(times):
            os.kill(me, signum)
    for run in (some, groups, histogram):
        run.end()
    test.same([[a["value"] for a in c["args"]] for c in some.calls()],
              5 * [[signal.SIGCONT, me, name]], "the calls")
    test.same({tuple(a["value"] for a in g["by"]): g["calls"] for g in groups.of("group")},
              {(signum, name): times for signum, times in sent.items()}, "groups")
    bars = histogram.of("histogram")[0]["bars"]
    test.same({b["low"]: b["calls"] for b in bars if b["calls"]}, sent, "bars")
    refusal = culprit.text("probe", event, "--if", "caller == 0")
    test.same((refusal.returncode, refusal.stdout), (1, ""), "caller: status, stdout")
    test.matches(refusal.stderr, r"tracepoint has no 'caller'", "caller: stderr")


@case("probe, filters: the stack at a tracepoint begins where it stands", on=TWO)
def tracepoint_stacks(test):
    mine = f"task->tgid == {os.getpid()} && pid == {os.getpid()}"
    shown = culprit.Probe(test, "signal:signal_generate", "--stack", "kernel", "--if", mine)
    counted = culprit.Probe(test, "signal:signal_generate", "--count", "--if", mine)
    for run in (shown, counted):
        run.armed()
    os.kill(os.getpid(), signal.SIGURG)
    for run in (shown, counted):
        run.end()
    for record in shown.calls() + counted.of("group"):
        names = [f["function"] or "" for f in record["stack"]]
        test.matches(" ".join(names[:2]), r"^(__)?send_signal\w*", f"the {record['type']}'s stack")
    test.same((len(shown.calls()), len(counted.of("group"))), (1, 1), "calls and groups")
