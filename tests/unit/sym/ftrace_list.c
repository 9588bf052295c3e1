/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's two lists of what can be probed, whole and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "sym/ftrace_list.h"
#include "sym/kprobe_blacklist.h"
#include "sys/fault.h"

static void lists(const char *text, const char *wanted)
{
	struct cul_ftrace_list *l = NULL;
	cul_autostr struct cul_str found = {0};
	struct cul_ftrace_line line;

	assert_int_equal(cul_ftrace_list_parse(text, strlen(text), &l), 0);
	for (int turn = 0; turn < 2; turn++) { /* a walk changes nothing */
		size_t cursor = 0;

		cul_str_reset(&found);
		while (cul_ftrace_list_next(l, &cursor, &line))
			cul_str_addf(
				&found, "%s:%s:%" PRIx64 " ", line.module, line.name, line.addr);
		assert_string_equal(cul_str_text(&found), wanted);
	}
	cul_ftrace_list_free(l);
}

static void names(void **state)
{
	lists("vfs_read\nget_ref [victim]\nput\n",
		"vmlinux:vfs_read:0 victim:get_ref:0 vmlinux:put:0 ");
	lists("vfs_read", "vmlinux:vfs_read:0 ");
}

static void names_with_addresses(void **state)
{
	lists("ffffffff81000104 vfs_read\nffffffffc0000004 get_ref [victim]\n",
		"vmlinux:vfs_read:ffffffff81000104 victim:get_ref:ffffffffc0000004 ");
}

static void damaged(void **state)
{
	lists("\n\n[victim]\n]\nvfs_read [\n", "vmlinux:vfs_read:0 ");
	lists("ffffffff81000104 a\nno_address\nffffffff81000204 \nffffffff81000304 b\n",
		"vmlinux:a:ffffffff81000104 vmlinux:b:ffffffff81000304 ");
}

static void not_there(void **state)
{
	struct cul_ftrace_list *l = NULL;
	struct cul_kprobe_blacklist *b = NULL;

	assert_int_equal(cul_ftrace_list_parse("", 0, &l), -ENODATA);
	assert_int_equal(cul_ftrace_list_open("/nonexistent", &l), -ENOENT);
	assert_int_equal(cul_kprobe_blacklist_open("/nonexistent", &b), -ENOENT);
	cul_sys_fail(CUL_SYS_OPEN, 0, EACCES);
	assert_int_equal(cul_ftrace_list_open(NULL, &l), -EACCES);
	assert_int_equal(cul_kprobe_blacklist_open(NULL, &b), -EACCES);
	cul_sys_fail_none();
	assert_null(l);
	assert_null(b);
	assert_false(cul_kprobe_blacklist_has(NULL, 0));
}

static void blacklist(void **state)
{
	static const char text[] =
		"0x2000-0x2010\ta\nnonsense\n0x1000-0x1800\tb\n0x1100-0x1200\tc\n"
		"0x3000-0x2fff\td\n0x3000\n";
	struct cul_kprobe_blacklist *b = NULL;

	assert_int_equal(cul_kprobe_blacklist_parse(text, strlen(text), &b), 0);
	assert_false(cul_kprobe_blacklist_has(b, 0xfff));
	assert_true(cul_kprobe_blacklist_has(b, 0x1000));
	assert_true(cul_kprobe_blacklist_has(b, 0x17ff)); /* behind a range within the range */
	assert_false(cul_kprobe_blacklist_has(b, 0x1800));
	assert_true(cul_kprobe_blacklist_has(b, 0x200f));
	assert_false(cul_kprobe_blacklist_has(b, 0x2010));
	assert_false(cul_kprobe_blacklist_has(b, 0x3000));
	cul_kprobe_blacklist_free(b);
}

static void memory_runs_out(void **state)
{
	static const char text[] = "0x1000-0x1800\tb\n";

	for (long n = 0; n < 2; n++) {
		struct cul_kprobe_blacklist *b = NULL;
		struct cul_ftrace_list *l = NULL;

		cul_alloc_fail_after(n);
		assert_int_equal(cul_kprobe_blacklist_parse(text, strlen(text), &b), -ENOMEM);
		cul_alloc_fail_after(n);
		assert_int_equal(cul_ftrace_list_parse(text, strlen(text), &l), -ENOMEM);
		cul_alloc_fail_after(-1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(names_with_addresses),
		cmocka_unit_test(damaged),
		cmocka_unit_test(not_there),
		cmocka_unit_test(blacklist),
		cmocka_unit_test(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
