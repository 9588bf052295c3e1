/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "report/escape.h"

static void test_text(void **state)
{
	static const struct {
		const char *in, *out;
		unsigned columns;
	} cases[] = {
		{"", "", 0},
		{"plain", "plain", 5},
		{"a\\b", "a\\b", 3},
		{"a\nb\tc", "a\\nb\\tc", 7},
		{"\033[31m", "\\x1b[31m", 8},
		{"\177", "\\x7f", 4},
		{"\xc3\xa9", "\xc3\xa9", 1},                 /* e with acute */
		{"\xf0\x9f\x90\x9b", "\xf0\x9f\x90\x9b", 1}, /* beyond the first plane */
		{"\xc2\x9b", "\\u{9b}", 6},                  /* C1: another way to write ESC [ */
		{"\xe2\x80\xae", "\\u{202e}", 8},            /* right to left */
		{"\xff", "\\xff", 4},
		{"\xc0\xaf", "\\xc0\\xaf", 8},                    /* overlong */
		{"\xe0\x80\xaf", "\\xe0\\x80\\xaf", 12},          /* overlong */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80", 12},          /* a surrogate */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", 16}, /* beyond Unicode */
		{"\xe2\x82", "\\xe2\\x82", 8},                    /* cut short */
		{"\xe2\x82z", "\\xe2\\x82z", 9},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cul_autostr struct cul_str s = {0};

		assert_int_equal(cul_escape_text(&s, cases[i].in), cases[i].columns);
		assert_string_equal(cul_str_text(&s), cases[i].out);
	}
}

static void test_lines(void **state)
{
	cul_autostr struct cul_str s = {0};

	cul_escape_lines(&s, "new >\n     ^\033");
	assert_string_equal(cul_str_text(&s), "new >\n     ^\\x1b");
}

static void test_json(void **state)
{
	cul_autostr struct cul_str s = {0}, t = {0};

	cul_escape_utf8(&s, "\033\xff\xc2\x9b");
	assert_string_equal(cul_str_text(&s), "\033\\xff\xc2\x9b");
	cul_escape_json(&t, "{\"a\":\"\xc2\x9b\177\xe2\x80\xa8\xc3\xa9\"}");
	assert_string_equal(cul_str_text(&t), "{\"a\":\"\\u009b\\u007f\\u2028\xc3\xa9\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
