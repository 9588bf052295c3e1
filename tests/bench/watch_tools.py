# SPDX-License-Identifier: GPL-2.0-or-later
"""The watchers that are compared: how each is started, and what it says it counted."""
import collections
import os
import re

# share: of the stores of a full run (a slow tool gets fewer); hits: how many it says it counted,
# and details: of how many hits it has more than the count, from its words. None: it does not tell.
Watcher = collections.namedtuple("Watcher", "name argv share hits details")

FLOOR = "perf stat"
CULPRIT = "culprit, counting"


def _sum(pattern, text):
    found = re.findall(pattern, text, re.M)
    return sum(int(n) for n in found) if found else None


def _perf_stat(text):
    return _sum(r"^(\d+),[^,]*,mem:", text)


def _perf_record(text):
    return _sum(r"\((\d+) samples\)", text)


def _bpftrace(text):
    return _sum(r"^(?:@|\]): (\d+)", text)


def _bpftrace_lines(text):
    return len(re.findall(r"^hit ", text, re.M))


def _culprit(text):
    return _sum(r"(\d+) hits, \d+ seen", text) or _sum(r'"hits":(\d+),"seen"', text)


def _culprit_details(text):
    if '"type":"hit"' in text:
        return text.count('"type":"hit"')
    return len(re.findall(r"^[^\n]* -> ", text, re.M)) or None


def _none(text):
    return None


GDB_SCRIPT = """set pagination off
set confirm off
set debuginfod enabled off
watch *(int *){addr}
commands
silent
continue
end
continue
"""


def _culprits(target):
    common = ["build/culprit", "watch", "--max-rate", "none", *target]
    return [
        Watcher(CULPRIT, [*common, "--stack", "none", "--if", "0"], 1, _culprit, _none),
        Watcher("culprit, each hit", [*common, "--stack", "none"], 1, _culprit, _culprit_details),
        Watcher("culprit, and its stack", common, 1, _culprit, _culprit_details),
        Watcher("culprit, and as JSON", [*common, "--json"], 1, _culprit, _culprit_details),
    ]


def _bpftraces(addr, stack, options):
    probe = f"watchpoint:{addr}:4:w"
    each = f'{probe} {{ printf("hit %llu %d %d %s %s\\n", nsecs, cpu, pid, comm, {stack}); }}'
    return [
        Watcher("bpftrace, counting", ["bpftrace", *options, "-e", f"{probe} {{ @ = count(); }}"],
                1, _bpftrace, _none),
        Watcher("bpftrace, by stack",
                ["bpftrace", *options, "-e", f"{probe} {{ @[{stack}] = count(); }}"], 1,
                _bpftrace, _none),
        Watcher("bpftrace, each hit", ["bpftrace", *options, "-e", each], 1, _none,
                _bpftrace_lines),
    ]


def _perfs(addr, where, scratch):
    event = ["-e", f"mem:{addr}/4:w", *where]
    data = os.path.join(scratch, "perf.data")
    return [
        Watcher(FLOOR, ["perf", "stat", "-x,", *event], 1, _perf_stat, _none),
        Watcher("perf record -g", ["perf", "record", "-g", "-o", data, *event], 1, _none,
                _perf_record),
    ]


def for_process(pid, addr, scratch):
    """The watchers of a process's variable. The floor comes first."""
    script = os.path.join(scratch, "gdb.script")
    with open(script, "w", encoding="ascii") as f:
        f.write(GDB_SCRIPT.format(addr=addr))
    gdb = ["gdb", "-nx", "-q", "-batch", "-p", str(pid), "-x", script]
    return [
        *_perfs(addr, ["-p", str(pid)], scratch),
        *_bpftraces(addr, "ustack", ["-p", str(pid)]),
        Watcher("gdb watch", gdb, 0.02, _none, _none),
        *_culprits(["-p", str(pid), "bench_target"]),
    ]


def for_kernel(addr, scratch):
    """The watchers of a kernel variable, on all CPUs. The floor comes first."""
    return [
        *_perfs(addr, ["-a"], scratch),
        *_bpftraces(addr, "kstack", []),
        *_culprits(["victim:victim_million:4"]),
    ]
