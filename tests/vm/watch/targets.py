# SPDX-License-Identifier: GPL-2.0-or-later
"""All the ways to say what is watched."""
import subprocess

import culprit
import victim
from harness import case


def watch(test, *targets, more=(), **options):
    victim.reset()
    return culprit.Watch(test, *targets, *more, **options).armed(len(targets))


def symbol(name, kind=None):
    """A symbol's address, from the kernel's own list."""
    for line in open("/proc/kallsyms"):
        addr, letter, found = line.split()[:3]
        if found == name and (kind is None or letter in kind):
            return int(addr, 16)
    raise KeyError(name)


@case("one variable, spelled five ways")
def spellings(test):
    b = victim.book("set_level")
    for spelled, debug, sees in (
            ("victim:victim_level", True, "int"), ("victim_level:4", False, None),
            (f"{b['addr']:#x}:4", False, None), ("victim:victim_level+0:4", False, None),
            (f"*(int *){b['addr']:#x}", False, "int"), ("*(int *)&victim_level", False, "int")):
        run = watch(test, spelled, debug=debug)
        victim.perform("set_level", 2)
        run.end()
        armed = run.of("armed")[0]
        test.same((int(armed["addr"], 16), armed["size"], armed["ctype"]), (b["addr"], 4, sees),
                  spelled)
        test.same([(w["where"]["function"], w["hits"], w["last_value"]) for w in run.writers()],
                  [("set_level", 2, 2)], f"writers of {spelled}")


@case("a symbol plus an offset, whose size is given")
def offset(test):
    b = victim.book("get_ref")
    run = watch(test, "victim:account+8:4", debug=False)
    victim.perform("use_account", 2)
    run.end()
    test.same(int(run.of("armed")[0]["addr"], 16), b["addr"], "address")
    test.same({w["where"]["function"]: w["hits"] for w in run.writers()},
              {"get_ref": 6, "put_ref": 6}, "hits")


@case("statics of one name in two files, by address")
def statics(test):
    targets = [victim.place("hide_in_level"), victim.place("hide_in_refs")]
    run = watch(test, *targets)
    victim.perform("hide_in_level", 2)
    victim.perform("hide_in_refs", 3)
    run.end()
    test.same([(w["target"], w["where"]["function"], w["hits"]) for w in run.writers()],
              [(targets[0], "hide_in_level", 2), (targets[1], "hide_in_refs", 3)], "writers")


@case("heap: a member through a pointer, and through two")
def heap(test):
    victim.perform("replace_object")
    targets = ["victim:victim_object->refs", "victim:victim_object->next->refs",
               "victim:victim_object"]
    run = watch(test, *targets)
    victim.perform("hold_object", 3)
    victim.perform("spoil_object", 2)
    victim.perform("spoil_next", 3)
    run.end()
    armed = [int(a["addr"], 16) for a in run.of("armed")]
    test.same(armed[:2], [victim.book(n)["addr"] for n in ("hold_object", "spoil_next")], "places")
    for name, target in (("hold_object", targets[0]), ("spoil_object", targets[0]),
                         ("spoil_next", targets[1])):
        culprit.same_as_book(test, run, name, target, int)
    culprit.nothing_lost(test, run, 8)


@case("heap: the pointer itself changes hands")
def pointer(test):
    run = watch(test, "victim:victim_object")
    victim.perform("replace_object", 3)
    victim.perform("drop_object")
    run.end()
    for name in ("replace_object", "drop_object"):
        b = victim.book(name)
        test.same([(w["hits"], w["where"]["line"]) for w in run.writers(name)],
                  [(b["writes"], b["line"])], f"{name}: hits and line")
    shots = run.hits()
    new = victim.book("replace_object")["last_new"]
    test.matches(str(shots[-2]["new"]), f"{new:#x}", "the pointer stored last")
    test.matches(str(shots[-1]["new"]), "NULL|^0", "the pointer dropped")
    victim.perform("replace_object")


@case("heap: a write after free, by address")
def stale(test):
    victim.perform("drop_object")
    run = watch(test, "*(int *)" + victim.place("write_stale").split(":")[0])
    victim.perform("write_stale", 3)
    run.end()
    culprit.same_as_book(test, run, "write_stale", shown=int)
    victim.perform("replace_object")


@case("a neighbour's buffer overflow, byte by byte")
def overflow(test):
    victim.perform("set_card", 1, 500)
    run = watch(test, "victim:victim_card.balance")
    victim.perform("copy_name", 2)
    victim.perform("copy_name", 1, 16)
    run.end()
    b = culprit.same_as_book(test, run, "copy_name", shown=int)
    test.same((b["writes"], run.hits()[3]["new"]), (8, 0x4c495645), "bytes over, and what they spell")
    culprit.nothing_lost(test, run, 8)


@case("a neighbour's buffer overflow by rep movsb")
def overflow_rep(test):
    victim.perform("set_card", 1, 500)
    run = watch(test, "victim:victim_card.balance")
    victim.perform("copy_name_rep", 1)
    run.end()
    b = victim.book("copy_name_rep")
    test.same([(w["where"]["function"], w["where"]["line"], w["last_value"]) for w in run.writers()],
              [("copy_name_rep", b["line"], 0x4c495645)], "writers")
    test.matches(run.writers()[0]["where"]["insn"], victim.SHAPES["rep-movsb"], "instruction")
    test.same(run.hits()[0]["old"], 500, "value before")


@case("several targets at once, each with its own writers")
def several(test):
    faults = {"victim:victim_level": "set_level", "victim:stats.word": "write_word",
              "victim:account.refs": "reset_refs", "victim:victim_rw": "write_rw"}
    run = watch(test, *faults)
    for fault in faults.values():
        victim.perform(fault, 3)
    run.end()
    test.same([(w["target"], w["where"]["function"], w["hits"]) for w in run.writers()],
              [(target, fault, 3) for target, fault in faults.items()], "writers")
    culprit.nothing_lost(test, run, 12)


@case("the kernel's own: pid_max through a cast")
def pid_max(test):
    run = watch(test, "*(int *)&pid_max", debug=False)
    before = int(open("/proc/sys/kernel/pid_max").read())
    subprocess.run(["sh", "-c", "echo 40001 >/proc/sys/kernel/pid_max; echo 40002 >/proc/sys/kernel/pid_max"])
    run.end()
    test.same([(h["old"], h["new"], h["comm"]) for h in run.hits()],
              [(before, 40001, "sh"), (40001, 40002, "sh")], "hits")
    test.check(all(h["store"]["module"] == "vmlinux" and "proc" in h["store"]["function"]
                   for h in run.hits()), "not stored by the kernel's sysctl code")
    test.same(run.loss["hits"], 2, "hits")
    open("/proc/sys/kernel/pid_max", "w").write(str(before))


@case("the kernel's own: a member of the idle task, by cast and address")
def idle_task(test):
    target = f"((struct task_struct *){symbol('init_task'):#x})->nivcsw"
    run = watch(test, target, more=("--count", "5"), debug=False).wait()
    test.same(run.of("armed")[0]["ctype"], "long unsigned int", "type")
    shots = run.hits()
    test.same({(h["store"]["function"], h["comm"], h["cpu"], h["pid"]) for h in shots},
              {("__schedule", "swapper/0", 0, 0)}, "who")
    test.check(all(h["new"] == h["old"] + 1 for h in shots), "not counted by one")
    test.same((run.status, run.loss["end"]), (0, "count"), "status and end")


@case("the kernel's own: runqueues.nr_running, each CPU its copy")
def nr_running(test):
    run = watch(test, "runqueues.nr_running", more=("--count", "40"), debug=False).wait()
    armed = run.of("armed")[0]
    test.same((armed["ctype"], armed["size"], armed["percpu"]), ("unsigned int", 4, True), "armed")
    shots = run.hits()
    test.same(len(shots), 40, "hits")
    test.check(all(h["store"]["module"] == "vmlinux" and h["store"]["function"] for h in shots),
               "a store without a place")
    # Stores while the first value is being read: what was there before them is unknown.
    first = [h for h in shots if h["old"] is None]
    test.check(len(first) <= 4 and all(h["time"] < 0.2 for h in first),
               f"values before: {[(h['cpu'], h['time']) for h in first]}")
    test.check(all(abs(h["new"] - h["old"]) <= 8 for h in shots if h not in first), "a jump in a counter")


@case("per-CPU: each CPU its own copy")
def percpu(test):
    run = watch(test, "victim:victim_ticks")
    victim.perform("count_tick", 5)
    victim.perform("count_tick", 2, 1)
    run.end()
    b = victim.book("count_tick")
    armed = run.of("armed")[0]
    test.same((armed["percpu"], armed["ctype"]), (True, "u64"), "armed")
    for cpu in (0, 1):
        shots = [h for h in run.hits() if h["cpu"] == cpu]
        test.same(len(shots), b[f"cpu{cpu}_writes"], f"hits on CPU {cpu}")
        test.same(shots[-1]["new"], b[f"cpu{cpu}_value"], f"value on CPU {cpu}")
        test.check(all(h["new"] == h["old"] + 1 for h in shots), f"CPU {cpu}: not counted by one")
    test.same([(w["where"]["function"], w["hits"], w["where"]["line"]) for w in run.writers()],
              [("count_tick", 12, b["line"])], "writers")
    test.matches(run.writers()[0]["where"]["insn"], victim.SHAPES[b["insn"]], "instruction")
    test.check(all(p["comm"].startswith("kworker/") for p in run.writers()[0]["processes"]), "who")
    culprit.nothing_lost(test, run, 12)


@case("per-CPU: --cpu N watches copy N from every CPU")
def percpu_copy(test):
    run = watch(test, "victim:victim_ticks", more=("--cpu", "0"))
    victim.perform("count_tick", 3)
    victim.perform("write_remote", 2)
    run.end()
    armed = run.of("armed")[0]
    b = victim.book("count_tick")
    test.same((armed.get("copy"), int(armed["addr"], 16), armed["cpus"]), (0, b["cpu0_addr"], 2),
              "armed")
    test.same({(w["where"]["function"], w["hits"]) for w in run.writers()},
              {("count_tick", 3), ("write_remote", 2)}, "writers")
    test.same([(h["cpu"], h["new"]) for h in run.hits("write_remote")],
              [(1, 1000001), (1, 1000002)], "the remote writes")


@case("per-CPU: another CPU's write is told from the value alone")
def percpu_behind(test):
    import time
    run = watch(test, "victim:victim_ticks")
    time.sleep(0.5)
    victim.perform("write_remote", 1, 77)
    test.check(run.wait_lines("behind", 1, 20), "no record `behind`")
    run.end()
    test.same([(r["copy"], r["new"]) for r in run.of("behind")], [(0, 77)], "behind")
    test.same((run.loss["hits"], run.loss["behind"]), (0, 1), "ledger")
    test.matches(run.of("armed")[0].get("note", ""), "own copy", "note")
