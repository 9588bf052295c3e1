/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names in live processes, held against what these processes say of themselves. */
#include "fixture.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "sym/process.h"

static struct cul_process_syms *open_process(pid_t pid)
{
	struct cul_process_syms *p = NULL;
	struct cul_error err = {0};

	if (cul_process_open(pid, NULL, &p, &err) != 0)
		fail_msg("%s", err.text);
	return p;
}

static struct cul_process_variable variable(struct cul_process_syms *p, const char *spec)
{
	struct cul_process_variable v = {0};
	struct cul_error err = {0};

	if (cul_process_variable(p, spec, &v, &err) != 0)
		fail_msg("%s: %s", spec, err.text);
	return v;
}

static void check_variable(struct cul_process_syms *p, const char *spec, uint64_t addr)
{
	struct cul_process_variable v = variable(p, spec);

	if (v.addr != addr)
		fail_msg("%s: at %#llx, but it is at %#llx", spec, (unsigned long long)v.addr,
			(unsigned long long)addr);
}

static void check_function(
	struct cul_process_syms *p, const char *name, uint64_t addr, bool has_lines)
{
	struct cul_process_where where;
	struct cul_elf_symbol sym;
	struct cul_error err = {0};

	if (cul_process_function(p, name, &sym, &err) != 0)
		fail_msg("%s: %s", name, err.text);
	assert_int_equal(sym.addr, addr);
	cul_process_at(p, addr + 1, &where);
	assert_string_equal(where.symbol, name);
	assert_int_equal(where.offset, 1);
	assert_int_equal(where.line > 0, has_lines);
	if (has_lines)
		assert_string_equal(where.file, "shapes.c");
}

static void check_fact(struct cul_process_syms *p, const char *fact, bool has_dwarf)
{
	struct cul_process_variable v;
	struct cul_error err = {0};
	char name[64];
	unsigned long long addr, size;

	if (sscanf(fact, "var %63s %llx %llu", name, &addr, &size) == 3) {
		if (strcmp(name, "calls") == 0) /* two files have one */
			strcpy(name, "shapes.c:calls");
		if (strchr(name, ':') && !has_dwarf)
			return;
		v = variable(p, name);
		check_variable(p, name, addr);
		assert_int_equal(v.size, size);
		assert_int_equal(v.type != NULL, has_dwarf);
		if (v.type)
			assert_int_equal(v.type->size, size);
	} else if (sscanf(fact, "static %63s %llx", name, &addr) == 2 && has_dwarf) {
		check_variable(p, name, addr);
	} else if (sscanf(fact, "function %63s %llx", name, &addr) == 2) {
		check_function(p, name, addr, has_dwarf);
	} else if (sscanf(fact, "tls %63s", name) == 1) {
		assert_int_equal(cul_process_variable(p, name, &v, &err), -ENOTSUP);
		assert_non_null(strstr(err.text, "thread-local"));
	}
}

static void facts_of(const char *path)
{
	struct cul_process_syms *p;
	struct fixture f;

	fixture_start(&f, path);
	p = open_process(f.pid);
	for (size_t i = 0; i < f.n; i++)
		check_fact(p, f.facts[i], strstr(path, "nodebug") == NULL);
	cul_process_free(p);
	fixture_stop(&f);
}

static void test_facts(void **state)
{
	each_program(facts_of);
	facts_of(fixture_path("nodebug"));
	facts_of(fixture_path("by-link/gcc5"));
	facts_of(fixture_path("useslib"));
}

static void check_library_fact(struct cul_process_syms *p, const char *fact)
{
	struct cul_process_where where;
	struct cul_elf_symbol sym;
	char name[64], spec[128];
	unsigned long long addr;

	if (sscanf(fact, "library %63s %llx", name, &addr) == 2) {
		snprintf(spec, sizeof(spec), "libshapes.so.1:%s", name);
		check_variable(p, name, addr);
		check_variable(p, spec, addr);
		assert_non_null(variable(p, spec).type);
	} else if (sscanf(fact, "libfunction %63s %llx", name, &addr) == 2) {
		snprintf(spec, sizeof(spec), "libshapes:%s", name);
		assert_int_equal(cul_process_function(p, spec, &sym, NULL), 0);
		assert_int_equal(sym.addr, addr);
		cul_process_at(p, addr, &where);
		assert_string_equal(where.object, "libshapes.so.1");
		assert_string_equal(where.symbol, name);
		assert_string_equal(where.file, "lib.c");
	}
}

/* The library's own word: lib_copied is where the copy relocation put it. */
static void check_library(const char *program)
{
	const char *path = fixture_path(program);
	struct cul_process_syms *p;
	struct cul_process_variable v;
	struct cul_error err = {0};
	struct fixture f;

	assert_string_not_equal(witness("readelf -rW %s | grep COPY.*lib_copied", path), "");
	fixture_start(&f, path);
	p = open_process(f.pid);
	for (size_t i = 0; i < f.n; i++)
		check_library_fact(p, f.facts[i]);
	v = variable(p, "lib_copied");
	assert_non_null(v.type);
	assert_string_equal(v.type->name, "lib_state");
	assert_int_equal(cul_process_variable(p, "libshapes.so.1:nothing", &v, &err), -ENOENT);
	assert_int_equal(cul_process_variable(p, "libnone.so:x", &v, &err), -ENXIO);
	assert_non_null(strstr(err.text, "libshapes.so.1"));
	assert_int_equal(cul_process_variable(p, "libshapes.so.1:lib_thread", &v, &err), -ENOTSUP);
	assert_int_equal(cul_process_variable(p, "lib_thread", &v, &err), -ENOTSUP);
	check_variable(p, "lib_alias", variable(p, "lib_own").addr);
	assert_string_equal(variable(p, "lib_alias").type->name, "lib_state");
	check_variable(p, "lib.c:lib_hidden", variable(p, "lib_hidden").addr);
	check_variable(p, "libshapes.so.1:lib.c:lib_hidden", variable(p, "lib_hidden").addr);
	assert_int_equal(
		cul_process_function(p, "lib_own", &(struct cul_elf_symbol){0}, &err), -ENOENT);
	cul_process_free(p);
	fixture_stop(&f);
}

static void test_library(void **state)
{
	check_library("useslib");
	check_library("useslib-nodebug");
}

/* The file on disk is replaced while the program runs, as an upgrade does it. */
static void test_deleted(void **state)
{
	char path[] = "/tmp/culprit-test-XXXXXX", program[64];
	struct cul_process_syms *p = NULL;
	struct cul_process_variable v;
	struct cul_error err = {0};
	struct fixture f;
	int ret;

	assert_non_null(mkdtemp(path));
	snprintf(program, sizeof(program), "%s/program", path);
	witness("cp %s %s", fixture_path("gcc5"), program);
	fixture_start(&f, program);
	witness("cp %s %s.new && mv %s.new %s", fixture_path("gccO2"), program, program, program);
	ret = cul_process_open(f.pid, NULL, &p, &err);
	assert_int_equal(ret, 0);
	assert_true(cul_process_maps(p)->maps.data[0].deleted);
	ret = cul_process_variable(p, "first_node", &v, &err);
	if (ret == 0) {
		for (size_t i = 0; i < f.n; i++)
			check_fact(p, f.facts[i], true);
	} else { /* not permitted: it says so, and does not read the new file */
		assert_non_null(strstr(err.text, "replaced"));
	}
	cul_process_free(p);
	fixture_stop(&f);
	witness("rm -r %s", path);
}

static void test_where(void **state)
{
	struct cul_process_syms *p = open_process(getpid());
	struct cul_process_where where;
	int local = 0;
	const struct cul_maps *maps = cul_process_maps(p);

	cul_process_at(p, 1, &where);
	assert_null(where.object);
	assert_null(where.symbol);
	cul_process_at(p, (uintptr_t)&local, &where);
	assert_string_equal(where.object, "[stack]");
	assert_null(where.symbol);
	cul_process_at(p, (uintptr_t)&test_where + 4, &where);
	assert_string_equal(where.symbol, "test_where");
	assert_non_null(strstr(where.file, "tests/unit/sym/process.c"));
	cul_process_at(p, (uintptr_t)&printf, &where);
	assert_non_null(where.object);
	for (size_t i = 0; i < maps->maps.len; i++) {
		cul_process_at(p, maps->maps.data[i].start, &where);
		assert_non_null(where.object);
	}
	assert_int_equal(cul_process_refresh(p, NULL), 0);
	cul_process_at(p, (uintptr_t)&test_where + 4, &where);
	assert_string_equal(where.symbol, "test_where");
	cul_process_free(p);
}

static void test_no_process(void **state)
{
	struct cul_process_syms *p = NULL;
	struct cul_error err = {0};

	assert_int_equal(cul_process_open(0x7ffffff0, NULL, &p, &err), -ESRCH);
	assert_null(p);
	assert_non_null(strstr(err.text, "no process"));
}

static void test_out_of_memory(void **state)
{
	struct cul_process_variable v;
	struct cul_process_syms *p;
	struct cul_error err;
	struct fixture f;
	bool done = false;

	fixture_start(&f, fixture_path("useslib"));
	for (long n = 0; !done; n++) {
		assert_true(n < 20000);
		cul_alloc_fail_after(n);
		if (cul_process_open(f.pid, NULL, &p, &err) == 0) {
			done = cul_process_variable(p, "libshapes.so.1:lib_own", &v, &err) == 0 &&
			       v.type;
			cul_process_free(p);
		}
		cul_alloc_fail_after(-1);
	}
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_library),
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_no_process),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
