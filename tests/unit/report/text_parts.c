/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Durations, and values that are wider than the terminal. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "report/text_parts.h"

static void test_durations(void **state)
{
	static const struct {
		uint64_t ns;
		const char *duration, *bound;
	} cases[] = {
		{0, "0 ns", "0ns"},
		{1, "1 ns", "1ns"},
		{999, "999 ns", "999ns"},
		{1000, "1.00 us", "1us"},
		{1024, "1.02 us", "1.02us"},
		{1500, "1.50 us", "1.5us"},
		{9994, "9.99 us", "9.99us"},
		{9995, "10.0 us", "10us"},
		{12345, "12.3 us", "12.3us"},
		{99949, "99.9 us", "99.9us"},
		{99950, "100 us", "100us"},
		{999499, "999 us", "999us"},
		{999500, "1.00 ms", "1ms"},
		{1048576, "1.05 ms", "1.05ms"},
		{250000000, "250 ms", "250ms"},
		{999500000, "1.00 s", "1s"},
		{10000000000, "10.0 s", "10s"},
		{1234567000000000, "1234567 s", "1234567s"},
		{UINT64_MAX - 500000000, "18446744073 s", "18446744073s"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[CUL_TEXT_TIME];

		assert_string_equal(cul_text_duration(buf, cases[i].ns), cases[i].duration);
		assert_string_equal(cul_text_bound(buf, cases[i].ns), cases[i].bound);
	}
}

static void test_without(void **state)
{
	const uint64_t parts[] = {3, 4, UINT64_MAX};

	assert_int_equal(cul_text_without(10, parts, 0), 10);
	assert_int_equal(cul_text_without(10, parts, 2), 3);
	assert_int_equal(cul_text_without(10, parts, 3), 0);
	assert_string_equal(cul_text_plural(1), "");
	assert_string_equal(cul_text_plural(0), "s");
}

/* Where a value that does not fit is broken: behind commas, and never in a string. */
static void test_wide_values(void **state)
{
	static const struct {
		const char *value, *text;
	} cases[] = {
		{"{a = 1, b = 2}", "v={a = 1, b = 2}"},
		{"{aaaa = 1111, bbbb = 2222, cccc = 3}",
			"v={aaaa = 1111,\n  bbbb = 2222, cccc = 3}"},
		{"\"aaaa, bbbb, cccc, dddd, eeee, ffff\"",
			"v=\"aaaa, bbbb, cccc, dddd, eeee, ffff\""},
		{"{\"aaaa, \\\", bbbb\", 'c', \"dddd, \"}",
			"v={\"aaaa, \\\", bbbb\",\n  'c', \"dddd, \"}"},
		{"{s = \"never, ends, and, goes, on", "v={s = \"never, ends, and, goes, on"},
		{"\"ends in a backslash, and so on\\", "v=\"ends in a backslash, and so on\\"},
		{", , , , , , , , , , , , , , , , ", "v=, ,\n  , , , , , , , , , , , , , , "},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cul_text_sink t = {.style = {.width = 30}};
		const struct cul_probe_arg arg = {.name = "v", .value = {.text = cases[i].value}};
		unsigned gap = 1;

		t.lines.style = &t.style;
		cul_lines_begin(&t.lines, 0, 2);
		cul_text_arg(&t, &arg, &gap);
		cul_lines_cell(&t.lines, &t.cell, gap);
		assert_string_equal(cul_str_text(&t.lines.text), cases[i].text);
		cul_lines_free(&t.lines);
		cul_cell_free(&t.cell);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_wide_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
