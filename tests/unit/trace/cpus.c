/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "trace/cpus.h"

static void lists_are_those_of_sysfs(void **state)
{
	struct cul_cpus set;
	struct cul_error err = {0};
	int n = 0;

	assert_int_equal(cul_cpus_parse("0,2-3,64-66,4095\n", &set, &err), 0);
	assert_int_equal(cul_cpus_count(&set), 7);
	assert_true(cul_cpus_has(&set, 0) && cul_cpus_has(&set, 64) && cul_cpus_has(&set, 4095));
	assert_false(cul_cpus_has(&set, 1) || cul_cpus_has(&set, -1) || cul_cpus_has(&set, 4096));
	assert_int_equal(cul_cpus_next(&set, -1), 0);
	assert_int_equal(cul_cpus_next(&set, 0), 2);
	assert_int_equal(cul_cpus_next(&set, 66), 4095);
	assert_int_equal(cul_cpus_next(&set, 4095), -1);
	cul_for_each_cpu(cpu, &set)
	{
		assert_int_equal(cul_cpus_rank(&set, cpu), n);
		n++;
	}
	assert_int_equal(n, 7);
}

static void what_is_no_list_is_refused(void **state)
{
	struct cul_cpus set = {{1}};
	struct cul_error err = {0};

	for (const char *const *s = (const char *const[]){"", "x", "-1", "1-", "3-1", "1,", "1,,2",
		     "1 2", "0-3x", NULL};
		*s; s++) {
		assert_int_equal(cul_cpus_parse(*s, &set, &err), -EINVAL);
		assert_non_null(strstr(err.text, "0-3,8"));
	}
	assert_int_equal(cul_cpus_parse("4096", &set, &err), -ERANGE);
	assert_int_equal(cul_cpus_parse("99999999999999999999", &set, &err), -ERANGE);
	assert_int_equal(cul_cpus_parse("0-4096", &set, NULL), -ERANGE);
	assert_int_equal(cul_cpus_count(&set), 1);
}

static void the_machine_has_cpus(void **state)
{
	struct cul_cpus online, possible;
	struct cul_error err = {0};

	assert_int_equal(cul_cpus_online(&online, &err), 0);
	assert_int_equal(cul_cpus_possible(&possible, &err), 0);
	assert_true(cul_cpus_count(&online) > 0);
	cul_for_each_cpu(cpu, &online)
	{
		assert_true(cul_cpus_has(&possible, cpu));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_those_of_sysfs),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test(the_machine_has_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
