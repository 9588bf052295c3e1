# SPDX-License-Identifier: GPL-2.0-or-later
"""What a function tracer is asked for first: how often, with which arguments, which calls fail. Held
to the kernel's own counters and to strace."""
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

import culprit
import machine
import victim
from harness import PATIENCE, case, wait_for

O_LARGEFILE = 0o100000  # what the kernel adds for a 64-bit process
# Opens of all kinds: modes, directories, what is not there, what may not be, relative to a directory.
OPENS = """
import os
def attempt(*args, **more):
    try:
        return os.open(*args, **more)
    except OSError:
        pass
base = "/tmp/probe-opens"
for name in ("one", "two", "three"):
    attempt(f"{base}/{name}", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
    attempt(f"{base}/{name}", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
there = attempt(base, os.O_RDONLY | os.O_DIRECTORY)
attempt("one", os.O_WRONLY | os.O_APPEND, dir_fd=there)
attempt("missing", os.O_RDONLY | os.O_NOFOLLOW, dir_fd=there)
attempt(f"{base}/one/below", os.O_RDONLY)
attempt(base, os.O_WRONLY)
attempt(base + "/" + "n" * 300, os.O_RDONLY)
attempt("/proc/self/mem", os.O_RDONLY | os.O_NONBLOCK)
for name in ("one", "two", "three"):
    os.unlink(f"{base}/{name}")
"""
COMMAND = [sys.executable, "-I", "-S", "-B", "/tmp/opens.py"]
ARGS = "dfd, filename, how->flags, how->mode"
NAME_SHOWN = 100  # bytes of a name that surely are


def straced(test, command):
    """(directory, name, flags, mode, result) of each open of the command, in order."""
    with tempfile.NamedTemporaryFile("r") as out:
        subprocess.run(["strace", "-f", "-X", "raw", "-s", "4096", "-e", "trace=open,openat",
                        "-o", out.name] + command, check=True, stdout=subprocess.DEVNULL)
        text = out.read()
    opens = []
    for line in text.splitlines():
        m = re.search(r'openat\((\S+), "(.*)", (0x[0-9a-f]+|\d+)(?:, (\w+))?\) *= (-?\d+)(?: E(\w+))?', line)
        if m:
            where, name, flags, mode, result, error = m.groups()
            where = int(where, 0)
            opens.append((where - 2**32 if where >= 2**31 else where, name, int(flags, 0),
                          int(mode or "0", 8), "E" + error if error else int(result)))
    test.check(len(opens) > 15, f"strace saw {len(opens)} opens")
    return opens


def probed(calls):
    opens = []
    for call in calls:
        args = {a["name"]: a["value"] for a in call["args"]}
        opens.append((args["dfd"], args["filename"].split('"')[1], args["how->flags"] & ~O_LARGEFILE,
                      args["how->mode"], call["error"] or call["ret"]))
    return opens


def shortened(opens):
    """Names as far as a probe copies them."""
    return [(where, name[:NAME_SHOWN], flags, mode, result) for where, name, flags, mode, result in opens]


@case("probe: all opens of a program: names, flags, modes and results as strace has them", seconds=200)
def opens(test):
    os.makedirs("/tmp/probe-opens", exist_ok=True)
    with open(COMMAND[-1], "w") as f:
        f.write(OPENS)
    straced(test, COMMAND)  # the first run fills caches
    witness = straced(test, COMMAND)
    run = culprit.Probe(test, "--kernel", "do_sys_openat2", "--ret", "--args", ARGS, "--", *COMMAND).wait()
    test.same((run.status, run.loss["end"], run.loss.get("command_exit")), (0, "command", 0), "end")
    seen = probed(run.calls())
    test.same(len(seen), len(witness), "opens")
    for ours, theirs in zip(shortened(seen), shortened(witness)):
        test.same(ours, theirs, "open")
    failing = [o for o in shortened(witness) if isinstance(o[4], str)]
    run = culprit.Probe(test, "--kernel", "do_sys_openat2", "--errors", "--args", ARGS, "--", *COMMAND).wait()
    test.same(shortened(probed(run.calls())), failing, "--errors")
    f = run.function("do_sys_openat2")
    test.same((f["calls"], f["errors"], f["matched"]), (len(witness), len(failing), len(failing)),
              "--errors: counts")
    test.check(run.calls() and run.calls()[0]["stack"], "--errors: no stack")
    run = culprit.Probe(test, "--kernel", "do_sys_openat2", "--if",
                        'filename ~ "/tmp/probe-opens*" && ret < 0', "--args", ARGS, "--", *COMMAND).wait()
    test.same(shortened(probed(run.calls())),
              [o for o in failing if o[1].startswith("/tmp/probe-opens")], "--if")
    test.same(run.function("do_sys_openat2")["calls"], len(witness), "--if: calls")


@case("probe: the opens of a command's children too, in the order that strace -f has")
def children(test):
    command = ["sh", "-c", "cat /etc/hostname /nonexistent 2>/dev/null; ls /etc/ >/dev/null; cat /etc/passwd"]
    straced(test, command)
    witness = shortened(straced(test, command))
    run = culprit.Probe(test, "--kernel", "do_sys_openat2", "--ret", "--args", ARGS, "--", *command).wait()
    seen = shortened(probed(run.calls()))
    test.same(len(seen), len(witness), "opens")
    for ours, theirs in zip(seen, witness):
        test.same(ours, theirs, "open")
    test.same({c["comm"] for c in run.calls()}, {"sh", "cat", "ls"}, "commands")


@case("probe: schedule() is counted as a probe of the kernel's own counts it")
def schedule(test):
    machine.one_cpu(test)
    witness = machine.Kprobe(test, "schedule")
    outer = -witness.hits()
    run = culprit.probe(test, "schedule", "--count", "--by", "cpu")
    inner = -witness.hits()
    time.sleep(2)
    inner += witness.hits()
    run.end()
    outer += witness.hits()
    counted = run.loss["calls"] + run.loss["own"]
    test.check(inner > 50, f"the machine sleeps: {inner} calls")
    test.check(inner <= counted + run.loss["missed"] + run.loss["recursion"] and counted <= outer,
               f"{counted} calls, not {inner}..{outer}")
    test.same(sum(g["calls"] for g in run.of("group")), run.loss["calls"], "the groups' sum")


@case("probe: few return instances: what is lost is told, by function")
def instances(test):
    victim.reset()
    run = culprit.probe(test, "victim:victim_calls_sleep", "--ret", "--maxactive", "1")
    victim.perform("call_sleep", 8, 400)
    victim.perform("call_sleep", 1, 1)
    run.end()
    f, loss = run.function("victim_calls_sleep"), run.loss
    test.same(f["calls"], victim.book("victim_calls_sleep")["calls"], "calls")
    test.check(f["missed_returns"] > 0, "no return was missed")
    test.same(f["returns"] + f["missed_returns"], f["calls"], "returns and missed ones")
    test.same((loss["missed_returns"], loss["unreturned"], len(run.calls())),
              (f["missed_returns"], 0, f["returns"]), "missed, unreturned, shown")
    run = culprit.probe(test, "victim:victim_calls_sleep", "--ret", "--maxactive", "32")
    victim.perform("call_sleep", 12, 300)
    run.end()
    test.same((run.function("victim_calls_sleep")["returns"], run.loss["missed_returns"]), (12, 0),
              "with instances enough: returns, missed")


@case("probe: opens that wait, with one return instance")
def waiting_opens(test):
    base = tempfile.mkdtemp()
    paths = [f"{base}/fifo{i}" for i in range(6)]
    for path in paths:
        os.mkfifo(path)
    run = culprit.probe(test, "do_sys_openat2", "--errors", "--maxactive", "1", "--kernel",
                        "-p", str(os.getpid()), "--args", "filename")
    readers = [threading.Thread(target=os.open, args=(path, os.O_RDONLY), daemon=True)
               for path in paths]
    for reader in readers:
        reader.start()

    def waiting():
        return sum("wait_for_partner" in machine.read(f"/proc/self/task/{r.native_id}/stack")
                   for r in readers)
    test.check(wait_for(lambda: waiting() == len(readers), PATIENCE), "the readers do not wait")
    for i in range(3):
        try:
            os.open(f"{base}/missing{i}", os.O_RDONLY)
        except OSError:
            pass
    writers = [os.open(path, os.O_WRONLY) for path in paths]
    for reader in readers:
        reader.join(20)
    run.end()
    for fd in writers:
        os.close(fd)
    f, loss = run.function("do_sys_openat2"), run.loss
    test.same(f["calls"], f["filtered"] + f["matched"] + f["missed_returns"], "the sum")
    test.check(f["missed_returns"] >= len(paths) - 1, f"{f['missed_returns']} returns were missed")
    test.check(len(run.calls()) <= 3, f"{len(run.calls())} failing opens, not 3")
    test.check(all(c["error"] == "ENOENT" for c in run.calls()), "an error has another name")
    test.same(f["matched"], len(run.calls()), "matched")
    test.same(loss["unreturned"], 0, "unreturned")
