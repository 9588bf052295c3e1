/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sym/kallsyms.h"
#include "sys/fault.h"

/* As x86_64 before Linux 6.15 lays it out: per-CPU from 0, the kernel sorted, modules not. */
static const char OLD[] = "0000000000000000 A fixed_percpu_data\n"
			  "0000000000000000 A __per_cpu_start\n"
			  "0000000000001000 A cpu_debug_store\n"
			  "0000000000036040 A runqueues\n"
			  "0000000000039000 A __per_cpu_end\n"
			  "ffffffff81000000 T _stext\n"
			  "ffffffff81000000 T _text\n"
			  "ffffffff81000000 T startup_64\n"
			  "ffffffff81000070 t init\n"
			  "ffffffff810000c0 W weak_one\n"
			  "ffffffff82000000 D jiffies\n"
			  "ffffffff82000000 D jiffies_64\n"
			  "ffffffff82000008 d state.1\n"
			  "ffffffff82000010 b state.1\n"
			  "ffffffff82001000 B _end\n"
			  "ffffffffc0205000 d account_table\t[victim]\n"
			  "ffffffffc0201040 t put_twice\t[victim]\n"
			  "ffffffffc0201000 T get_ref\t[victim]\n"
			  "0000000000039010 a victim_counter\t[victim]\n"
			  "0000000000039000 a victim_first\t[victim]\n"
			  "00000000abcd1234 a __crc_get_ref\t[victim]\n"
			  "ffffffffc0300000 t init\t[snd_hda]\n"
			  "ffffffffc0400000 t bpf_prog_1_x\t[bpf]\n"
			  "ffffffffc0500000 t ftrace_trampoline\t[__builtin__ftrace]\n";

/* arm64, and x86_64 since 6.15: per-CPU within the image. */
static const char NEW[] = "ffff800080000000 T _text\n"
			  "ffff800080000100 T do_one\n"
			  "ffff800081000000 D __per_cpu_start\n"
			  "ffff800081000000 D first_percpu\n"
			  "ffff800081000100 d last_percpu\n"
			  "ffff800081000180 D __per_cpu_end\n"
			  "ffff800081001000 D init_task\n";

static const char MODULES[] = "victim 16384 0 - Live 0xffffffffc0201000 (OE)\n"
			      "garbage\n"
			      "snd_hda 204800 1 snd_x,snd_y, Live 0xffffffffc0300000\n";

static char sym_path[64], mod_path[64];

static void put(char *path, const char *text)
{
	FILE *f;
	int fd;

	strcpy(path, "/tmp/culprit-test-sym-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	fputs(text, f);
	fclose(f);
}

static int reset(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	unlink(sym_path);
	unlink(mod_path);
	return 0;
}

static struct cul_kallsyms *open_texts(const char *syms, const char *mods)
{
	struct cul_kallsyms *k = NULL;
	struct cul_error err = {0};

	put(sym_path, syms);
	put(mod_path, mods);
	if (cul_kallsyms_open(sym_path, mod_path, &k, &err) < 0)
		fail_msg("%s", err.text);
	return k;
}

static struct cul_ksym find(struct cul_kallsyms *k, const char *module, const char *name)
{
	struct cul_error err = {0};
	struct cul_ksym sym;

	if (cul_kallsyms_find(k, module, name, &sym, NULL, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(sym.name, name);
	return sym;
}

static void names_are_found(void **state)
{
	struct cul_kallsyms *k = open_texts(OLD, MODULES);
	struct cul_ksym s = find(k, NULL, "startup_64");

	assert_int_equal(s.addr, 0xffffffff81000000);
	assert_int_equal(s.size, 0x70);
	assert_string_equal(s.module, "vmlinux");
	assert_int_equal(s.kind, 'T');
	assert_false(s.percpu);
	s = find(k, "victim", "get_ref");
	assert_int_equal(s.addr, 0xffffffffc0201000);
	assert_int_equal(s.size, 0x40);
	assert_string_equal(s.module, "victim");
	assert_int_equal(find(k, NULL, "put_twice").size, 0x3fc0);
	assert_int_equal(find(k, NULL, "account_table").size, 0); /* the last of its module */
	assert_string_equal(find(k, "bpf", "bpf_prog_1_x").module, "bpf");
	assert_string_equal(find(k, NULL, "ftrace_trampoline").module, "__builtin__ftrace");
	cul_kallsyms_free(k);
}

static void same_names_are_told_apart(void **state)
{
	struct cul_kallsyms *k = open_texts(OLD, MODULES);
	struct cul_ksym s;
	size_t n;

	assert_int_equal(cul_kallsyms_find(k, NULL, "state.1", &s, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(s.addr, 0xffffffff82000008);
	assert_int_equal(cul_kallsyms_find_nth(k, NULL, "state.1", 1, &s), 0);
	assert_int_equal(s.addr, 0xffffffff82000010);
	assert_int_equal(cul_kallsyms_find_nth(k, NULL, "state.1", 2, &s), -ENOENT);
	assert_int_equal(cul_kallsyms_find(k, NULL, "init", &s, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(cul_kallsyms_find(k, "snd-hda", "init", &s, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(s.addr, 0xffffffffc0300000);
	assert_int_equal(cul_kallsyms_find(k, "vmlinux", "init", &s, &n, NULL), 0);
	assert_int_equal(s.addr, 0xffffffff81000070);
	cul_kallsyms_free(k);
}

static void percpu_symbols_are_known_when_they_start_at_zero(void **state)
{
	struct cul_kallsyms *k = open_texts(OLD, MODULES);
	struct cul_ksym s = find(k, NULL, "runqueues");

	assert_true(s.percpu);
	assert_int_equal(s.addr, 0x36040);
	assert_int_equal(s.size, 0x2fc0);
	s = find(k, "victim", "victim_first");
	assert_true(s.percpu);
	assert_int_equal(s.size, 0x10);
	s = find(k, NULL, "victim_counter");
	assert_true(s.percpu);
	assert_int_equal(s.addr, 0x39010);
	assert_int_equal(s.size, 0);
	assert_false(find(k, NULL, "__crc_get_ref").percpu);
	assert_int_equal(cul_kallsyms_at(k, 0x36041, &s), -ENOENT);
	assert_int_equal(cul_kallsyms_at(k, 0x39011, &s), -ENOENT);
	cul_kallsyms_free(k);
}

static void percpu_symbols_are_known_within_the_image(void **state)
{
	struct cul_kallsyms *k = open_texts(NEW, "");
	struct cul_ksym s = find(k, NULL, "last_percpu");

	assert_true(s.percpu);
	assert_int_equal(s.size, 0x80);
	assert_true(find(k, NULL, "first_percpu").percpu);
	assert_false(find(k, NULL, "init_task").percpu);
	assert_int_equal(find(k, NULL, "do_one").size, 0xffff00);
	assert_int_equal(cul_kallsyms_at(k, 0xffff800081000104, &s), -ENOENT);
	cul_kallsyms_free(k);
}

static void at(struct cul_kallsyms *k, uint64_t addr, const char *name, uint64_t size)
{
	struct cul_ksym s = {0};

	if (!name) {
		assert_int_equal(cul_kallsyms_at(k, addr, &s), -ENOENT);
		return;
	}
	assert_int_equal(cul_kallsyms_at(k, addr, &s), 0);
	assert_string_equal(s.name, name);
	assert_int_equal(s.size, size);
}

static void addresses_are_named(void **state)
{
	struct cul_kallsyms *k = open_texts(OLD, MODULES);

	at(k, 0xffffffff81000000, "startup_64", 0x70); /* not _stext, not _text */
	at(k, 0xffffffff8100006f, "startup_64", 0x70);
	at(k, 0xffffffff81000070, "init", 0x50);
	at(k, 0xffffffff82000007, "jiffies", 8);
	at(k, 0xffffffffc0201041, "put_twice", 0x3fc0);
	at(k, 0xffffffffc0205010, "account_table", 0);
	at(k, 0xffffffffc02f0000, NULL, 0); /* past what the last symbol can be */
	at(k, 0xffffffffc0300000, "init", 0);
	at(k, 0xffffffff80ffffff, NULL, 0);
	at(k, UINT64_MAX, NULL, 0);
	at(k, 0, NULL, 0);
	cul_kallsyms_free(k);
}

static void failures_name_what_is_near(void **state)
{
	struct cul_kallsyms *k = open_texts(OLD, MODULES);
	struct cul_error err = {0};
	struct cul_ksym s = {0};

	assert_int_equal(cul_kallsyms_find(k, NULL, "jiffes", &s, NULL, &err), -ENOENT);
	assert_string_equal(err.text, "the kernel has no symbol 'jiffes'; nearest: jiffies");
	assert_int_equal(cul_kallsyms_find(k, "victim", "put_twic", &s, NULL, &err), -ENOENT);
	assert_string_equal(err.text, "victim has no symbol 'put_twic'; nearest: put_twice");
	assert_int_equal(cul_kallsyms_find(k, "victm", "put_twice", &s, NULL, &err), -ENXIO);
	assert_string_equal(err.text, "module 'victm' is not loaded; nearest: victim");
	assert_int_equal(cul_kallsyms_find(k, NULL, "", &s, NULL, NULL), -ENOENT);
	assert_int_equal(s.addr, 0);
	cul_kallsyms_free(k);
}

static void a_table_of_functions_alone_is_noticed(void **state)
{
	struct cul_kallsyms *k =
		open_texts("ffffffff81000000 T do_one\nffffffff82000000 D __start_rodata\n", "");
	struct cul_error err = {0};
	struct cul_ksym s;

	assert_false(cul_kallsyms_has_data(k));
	assert_int_equal(cul_kallsyms_find(k, NULL, "jiffies", &s, NULL, &err), -ENOENT);
	assert_non_null(strstr(err.text, "CONFIG_KALLSYMS_ALL"));
	cul_kallsyms_free(k);
	reset(NULL);
	k = open_texts(OLD, "");
	assert_true(cul_kallsyms_has_data(k));
	cul_kallsyms_free(k);
}

static void hidden_addresses_are_an_error(void **state)
{
	struct cul_kallsyms *k = NULL;
	struct cul_error err = {0};

	put(sym_path, "0000000000000000 T _text\n0000000000000000 t init\n");
	assert_int_equal(cul_kallsyms_open(sym_path, NULL, &k, &err), -EPERM);
	assert_non_null(strstr(err.text, "kptr_restrict"));
	assert_non_null(strstr(err.text, "CAP_SYSLOG"));
	assert_null(k);
}

static void modules_are_listed(void **state)
{
	struct cul_kallsyms *k = open_texts(OLD, MODULES);
	const struct cul_kmodule *m = cul_kallsyms_module(k, "snd-hda");

	assert_non_null(m);
	assert_string_equal(m->name, "snd_hda");
	assert_int_equal(m->base, 0xffffffffc0300000);
	assert_int_equal(m->size, 204800);
	assert_null(cul_kallsyms_module(k, "snd"));
	assert_null(cul_kallsyms_module(k, "garbage"));
	cul_kallsyms_free(k);
}

static void malformed_lines_are_skipped(void **state)
{
	struct cul_kallsyms *k = open_texts("\n \nffff\nffffffff81000000\nffffffff81000000 T\n"
					    "ffffffff81000000 T \n"
					    "c0008000 T short\n"
					    "ffffffff81000010 T good\t\n"
					    "ffffffff81000020 T tail\t[mod",
		"");
	struct cul_ksym s;
	size_t cursor = 0, n = 0;

	while (cul_kallsyms_next(k, &cursor, &s))
		n++;
	assert_int_equal(n, 4); /* an empty name is a name */
	assert_int_equal(find(k, NULL, "short").addr, 0xc0008000);
	assert_int_equal(find(k, NULL, "tail\t[mod").addr, 0xffffffff81000020);
	cul_kallsyms_free(k);
}

static void failing_calls_are_passed_on(void **state)
{
	struct cul_kallsyms *k = NULL;
	struct cul_error err = {0};
	struct cul_ksym s;
	int n = 0;

	put(sym_path, OLD);
	put(mod_path, MODULES);
	assert_int_equal(cul_kallsyms_open("/nonexistent", mod_path, &k, &err), -ENOENT);
	assert_non_null(strstr(err.text, "CONFIG_KALLSYMS"));
	cul_sys_fail(CUL_SYS_READ, 1, EIO);
	assert_int_equal(cul_kallsyms_open(sym_path, mod_path, &k, &err), -EIO);
	cul_sys_fail(CUL_SYS_READ, 2, EIO);
	assert_int_equal(cul_kallsyms_open(sym_path, mod_path, &k, &err), -EIO);
	cul_sys_fail_none();
	for (;; n++) {
		cul_alloc_fail_after(n);
		if (cul_kallsyms_open(sym_path, mod_path, &k, &err) == 0)
			break;
		assert_int_equal(err.code, -ENOMEM);
		assert_null(k);
	}
	assert_true(n >= 3);
	for (n = 0; n < 2; n++) {
		cul_alloc_fail_after(n);
		assert_int_equal(cul_kallsyms_at(k, 0xffffffff81000000, &s), -ENOMEM);
	}
	cul_alloc_fail_after(-1);
	assert_int_equal(cul_kallsyms_at(k, 0xffffffff81000000, &s), 0);
	cul_kallsyms_free(k);
	assert_int_equal(cul_kallsyms_open(sym_path, "/nonexistent", &k, &err), 0);
	cul_kallsyms_free(k);
	cul_kallsyms_free(NULL);
}

/* This machine's table, with a second reading of it by sscanf as the witness. */
static void the_real_table_agrees_with_a_plain_reading(void **state)
{
	struct cul_kallsyms *k = NULL;
	struct cul_error err = {0};
	size_t cursor = 0, n = 0;
	char line[1024];
	FILE *f;

	if (cul_kallsyms_open(NULL, NULL, &k, &err) < 0) {
		print_message("%s\n", err.text);
		skip();
	}
	f = fopen("/proc/kallsyms", "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char name[600], module[128] = "[vmlinux]", kind;
		struct cul_ksym s, a;
		unsigned long addr;

		assert_true(sscanf(line, "%lx %c %599s %127s", &addr, &kind, name, module) >= 3);
		module[strlen(module) - 1] = '\0';
		if (!strcmp(module + 1, "bpf") || !cul_kallsyms_next(k, &cursor, &s))
			break;
		assert_string_equal(s.name, name);
		assert_string_equal(s.module, module + 1);
		assert_int_equal(s.addr, addr);
		assert_int_equal(s.kind, kind);
		/* the mark behind per-CPU symbols that start at 0 is no place */
		if (s.percpu || addr < 1 << 30 || n++ % 16)
			continue;
		assert_int_equal(cul_kallsyms_at(k, addr, &a), 0);
		assert_int_equal(a.addr, addr);
	}
	fclose(f);
	assert_true(n > 10000);
	cul_kallsyms_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(names_are_found, reset),
		cmocka_unit_test_teardown(same_names_are_told_apart, reset),
		cmocka_unit_test_teardown(percpu_symbols_are_known_when_they_start_at_zero, reset),
		cmocka_unit_test_teardown(percpu_symbols_are_known_within_the_image, reset),
		cmocka_unit_test_teardown(addresses_are_named, reset),
		cmocka_unit_test_teardown(failures_name_what_is_near, reset),
		cmocka_unit_test_teardown(a_table_of_functions_alone_is_noticed, reset),
		cmocka_unit_test_teardown(hidden_addresses_are_an_error, reset),
		cmocka_unit_test_teardown(modules_are_listed, reset),
		cmocka_unit_test_teardown(malformed_lines_are_skipped, reset),
		cmocka_unit_test_teardown(failing_calls_are_passed_on, reset),
		cmocka_unit_test_teardown(the_real_table_agrees_with_a_plain_reading, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
