# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel stacks from the kernel's memory, held against /proc/TID/stack and the victim's books. Each
run of culprit reads all symbols, which takes an emulated machine some seconds: one run is asked
many things."""
import ctypes
import functools
import json
import mmap
import os
import re
import subprocess
import threading

import culprit
import kernel_word
import machine
import victim
from harness import case, wait_for

CHAIN = ["victim_wait_inner", "victim_wait_middle", "victim_wait_outer"]
LIBC = ctypes.CDLL(None, use_errno=True)


class Stacks:
    """`culprit stack --json ARGS`."""

    def __init__(self, test, *args, status=0):
        done = culprit.text("stack", "--json", "--debug", culprit.DEBUG, *args, seconds=200)
        test.notes.append(f"$ culprit stack {' '.join(args)}\nstatus {done.returncode} {done.stderr}")
        test.same(done.returncode, status, f"status of {args}")
        self.stderr = done.stderr
        self.records = [json.loads(line) for line in done.stdout.splitlines()]
        self.by_tid = {t["tid"]: (t, r) for r in self.of("stack") for t in r["threads"]}

    def of(self, kind):
        return [r for r in self.records if r["type"] == kind]

    def functions(self, tid):
        return [f["function"] for f in self.by_tid[tid][1]["frames"]]

    def missing(self, tid):
        return self.by_tid[tid][1]["missing"] or ""

    def state(self, tid):
        return self.by_tid[tid][0]["state"]


@functools.lru_cache
def scheduler():
    found = subprocess.run(["grep", "-m2", "-E", " __sched_text_(start|end)$", "/proc/kallsyms"],
                           stdout=subprocess.PIPE, text=True, check=True).stdout
    return [int(line.split()[0], 16) for line in found.splitlines()]


def kernels_word(tid):
    """(function, offset, module) by the kernel; None when it is gone."""
    try:
        text = machine.read(f"/proc/{tid}/stack")
    except OSError:
        return None
    return kernel_word.kernels_word(text)


def waits_in(tid, function):
    return any(name == function for name, _, _ in kernels_word(tid) or [])


def our_word(frames):
    return kernel_word.our_word(frames, scheduler())


def all_tids():
    found = set()
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                found |= {int(tid) for tid in os.listdir(f"/proc/{pid}/task")}
            except OSError:
                pass
    return found


def comm(tid):
    try:
        return machine.read(f"/proc/{tid}/comm").strip()
    except OSError:
        return ""


def switches(tid):
    """How often a task was switched away; it stood still while this does not change."""
    try:
        return re.findall(r"ctxt_switches:\s*(\d+)", machine.read(f"/proc/{tid}/status"))
    except OSError:
        return None


def kernels_words():
    return {tid: (switches(tid), kernels_word(tid)) for tid in all_tids()}


def same_as_kernel(test, stacks, before, after):
    """How many tasks did not move meanwhile; the frames of each of them are compared."""
    still = 0
    for tid in sorted(set(before) & set(after)):
        if tid == threading.get_native_id() or before[tid] != after[tid] or before[tid][1] is None:
            continue
        if not test.check(tid in stacks.by_tid, f"{comm(tid)} ({tid}) is not shown"):
            continue
        thread, record = stacks.by_tid[tid]
        if before[tid][1] == [] and record["missing"]:  # a zombie, or in user space
            continue
        what = f"{thread['name']} ({tid})"
        test.same(our_word(record["frames"]), before[tid][1], what)
        test.same((record["missing"], record["end"]), (None, None), f"{what}: missing, end")
        test.check(all(f["certain"] for f in record["frames"]), f"{what}: a frame is not certain")
        still += 1
    return still


def spawn(test, *command):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    test.cleanups.append(process.wait)
    test.cleanups.append(process.kill)
    return process


def victims(test, count, how):
    """Kthreads that wait in the chain, all of those there are."""
    before = all_tids()
    test.cleanups.append(lambda: victim.perform("wait_end"))
    victim.perform("wait", count, how)
    tids = sorted(tid for tid in all_tids() - before if comm(tid).startswith("victim_wait/"))
    test.same(len(tids), count, "victims")
    test.check(wait_for(lambda: all(waits_in(tid, CHAIN[0]) for tid in tids), 20), "they do not wait")
    return tids


def in_chain(test, stacks, tid, state, behind):
    """Function by function, and line by line."""
    frames, functions = stacks.by_tid[tid][1]["frames"], stacks.functions(tid)
    at = functions.index(CHAIN[0])
    test.same(functions[at:at + 3 + len(behind)], CHAIN + behind, f"the chain of {tid}")
    test.same(stacks.state(tid), state, f"the state of {tid}")
    for frame in frames[at:at + 3]:
        test.same((frame["module"], frame["file"]), ("victim", "tests/victims/kmod/wait.c"), "the place")
    lines = [victim.book(name)["line"] for name in CHAIN[1:]]
    test.same([f["line"] for f in frames[at + 1:at + 3]], lines, f"lines of {tid}")


def wait_through_fault(test):
    """A thread of ours that reads into a page which is missing until its userfaultfd is closed."""
    fd = LIBC.syscall(323, os.O_CLOEXEC)  # userfaultfd
    test.check(fd >= 0, "no userfaultfd")
    page = mmap.mmap(-1, 4096)
    addr = ctypes.addressof(ctypes.c_char.from_buffer(page))
    api, register = (ctypes.c_uint64 * 3)(0xaa), (ctypes.c_uint64 * 4)(addr, 4096, 1)
    test.same(LIBC.ioctl(fd, 0xc018aa3f, api), 0, "UFFDIO_API")
    test.same(LIBC.ioctl(fd, 0xc020aa00, register), 0, "UFFDIO_REGISTER")
    reading, writing = os.pipe()
    os.write(writing, b"x" * 64)
    thread = threading.Thread(target=lambda: LIBC.read(reading, ctypes.c_void_p(addr), 64))
    thread.start()
    test.cleanups.append(thread.join)
    test.cleanups.append(lambda: os.close(fd))
    test.check(wait_for(lambda: waits_in(thread.native_id, "handle_userfault"), 20), "no fault")
    return thread.native_id


@case("kernel stacks: all tasks are as /proc says, and known ones where they wait", seconds=400)
def all_tasks(test):
    kthreads = {state: victims(test, 2, how) for how, state in ((0, "D"), (1, "S"), (2, "I"))}
    process = spawn(test, "sh", "-c", f"exec echo wait_here > {victim.DIR}/run")
    test.check(wait_for(lambda: waits_in(process.pid, CHAIN[0]), 20), "the process does not wait")
    behind = spawn(test, "sh", "-c", f"exec echo reset > {victim.DIR}/run")
    test.check(wait_for(lambda: waits_in(behind.pid, "run_write"), 20), "nobody waits behind it")
    faults = wait_through_fault(test)
    spins = spawn(test, "sh", "-c", "while :; do :; done")
    zombie = subprocess.Popen(["true"])
    test.cleanups.append(zombie.wait)
    test.check(wait_for(lambda: ") Z " in machine.read(f"/proc/{zombie.pid}/stat"), 20), "no zombie")
    for _ in range(40):
        spawn(test, "sleep", "1000")

    before = kernels_words()
    stacks = Stacks(test, "--all-tasks", "--no-fold")
    after = kernels_words()

    still = same_as_kernel(test, stacks, before, after)
    test.notes.append(f"{still} of {len(before)} stood still")
    test.check(still >= len(before) * 0.8, f"of {len(before)} tasks only {still} stood still")
    test.same(stacks.of("summary")[0]["threads"], len(stacks.by_tid), "threads of the summary")
    test.same({f["method"] for r in stacks.of("stack") for f in r["frames"]}, {"registers", "ORC"}, "methods")
    test.same(len([1 for t in stacks.by_tid if "culprit itself" in stacks.missing(t)]), 1, "culprit itself")
    for state, tids in kthreads.items():
        for tid in tids:
            in_chain(test, stacks, tid, state, ["run_waiter", "kthread"])
    in_chain(test, stacks, process.pid, "D", ["wait_here"])
    functions = stacks.functions(behind.pid)
    test.check(any("mutex" in f for f in functions[:functions.index("run_write")]), f"no mutex: {functions}")
    functions = stacks.functions(faults)
    test.check({"vfs_read", "ksys_read"} <= set(functions[functions.index("asm_exc_page_fault"):]),
               f"nothing behind the fault: {functions}")
    test.same(stacks.state(zombie.pid), "Z", "the state of a zombie")
    test.same(stacks.missing(zombie.pid), "it has ended, and has no stack any more", "of a zombie")
    test.check(stacks.missing(spins.pid).startswith("running on CPU ") or stacks.by_tid[spins.pid][1]["frames"],
               "of one that runs")


@case("kernel stacks: threads of one process, one of them, one that runs, nobody", seconds=400)
def of_one(test):
    go_on = threading.Event()
    threads = [threading.Thread(target=go_on.wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    test.cleanups.append(lambda: [t.join() for t in threads])
    test.cleanups.append(go_on.set)
    tids = {t.native_id for t in threads}
    test.check(wait_for(lambda: len({str(kernels_word(tid)) for tid in tids}) == 1, 20), "they do not wait")
    stacks = Stacks(test, "--kernel", str(os.getpid()))
    test.same(set(stacks.by_tid), tids | {os.getpid()}, "threads")
    test.check(any({t["tid"] for t in r["threads"]} == tids for r in stacks.of("stack")), "are not folded")
    one = threads[3].native_id
    stacks = Stacks(test, "--kernel", str(one))
    test.same(set(stacks.by_tid), {one}, "the thread alone")
    test.same(stacks.by_tid[one][0]["pid"], os.getpid(), "its process")
    test.same(our_word(stacks.by_tid[one][1]["frames"]), kernels_word(one), "its frames")
    spins = spawn(test, "taskset", "1", "chrt", "-f", "10", "sh", "-c", "while :; do :; done")
    test.check(wait_for(lambda: ") R " in machine.read(f"/proc/{spins.pid}/stat"), 20), "it does not run")
    stacks = Stacks(test, "--kernel", str(spins.pid))
    test.same(stacks.missing(spins.pid), "running on CPU 0: nothing is saved of it", "of one that runs")
    test.same(stacks.of("summary")[0]["missing"], 1, "missing in the summary")
    none = Stacks(test, "--kernel", "4194303", status=1)
    test.matches(none.stderr, "the kernel has no task with the number 4194303", "the error")


def kretprobe(test):
    """By tracefs."""
    machine.write(machine.TRACING + "/kprobe_events", "r:witness/waits victim:victim_wait_middle\n", append=True)
    machine.write(machine.TRACING + "/events/witness/waits/enable", "1")
    def remove():
        machine.write(machine.TRACING + "/events/witness/waits/enable", "0")
        machine.write(machine.TRACING + "/kprobe_events", "-:witness/waits\n", append=True)
    return remove


def graph_tracer(test):
    machine.write(machine.TRACING + "/set_ftrace_filter", "victim_wait_middle\nvictim_wait_outer\n")
    machine.write(machine.TRACING + "/current_tracer", "function_graph")
    def remove():
        machine.write(machine.TRACING + "/current_tracer", "nop")
        machine.write(machine.TRACING + "/set_ftrace_filter", "\n")
    return remove


def bpf_trampoline(test):
    run = culprit.probe(test, "--ret", "victim:victim_wait_middle")
    def remove():
        run.end()
        test.check("fentry" in str(run.probing["methods"]), "it is no trampoline of BPF")
    return remove


@case("kernel stacks: what probes put on the stack", seconds=400)
def under_probes(test):
    """Return addresses are replaced by a kretprobe and the graph tracer; a trampoline of BPF is in no table."""
    for attach in (kretprobe, graph_tracer, bpf_trampoline):
        remove = attach(test)
        try:
            tid, = victims(test, 1, 1)
            wanted = kernels_word(tid)
            stacks = Stacks(test, "--kernel", str(tid))
        finally:
            victim.perform("wait_end")
            remove()
        frames = stacks.by_tid[tid][1]["frames"]
        what = f"{attach.__name__}: "
        test.notes.append(f"{what}{wanted}")
        test.same(our_word(frames), wanted, what + "frames")
        test.same(stacks.by_tid[tid][1]["end"], None, what + "the end")
        behind = [f["certain"] for f in frames[stacks.functions(tid).index("victim_wait_outer"):]]
        test.same(set(behind), {attach is not bpf_trampoline}, what + "whether frames are certain")
        test.same([m for f in frames if "scan" in (m := f["method"])], [], what + "scanned")
