/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of kernels that are made up: several things of one name, and functions alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "sym/kernel.h"
#include "sys/fault.h"

static const char WITH_DATA[] = "ffffffff81000000 T _text\n"
				"ffffffff81000100 t init\n"
				"ffffffff82000000 D pid_max\n"
				"ffffffff82000010 d state\n"
				"ffffffff82000020 d state\n"
				"ffffffff82000030 d twice\n"
				"ffffffff82000030 D twice\n"
				"ffffffff82000040 B _end\n"
				"ffffffffc0000000 t init\t[victim]\n"
				"ffffffffc0001000 d hidden\t[victim]\n"
				"ffffffffc0001100 d hidden\t[victim]\n"
				"ffffffffc0001200 d state\t[victim]\n";
static const char MODULES[] = "victim 16384 0 - Live 0xffffffffc0000000 (OE)\n";

static char syms[64], mods[64], map[64];

static void put(char *path, const char *text)
{
	FILE *f;
	int fd;

	strcpy(path, "/tmp/culprit-test-kernel-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	fputs(text, f);
	fclose(f);
}

static int reset(void **state)
{
	cul_sys_fail_none();
	unlink(syms);
	unlink(mods);
	unlink(map);
	return 0;
}

static struct cul_kernel *open_kernel(const char *text, const char *const *debug_paths)
{
	struct cul_kernel *k = NULL;
	struct cul_error err = {0};

	put(syms, text);
	put(mods, MODULES);
	if (cul_kernel_open_from(syms, mods, debug_paths, &k, &err))
		fail_msg("%s", err.text);
	return k;
}

static void not_unique(
	struct cul_kernel *k, const char *module, const char *name, const char *expected)
{
	struct cul_kernel_symbol s;
	struct cul_error err = {0};

	assert_int_equal(cul_kernel_symbol(k, module, name, &s, &err), -ENOTUNIQ);
	assert_string_equal(err.text, expected);
}

static void one_of_several_is_not_chosen(void **state)
{
	struct cul_kernel *k = open_kernel(WITH_DATA, NULL);
	struct cul_kernel_symbol s;

	not_unique(k, NULL, "hidden",
		"2 symbols are named 'hidden': victim at 0xffffffffc0001000, victim at "
		"0xffffffffc0001100; say which by address: 0xffffffffc0001000:SIZE, or by source "
		"file, FILE.c:hidden, with the debug information of victim");
	not_unique(k, NULL, "state",
		"3 symbols are named 'state': vmlinux at 0xffffffff82000010, vmlinux at "
		"0xffffffff82000020, victim at 0xffffffffc0001200; say which by address: "
		"0xffffffff82000010:SIZE, by module: victim:state, by source file: FILE.c:state");
	not_unique(k, NULL, "init",
		"2 symbols are named 'init': vmlinux at 0xffffffff81000100, victim at "
		"0xffffffffc0000000; say which by address: 0xffffffff81000100:SIZE, by module: "
		"victim:init");
	assert_int_equal(cul_kernel_symbol(k, "victim", "state", &s, NULL), 0);
	assert_int_equal(s.sym.addr, 0xffffffffc0001200);
	assert_int_equal(cul_kernel_symbol(k, "vmlinux", "init", &s, NULL), 0);
	assert_true(s.is_function);
	assert_int_equal(cul_kernel_symbol(k, NULL, "twice", &s, NULL), 0);
	assert_int_equal(s.sym.addr, 0xffffffff82000030);
	cul_kernel_free(k);
}

static void source_files_need_debug_information(void **state)
{
	struct cul_kernel *k = open_kernel(WITH_DATA, NULL);
	struct cul_kernel_symbol s;
	struct cul_error err = {0};

	assert_int_equal(cul_kernel_variable(k, NULL, "level.c", "hidden", &s, &err), -ENODATA);
	assert_string_equal(err.text,
		"level.c:hidden: no debug information (DWARF) of victim was found, which names its "
		"source files; give it with --debug FILE");
	assert_int_equal(cul_kernel_variable(k, "victim", "level.c", "hidden", &s, &err), -ENODATA);
	assert_int_equal(cul_kernel_variable(k, "victm", "level.c", "hidden", &s, &err), -ENXIO);
	assert_int_equal(cul_kernel_variable(k, NULL, "level.c", "nothing", &s, NULL), -ENODATA);
	cul_kernel_free(k);
}

static const char FUNCTIONS[] = "ffffffff91000000 T _text\n"
				"ffffffff91000010 t f1\nffffffff91000020 t f2\n"
				"ffffffff91000030 t f3\nffffffff91000040 t f4\n"
				"ffffffff91000050 t f5\nffffffff91000060 t f6\n"
				"ffffffff91000070 t f7\nffffffff91000080 t f8\n"
				"ffffffffc0000000 t init\t[victim]\n";
static const char MAP[] = "0000000000000000 D __per_cpu_start\n"
			  "0000000000000100 D __per_cpu_end\n"
			  "ffffffff81000000 T _text\n"
			  "ffffffff81000010 t f1\nffffffff81000020 t f2\n"
			  "ffffffff81000030 t f3\nffffffff81000040 t f4\n"
			  "ffffffff81000050 t f5\nffffffff81000060 t f6\n"
			  "ffffffff81000070 t f7\nffffffff81000080 t f8\n"
			  "ffffffff82000000 D pid_max\n"
			  "ffffffff82000004 d state\n"
			  "ffffffff82000008 d state\n"
			  "ffffffff82000010 B _end\n";

static void data_come_from_the_map(void **state)
{
	const char *const paths[] = {map, NULL};
	struct cul_kernel_symbol s;
	struct cul_error err = {0};
	struct cul_where where;
	struct cul_kernel *k;

	put(map, MAP);
	k = open_kernel(FUNCTIONS, paths);
	assert_int_equal(cul_kernel_symbol(k, NULL, "f3", &s, &err), 0);
	assert_true(s.is_function);
	assert_int_equal(cul_kernel_symbol(k, NULL, "pid_max", &s, &err), 0);
	assert_int_equal(s.sym.addr, 0xffffffff92000000);
	assert_int_equal(s.sym.size, 4);
	assert_false(s.is_function);
	assert_int_equal(cul_kernel_symbol(k, "vmlinux", "pid_max", &s, &err), 0);
	not_unique(k, NULL, "state",
		"2 symbols are named 'state': vmlinux at 0xffffffff92000004, vmlinux at "
		"0xffffffff92000008; say which by address: 0xffffffff92000004:SIZE, or by source "
		"file, FILE.c:state, with the debug information of vmlinux");
	assert_int_equal(cul_kernel_symbol(k, NULL, "pid_mx", &s, &err), -ENOENT);
	assert_non_null(strstr(err.text, "nearest: pid_max"));
	assert_int_equal(cul_kernel_symbol(k, "victim", "table", &s, &err), -ENOENT);
	assert_non_null(strstr(err.text, "CONFIG_KALLSYMS_ALL"));
	cul_kernel_where(k, 0xffffffff92000002, &where);
	assert_string_equal(where.function, "pid_max");
	assert_int_equal(where.offset, 2);
	cul_kernel_where(k, 0xffffffff91000021, &where);
	assert_string_equal(where.function, "f2");
	cul_kernel_where(k, 0xffffffffc0000001, &where);
	assert_string_equal(where.module, "victim");
	cul_kernel_free(k);
}

/* A map that agrees in what both list, and has the kernel's text elsewhere. */
static void the_banner_is_looked_at(void **state)
{
	const char *const paths[] = {map, NULL};
	struct cul_kernel_symbol s;
	struct cul_error err = {0};
	struct cul_kernel *k;
	struct cul_mem *mem;
	char text[sizeof(MAP) + 64];

	snprintf(text, sizeof(text), "%sffffffff70000000 D linux_banner\n", MAP);
	put(map, text);
	k = open_kernel(FUNCTIONS, paths);
	mem = cul_kernel_mem(k, NULL);
	if (mem) {
		assert_int_equal(cul_kernel_symbol(k, NULL, "pid_max", &s, &err), -ENOENT);
		assert_non_null(strstr(err.text, "linux_banner is not where it says"));
	} else { /* it cannot be looked at: what agrees has to do */
		assert_int_equal(cul_kernel_symbol(k, NULL, "pid_max", &s, &err), 0);
	}
	cul_kernel_free(k);
}

static void without_a_map_the_places_are_named(void **state)
{
	struct cul_kernel *k = open_kernel(FUNCTIONS, NULL);
	struct cul_kernel_symbol s;
	struct cul_error err = {0};
	uint64_t offset;

	assert_int_equal(cul_kernel_symbol(k, NULL, "no_such_datum", &s, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'no_such_datum' is no function"));
	assert_non_null(strstr(err.text, "CONFIG_KALLSYMS_ALL"));
	assert_non_null(strstr(err.text, "linux-image-"));
	if (cul_kernel_mem(k, NULL)) {
		assert_int_equal(cul_kernel_percpu_offset(k, 0, &offset, &err), -ENOENT);
		assert_non_null(strstr(err.text, "per-CPU"));
		assert_non_null(strstr(err.text, "linux-image-"));
	}
	cul_kernel_free(k);
}

/* The running kernel's list, without its data; and all of it as a map, as if linked elsewhere. */
static bool split_running(void)
{
	struct cul_str functions = {0}, all = {0};
	struct cul_kallsyms *k = NULL;
	size_t cursor = 0;
	struct cul_ksym s;
	bool has_data;

	if (cul_kallsyms_open(NULL, NULL, &k, NULL))
		return false;
	has_data = cul_kallsyms_has_data(k);
	while (has_data && cul_kallsyms_next(k, &cursor, &s)) {
		bool stays = s.kind == 'A' || (s.percpu && s.addr < 1 << 30);

		if (strcmp(s.module, "vmlinux") != 0)
			continue;
		if (strchr("tT", s.kind))
			cul_str_addf(&functions, "%016" PRIx64 " %c %s\n", s.addr, s.kind, s.name);
		cul_str_addf(&all, "%016" PRIx64 " %c %s\n", s.addr - (stays ? 0 : 0x4c00000),
			s.kind, s.name);
	}
	cul_kallsyms_free(k);
	if (has_data) {
		put(syms, functions.s);
		put(map, all.s);
	}
	cul_str_free(&functions);
	cul_str_free(&all);
	return has_data;
}

static int read_pid_max(void)
{
	FILE *f = fopen("/proc/sys/kernel/pid_max", "r");
	int n = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &n), 1);
	fclose(f);
	return n;
}

/* The variable is where the map puts it, by what it holds; the list with data is the witness. */
static void a_running_kernel_without_its_data(void **state)
{
	const char *const paths[] = {map, NULL};
	static const char *const names[] = {
		"pid_max", "init_task", "runqueues", "__per_cpu_offset"};
	struct cul_kernel *without = NULL, *with = NULL;
	struct cul_kernel_symbol a, b;
	struct cul_error err = {0};
	uint64_t x = 0, y = 1;
	int pid_max = 0;

	if (!split_running())
		skip();
	assert_int_equal(cul_kernel_open_from(syms, NULL, paths, &without, &err), 0);
	assert_int_equal(cul_kernel_open(NULL, &with, &err), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (cul_kernel_symbol(without, NULL, names[i], &a, &err))
			fail_msg("%s", err.text);
		assert_int_equal(cul_kernel_symbol(with, NULL, names[i], &b, &err), 0);
		assert_int_equal(a.sym.addr, b.sym.addr);
		assert_int_equal(a.sym.percpu, b.sym.percpu);
		if (!i && cul_kernel_mem(without, NULL)) {
			assert_int_equal(cul_mem_read(cul_kernel_mem(without, NULL), a.sym.addr,
						 &pid_max, sizeof(pid_max)),
				0);
			assert_int_equal(pid_max, read_pid_max());
		}
	}
	if (cul_kernel_mem(without, NULL)) {
		assert_int_equal(cul_kernel_percpu_offset(without, 0, &x, &err), 0);
		assert_int_equal(cul_kernel_percpu_offset(with, 0, &y, &err), 0);
		assert_int_equal(x, y);
	}
	cul_kernel_free(without);
	cul_kernel_free(with);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_of_several_is_not_chosen, reset),
		cmocka_unit_test_teardown(source_files_need_debug_information, reset),
		cmocka_unit_test_teardown(data_come_from_the_map, reset),
		cmocka_unit_test_teardown(the_banner_is_looked_at, reset),
		cmocka_unit_test_teardown(a_running_kernel_without_its_data, reset),
		cmocka_unit_test_teardown(without_a_map_the_places_are_named, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
