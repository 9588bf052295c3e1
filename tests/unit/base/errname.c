/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/errname.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void names_of_numbers(void **state)
{
	assert_string_equal(cul_errname(ENOENT), "ENOENT");
	assert_string_equal(cul_errname(EAGAIN), "EAGAIN");
	assert_string_equal(cul_errname(512), "ERESTARTSYS");
	assert_null(cul_errname(0));
	assert_null(cul_errname(-2));
	assert_null(cul_errname(520));
	assert_null(cul_errname(4095));
}

static void numbers_of_names(void **state)
{
	assert_int_equal(cul_errname_number("EPERM"), EPERM);
	assert_int_equal(cul_errname_number("EHWPOISON"), EHWPOISON);
	assert_int_equal(cul_errname_number("EWOULDBLOCK"), EAGAIN);
	assert_int_equal(cul_errname_number("ENOTSUP"), EOPNOTSUPP);
	assert_int_equal(cul_errname_number("EOPNOTSUPP"), EOPNOTSUPP);
	assert_int_equal(cul_errname_number("EPROBE_DEFER"), 517);
	assert_int_equal(cul_errname_number("ENO"), 0);
	assert_int_equal(cul_errname_number("enoent"), 0);
	assert_int_equal(cul_errname_number(""), 0);
	for (int i = 1; i < 600; i++)
		if (cul_errname(i))
			assert_int_equal(cul_errname_number(cul_errname(i)), i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_numbers),
		cmocka_unit_test(numbers_of_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
