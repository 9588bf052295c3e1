/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a program could not be loaded, in words that help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sys/bpf.h"

static void what_is_no_fault_of_the_program_is_told(void **state)
{
	struct cul_error err = {0};

	if (cul_sys_bpf_confidential())
		skip();
	assert_int_equal(cul_sys_bpf_explain("loading it", -EINVAL, &err), 0);
	assert_int_equal(cul_sys_bpf_explain("loading it", -E2BIG, &err), 0);
	assert_string_equal(err.text, "");
	assert_int_equal(cul_sys_bpf_explain("loading it", -EMFILE, &err), -EMFILE);
	assert_string_equal(err.text, "loading it: too many open files; raise `ulimit -n`");
	assert_int_equal(cul_sys_bpf_explain("loading it", -EPERM, NULL), -EPERM);
}

/* Who is root already is not sent to become root. */
static void root_is_not_told_to_become_root(void **state)
{
	struct cul_error err = {0};

	if (geteuid() || cul_sys_bpf_confidential())
		skip();
	assert_int_equal(cul_sys_bpf_explain("loading it", -EPERM, &err), -EPERM);
	assert_null(strstr(err.text, "run as root"));
	assert_non_null(strstr(err.text, "culprit doctor"));
	assert_int_equal(seteuid(1000), 0);
	assert_int_equal(cul_sys_bpf_explain("loading it", -EPERM, &err), -EPERM);
	assert_int_equal(seteuid(0), 0);
	assert_non_null(strstr(err.text, "run as root, or give CAP_BPF and CAP_PERFMON"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_fault_of_the_program_is_told),
		cmocka_unit_test(root_is_not_told_to_become_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
