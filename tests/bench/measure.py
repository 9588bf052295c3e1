# SPDX-License-Identifier: GPL-2.0-or-later
"""What all benches share: a tool that is run and accounted for, medians, tables."""
import os
import signal
import statistics
import subprocess
import time

GIVE_UP = 120


class Tool:
    """A process whose memory and time are known when it has ended."""

    def __init__(self, argv, out):
        self.out = out
        with open(out, "wb") as stdout, open(out + ".err", "wb") as stderr:
            self.started = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                            stdout=stdout, stderr=stderr)
        self.pid = self.process.pid
        self.ended = None
        self.memory = 0

    def _look_at_memory(self):
        # Not the rusage's: that one starts with the size of who forked.
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as f:
                for line in f:
                    if line.startswith("VmHWM:"):
                        self.memory = max(self.memory, int(line.split()[1]) * 1024)
        except OSError:
            pass

    def look(self):
        """Whether it still runs; collects it when it does not."""
        if not self.ended:
            self._look_at_memory()
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.ended = (status, usage)
                self.process.returncode = status
        return not self.ended

    def cpu_ns(self):
        """Its processor time until now, all its threads."""
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            return 0
        return (int(fields[11]) + int(fields[12])) * 1000000000 // os.sysconf("SC_CLK_TCK")

    def end(self):
        """Ends it as a user would, by Ctrl-C; returns the most memory it was seen to have."""
        deadline = time.monotonic() + GIVE_UP
        asked = 0.0
        while self.look() and time.monotonic() < deadline:
            if time.monotonic() - asked > 5:
                os.kill(self.pid, signal.SIGINT)  # send_signal would collect it
                asked = time.monotonic()
            time.sleep(0.005)
        if not self.ended:
            self.process.kill()
            _, status, usage = os.wait4(self.pid, 0)
            self.ended = (status, usage)
        return self.memory

    def used_ns(self):
        """Its processor time from start to end."""
        usage = self.ended[1]
        return int((usage.ru_utime + usage.ru_stime) * 1e9)

    def said(self):
        """Its words on stdout and stderr."""
        text = ""
        for path in (self.out, self.out + ".err"):
            with open(path, encoding="utf-8", errors="replace") as f:
                text += f.read()
        return text


def median(values):
    """The median of the values that are there, or None."""
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def show(value, form="{:.2f}"):
    """A number, or a dash where there is none."""
    return "-" if value is None else form.format(value)


def table(head, rows):
    """Prints columns: the first to the left, the others to the right."""
    widths = [max(len(str(r[i])) for r in [head] + rows) for i in range(len(head))]
    for row in [head] + rows:
        cells = [str(row[0]).ljust(widths[0])]
        cells += [str(c).rjust(w) for c, w in zip(row[1:], widths[1:])]
        print("  ".join(cells).rstrip())
