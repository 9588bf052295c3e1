# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the output goes: files, closed pipes, terminals of any width, recordings."""
import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import stat
import struct
import subprocess
import termios
import time

from support.case import check, equal, test, until
from support.tool import CULPRIT, Watch, watch
from support.victims import program

ACTOR = program("actor")


def text_of(*arguments, **options):
    run = Watch(*[str(a) for a in arguments], json_lines=False, **options)
    said = run.finish()
    equal(said.status, options.get("status", 0), f"status: {said.errors}")
    return said.text


@test("output: text to a file has no colours and says all of it")
def plain():
    text = text_of("touched", "--", ACTOR, "write=2", "exit=0")
    check("\x1b" not in text, "escapes in a file")
    for word in ["watching touched", "now 0", "proved live", "0 -> 1", "1 -> 2", "touch+0x",
                 "actor.c:", "writers", "nothing was lost: 2 hits, 2 seen"]:
        check(word in text, f"'{word}' is not in: {text}")


@test("output: the verdict of --expect")
def guilty():
    run = Watch("level", "--expect", "new >= 0", "--", program("globals"),
                "--only", "corrupt_level", "1", json_lines=False)
    said = run.finish()
    equal(said.status, 3, "status")
    for word in ["guilty", "corrupt_level", "100 -> -559038737", "globals.c:"]:
        check(word in said.text, f"'{word}' is not in: {said.text}")


def on_terminal(columns, env):
    """What a terminal of that width gets."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([CULPRIT, "watch", "level", "--", program("globals"),
                                "--only", "raise_level", "2"], stdin=subprocess.DEVNULL,
                               stdout=follower, stderr=subprocess.PIPE, env=env)
    os.close(follower)
    data = b""
    while True:
        try:
            block = os.read(leader, 65536)
        except OSError:
            break
        if not block:
            break
        data += block
    os.close(leader)
    equal(process.wait(), 0, "status")
    process.stderr.close()
    lines = data.decode().replace("\r\n", "\n").split("\n")
    return [line for line in lines if not line.startswith("books ")]


@test("output: a terminal's width is kept, narrow ones too")
def width():
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    env["TERM"] = "xterm"
    for columns in [60, 80, 200]:
        lines = on_terminal(columns, env)
        check(any("\x1b[" in line for line in lines), "no colour on a terminal")
        for line in lines:
            bare = re.sub(r"\x1b\[[0-9;]*m", "", line)
            # A word that has no room is not cut.
            check(len(bare) <= columns or len(bare.split()) <= 2,
                  f"{len(bare)} columns of {columns}: {bare}")


@test("output: NO_COLOR and TERM=dumb")
def no_colour():
    for more in [{"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}]:
        env = dict({k: v for k, v in os.environ.items() if k != "NO_COLOR"}, **more)
        check(not any("\x1b" in line for line in on_terminal(80, env)), f"colour with {more}")


@test("output: a reader that goes away ends the run, not the command")
def closed_pipe():
    reader, writer = os.pipe()
    run = Watch("touched", "--", ACTOR, "write=5", "sleep=100", "write=5", "sleep=200",
                "write=5", stdout=writer)
    os.close(writer)
    os.read(reader, 100)
    os.close(reader)
    status = run.process.wait(10)
    check(status >= 0, f"culprit died of signal {-status}")


@test("output: a full device is told")
def full():
    if not os.path.exists("/dev/full"):
        return
    with open("/dev/full", "w") as out:
        run = Watch("touched", "--", ACTOR, "write=3", stdout=out)
        status = run.process.wait(10)
    equal(status, 1, "status")
    check("No space" in run.errors(), run.errors())


@test("output: -o records the same lines, for its owner only")
def record():
    path = pathlib.Path(os.environ["TEST_SCRATCH"], "record")
    os.umask(0)
    said = watch("touched", "-o", path, "--", ACTOR, "write=3")
    equal(stat.S_IMODE(path.stat().st_mode), 0o600, "mode")
    equal(path.read_text(), "".join(said.lines), "the recording")
    text = text_of("touched", "-o", path, "--", ACTOR, "write=3")
    check("touch+0x" in text, "text beside a recording")
    kinds = [json.loads(line)["type"] for line in path.read_text().splitlines()]
    equal(kinds, ["armed", "hit", "hit", "hit", "writer", "loss"], "lines")
    run = Watch("touched", "-o", "/nonexistent/x", "--", ACTOR, "say=1")
    said = run.finish()
    equal(said.status, 1, "status")
    check("/nonexistent/x" in said.errors and "say 1" not in said.text, said.errors)


@test("output: each line is complete when it is written")
def live():
    run = Watch("touched", "--", ACTOR, "write", "say=1", "sleep=3000")
    run.seen(r'^\{"type":"hit".*\}$')
    check(run.process.poll() is None, "it had ended")
    said = run.stop(signal.SIGTERM)
    equal((said.status, said.loss["end"]), (0, "signal"), "end")
    pid = int(re.search(r"say 1 pid=(\d+)", said.text).group(1))
    os.kill(pid, signal.SIGKILL)


@test("output: SIGINT, SIGTERM and SIGHUP each end a run with its summary")
def signals():
    for number in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]:
        run = Watch("touched", "--", ACTOR, "write", "say=1", "sleep=400")
        run.seen("^say 1")
        said = run.stop(number)
        equal((said.status, said.loss["end"], said.loss["hits"]), (0, "signal", 1), "end")


@test("output: stopped and continued, culprit goes on")
def stopped_itself():
    run = Watch("touched", "--", ACTOR, "say=1", "sleep=200", "write=3", "sleep=200")
    run.seen("^say 1")
    os.kill(run.pid, signal.SIGSTOP)
    time.sleep(0.5)
    os.kill(run.pid, signal.SIGCONT)
    said = run.finish()
    equal(said.loss["hits"], 3, "hits")
    until(lambda: "books touch" in run.text(), what="the command's books")
