/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of a name that neither a process nor the kernel has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void expect(const char *process, const char *kernel, const char *both)
{
	struct cul_error p = {0}, k = {0}, err = {0};

	cul_fail(&p, -ENODATA, "%s", process);
	cul_fail(&k, -ENOENT, "%s", kernel);
	assert_int_equal(cul_fail_both(&err, &p, &k), -ENOENT);
	assert_string_equal(err.text, both);
}

static void the_kernel_is_told_of_where_it_helps(void **state)
{
	expect("no 'x'\n  x+\n  ^", "the kernel has none\n  x+\n  ^",
		"no 'x'; and the kernel has none");
	expect("no 'x'; nearest: y\n  x\n  ^", "the kernel has none",
		"no 'x'; nearest: y\n  x\n  ^");
	expect("no 'x'; did you mean y?", "the kernel has none", "no 'x'; did you mean y?");
	expect("no 'x'; nearest: y\n  x\n  ^", "no 'x'; nearest: z\n  x\n  ^",
		"no 'x'; nearest: y; not in the kernel either; there nearest: z");
	expect("no type x\n  (x)1\n   ^", "no type x\n  (x)1\n   ^", "no type x\n  (x)1\n   ^");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_is_told_of_where_it_helps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
