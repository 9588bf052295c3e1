/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

static int reset(void **state)
{
	cul_alloc_fail_after(-1);
	return 0;
}

static void a_string_grows(void **state)
{
	struct cul_str s = {0};

	assert_string_equal(cul_str_text(&s), "");
	for (int i = 0; i < 1000; i++)
		cul_str_addf(&s, "%d,", i % 10);
	cul_str_addn(&s, "end and more", 3);
	assert_int_equal(s.len, 2003);
	assert_int_equal(strlen(s.s), 2003);
	assert_string_equal(s.s + 1996, "8,9,end");
	cul_str_reset(&s);
	assert_string_equal(cul_str_text(&s), "");
	cul_str_add(&s, "again");
	assert_string_equal(cul_str_text(&s), "again");
	cul_str_free(&s);
	assert_null(s.s);
}

static void a_failed_string_stays_failed(void **state)
{
	struct cul_str s = {0};

	cul_str_add(&s, "kept");
	cul_alloc_fail_after(0);
	cul_str_addf(&s, "%200s", "");
	cul_alloc_fail_after(-1);
	assert_true(s.failed);
	cul_str_add(&s, "x");
	assert_string_equal(cul_str_text(&s), "kept");
	cul_str_reset(&s);
	cul_str_add(&s, "x");
	assert_false(s.failed);
	assert_string_equal(cul_str_text(&s), "x");
	cul_str_addn(&s, "", SIZE_MAX);
	assert_true(s.failed);
	cul_str_free(&s);
}

static void numbers_are_parsed_whole(void **state)
{
	uint64_t v = 77;

	assert_int_equal(cul_parse_u64("0x10", &v), 0);
	assert_int_equal(v, 16);
	assert_int_equal(cul_parse_u64("010", &v), 0);
	assert_int_equal(v, 8);
	assert_int_equal(cul_parse_u64("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
	v = 77;
	assert_int_equal(cul_parse_u64("18446744073709551616", &v), -ERANGE);
	for (const char *const *s =
			(const char *const[]){"", "-1", "+1", " 1", "1 ", "1x", "x", "0x", NULL};
		*s; s++)
		assert_int_equal(cul_parse_u64(*s, &v), -EINVAL);
	assert_int_equal(v, 77);
}

static void durations_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {{"10s", 10000000000u}, {"250ms", 250000000}, {"5us", 5000}, {"7ns", 7},
		{"2m", 120000000000u}, {"1h", 3600000000000u}, {"0.5s", 500000000},
		{".5s", 500000000}, {"0s", 0}};
	uint64_t ns = 77;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(cul_parse_duration(good[i].text, &ns), 0);
		assert_true(ns == good[i].ns);
	}
	ns = 77;
	assert_int_equal(cul_parse_duration("1e30s", &ns), -ERANGE);
	for (const char *const *s = (const char *const[]){"", "1", "0.5", "0", "s", "-1s", "1 s",
		     "1d", "0x10", "nan", "inf", NULL};
		*s; s++)
		assert_int_equal(cul_parse_duration(*s, &ns), -EINVAL);
	assert_int_equal(ns, 77);
}

static void quoted(const char *bytes, size_t size, const char *shown)
{
	cul_autostr struct cul_str s = {0};

	cul_str_add_quoted(&s, (const uint8_t *)bytes, size);
	assert_string_equal(cul_str_text(&s), shown);
}

static void text_in_quotes_is_utf8_where_it_is(void **state)
{
	quoted("a\"b\\\n\x1b", 6, "a\\\"b\\\\\\x0a\\x1b");
	quoted("j\xc3\xb6rg \xe4\xb8\xad \xf0\x9f\x98\x80", 15,
		"j\xc3\xb6rg \xe4\xb8\xad \xf0\x9f\x98\x80");
	quoted("\xc2\x9b\x7f", 3, "\\xc2\\x9b\\x7f"); /* controls of a terminal */
	quoted("\xe4\xb8\xad", 2, "\\xe4\\xb8");      /* cut off */
	quoted("\xe4\xb8\0\xad", 4, "\\xe4\\xb8");
	quoted("\xc0\xaf\xed\xa0\x80\xff", 6, "\\xc0\\xaf\\xed\\xa0\\x80\\xff"); /* none */
	quoted("ab", 0, "");
}

static void distances_are_bounded(void **state)
{
	char longer[200];

	memset(longer, 'a', sizeof(longer));
	longer[199] = '\0';
	assert_int_equal(cul_edit_distance("refs", "refs", 3), 0);
	assert_int_equal(cul_edit_distance("refs", "ref", 3), 1);
	assert_int_equal(cul_edit_distance("kitten", "sitting", 3), 3);
	assert_int_equal(cul_edit_distance("kitten", "sitting", 2), 3);
	assert_int_equal(cul_edit_distance("", "abcdef", 3), 4);
	assert_int_equal(cul_edit_distance(longer, longer, 3), 4);
}

static void a_prefix_ends_at_a_single_colon(void **state)
{
	char plain[] = "schedule", module[] = "victim:exec_me", source[] = "libx.so:ns::f(a::b)",
	     method[] = "Acc::deposit";

	(void)state;
	assert_null(cul_str_prefix_end(plain));
	assert_ptr_equal(cul_str_prefix_end(module), module + 6);
	assert_ptr_equal(cul_str_prefix_end(source), source + 7);
	assert_null(cul_str_prefix_end(method));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_string_grows, reset),
		cmocka_unit_test_teardown(a_failed_string_stays_failed, reset),
		cmocka_unit_test_teardown(numbers_are_parsed_whole, reset),
		cmocka_unit_test_teardown(durations_have_units, reset),
		cmocka_unit_test_teardown(text_in_quotes_is_utf8_where_it_is, reset),
		cmocka_unit_test(a_prefix_ends_at_a_single_colon),
		cmocka_unit_test_teardown(distances_are_bounded, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
