# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known better by another name, instructions, and functions that are overridden."""
import collections
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading

import culprit
import victim
from harness import case

MANY_TASKS = 500


def arg(call, name):
    return [a["value"] for a in call["args"] if a["name"] == name][0]


@case("forms: a task by its name and number")
def task(test):
    run = culprit.probe(test, "wake_up_new_task", "--if", f"pid == {os.getpid()}")
    child = subprocess.Popen(["true"])
    child.wait()
    run.end()
    calls = [c for c in run.calls() if c["pid"] == os.getpid()]
    test.check(any(re.fullmatch(rf".+ \({child.pid}\)", arg(c, "p")) for c in calls),
               f"no call with task {child.pid}: {[c['args'] for c in calls]}")


@case("forms: sockets and addresses")
def sockets(test):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    run = culprit.probe(test, "tcp_v4_connect", "tcp_sendmsg", "unix_stream_connect",
                        "-p", str(os.getpid()), "--kernel")
    client = socket.create_connection(("127.0.0.1", port))
    own = client.getsockname()[1]
    client.send(b"x")
    missing = socket.socket(socket.AF_UNIX)
    test.check(missing.connect_ex("/nowhere/at/all") != 0, "connected to nowhere")
    run.end()
    connect, send = run.calls("tcp_v4_connect"), run.calls("tcp_sendmsg")
    if test.same((len(connect), len(send)), (1, 1), "calls"):
        test.same(arg(connect[0], "uaddr"), f"inet 127.0.0.1:{port}", "address")
        test.same(arg(send[0], "sk"), f"tcp 127.0.0.1:{own} -> 127.0.0.1:{port} established", "sock")
    unix = [(arg(c, "sock"), arg(c, "uaddr")) for c in run.calls("unix_stream_connect")]
    test.check(("unix stream", 'unix "/nowhere/at/all"') in unix, f"socket: {unix}")
    for s in server, client, missing:
        s.close()


@case("forms: paths: whole, or marked as cut")
def paths(test):
    top = tempfile.mkdtemp()
    test.cleanups.append(lambda: shutil.rmtree(top))
    deep = os.path.join(top, *("a" * 60 + str(i) for i in range(6)))
    many = os.path.join(top, *(f"d{i}" for i in range(40)))
    short = os.path.join(top, "n" * 200)
    os.makedirs(deep)
    os.makedirs(many)
    files = [os.path.join(d, "file") for d in (deep, many)] + [short]
    for path in files:
        open(path, "w").close()
    run = culprit.probe(test, "vfs_read", "--args", "file", "-p", str(os.getpid()), "--kernel")
    for path in files:
        with open(path, "rb", buffering=0) as f:
            f.read(1)
    run.end()
    told = [arg(c, "file") for c in run.calls()]
    for path in files[:2]:
        test.check([t for t in told if t.startswith(".../") and path.endswith(t[3:]) and t.count("/") > 2],
                   f"no part of {path} among {told}")
    test.check(short in told, f"{short} is not among {told}")


@case("forms: pointers are followed so far as one says")
def depth(test):
    node = "victim:victim_args_node"
    flat, deep = culprit.probe(test, node), culprit.probe(test, node, "--depth", "2")
    victim.perform("call_args", 1)
    for run, wanted in (flat, r"\{id = 11, next = 0x[0-9a-f]+ \(\S+\), bits = \{low = 5, middle = 600, "
                              r"high = -7\}, .*\}"), \
                       (deep, r"\{id = 11, next = \{id = 22, next = NULL, .*\}, bits = .*\}"):
        run.end()
        if test.same(len(run.calls()), 1, "calls"):
            test.matches(arg(run.calls()[0], "node"), wanted, "node")


def moves(function):
    """Instructions of the victim's that copy one register to another: offset, from, to."""
    listing = subprocess.run(["objdump", "-d", f"--disassemble={function}", victim.MODULE], text=True,
                             stdout=subprocess.PIPE, check=True).stdout
    start = int(re.search(rf"^([0-9a-f]+) <{function}>:", listing, re.M).group(1), 16)
    return [(int(m.group(1), 16) - start, m.group(2), m.group(3)) for m in re.finditer(
        r"^ *([0-9a-f]+):\t[0-9a-f ]+\tmov +%(r\w+),%(r\w+)$", listing, re.M)]


def moving(test):
    """A function and its instructions that copy a register."""
    if not os.path.exists("/usr/bin/objdump"):
        test.skip("no objdump")
    for function in ("victim_args_node", "victim_args_string"):
        found = moves(function)
        if found:
            return function, found
    test.check(False, "no register is copied to another")
    return None, []


@case("forms: registers before and after an instruction")
def after(test):
    function, found = moving(test)
    if not found:
        return
    offset, source, target = found[0]
    place = f"victim:{function}+{offset:#x}"
    run = culprit.probe(test, place, "--after")
    plain = culprit.probe(test, place, "--args", f"regs->{source}", "--if", f"regs->{source} != 0")
    victim.perform("call_args", 3)
    run.end()
    plain.end()
    test.same((len(run.calls()), len(plain.calls())), (3, 3), "calls")
    for call, before in zip(run.calls(), plain.calls()):
        regs = {r["name"]: int(r["value"], 16) for r in call["regs"]}
        was = {r["name"]: int(r["before"], 16) for r in call["regs"] if "before" in r}
        test.same(call["where"]["offset"], offset, "offset")
        test.same(regs[target], int(before["args"][0]["value"]), f"{target} after it")
        test.check(set(was) <= {target}, f"changed by a move to {target}: {was}")


@case("forms: registers after an instruction, in more tasks than have places that stay", seconds=200)
def after_in_many(test):
    if test.kernel == "debug-6.12":
        test.skip("lockdep takes a hash table's lock within a breakpoint for a deadlock, which "
                  "the table itself keeps from happening")
    function, found = moving(test)
    if not found:
        return
    run = culprit.probe(test, f"victim:{function}+{found[0][0]:#x}", "--after")
    for _ in range(MANY_TASKS):
        one = threading.Thread(target=victim.perform, args=("call_args", 1))
        one.start()
        one.join()
    run.end()
    test.same((run.loss["calls"], run.loss["matched"], len({c["tid"] for c in run.calls()})),
              (MANY_TASKS,) * 3, "calls, matched, tasks")


@case("forms: a jump has no certain instruction after it")
def jump(test):
    done = culprit.text("probe", "vfs_read", "--after")
    test.check(done.returncode != 0 and "--after shows one instruction" in done.stderr, done.stderr)


@case("inject: every third call, exactly; or why not")
def inject(test):
    function, wanted = "victim_args_refuses", "-EIO,EVERY 3"
    if test.kernel != "debug-6.12":
        done = culprit.text("probe", f"victim:{function}", "--inject", wanted)
        test.check(done.returncode != 0 and "CONFIG_BPF_KPROBE_OVERRIDE" in done.stderr, done.stderr)
        return
    before = victim.book(function)
    run = culprit.probe(test, f"victim:{function}", "--inject", wanted, "--if", "value <= 8")
    victim.perform("call_args", 10)
    run.end()
    book = victim.book(function)
    test.same(int(book["refused"]) - int(before["refused"]), 2, "calls that were refused")
    test.same(run.loss["injected"], 2, "calls that were overridden")
    test.same([c.get("injected", False) for c in run.calls()],
              [False, False, True] * 2 + [False, False], "which of them")
    test.same({c.get("error") for c in run.calls() if c.get("injected")}, {"EIO"}, "error")
    done = culprit.text("probe", "vfs_read", "--inject", "-EIO")
    test.check(done.returncode != 0 and "error_injection/list" in done.stderr, done.stderr)


def read_frames(test, *args):
    """Functions and files of the innermost user frames of calls of vfs_read by cat."""
    run = culprit.probe(test, "vfs_read", "--stack", "user", *args)
    if "--" not in args:
        for _ in range(5):
            subprocess.run(["cat", "/etc/hostname", "/etc/passwd"], stdout=subprocess.DEVNULL, check=True)
        run.end()
    else:
        run.wait()
    return [c["stack"][0] for c in run.calls() if c["comm"] == "cat" and c["stack"]]


@case("forms: user frames of a command whose calls of the kernel are probed")
def user_frames(test):
    frames = read_frames(test, "--kernel", "--", "cat", "/etc/hostname", "/etc/passwd")
    libc = [f for f in frames if f["module"].startswith("libc") and "read" in (f["function"] or "")]
    test.check(libc, f"no read() of the C library: {frames[-3:]}")


@case("forms: user frames of whoever it was, or the name of who is gone")
def others_frames(test):
    frames = read_frames(test)
    test.check(frames, "no frame of cat")
    for f in frames:
        test.check(f["function"] or f["module"], f"neither function nor name: {f}")


@case("forms: children of a process have its probes, whichever thread forks them")
def children(test):
    run = culprit.probe(test, "libc.so.6:getppid", "-p", str(os.getpid()))
    for _ in range(3):
        os.getppid()
    pids = []

    def fork():
        child = os.fork()
        if not child:
            for _ in range(5):
                os.getppid()
            if not os.fork():
                os.getppid()
                os._exit(0)
            os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
        pids.append(child)
        test.same(os.waitpid(child, 0)[1], 0, "status of the child")

    fork()
    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    for _ in range(2):
        os.getppid()
    run.end()
    seen = collections.Counter(c["pid"] for c in run.calls())
    test.same((seen[os.getpid()], [seen[pid] for pid in pids]), (5, [5, 5]), "calls of the process, of children")
    test.same(len(run.calls()), 5 + 2 * 5 + 2, "calls, with those of the children's children")
    test.same(run.loss["gaps"], [], "gaps")
