/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/nearest.h"

static const char *nearest(const char *wanted, const char *const *names)
{
	static char text[256];
	struct cul_nearest near;

	cul_nearest_init(&near, wanted);
	for (; *names; names++)
		cul_nearest_offer(&near, *names);
	return cul_nearest_text(&near, text, sizeof(text));
}

static void typos_come_first(void **state)
{
	static const char *const names[] = {
		"runqueues_total", "runqueus", "jiffies", "runqueue", "tick", "runqueues", NULL};

	assert_string_equal(nearest("runqueues", names),
		"; nearest: runqueues, runqueus, runqueue, runqueues_total");
}

static void nothing_near_is_no_text(void **state)
{
	static const char *const names[] = {"jiffies", "a", "", NULL};

	assert_string_equal(nearest("runqueues", names), "");
	assert_string_equal(nearest("", names), "; nearest: , a");
}

static void the_best_five_stay_and_none_twice(void **state)
{
	static const char *const names[] = {"abcdefgh__", "abcdefgh_", "abcdefgh_", "abcdefg",
		"abcdefghij", "abcdefghi", "abcdefgh", "abcdefgx", NULL};

	assert_string_equal(nearest("abcdefgh", names),
		"; nearest: abcdefgh, abcdefgh_, abcdefg, abcdefghi, abcdefgx");
}

static void parts_of_names_count(void **state)
{
	static const char *const names[] = {"find_task_by_vpid", "vpid", NULL};

	assert_string_equal(nearest("task_by", names), "; nearest: find_task_by_vpid");
}

static void a_short_buffer_ends_at_a_whole_name(void **state)
{
	struct cul_nearest near;
	char text[18];

	cul_nearest_init(&near, "refs");
	cul_nearest_offer(&near, "refz");
	cul_nearest_offer(&near, "refx");
	assert_string_equal(cul_nearest_text(&near, text, sizeof(text)), "; nearest: refz");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(typos_come_first),
		cmocka_unit_test(nothing_near_is_no_text),
		cmocka_unit_test(the_best_five_stay_and_none_twice),
		cmocka_unit_test(parts_of_names_count),
		cmocka_unit_test(a_short_buffer_ends_at_a_whole_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
