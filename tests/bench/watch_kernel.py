#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's part of the watch bench: watch_kernel.py MODULE COUNT ROUNDS; figures as JSON lines."""
import json
import subprocess
import sys
import tempfile

import watch_run
import watch_tools


def main():
    """Every watcher in turn, and again."""
    module, count, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    subprocess.run(["insmod", module], check=True)
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(rounds):
            target = watch_run.KernelTarget()
            for watcher in watch_tools.for_kernel(target.addr, scratch):
                figures = watch_run.measure_once(watcher, target, count, scratch)
                print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
