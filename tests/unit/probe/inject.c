/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "probe/inject.h"

static void is_read(const char *text, int64_t ret, uint64_t every)
{
	struct cul_inject got = {0};
	struct cul_error err = {0};

	if (cul_inject_parse(text, &got, &err))
		fail_msg("%s", err.text);
	assert_int_equal(got.ret, ret);
	assert_int_equal(got.every, every);
}

static void what_to_return(void **state)
{
	is_read("-5", -5, 1);
	is_read(" -EIO ", -EIO, 1);
	is_read("0x10", 16, 1);
	is_read("-ENOMEM,EVERY 3", -ENOMEM, 3);
	is_read("0 , every  20 ", 0, 20);
	is_read("0xffffffffffffffff", -1, 1);
}

static void what_is_refused(void **state)
{
	static const char *const all[] = {"", "-", "--5", "EWHAT", "5 6", "-5,", "-5,EVERY",
		"-5,EVERY 0", "-5,EVERY -1", "-5,EVERY3", "-5,EVERY 3,", "-5 EVERY 3",
		"99999999999999999999", "0x", "123456789012345678901234567890123456789"};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct cul_inject got = {.ret = 77};
		struct cul_error err = {0};

		if (cul_inject_parse(all[i], &got, &err) != -EINVAL)
			fail_msg("\"%s\" was taken for %lld", all[i], (long long)got.ret);
		assert_int_equal(got.ret, 77);
		assert_true(err.text[0]);
	}
}

static void who_is_listed(void **state)
{
	static const char list[] = "should_failslab+0x0/0x10\tERRNO\n"
				   "victim_args_refuses+0x0/0x20 [victim]\tERRNO\n"
				   "plain\tNULL\n";

	assert_true(cul_inject_listed(list, "should_failslab"));
	assert_true(cul_inject_listed(list, "victim_args_refuses"));
	assert_true(cul_inject_listed(list, "plain"));
	assert_false(cul_inject_listed(list, "should_fail"));
	assert_false(cul_inject_listed(list, "args_refuses"));
	assert_false(cul_inject_listed("", "plain"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_to_return),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(who_is_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
