# SPDX-License-Identifier: GPL-2.0-or-later
"""The module `victim` and its books (tests/victims/README.md)."""
import os
import re
import subprocess

DIR = "/sys/kernel/debug/victim"
MODULE = os.environ.get("CULPRIT_TEST_VICTIM", "victim.ko")
USER_CALLS = os.path.join(os.path.dirname(os.environ.get("CULPRIT_TEST_SCHEMA_CHECK", ".")),
                          "../victims/user/victim_calls")

# How the disassembler writes the stores of the books' `insn=`.
SHAPES = {
    "mov-reg": r"^mov[bwlq]? %\w+, ", "mov-imm": r"^mov[bwlq]? \$",
    "mov-byte": r"^movb? %\w+, ", "mov-load": r"^mov[bwlq]? .*, %\w+",
    "inc": r"^inc[bwlq]? ", "dec": r"^dec[bwlq]? ",
    "and": r"^and[bwlq]? ", "or": r"^or[bwlq]? ",
    "lock-inc": r"^lock inc[lq]? ", "lock-dec": r"^lock dec[lq]? ",
    "lock-add": r"^lock add[lq]? ", "lock-cmpxchg": r"^lock cmpxchg[lq]? ",
    "xchg": r"^xchg[lq]? ", "rep-movsb": r"^rep movsb", "rep-stosq": r"^rep stosq",
    "this-cpu-inc": r"^incq? .*%gs:", "bit-field": r"^mov[bwlq]? %\w+, ", "(code)": r".",
}


def load():
    subprocess.run(["insmod", MODULE], check=True)


def unload():
    subprocess.run(["rmmod", "victim"], check=True)


def perform(fault, *numbers):
    """Performs a fault, in this process; returns when it is done."""
    fd = os.open(DIR + "/run", os.O_WRONLY)
    try:
        os.write(fd, " ".join([fault] + [str(n) for n in numbers]).encode())
    finally:
        os.close(fd)


def on_cpu(cpu, fault, *numbers):
    """The same with this process on one CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        perform(fault, *numbers)
    finally:
        os.sched_setaffinity(0, before)


def reset():
    perform("reset")


def value(text):
    """Numbers of the books as numbers; names as they are."""
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    return int(text, 16) if re.fullmatch(r"0x[0-9a-f]+", text) else text


def books():
    """Each book by name: its values by key."""
    out = {}
    for line in open(DIR + "/books"):
        name, *pairs = line.split()
        out[name] = {key: value(text) for key, _, text in (pair.partition("=") for pair in pairs)}
    return out


def book(name):
    return books()[name]


def place(name, size=None):
    """0xADDR:SIZE of a book's variable."""
    b = book(name)
    return f"{b['addr']:#x}:{size or b['size']}"
