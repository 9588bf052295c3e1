# SPDX-License-Identifier: GPL-2.0-or-later
"""Variables of shared libraries: exported, static, copied into the program, loaded late."""
from support.case import check, equal, test
from support.tool import Watch, fails, nothing_lost, watch
from support.victims import Victim, agrees, books_of, program


def exported(name, target, value):
    said = watch(target, "--", program(name), 3)
    books = books_of(said.rest)
    agrees(said, books["lib_write_exported"][0])
    agrees(said, books["write_from_program"][0])
    nothing_lost(said)
    equal(said.armed[0]["value"], value, "value when armed")
    modules = {w["where"]["function"]: w["where"]["module"] for w in said.writers
               if not w["where"]["module"].startswith("ld-")}
    equal(modules, {"lib_write_exported": "libvictim.so",
                    "write_from_program": f"victim_{name}"[:64]}, "modules")
    return said


@test("libraries: an exported variable, written by the library and by the program")
def by_name():
    for target in ["lib_exported", "libvictim.so:lib_exported"]:
        said = exported("shared_lib", target, 7)
        equal(said.loss["hits"], 6, "hits")


@test("libraries: a COPY relocation: the program's copy is the variable")
def copied():
    # The loader is its first writer: it brings the library's value.
    said = exported("shared_lib_copy", "lib_exported", 0)
    loader = [h for h in said.hits if h["store"]["module"].startswith("ld-")]
    equal((loader[0]["old"], loader[-1]["new"]), (0, 7), "what the loader did")
    exported("shared_lib_copy", "libvictim.so:lib_exported", 0 if loader else 7)


@test("libraries: a static variable of the library")
def static():
    for target in ["libvictim.so:lib_static", "libvictim.so:libvictim.c:lib_static"]:
        said = watch(target, "--", program("shared_lib"), 3)
        agrees(said, books_of(said.rest)["lib_write_static"][0])
        nothing_lost(said)


@test("libraries: loaded late, attached to afterwards")
def late_attached():
    with Victim("shared_lib", "--stay", 3) as victim:
        victim.go()
        victim.line("done")
        for target in ["late_level", "libvictim_late.so:late_level"]:
            run = Watch("-p", str(victim.pid), target).armed()
            said = run.stop()
            equal(said.armed[0]["value"], 3, "value when armed")
        victim.go()
        books = victim.finish()
    equal(said.armed[0]["addr"], books["late_write"][0]["addr"], "address")


@test("libraries: one that the command loads itself, by name")
def late_command():
    said = watch("libvictim_late.so:late_level", "--", program("shared_lib"), 3)
    agrees(said, books_of(said.rest)["late_write"][0])
    nothing_lost(said)


@test("libraries: one that never comes: the error says where it was looked for")
def never():
    text = fails("libvictim_nowhere.so:late_level", "--", program("shared_lib"))
    check("libvictim_nowhere.so" in text, text)


@test("libraries: an unknown name has its neighbours named")
def nearest():
    text = fails("libvictim.so:lib_exportet", "--", program("shared_lib"))
    check("lib_exported" in text, text)
    text = fails("globals.c:hiden", "--", program("globals"))
    check("hidden" in text, text)
    text = fails("hidden", "--", program("globals"))
    check("globals.c" in text and "globals_other.c" in text, text)
