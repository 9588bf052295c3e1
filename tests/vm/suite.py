# SPDX-License-Identifier: GPL-2.0-or-later
"""suite.py KERNEL [--all] [PATTERN...]: in a guest, as root: runs the cases of tests/vm/watch, probe and
stack whose names match. Started by tests/vm/run."""
import glob
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "lib"))
sys.dont_write_bytecode = True

import harness  # noqa: E402
import machine  # noqa: E402
import victim  # noqa: E402


def load_cases():
    for path in sorted(path for part in ("watch", "probe", "stack")
                       for path in glob.glob(os.path.join(HERE, part, "*.py"))):
        name = os.path.basename(path)[:-3]
        spec = importlib.util.spec_from_file_location(name, path)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def expected_skips():
    """Lines "KERNEL NAME"."""
    skips = set()
    for line in open(os.path.join(HERE, "expected-skips")):
        if line.strip() and not line.startswith("#"):
            kernel, name = line.strip().split(None, 1)
            skips.add((kernel, name))
    return skips


def hasten(kernel):
    """Attaching and detaching wait for grace periods of RCU. One kernel has them as they are."""
    if kernel != "debian-6.12":
        for name, value in (("normal", "0"), ("expedited", "1")):
            machine.write(f"/sys/kernel/rcu_{name}", value)


def main():
    kernel, words = sys.argv[1], sys.argv[2:]
    patterns = [word for word in words if not word.startswith("--")]
    load_cases()
    if "--list" in words:
        for name, _, on, _ in harness.CASES + harness.LAST_CASES:
            print(name + (f" # {on}" if on else ""))
        return 0
    hasten(kernel)
    victim.load()
    return harness.run_all(kernel, patterns, "--all" in words, expected_skips(),
                           int(os.environ.get("CULPRIT_TEST_BEHIND", 0)))


if __name__ == "__main__":
    sys.exit(main())
