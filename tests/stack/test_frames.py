# SPDX-License-Identifier: GPL-2.0-or-later
"""What the frames say, held to the programs, gdb, eu-stack and /proc."""
import os
import pathlib
import re
import shutil
import subprocess

from stacks import BUILD, Program, look, names, run, status, threads
from support.case import Skip, check, equal, test, until

CHAIN = [f"link_{i}" for i in range(1, 21)]


@test("frames: each thread of a chain of known functions, folded into one stack")
def chain():
    with Program("chain", 50, "pause") as p:
        said = look(p.pid)
        equal(said.process["threads"], 51, "threads")
        equal(len(said.stacks), 2, "stacks")
        first, others = said.stacks
        equal([t["tid"] for t in first["threads"]], [p.pid], "the first thread is first")
        check("main" in names(first), names(first))
        equal([t["tid"] for t in others["threads"]], threads(p.pid)[1:], "threads of the other")
        where = names(others)
        equal(where[:3], ["pause", "stay_pausing", "stay"], "innermost")
        equal(where[3:23], CHAIN, "the chain")
        equal(where[23], "thread", "what began it")
        equal(said.summary["complete"], 51, "walked to the outermost")
        equal(said.summary["likely"], 0, "frames that may be wrong")
        line = next(f for f in others["frames"] if f["function"] == "stay_pausing")
        check(line["file"].endswith("tests/stack/programs/chain.c"), line)
        text = pathlib.Path(line["file"] if os.path.exists(line["file"]) else
                            BUILD.parent / "tests/stack/programs/chain.c").read_text()
        equal(text.splitlines()[line["line"] - 1].strip(), "pause();", "its line")


@test("frames: code that was copied into memory of its own is the program's still")
def moved():
    with Program("moved") as p:
        maps = pathlib.Path(f"/proc/{p.pid}/maps").read_text()
        check(re.search(r"/moved\n.* r-xp 0+ 00:00 0 \n.*/moved\n", maps), maps)
        said = look(p.pid)
        equal(names(said.stacks[0])[:4], ["pause", "waits", "calls", "main"], "functions")
        equal(said.summary["likely"], 0, "frames that may be wrong")
        equal(said.summary["complete"], 1, "walked to the outermost")


@test("frames: --no-fold tells each thread alone, and the same")
def no_fold():
    with Program("chain", 20, "pause") as p:
        folded, each = look(p.pid), look(p.pid, "--no-fold")
        equal(len(each.stacks), 21, "stacks")
        equal([s["threads"][0]["tid"] for s in each.stacks], threads(p.pid), "by number")
        for stack in each.stacks:
            tid = stack["threads"][0]["tid"]
            equal(stack["frames"], folded.of(tid)["frames"], f"frames of {tid}")


@test("frames: different stacks are not put together, the largest comes first")
def different():
    with Program("chain", 33, "mixed", 3) as p:
        said = look(p.pid)
        sizes = [len(s["threads"]) for s in said.stacks]
        equal(sizes[0], 1, "the first thread's")
        # Threads that spin are where they are: nobody knows in how many places.
        equal(sizes[1:], sorted(sizes[1:], reverse=True), "sizes")
        for stack in said.stacks[1:]:
            where = names(stack)
            how = [n for n in where if n and n.startswith("stay_")]
            numbers = {t["tid"] for t in stack["threads"]}
            equal(len(how), 1, where)
            start = {"stay_pausing": 20, "stay_reading": 19, "stay_spinning": 18}[how[0]]
            links = [n for n in where if n and n.startswith("link_")]
            equal(links, CHAIN[:start], f"the chain of {numbers}")


def other_frames(command, pattern):
    """Names of functions by thread, as another tool has them."""
    text = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    found = {}
    for line in text.splitlines():
        thread = re.match(r"(?:Thread \d+ \(.*LWP |TID )(\d+)", line)
        frame = re.match(pattern, line)
        if thread:
            frames = found.setdefault(int(thread[1]), [])
        elif frame:
            frames.append(frame[1])
    return found


@test("frames: as gdb and eu-stack have them, thread for thread")
def witnesses():
    with Program("chain", 12, "mixed", 4) as p:
        said = look(p.pid)
        gdb = other_frames(["gdb", "-batch", "-nx", "-p", str(p.pid), "-ex",
                            "thread apply all bt"], r"#\d+ +(?:0x[0-9a-f]+ in )?([\w.]+)")
        elf = other_frames(["eu-stack", "-p", str(p.pid)], r"#\d+ +0x[0-9a-f]+ +([\w.@]+)")
        equal(sorted(gdb), threads(p.pid), "gdb's threads")
        equal(sorted(elf), threads(p.pid), "eu-stack's threads")
        for tid in threads(p.pid):
            # Which symbol of several at one address of the C library is taken is each tool's own affair.
            mine, theirs, others = [[n for n in found if re.match("link_|stay_?|thread$|main$", n)]
                                    for found in (names(said.of(tid)), gdb[tid], elf[tid])]
            check(len(mine) > 0, f"no function of the program in {tid}")
            equal(mine, theirs, f"gdb's frames of {tid}")
            equal(mine, others, f"eu-stack's frames of {tid}")


@test("frames: the kernel's are those of /proc/PID/stack")
def kernel():
    with Program("chain", 3, "mixed") as p:
        def waiting():
            return sum(status(p.pid, tid)["State"].startswith("S") for tid in threads(p.pid))
        until(lambda: waiting() == 3, 20, "that all but the one that spins wait")
        said = look(p.pid)
        for tid in threads(p.pid):
            stack = said.of(tid)
            mine = names(stack, user=False)
            if "stay_spinning" in names(stack):
                equal(mine, [], f"kernel frames of {tid}, which runs")
                continue
            text = pathlib.Path(f"/proc/{p.pid}/task/{tid}/stack").read_text()
            equal(mine, re.findall(r"\] (\S+?)\+0x", text), f"kernel frames of {tid}")
            check(all(f["method"] == "/proc" for f in stack["frames"] if not f["user"]), stack)


@test("frames: a signal handler and what it interrupted")
def handler():
    with Program("odd", "handler") as p:
        where = until(lambda: "until_told" in (found := names(look(p.pid).of(p.pid))) and found, 10,
                      "that it waits")
        equal([n for n in where if n in ("until_told", "handling", "interrupted", "main")],
              ["until_told", "handling", "interrupted", "main"], "frames")
        stack = look(p.pid).of(p.pid)["frames"]
        at = next(i for i, f in enumerate(stack) if f["function"] == "interrupted")
        check(stack[at - 1]["signal"], stack[at - 1])
        equal(stack[at]["method"], "signal frame", "how the interrupted was found")
        check("(signal handler called)" in run(p.pid).text, "the mark")


@test("frames: a handler on a stack of its own, and what it interrupted on the other")
def alternate():
    with Program("odd", "alternate") as p:
        where = until(lambda: "until_told" in (found := names(look(p.pid).of(p.pid))) and found, 10,
                      "that it waits")
        equal([n for n in where if n in ("until_told", "handling", "interrupted", "main")],
              ["until_told", "handling", "interrupted", "main"], "frames")


@test("frames: code that was made at run time and can still be written, each call of it")
def made():
    if os.uname().machine != "x86_64":
        raise Skip("the code made is x86_64's")
    with Program("odd", "made", 7) as p:
        frames = look(p.pid).of(p.pid)["frames"]
        where = [f["function"] for f in frames]
        made_ = [f for f in frames if f["user"] and not f["function"] and not f.get("build_id")]
        equal(sum(f.get("times", 1) for f in made_), 7, "frames of made code")
        equal(sum(f.get("times", 1) for f in made_ if f["certain"]), 1, "those that are certain")
        check(where.index("bottom") < where.index(None) < where.index("main"), where)


@test("frames: a coroutine ends where its stack begins")
def coroutine():
    if os.uname().machine != "x86_64":
        raise Skip("elsewhere makecontext() leaves it in a register")
    with Program("odd", "coroutine") as p:
        said = look(p.pid)
        equal(names(said.of(p.pid))[-3:], ["bottom", "in_coroutine", "__start_context"], "frames")
        equal(said.summary["complete"], 1, "complete")


@test("frames: a deep recursion is one line with its count")
def recursion():
    with Program("odd", "deep", 50000) as p:
        said = look(p.pid)
        stack = next(s for s in said.stacks if "diving" in names(s))
        dives = [f for f in stack["frames"] if f["function"] == "dive"]
        equal(sum(f.get("times", 1) for f in dives), 50001, "calls of dive")
        check(len(dives) <= 4, dives)
        equal(stack["end"], None, "its end")
        check(re.search(r"dive\+.* x \d\d,\d\d\d$", run(p.pid).text, re.M), "the count in words")


@test("frames: a recursion of two functions is folded too")
def mutual():
    with Program("odd", "mutual", 9000) as p:
        stack = look(p.pid).of(p.pid)
        equal(sum(f.get("times", 1) for f in stack["frames"] if f["function"] == "odd") +
              sum(f.get("times", 1) for f in stack["frames"] if f["function"] == "even") > 4500, True,
              "calls")
        check(len(stack["frames"]) < 30, len(stack["frames"]))
        folds = [f for f in stack["frames"] if f.get("period") == 2]
        check(folds and folds[0]["times"] >= 4400, folds)


@test("frames: a stack of a gigabyte: all of it, in bounded time and memory", alone=True)
def gigabyte():
    calls = (1 << 30) // 256
    with Program("odd", "deep", calls) as p:
        result = subprocess.run(["/usr/bin/time", "-f", "%M %e", str(BUILD / "culprit"), "stack",
                                 "--json", str(p.pid)], capture_output=True, text=True, check=True,
                                timeout=35)
        memory, seconds = result.stderr.split()
        check(int(memory) < 100 << 10, f"{memory} KB")
        check(float(seconds) < 20, f"{seconds} s")
        deep = next(line for line in result.stdout.splitlines() if '"dive"' in line)
        times = max(int(n) for n in re.findall(r'"times":(\d+)', deep))
        check('"end":null' in deep and times > calls - 10 or
              '"end":"' in deep and times > 10000, f"{times} of {calls}: {deep[-200:]}")


@test("frames: tables that take for ever end the walk, and hold the process no longer", alone=True)
def costly():
    if os.uname().machine != "x86_64":
        raise Skip("the program is x86_64's")
    with Program("costly") as p:
        said = look(p.pid)
        check(said.process["stopped"] < 3, said.process)
        stack = said.of(p.pid)
        check(stack["depth"] > 10000, stack["depth"])
        check("stands still" in stack["end"], stack["end"])


@test("frames: a file without symbols is named by offset and build id")
def stripped():
    scratch = os.environ["TEST_SCRATCH"]
    subprocess.run(["strip", "-s", "-o", f"{scratch}/bare", BUILD / "tests/stack/chain"], check=True)
    with Program("chain", 2, "pause", path=f"{scratch}/bare") as p:
        said = look(p.pid)
        ours = [f for f in said.stacks[1]["frames"] if f["module"] == "bare"]
        text = subprocess.run(["readelf", "-n", p.path], capture_output=True, text=True,
                              check=True).stdout
        equal(len(ours), 23, "frames of the program")
        for frame in ours:
            equal(frame["function"], None, "function")
            equal(frame["build_id"], re.search(r"Build ID: (\w+)", text)[1], "build id")
        equal(said.summary["complete"], 3, "walked to the outermost")
        table = subprocess.run(["nm", BUILD / "tests/stack/chain"], capture_output=True, text=True,
                               check=True).stdout
        start = int(re.search(r"^(\w+) t stay_pausing$", table, re.M)[1], 16)
        check(0 < ours[0]["offset"] - start < 64, f"{ours[0]} {start:#x}")


@test("frames: a program that was deleted keeps its names")
def deleted():
    path = os.environ["TEST_SCRATCH"] + "/gone"
    shutil.copy(BUILD / "tests/stack/chain", path)
    with Program("chain", 2, "pause", path=path) as p:
        os.unlink(path)
        check("link_7" in names(look(p.pid).stacks[1]), "names")


@test("frames: a program in another file system, as in a container")
def container():
    root = os.environ["TEST_SCRATCH"] + "/tree"
    # The same path there and here is not the same file.
    inner = f"{root}/x/inner"
    os.makedirs(f"{root}/x")
    subprocess.run(["gcc", "-g", "-O1", "-fno-optimize-sibling-calls", "-static", "-o", inner,
                    BUILD.parent / "tests/stack/programs/chain.c"], check=True)
    with Program("chain", 2, "pause", path="/x/inner",
                 preexec_fn=lambda: os.chroot(root)) as p:
        said = look(p.pid)
        check("link_7" in names(said.stacks[1]), names(said.stacks[1]))
        equal(said.summary["complete"], 3, "walked to the outermost")


@test("frames: --method takes these alone, and marks what may be wrong")
def methods():
    with Program("chain", 2, "pause") as p:
        said = look(p.pid, "--method", "scan")
        stack = said.stacks[1]
        check(all(f["method"] == "stack scan" and not f["certain"]
                  for f in stack["frames"][1:] if f["user"] and f["method"] != "registers"), stack)
        check("link_20" in names(stack), names(stack))
        check(re.search(r"\? link_20.*\(stack scan\)", run("--method", "scan", p.pid).text), "marks")
        equal(look(p.pid, "--method", "cfi").summary["likely"], 0, "by CFI alone")
        for wrong in ["", "cfi,", "nothing", "cfi fp"]:
            run("--method", wrong, p.pid, expected=2)


@test("frames: --frames ends a walk, and says so")
def frames():
    with Program("chain", 2, "pause") as p:
        said = look(p.pid, "--frames", 5)
        equal(len(names(said.stacks[1])), 5, "frames")
        check("more frames" in said.stacks[1]["end"], said.stacks[1]["end"])
        equal(said.summary["truncated"], 3, "threads cut short")
        check("ended" in run("--frames", 5, p.pid).text, "text")


@test("frames: folded stacks, the outermost first, with how many threads have them")
def folded():
    with Program("chain", 7, "pause") as p:
        lines = run("--folded", p.pid).text.splitlines()
        equal(len(lines), 2, "lines")
        words, count = lines[1].rsplit(" ", 1)
        words = words.split(";")
        equal(count, "7", "threads")
        equal(words[0], "chain", "the process")
        user = [w for w in words[1:] if not w.endswith("_[k]")]
        equal(user[-26:], (["pause", "stay_pausing", "stay"] + CHAIN + user[-26:-23][::-1])[::-1],
              "frames")
        check("do_syscall_64_[k]" in words, words)
        run("--folded", "--json", p.pid, expected=2)
