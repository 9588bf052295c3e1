# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be probed: names, patterns, addresses, copies, tracepoints; and what cannot, with why."""
import glob
import os
import time

import culprit
import machine
import victim
from harness import TWO, case


def refused(test, *args, pattern):
    done = culprit.text("probe", "--debug", culprit.DEBUG, *args)
    test.same((done.returncode, done.stdout), (1, ""), f"{args}: status, stdout")
    test.matches(done.stderr, pattern, f"{args}: stderr")
    test.check(done.stderr.startswith("culprit: probe: "), f"{args}: stderr is {done.stderr!r}")


@case("probe, names: one function by name, module, address; its first line says how", on=TWO)
def one(test):
    b = victim.book("exec_me")
    for spec in ("exec_me", "victim:exec_me", f"{b['addr']:#x}"):
        victim.reset()
        run = culprit.probe(test, spec)
        victim.perform("exec_me", 3)
        run.end()
        told = run.probing
        test.same((told["functions"], told["sites"], told["refused"], told["signature"]),
                  (1, 1, 0, "int exec_me(int a, int b)"), f"{spec}: functions, sites, refused, signature")
        test.same([[a["value"] for a in c["args"]] for c in run.calls()], [[1, 2], [2, 4], [3, 6]],
                  f"{spec}: arguments")
        test.same({(c["where"]["function"], int(c["where"]["addr"], 16)) for c in run.calls()},
                  {("exec_me", b["addr"])}, f"{spec}: where")
        test.check(sum(m["sites"] for m in told["methods"]) == 1, f"{spec}: {told['methods']}")


@case("probe, names: an instruction: func+off and its address", on=TWO)
def inside(test):
    victim.perform("call_inlined")
    b = victim.book("inline_here")
    offset = b["copy"] - b["addr"]
    for spec in (f"victim:inline_here+{offset:#x}", f"{b['copy']:#x}"):
        victim.reset()
        run = culprit.probe(test, spec)
        victim.perform("call_inlined", 5)
        run.end()
        test.same((run.loss["calls"], {c["place"] for c in run.calls()}), (5, {"inside"}), spec)
        test.same({(c["where"]["function"], c["where"]["offset"]) for c in run.calls()},
                  {("inline_here", offset)}, f"{spec}: where")
    refused(test, f"victim:inline_here+{offset + 1:#x}", pattern=r"instruction|cannot be probed")
    refused(test, "victim:inline_here+0x4000", pattern=r"inline_here")


@case("probe, names: copies that were inlined are probed, each in its place", on=TWO)
def inlined(test):
    victim.reset()
    run = culprit.probe(test, "victim:victim_inlined")
    victim.perform("call_inlined", 6)
    run.end()
    books = victim.books()
    test.same((run.probing["sites"], run.probing["inlined"]), (2, 2), "sites, inlined")
    test.same(run.function("victim_inlined")["calls"],
              books["inline_here"]["calls"] + books["inline_there"]["calls"], "calls")
    addresses = {int(c["where"]["addr"], 16) for c in run.calls()}
    for name in ("inline_here", "inline_there"):
        test.check(any(0 <= books[name]["copy"] - a < 32 for a in addresses),
                   f"{name}: none of {addresses} is its copy, {books[name]['copy']:#x}")
    test.same({c["place"] for c in run.calls()}, {"inlined"}, "place")
    told = [[c["args"][0]["value"] for c in run.calls() if int(c["where"]["addr"], 16) == a] for a in addresses]
    upwards = list(range(1, 7))
    test.check(all(t in (upwards, [-v for v in upwards], 6 * [None]) for t in told) and
               any(None not in t for t in told), f"arguments are {told}")


@case("probe, names: patterns: all functions that the kernel lists, and their number", seconds=240, on=TWO)
def patterns(test):
    victim.reset()
    wanted = machine.symbols(r"victim_args_\w+", "victim")
    run = culprit.probe(test, "victim:victim_args_*")
    victim.perform("call_args")
    run.end()
    test.same((run.probing["functions"], run.probing["sites"]), (len(wanted),) * 2, "victim_args_*")
    called = sum(b["calls"] for name, b in victim.books().items()
                 if name.startswith("victim_args_") and "calls" in b)
    test.check(called > 10 and run.loss["calls"] == called, f"{run.loss['calls']} calls, not {called}")
    # A kernel without fprobe attaches one by one.
    prefix, least = ("tcp_", 200) if machine.symbols("register_fprobe") else ("tcp_v4_", 20)
    wanted = machine.symbols(prefix + r"[\w.]*")
    run = culprit.Probe(test, prefix + "*", "--count", "--for", "200ms").wait(150)
    told = run.probing
    test.notes.append(f"{told['sites']} sites by {told['methods']}, {told['took']} s, "
                      f"detached in {run.loss['detached']} s")
    test.check(least < told["sites"] <= len(wanted), f"{told['sites']} of {len(wanted)} {prefix} functions")
    test.check(told["sites"] + told["refused"] >= len([n for n, _ in wanted if "." not in n]),
               f"{told['sites']} and {told['refused']} refused of {len(wanted)}")
    test.check(0 < told["took"] < 120, f"it took {told['took']} s")
    if any(m["name"] == "kprobe-multi" for m in told["methods"]):
        known = {line.split()[0] for line in open(machine.TRACING + "/available_filter_functions")
                 if line.startswith("tcp_") and "[" not in line}
        test.check(told["functions"] >= len({n.split(".")[0] for n in known}) - 5,
                   f"{told['functions']} functions; ftrace knows {len(known)}")


@case("probe, names: a tracepoint, counted as /proc/stat counts", on=TWO)
def tracepoint(test):
    machine.one_cpu(test)
    for spec in ("sched:sched_switch", "sched_switch"):
        outer = -machine.context_switches()
        run = culprit.probe(test, spec, "--count", "--by", "cpu")
        inner = -machine.context_switches()
        time.sleep(1)
        inner += machine.context_switches()
        run.end()
        outer += machine.context_switches()
        counted = run.loss["calls"] + run.loss["own"]
        test.check(inner <= counted + run.loss["recursion"] and counted <= outer,
                   f"{spec}: {counted}, not {inner}..{outer}")
        test.same(sum(g["calls"] for g in run.of("group")), run.loss["calls"], f"{spec}: the groups' sum")


@case("probe, names: all tracepoints of a subsystem, as far as tracefs lists them", on=TWO)
def tracepoints(test):
    for spec in ("irq:*", "irq:softirq_*"):
        listed = {os.path.basename(os.path.dirname(path)) for path in
                  glob.glob(machine.TRACING + "/events/" + spec.replace(":", "/") + "/id")}
        run = culprit.probe(test, spec, "--count", "--by", "cpu")
        time.sleep(1)
        run.end()
        test.same(run.probing["functions"], len(listed), f"{spec}: the tracepoints")
        called = {f["function"] for f in run.of("function")}
        test.check(called <= listed, f"{spec}: called are {called}, listed {listed}")
        test.check(run.function("softirq_entry")["calls"] > 0, f"{spec}: no softirq in a second")
    refused(test, "irq:no_such_*", pattern=r"'irq:no_such_\*'")
    refused(test, "syscalls:sys_enter_openat", pattern=r"'\*_sys_openat'.*raw_syscalls:sys_enter")


@case("probe, names: what cannot be probed, with the reason", on=TWO)
def refusals(test):
    name = machine.blacklisted()
    test.check(name, "the kernel has no blacklist")
    refused(test, name, pattern=rf"{name}.*blacklist")
    if machine.symbols("__schedule"):
        refused(test, "__schedule", pattern=r"__schedule.*notrace")
    refused(test, f"{victim.book('set_level')['addr']:#x}", pattern=r"no function|not code|cannot")


@case("probe, names: what is not there, with near ones", on="debian-6.12-rt")
def unknown(test):
    refused(test, "victim:no_such_function", pattern=r"no_such_function")
    refused(test, "victim:victim_args_eigth", pattern=r"victim_args_eigth.*victim_args_eight")
    refused(test, "victm:exec_me", pattern=r"victm")
    refused(test, "no_such_subsystem:no_such_event", pattern=r"no_such")
    refused(test, "sched:sched_swich", pattern=r"'sched:sched_swich'; nearest: .*\bsched_switch")
    refused(test, "irq:sched_switch", pattern=r"'irq:sched_switch'; nearest: sched:sched_switch")
    refused(test, "no_such_glob_*", pattern=r"no_such_glob_\*")
    refused(test, "0x1234", pattern=r"0x1234")
