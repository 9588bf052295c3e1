# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of a bench that runs in a guest machine, and its figures as JSON lines, round by round."""
import json
import subprocess
import sys


def progress(text):
    """What is under way, where somebody looks."""
    if sys.stderr.isatty():
        print(f"\r{text:40}\r", end="", file=sys.stderr, flush=True)


def rounds(kernel, script, wanted, machine=()):
    """Runs `script` in a guest: a list of what each round measured, by name. machine: options of tools/vm."""
    found, seen = [], {}
    with subprocess.Popen(["tools/vm", "run", "--kernel", kernel, "--timeout", "3600", *machine, "--",
                           *script], stdout=subprocess.PIPE, text=True) as vm:
        for line in vm.stdout:
            if not line.startswith("{"):
                print(line, end="", flush=True)
                continue
            figures = json.loads(line)
            if figures["name"] in seen:
                found.append(seen)
                seen = {}
            seen[figures["name"]] = figures
            progress(f"guest, round {len(found) + 1}/{wanted}: {figures['name']} done")
    progress("")
    if seen:
        found.append(seen)
    if vm.returncode:
        print(f"bench: the guest ended with status {vm.returncode}", file=sys.stderr)
    return found
