/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel lets through of its symbols, against its own file of all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "sym/btf.h"
#include "sym/kallsyms.h"
#include "sys/fault.h"

/* Longer and shorter than what is compared in the kernel, with clones, data and modules' own. */
static const struct cul_kallsyms_prefix prefixes[] = {
	{"vfs_", 4}, {"do_sys_openat2", 14}, {"tcp_v4_", 7}, {"jiffies", 7}, {"e", 1}};
enum { PREFIXES = sizeof(prefixes) / sizeof(prefixes[0]) };

static struct cul_btf *btf;

static int set_up(void **state)
{
	if (geteuid() || cul_btf_open("/sys/kernel/btf/vmlinux", NULL, &btf, NULL))
		btf = NULL;
	return 0;
}

static int tear_down(void **state)
{
	cul_btf_free(btf);
	return 0;
}

static struct cul_kallsyms *open_own(void)
{
	struct cul_error err = {0};
	struct cul_kallsyms *k = NULL;

	if (cul_kallsyms_open(NULL, NULL, &k, &err))
		fail_msg("%s", err.text);
	return k;
}

static void list(
	struct cul_kallsyms *k, const struct cul_kallsyms_prefix *prefix, struct cul_str *out)
{
	struct cul_ksym sym;
	size_t cursor = 0;

	while (cul_kallsyms_next_of(k, prefix, &cursor, &sym))
		cul_str_addf(
			out, "%" PRIx64 " %c %s %s\n", sym.addr, sym.kind, sym.name, sym.module);
}

/* The lines of the file that begin so, in the same form. */
static void list_file(const struct cul_kallsyms_prefix *prefix, struct cul_str *out)
{
	cul_autofclose FILE *f = fopen("/proc/kallsyms", "re");
	char line[1024], name[512], module[128], kind;
	uint64_t addr;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		strcpy(module, "[vmlinux]");
		if (sscanf(line, "%" SCNx64 " %c %511s %127s", &addr, &kind, name, module) < 3 ||
			strncmp(name, prefix->text, prefix->len) != 0)
			continue;
		module[strlen(module) - 1] = '\0';
		cul_str_addf(out, "%" PRIx64 " %c %s %s\n", addr, kind, name, module + 1);
	}
}

static void the_same_as_the_file(void **state)
{
	struct cul_kallsyms *k;

	if (!btf)
		skip();
	k = open_own();
	assert_false(cul_kallsyms_is_read(k));
	cul_kallsyms_gather(k, prefixes, PREFIXES, btf);
	for (int turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < PREFIXES; i++) {
			cul_autostr struct cul_str found = {0}, wanted = {0};

			list(k, &prefixes[i], &found);
			list_file(&prefixes[i], &wanted);
			assert_true(wanted.len > 0);
			assert_string_equal(cul_str_text(&found), cul_str_text(&wanted));
		}
		/* Nobody needed the file for it. */
		assert_int_equal(cul_kallsyms_is_read(k), turn);
		cul_kallsyms_has_data(k); /* takes all of it */
	}
	cul_kallsyms_free(k);
}

static void bounds_are_known(void **state)
{
	struct cul_kallsyms *gathered, *read;

	if (!btf)
		skip();
	gathered = open_own();
	read = open_own();
	cul_kallsyms_gather(gathered, prefixes, 1, btf);
	for (const char *const *name = (const char *const[]){"_text", "_sinittext", NULL}; *name;
		name++) {
		uint64_t addr = 1;
		struct cul_ksym sym;

		assert_int_equal(cul_kallsyms_mark(gathered, *name, &addr), 0);
		assert_int_equal(cul_kallsyms_find(read, "vmlinux", *name, &sym, NULL, NULL), 0);
		assert_int_equal(addr, sym.addr);
	}
	assert_false(cul_kallsyms_is_read(gathered));
	cul_kallsyms_free(gathered);
	cul_kallsyms_free(read);
}

/* A kernel without the iterator, or one that allows no program: the file tells. */
static void without_the_iterator(void **state)
{
	if (!btf)
		skip();
	for (int call = 0; call < 3; call++) {
		cul_autostr struct cul_str found = {0}, wanted = {0};
		struct cul_kallsyms *k = open_own();

		cul_sys_fail_once(CUL_SYS_BPF, call, 22);
		cul_kallsyms_gather(k, prefixes, PREFIXES, btf);
		cul_sys_fail_none();
		list(k, &prefixes[0], &found);
		list_file(&prefixes[0], &wanted);
		assert_string_equal(cul_str_text(&found), cul_str_text(&wanted));
		assert_true(cul_kallsyms_is_read(k));
		cul_kallsyms_free(k);
	}
}

/* Everything would come through: the file is as good. */
static void all_of_them(void **state)
{
	const struct cul_kallsyms_prefix all[] = {{"vfs_", 4}, {"", 0}};
	struct cul_kallsyms *k;
	struct cul_ksym sym;
	size_t cursor = 0;

	if (!btf)
		skip();
	k = open_own();
	cul_kallsyms_gather(k, all, 2, btf);
	assert_true(cul_kallsyms_next_of(k, &all[0], &cursor, &sym));
	assert_true(cul_kallsyms_is_read(k));
	cul_kallsyms_free(k);
}

static void read_beside(void **state)
{
	struct cul_kallsyms *k;
	struct cul_ksym sym, again;

	if (geteuid())
		skip();
	k = open_own();
	cul_kallsyms_read_ahead(k);
	cul_kallsyms_read_ahead(k);
	assert_int_equal(cul_kallsyms_find(k, "vmlinux", "schedule", &sym, NULL, NULL), 0);
	assert_int_equal(cul_kallsyms_at(k, sym.addr + 1, &again), 0);
	assert_string_equal(again.name, "schedule");
	cul_kallsyms_free(k);
	k = open_own();
	cul_kallsyms_read_ahead(k); /* and given up */
	cul_kallsyms_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_as_the_file),
		cmocka_unit_test(bounds_are_known),
		cmocka_unit_test(without_the_iterator),
		cmocka_unit_test(all_of_them),
		cmocka_unit_test(read_beside),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
