# SPDX-License-Identifier: GPL-2.0-or-later
"""One stop of all threads: who cannot stop, what happens meanwhile, and that all goes on."""
import ctypes
import json
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time

from stacks import BUILD, CULPRIT, Program, look, names, run, status, threads, untouched
from support.case import check, equal, test, until


def ticks(pid, tid):
    fields = pathlib.Path(f"/proc/{pid}/task/{tid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def goes_on(pid):
    """Each thread that counts uses the processor again."""
    before = {t: ticks(pid, t) for t in threads(pid)[1:]}
    until(lambda: all(ticks(pid, t) > n for t, n in before.items()), 20, "that all count on")


@test("stop: running threads are stopped, shown, and run on")
def running():
    with Program("odd", "beats", 4) as p:
        for _ in range(5):
            said = look(p.pid)
            equal(said.summary["complete"], 5, "complete")
            for tid in threads(p.pid)[1:]:
                check("beating" in names(said.of(tid)), names(said.of(tid)))
                equal(names(said.of(tid), user=False), [], "kernel frames of a running thread")
            check(0 < said.process["stopped"] < 10, said.process["stopped"])
        goes_on(p.pid)
        check(p.counted() > 0, "it counted")


@test("stop: SIGKILL of culprit, whenever it comes, lets all go on", seconds=60)
def killed():
    rng = random.Random(1)
    with Program("chain", 200, "pause") as p, Program("odd", "beats", 3) as beats:
        for i in range(40):
            victim = (p, beats)[i % 2]
            run_ = subprocess.Popen([CULPRIT, "stack", str(victim.pid)], stdout=subprocess.DEVNULL)
            time.sleep(rng.random() * 0.03)
            run_.kill()
            run_.wait()
        untouched(p.pid)
        untouched(beats.pid)
        goes_on(beats.pid)
        equal(look(p.pid).summary["complete"], 201, "complete afterwards")


@test("stop: no signal is lost that comes meanwhile", seconds=60)
def signals():
    sent = 0
    sigqueue = ctypes.CDLL(None, use_errno=True).sigqueue
    with Program("odd", "signals") as p:
        for i in range(60):
            run_ = subprocess.Popen([CULPRIT, "stack", str(p.pid)], stdout=subprocess.DEVNULL)
            while run_.poll() is None:
                if sigqueue(p.pid, int(signal.SIGRTMIN), None) == 0:
                    sent += 1
                if i % 3 == 2 and sent % 40 == 0:
                    run_.kill()
                time.sleep(0.0002)
        untouched(p.pid)
        time.sleep(0.2)
        equal(p.counted(), sent, "signals that arrived")


@test("stop: a process that SIGSTOP has stopped stays so, and SIGCONT still works")
def stopped():
    with Program("odd", "beats", 2) as p:
        os.kill(p.pid, signal.SIGSTOP)
        until(lambda: all(status(p.pid, t)["State"].startswith("T") for t in threads(p.pid)), 5, "T")
        for _ in range(3):
            said = look(p.pid)
            equal({t["state"] for s in said.stacks for t in s["threads"]}, {"T"}, "state")
            equal(said.summary["complete"], 3, "complete")
            until(lambda: all(status(p.pid, t)["State"].startswith("T") for t in threads(p.pid)), 5,
                  "that all are stopped again")
        os.kill(p.pid, signal.SIGCONT)
        goes_on(p.pid)


@test("stop: a thread in D state is told, and holds up nobody")
def uninterruptible():
    with Program("odd", "vfork") as p:
        asleep = [t for t in threads(p.pid) if status(p.pid, t)["State"].startswith("D")]
        equal(len(asleep), 1, "threads in D state")
        begin = time.monotonic()
        said = run("--json", p.pid)
        check(time.monotonic() - begin < 5, "time")
        check(said.process["stopped"] < 2, said.process)
        check(any("uninterruptible" in n for n in said.process["notes"]), said.process["notes"])
        stack = said.of(asleep[0])
        equal(stack["threads"][0]["state"], "D", "state")
        check("in_vfork" in names(stack), f"{names(stack)} {stack['end']} {stack['missing']}")
        check(any("vfork" in n for n in names(stack, user=False)), names(stack, user=False))
        other = [t for t in threads(p.pid) if t not in asleep and t != p.pid][0]
        check("pausing" in names(said.of(other)), names(said.of(other)))
        untouched(p.pid)
        child = [int(c) for t in threads(p.pid) for c in
                 pathlib.Path(f"/proc/{p.pid}/task/{t}/children").read_text().split()]
        os.kill(child[0], signal.SIGKILL)
        # The thread leaves vfork() and ends, not held by anybody.
        until(lambda: asleep[0] not in threads(p.pid), 5, "the end of the thread that slept")


@test("stop: the first thread has ended, the others are shown")
def first_ended():
    with Program("odd", "ended") as p:
        until(lambda: status(p.pid)["State"].startswith("Z"), 5, "the first thread's end")
        said = run("--json", p.pid)
        equal(len(said.stacks), 2, "stacks")
        check("ended" in said.of(p.pid)["missing"], said.of(p.pid))
        other = threads(p.pid)[1]
        check("told" in names(said.of(other)), names(said.of(other)))
        equal(said.summary["missing"], 1, "missing")
        equal(said.summary["complete"], 1, "complete")
        untouched(p.pid)


@test("stop: threads that come and go all the time", seconds=60)
def storm():
    with Program("odd", "storm") as p:
        for _ in range(30):
            said = run("--json", p.pid)
            s = said.summary
            check(s["complete"] >= 3, s)
            equal(s["complete"] + s["truncated"] + s["missing"], s["threads"], "sum")
            starting = [x for x in said.stacks if "starting" in names(x)]
            equal(sum(len(x["threads"]) for x in starting), 2, "threads that start others")
        check(p.process.poll() is None, "it lives")
        check(p.counted() > 100, "threads that ended")


@test("stop: a process that becomes itself again and again", seconds=60)
def exec_meanwhile():
    for _ in range(12):
        with subprocess.Popen([str(Program.__init__ and CULPRIT), "version"],
                              stdout=subprocess.DEVNULL) as warm:
            warm.wait()
        child = subprocess.Popen([str(BUILD / "tests/stack/odd"), "exec", "60"],
                                 stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for _ in range(4):
            result = subprocess.run([CULPRIT, "stack", "--json", str(child.pid)], text=True,
                                    capture_output=True, timeout=20, check=False)
            check(result.returncode in (0, 1), result.stderr)
            check(result.returncode == 0 or result.stderr.startswith("culprit: "), result.stderr)
        child.stdin.close()
        equal(child.wait(20), 0, "how it ended")


@test("stop: a thread that executes another program, which waits for all others to end", seconds=90)
def replaced():
    shown = 0
    with subprocess.Popen([str(BUILD / "tests/stack/odd"), "replaced", "400"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            for _ in range(25):
                result = subprocess.run([CULPRIT, "stack", "--json", str(child.pid)], text=True,
                                        capture_output=True, timeout=15, check=False)
                equal(result.returncode, 0, result.stderr)
                shown += '"complete"' in result.stdout
            equal(shown, 25, "runs")
            check(child.stdout.read(1), "it becomes itself to the end")
            untouched(child.pid)
            child.stdin.close()
            equal(child.wait(20), 0, "how it ended")
        finally:
            child.kill()


@test("stop: a process that hangs in execve() is shown as far as it can be, at once")
def held():
    path = os.environ["TEST_SCRATCH"] + "/program"
    pathlib.Path(path).write_bytes(pathlib.Path("/bin/true").read_bytes())
    os.chmod(path, 0o755)
    with Program("held", path) as p:
        pid = int(p.text.split()[0])
        # It was asked for the file, and has yet to go to sleep.
        until(lambda: status(pid)["State"][0] in "SD" and pathlib.Path(f"/proc/{pid}/syscall").read_text().startswith("59 "),
              what="execve()")
        said = run("--json", pid, seconds=15)
        check(any("execve" in n for n in said.process["notes"]), said.process["notes"])
        check("stopped" not in said.process, said.process)
        check("execute" in names(said.of(pid)), names(said.of(pid)))
        check(any("exec" in n for n in names(said.of(pid), user=False)), said.of(pid))
        other = said.of(next(t for t in threads(pid) if t != pid))
        check("pausing" in names(other), names(other))
        check(not any(f["certain"] for f in other["frames"] if f["user"]), other)
        p.process.stdin.close()
        equal(p.process.wait(20), 0, "that it is through and ends")


@test("stop: a process that ends meanwhile", seconds=60)
def ends_meanwhile():
    for delay in range(20):
        with Program("chain", 100, "pause") as p:
            run_ = subprocess.Popen([CULPRIT, "stack", str(p.pid)], stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True)
            time.sleep(delay / 1000)
            p.process.kill()
            p.process.wait()
            out, errors = run_.communicate(timeout=20)
            check(run_.returncode in (0, 1), f"{run_.returncode} {errors}")
            if run_.returncode:
                check(str(p.pid) in errors and errors.count("\n") == 1, f"{p.pid}: {errors}")
            else:
                check(str(p.pid) in out, out[:200])


@test("stop: a process that gdb traces: what /proc knows, and who traces it")
def traced():
    with Program("chain", 3, "pause") as p:
        gdb = subprocess.Popen(["gdb", "-nx", "-q", "-p", str(p.pid)], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: status(p.pid)["TracerPid"].strip() == str(gdb.pid), 20, "gdb")
            until(lambda: all(status(p.pid, t)["State"].startswith("t") for t in threads(p.pid)),
                  20, "that all stand still")
            said = run("--json", p.pid)
            check(any(f"({gdb.pid}) traces it" in n for n in said.process["notes"]), said.process)
            stack = said.of(threads(p.pid)[1])
            check("stay_pausing" in names(stack) or stack["missing"], stack)
            check(not any(f["certain"] for f in stack["frames"] if f["user"]), stack)
            equal(status(p.pid)["TracerPid"].strip(), str(gdb.pid), "gdb still has it")
        finally:
            gdb.kill()
            gdb.wait()
        untouched(p.pid)
        equal(look(p.pid).summary["complete"], 4, "complete without gdb")


@test("stop: ten thousand threads", alone=True, seconds=120)
def ten_thousand():
    with Program("chain", 10000, "pause") as p:
        begin = time.monotonic()
        result = subprocess.run(["/usr/bin/time", "-f", "%M", CULPRIT, "stack", "--json", str(p.pid)],
                                capture_output=True, text=True, check=True, timeout=60)
        took = time.monotonic() - begin
        summary = result.stdout.splitlines()[-1]
        check('"threads":10001,"stacks":2,"complete":10001' in summary, summary)
        check(int(result.stderr) < 400 << 10, f"{result.stderr} KB")
        check(took < 40, f"{took} s")
        untouched(p.pid)


@test("stop: the reader of the output goes away")
def reader_gone():
    with Program("chain", 30, "mixed", 10) as p:
        run_ = subprocess.Popen([CULPRIT, "stack", "--no-fold", str(p.pid)], stdout=subprocess.PIPE)
        run_.stdout.read(10)
        run_.stdout.close()
        equal(run_.wait(20), 0, "exit status")
        untouched(p.pid)


def sampled_as_stopped(pid):
    return any(status(pid, t)["State"].startswith("t") for t in threads(pid)[:4])


def interrupted(p, ready):
    """Seconds from SIGINT to the end, with all threads free; SIGINT is sent when it is ready."""
    with tempfile.TemporaryFile("w+") as out:
        run_ = subprocess.Popen([CULPRIT, "stack", str(p.pid)], stdout=out, stderr=subprocess.PIPE,
                                text=True)
        while run_.poll() is None and not ready(out):
            time.sleep(0.001)
        begin = time.monotonic()
        run_.send_signal(signal.SIGINT)
        errors = run_.communicate(timeout=60)[1]
        took = time.monotonic() - begin
        untouched(p.pid)
        equal(run_.returncode, 1, "exit status")
        check("interrupted before" in errors and errors.count("\n") == 1, errors)
        return took


@test("stop: Ctrl-C is obeyed at once, also with deep stacks", alone=True, seconds=120)
def ctrl_c():
    with Program("odd", "forest", 60, 50000) as p:
        # On a busy machine the best of a few says what culprit takes.
        took = min(interrupted(p, lambda out: sampled_as_stopped(p.pid)) for _ in range(4))
        check(took < 0.3, f"while it stood still: {took} s")
        took = min(interrupted(p, lambda out: os.fstat(out.fileno()).st_size) for _ in range(4))
        check(took < 0.3, f"while stacks were shown: {took} s")


@test("stop: thousands of deep stacks, all different: bounded, and it is said where they were cut",
      alone=True, seconds=240)
def forest():
    with Program("odd", "forest", 6000, 1500) as p, tempfile.TemporaryFile("w+") as out:
        result = subprocess.run(["/usr/bin/time", "-f", "%M", CULPRIT, "stack", "--json", str(p.pid)],
                                stdout=out, stderr=subprocess.PIPE, text=True, check=True, timeout=200)
        check(int(result.stderr) < 450 << 10, f"{result.stderr} KB")
        untouched(p.pid)
        out.seek(0)
        cut = 0
        for line in out:
            said = json.loads(line)
            if said["type"] == "stack" and said["end"]:
                check("the stack is" in said["end"] and "deep" in said["end"], said["end"])
                check(len(said["frames"]) > 100, "what was copied is shown")
                cut += len(said["threads"])
        equal(said["threads"], 6001, "threads")
        equal(said["missing"], 0, "threads without frames")
        equal(said["truncated"], cut, "threads that were cut")
        check(cut > 0, "there is an end to it")
