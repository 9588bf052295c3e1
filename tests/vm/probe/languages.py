# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions that are not called as C's are. The program victim_classes (tests/victims/user/classes.cc)
prints its own books; what it passes stands in its source."""
import re
import subprocess

import culprit
from harness import TWO, case
from victim import USER_CALLS

CLASSES = USER_CALLS.replace("victim_calls", "victim_classes")
TEXT = r"\"a string\""


def wanted(v):
    """The arguments of each function for v, as the source has them: patterns."""
    return {
        "by_string": {"text": TEXT, "after": "80"},
        "by_unique": {"one": r"\{.*\}", "after": "81"},
        "by_counted": {"one": rf"\{{v = {v}\}}", "mood": "ANGRY", "after": "82"},
        "by_holder": {"one": rf"\{{held = \{{v = {v}\}}\}}", "after": "83"},
        "by_moved": {"one": rf"\{{v = {v}\}}", "after": "84"},
        "by_kept": {"one": rf"\{{v = {v}\}}", "after": "85"},
        "by_empty": {"nothing": r"\{\}", "after": "86"},
        "by_named": {"one": rf"\{{\{{x = {v}, y = 2\}}, id = 3\}}", "after": "87"},
        "by_null": {"nothing": "NULL", "after": "88"},
        "by_pack": {"first": str(v), None: '7|"text"|0x[0-9a-f]+'},  # gcc gives no names
        "by_clone": {"dropped": rf"{v + 100}|None", "v": str(v), "fixed": "5|None", "after": "89|None"},
        "give_counted": {"v": str(v), "after": "90"},
        "give_unique": {"v": str(v), "after": "91"},
        "Branch": {"this": r"\{.*\}", "a": str(v), "b": "92"},
        "~Branch": {"this": r"\{.*\}"},
    }


@case("probe, languages: objects of C++ by value, by address and in nothing, by the source", on=TWO)
def classes(test):
    for program in CLASSES + "_O0", CLASSES + "_O2":
        run = culprit.Probe(test, "victim::by_*", "victim::give_*", "victim::Branch::*", "--ret", "--",
                            program, "2").wait()
        test.same((run.status, run.loss.get("command_exit")), (0, 0), f"{program}: status")
        books = {m.group(1): int(m.group(2)) for m in
                 (re.match(r"books (\w+) calls=(\d+)", line) for line in run.said) if m}
        seen = {}
        for call in run.calls():
            name = re.sub(r"[<(].*", "", call["where"]["function"]).split("::")[-1]
            # gcc's common part of constructors and of destructors, beside the real ones.
            if any(arg["name"] == "__in_chrg" for arg in call["args"]):
                continue
            nth = seen[name] = seen.get(name, 0) + 1
            expected = wanted(nth)[name]
            test.same({arg["name"] for arg in call["args"]} - {"__vtt_parm"}, set(expected), f"{program}: {name}")
            for arg in call["args"]:
                if arg["name"] in expected:
                    test.matches(str(arg["value"]), f"^({expected[arg['name']]})$", f"{program}: {name}: {arg['name']}")
        seen["branch"], seen["unbranch"] = seen.pop("Branch", 0), seen.pop("~Branch", 0)
        test.same(seen, {name: calls for name, calls in books.items() if name != "throws"}, f"{program}: calls")


@case("probe, languages: an exception through a probed call is caught; with returns one is warned", on="debian-6.12-rt")
def exceptions(test):
    run = culprit.Probe(test, "victim::throws", "--", CLASSES + "_O2", "3", "throw").wait()
    test.same((run.status, run.loss.get("command_exit"), len(run.calls())), (0, 0, 3), "status, calls")
    test.check(any("caught=2" in line for line in run.said), f"the program: {run.said}")
    test.same(run.probing.get("note"), None, "a note about calls alone")
    run = culprit.Probe(test, "victim::throws", "--ret", "--", CLASSES + "_O2", "1", "throw").wait()
    test.same((run.status, [c["ret"] for c in run.calls()]), (0, [1]), "status, results")
    test.matches(run.probing.get("note"), "exception", "the note")
    run = culprit.Probe(test, "call_numbers", "--ret", "--", USER_CALLS, "1").wait()
    test.same(run.probing.get("note"), None, "a note about a program of C")


@case("probe, languages: returns of a program of Go are refused: they would end it", on="debian-6.12-rt")
def go(test):
    program = "/tmp/victim_go"
    with open("/tmp/table", "w", encoding="ascii") as table:
        table.write("a Go program is told by its table of functions")
    subprocess.run(["objcopy", "--add-section", ".gopclntab=/tmp/table", USER_CALLS, program], check=True)
    done = culprit.text("probe", "call_numbers", "--ret", "--", program, "1")
    test.same((done.returncode, done.stdout), (1, ""), "status, stdout")
    test.matches(done.stderr, "call_numbers.*Go", "stderr")


@case("probe, languages: of a command the library's ifunc, not the dynamic linker's function", on="debian-6.12")
def ifunc(test):
    for spec in "strlen", "libc.so.6:strlen":
        run = culprit.Probe(test, spec, "--", CLASSES + "_O2", "2").wait()
        test.same((run.status, run.probing["refused"]), (0, 0), f"{spec}: status, refused")
        calls = [c for c in run.calls() if c["where"]["module"] == "libc.so.6"]
        books = [line for line in run.said if line.startswith("books ")]
        # printf() asks for the length of each name.
        test.check(len(calls) >= len(books) > 10, f"{spec}: {len(calls)} calls, {len(books)} names printed")
