# SPDX-License-Identifier: GPL-2.0-or-later
"""/proc/TID/stack, the kernel's own word, and what `culprit stack --json` says in the same words."""
import re


def kernels_word(text):
    """[(function, offset, module)]"""
    found = re.findall(r"^\[<0>\] ([^\s+]+)\+0x([0-9a-f]+)/0x[0-9a-f]+(?: \[(\w+)\])?$", text, re.M)
    return [(name, int(offset, 16), module or "vmlinux") for name, offset, module in found]


def our_word(frames, bounds):
    """The kernel leaves out functions of the scheduler (kernel/sched/core.c, in_sched_functions), those
    between __sched_text_start and __sched_text_end, and names no module of programs of BPF."""
    return [(f["function"], f["offset"], "vmlinux" if f["module"] == "bpf" else f["module"])
            for f in frames if not bounds[0] <= int(f["addr"], 16) - 1 < bounds[1]]
