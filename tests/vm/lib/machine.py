# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own word on probes: what is attached, what a probe of its own counts, which names
there are. Never by culprit."""
import json
import os
import re
import subprocess

TRACING = "/sys/kernel/tracing"
KPROBES = "/sys/kernel/debug/kprobes"


def read(path):
    with open(path) as f:
        return f.read()


def write(path, text, append=False):
    fd = os.open(path, os.O_WRONLY | (os.O_APPEND if append else 0))
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def listed(what):
    """bpftool's list of `prog` or `link`: kinds with names."""
    done = subprocess.run(["bpftool", what, "show", "--json"], stdout=subprocess.PIPE, text=True)
    return sorted(f"{p.get('type', '?')} {p.get('name', '')}" for p in json.loads(done.stdout or "[]"))


def elements(name):
    """How many there are in the BPF map of that name."""
    done = subprocess.run(["bpftool", "map", "dump", "name", name, "--json"], stdout=subprocess.PIPE, text=True)
    return len(json.loads(done.stdout or "[]"))


def attached():
    """All that a probe may leave behind."""
    return {
        "programs": listed("prog"),
        "links": listed("link"),
        "kprobe_events": read(TRACING + "/kprobe_events"),
        "uprobe_events": read(TRACING + "/uprobe_events"),
        "kprobes/list": read(KPROBES + "/list"),
        "enabled_functions": read(TRACING + "/enabled_functions"),
    }


def symbols(pattern, module=None):
    """(name, address) of functions in /proc/kallsyms."""
    found = []
    for line in open("/proc/kallsyms"):
        address, kind, name, *where = line.split()
        if kind in "tTwW" and (where[0][1:-1] if where else None) == module:
            if re.fullmatch(pattern, name):
                found.append((name, int(address, 16)))
    return found


def blacklisted(plain=r"[a-z]\w+"):
    """A function that no kprobe may be in, of those with one name and an ordinary one."""
    once = {}
    for line in open("/proc/kallsyms"):
        name = line.split()[2]
        once[name] = once.get(name, 0) + 1
    for line in open(KPROBES + "/blacklist"):
        span, name = line.split()[:2]
        first, last = span.split("-")
        if re.fullmatch(plain, name) and once.get(name) == 1 and int(last, 16) > int(first, 16):
            return name
    return None


class Kprobe:
    """A kprobe of tracefs that counts: the witness for functions of the kernel."""

    def __init__(self, test, function):
        self.name = "witness_" + re.sub(r"\W", "_", function)
        self.trigger = None
        write(TRACING + "/kprobe_events", f"p:witness/{self.name} {function}\n", append=True)
        test.cleanups.append(self.remove)
        self.enable(1)

    def enable(self, on):
        write(f"{TRACING}/events/witness/{self.name}/enable", str(on))

    def hits(self):
        for line in open(TRACING + "/kprobe_profile"):
            name, hits, missed = line.split()
            if name == self.name:
                return int(hits) + int(missed)
        return 0

    def by_task(self):
        """From now on it counts for each task too."""
        self.trigger = "hist:keys=common_pid"
        write(f"{TRACING}/events/witness/{self.name}/trigger", self.trigger)

    def hits_of(self, pid):
        lines = read(f"{TRACING}/events/witness/{self.name}/hist")
        found = re.search(rf"common_pid: +{pid} .*hitcount: +(\d+)", lines)
        return int(found.group(1)) if found else 0

    def remove(self):
        self.enable(0)
        if self.trigger:
            write(f"{TRACING}/events/witness/{self.name}/trigger", "!" + self.trigger)
        write(TRACING + "/kprobe_events", f"-:witness/{self.name}\n", append=True)


def context_switches():
    return int(re.search(r"^ctxt (\d+)", read("/proc/stat"), re.M).group(1))


def resident(address):
    """Whether this process's page is in its page table."""
    with open("/proc/self/pagemap", "rb", buffering=0) as f:
        f.seek(address // os.sysconf("SC_PAGESIZE") * 8)
        return bool(f.read(8)[7] & 0x80)


def one_cpu(test):
    """Emulated CPUs may run stale code of a function that another one rewrites under them: an int3 that
    is no more there is an oops in the guest. The hottest functions are probed with one CPU alone."""
    path = "/sys/devices/system/cpu/cpu1/online"
    write(path, "0")
    test.cleanups.append(lambda: write(path, "1"))
