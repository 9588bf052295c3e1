# SPDX-License-Identifier: GPL-2.0-or-later
"""The command: how it starts, what reaches it, how its end is told, how it outlives culprit."""
import os
import pathlib
import signal
import subprocess
import time

from support.case import check, equal, test, until
from support.tool import CULPRIT, Watch, fails, nothing_lost, watch
from support.victims import Victim, agrees, book_of, program

ACTOR = program("actor")


@test("command: its exit status is told")
def status():
    for code in [0, 1, 7, 127, 255]:
        said = watch("touched", "--", ACTOR, "write", f"exit={code}")
        equal(said.loss["end"], "command", "why it ended")
        equal(said.loss["command_exit"], code, "exit status")
        check("command_signal" not in said.loss, "a signal is told")
        equal(said.loss["hits"], 1, "hits")


@test("command: the signal that killed it is told")
def killed():
    for words, number in [(["crash"], signal.SIGSEGV), (["raise=9"], signal.SIGKILL),
                          (["raise=15"], signal.SIGTERM), (["raise=6"], signal.SIGABRT),
                          (["raise=5"], signal.SIGTRAP), (["thread", "crash"], signal.SIGSEGV)]:
        said = watch("touched", "--", ACTOR, "write=2", *words, preexec_fn=no_core)
        equal(said.loss["hits"], 2, f"hits before {words}")
        equal(said.loss["command_signal"], int(number), f"signal of {words}")
        check("command_exit" not in said.loss, "an exit status is told")


@test("command, process: what a death by SIGTRAP probably was")
def trapped():
    for words, told in [(["thread", "raise=5"], True), (["raise=5"], False), (["thread", "raise=6"], False)]:
        said = watch("touched", "--", ACTOR, "write=2", *words, preexec_fn=no_core)
        gaps = [g for g in said.loss["gaps"] if "unless something sent it" in g]
        equal([g[:40] for g in gaps], ["the command died of a SIGTRAP that its f"] if told else [],
              f"gaps after {words}")
    for number in [signal.SIGTRAP, signal.SIGABRT]:
        with Victim("globals") as victim:
            run = Watch("-p", str(victim.pid), "level").armed()
            victim.send(number)
            said = run.finish(5)
            victim.process.wait()
        equal(said.loss["end"], "process", "why it ended")
        equal([g[:28] for g in said.loss["gaps"]],
              ["the process died of SIGTRAP:"] if number == signal.SIGTRAP else [], "gaps")


def no_core():
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@test("command: one that ends at once, 20 times")
def ends_at_once():
    for _ in range(20):
        said = watch("touched", "--", ACTOR, "write=3", "exit=4")
        equal((said.loss["hits"], said.loss["command_exit"]), (3, 4), "hits and status")
        nothing_lost(said)
        equal([w["where"]["function"] for w in said.writers], ["touch"], "writer")


@test("command: what never writes")
def nothing():
    said = watch("touched", "--", ACTOR)
    equal((said.loss["hits"], said.writers, said.hits), (0, [], []), "hits")
    equal(said.loss["gaps"], [], "gaps")


@test("command: not found, not executable, a directory")
def not_found():
    scratch = os.environ["TEST_SCRATCH"]
    plain = pathlib.Path(scratch, "plain")
    plain.write_text("no program\n")
    text = fails("x", "--", "no-such-program-anywhere")
    check("no-such-program-anywhere" in text and "No such file" in text, text)
    text = fails("x", "--", str(plain))
    check("plain: is not executable" in text, text)
    text = fails("x", "--", scratch)
    check("is a directory" in text, text)
    orphan = pathlib.Path(scratch, "orphan")
    orphan.write_text("#!/no/such/interpreter\n")
    orphan.chmod(0o755)
    text = fails("x", "--", str(orphan))
    check("orphan: its interpreter is missing" in text, text)


@test("command: standard input and output are its own")
def passes_through():
    run = Watch("touched", "--", ACTOR, "write", "echo", "write", stdin=subprocess.PIPE)
    run.process.stdin.write(b"hello out there\n")
    run.process.stdin.close()
    said = run.finish()
    check("echo hello out there" in said.rest, said.rest)
    equal(said.loss["hits"], 2, "hits")


@test("command: its descriptors, signals and limits are as they were")
def inherits():
    code = ("import os,signal,resource;"
            "print('fds', sorted(int(f) for f in os.listdir('/proc/self/fd'))[:-1]);"
            "print('mask', signal.pthread_sigmask(0, []));"
            "print('nofile', resource.getrlimit(resource.RLIMIT_NOFILE));"
            "print('int', signal.getsignal(2) is signal.default_int_handler, signal.getsignal(15),"
            "      signal.getsignal(17), signal.getsignal(1))")
    python = os.path.realpath("/proc/self/exe")
    plain = subprocess.run([python, "-c", code], stdin=subprocess.DEVNULL, text=True,
                           capture_output=True, check=True).stdout
    said = watch("0x7000000:4", "--", python, "-c", code)
    equal(said.rest, plain, "what the command finds")


@test("command: signals reach it at once, and it is told how it ended")
def delivered():
    run = Watch("touched", "--", ACTOR, "catch=10", "catch=12", "say=1", "await=2", "write",
                "raise=15")
    run.seen("^say 1 pid=")
    pid = int(run.seen(r"^say 1 pid=(\d+)").group(1))
    start = time.monotonic()
    os.kill(pid, signal.SIGUSR1)
    time.sleep(0.05)
    os.kill(pid, signal.SIGUSR2)
    said = run.finish()
    check("caught 2" in said.rest, said.rest)
    check(time.monotonic() - start < 2, "signals came late")
    equal(said.loss["command_signal"], 15, "signal")
    equal(said.loss["hits"], 1, "hits")


@test("command: a hundred signals, none lost, none twice")
def many_signals():
    run = Watch("touched", "--", ACTOR, "catch=10", "say=1", "await=100", "write")
    pid = int(run.seen(r"^say 1 pid=(\d+)").group(1))
    status = pathlib.Path(f"/proc/{pid}/status")
    for _ in range(100):
        os.kill(pid, signal.SIGUSR1)
        until(lambda: not pending(status), what="delivery")
    said = run.finish()
    check("caught 100\n" in said.rest, said.rest)


def pending(status):
    try:
        lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
    except OSError:
        return False
    return lines and (int(lines["SigPnd"], 16) | int(lines["ShdPnd"], 16)) & (1 << 9) or \
        (lines["State"].startswith("t") if lines else False)


@test("command: stopped by SIGSTOP, continued by SIGCONT")
def stopped():
    run = Watch("touched", "--", ACTOR, "write", "say=1", "raise=19", "say=2", "write")
    pid = int(run.seen(r"^say 1 pid=(\d+)").group(1))
    stat = pathlib.Path(f"/proc/{pid}/stat")
    until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] in "tT", what="a stop")
    time.sleep(0.15)
    check("say 2" not in run.text(), "it runs on though it was stopped")
    os.kill(pid, signal.SIGCONT)
    said = run.finish()
    equal(said.loss["hits"], 2, "hits")
    equal(said.loss["command_exit"], 0, "status")


@test("command: its parent is told of a stop (a shell's job control)")
def stop_and_end():
    run = Watch("touched", "--", ACTOR, "write", "say=1", "raise=19", "write")
    pid = int(run.seen(r"^say 1 pid=(\d+)").group(1))
    stat = pathlib.Path(f"/proc/{pid}/stat")
    until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] in "tT", what="a stop")
    said = run.stop()
    equal(said.loss["end"], "signal", "why it ended")
    time.sleep(0.05)
    equal(stat.read_text().rsplit(")", 1)[1].split()[0], "T", "state of the command")
    os.kill(pid, signal.SIGCONT)
    until(lambda: not stat.exists() or " Z " in stat.read_text(), what="the end")


@test("command: Ctrl-C reaches both, and the summary comes")
def interrupt():
    run = Watch("touched", "--", ACTOR, "write=2", "say=1", "await=1", start_new_session=True)
    run.seen("^say 1")
    os.killpg(run.pid, signal.SIGINT)
    said = run.finish(5)
    equal(said.status, 0, "exit status")
    equal(said.loss["hits"], 2, "hits")
    check(said.loss["end"] in ("signal", "command"), said.loss["end"])


@test("command: Ctrl-C that it catches: it goes on alone and ends as it wants")
def interrupt_caught():
    run = Watch("touched", "--", ACTOR, "catch=2", "write", "say=1", "await=1", "sleep=100",
                "say=2", start_new_session=True)
    run.seen("^say 1")
    os.killpg(run.pid, signal.SIGINT)
    said = run.finish(5)
    equal(said.status, 0, "exit status")
    until(lambda: "say 2" in run.text(), what="the command's end")
    check("caught 1\n" in run.text(), "the signal came more than once, or never")


def attached(*words):
    run = Watch("touched", "--", ACTOR, "write", "say=1", *words)
    return run, int(run.seen(r"^say 1 pid=(\d+)").group(1))


@test("command: it outlives culprit that is killed")
def outlives():
    for _ in range(10):
        run, pid = attached("sleep=60", "write=3", "say=2")
        run.process.kill()
        run.process.wait()
        until(lambda: "say 2" in run.text(), what="the command's end")
        book = book_of(run.text() if wait_end(pid) else "", "touch")
        equal(book["writes"], "4", "writes")


def wait_end(pid):
    return until(lambda: not pathlib.Path(f"/proc/{pid}").exists() or reap(pid), what="the end")


def reap(pid):
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


@test("command: it outlives the end of a watch by --count, --for and SIGTERM")
def goes_on():
    for options, number in [(["--count", "1"], None), (["--for", "50ms"], None),
                            ([], signal.SIGTERM)]:
        run = Watch("touched", *options, "--", ACTOR, "write", "say=1", "sleep=1500", "write=2",
                    "say=2")
        run.seen("^say 1")
        said = run.stop(number) if number else run.finish(5)
        equal(said.status, 0, "exit status")
        equal(said.loss["hits"], 1, f"hits with {options}")
        until(lambda: "books touch writes=3" in run.text(), what="the command's books")


@test("command: one that waits for its vfork child does not hold culprit up")
def in_vfork():
    start = time.monotonic()
    run = Watch("touched", "--for", "100ms", "--", ACTOR, "write", "vfork-sleep=4000", "write")
    said = run.finish()
    took = time.monotonic() - start
    equal((said.loss["end"], said.loss["hits"]), ("time", 1), "end and hits")
    check(took < 3, f"took {took} s")
    until(lambda: "books touch writes=2" in run.text(), what="the command's books")


@test("command: culprit killed before the command runs takes it along")
def killed_early():
    # Resolving takes a moment; whatever moment it is, nothing stopped is left behind.
    for delay in range(12):
        run = Watch("libvictim.so:lib_static", "--", program("shared_lib"), "3")
        time.sleep(0.002 * delay)
        run.process.kill()
        run.process.wait()


@test("command: with SIGCHLD ignored by who started culprit")
def sigchld_ignored():
    said = watch("touched", "--", ACTOR, "write=3", "exit=9",
                 preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    equal((said.loss["hits"], said.loss["command_exit"]), (3, 9), "hits and status")


@test("command: culprit under strace -f says that it cannot trace")
def traced():
    strace = next((p for p in os.environ["PATH"].split(":") if os.path.exists(p + "/strace")), None)
    if not strace:
        return
    result = subprocess.run(["strace", "-f", "-o", "/dev/null", CULPRIT, "watch", "touched", "--",
                             ACTOR], capture_output=True, text=True, timeout=20, check=False)
    equal(result.returncode, 1, "exit status")
    check("traced" in result.stderr, result.stderr)


@test("command: found on PATH, argv passed as it is")
def path():
    env = dict(os.environ, PATH=os.path.dirname(ACTOR) + ":" + os.environ["PATH"])
    said = watch("touched", "--", "actor", "write", env=env)
    agrees(said, book_of(said, "touch"))
