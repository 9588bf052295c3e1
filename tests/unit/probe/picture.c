/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bars as the kernel counts them (both sides include the same code), and the pictures made of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bpf/bars.h"
#include "probe/picture.h"

static struct cul_probe_bar bars[CUL_PICTURE_MOST];
static struct cul_probe_histogram h;

static void expect_within(int64_t v)
{
	__u32 bar = cul_bar_of(v);
	__s64 first, last;

	assert_true(bar < CUL_BARS);
	cul_bar_bounds(bar, &first, &last);
	if (v < first || v > last)
		fail_msg("%lld is in bar %u of %lld to %lld", (long long)v, bar, first, last);
	/* All of it is as far from zero, to 6 %. */
	assert_true((uint64_t)last - (uint64_t)first <=
		    (first < 0 ? -(uint64_t)last : (uint64_t)first) / 16);
}

static void a_value_is_within_its_bar(void **state)
{
	expect_within(INT64_MIN);
	expect_within(INT64_MAX);
	for (int64_t v = -300; v <= 300; v++)
		expect_within(v);
	for (unsigned e = 4; e < 63; e++)
		for (int64_t d = -40; d <= 40; d++)
			for (int64_t s = 16; s < 32; s++) {
				int64_t v = (int64_t)((uint64_t)s << (e - 4)) + d;

				expect_within(v);
				expect_within(-v);
			}
}

static void bars_follow_one_another(void **state)
{
	int64_t next = 0;
	__s64 first, last;
	__u32 bar;

	for (bar = 0; bar < CUL_BARS_OF_A_SIGN - 16; bar++) {
		cul_bar_bounds(bar, &first, &last);
		assert_int_equal(first, next);
		assert_int_equal(cul_bar_of(first), bar);
		assert_int_equal(cul_bar_of(last), bar);
		next = (int64_t)((uint64_t)last + 1);
	}
	assert_int_equal(next, INT64_MIN); /* one beyond the last number there is */
	next = -1;
	for (bar = CUL_BARS_OF_A_SIGN + 1; bar < CUL_BARS - 16; bar++) {
		cul_bar_bounds(bar, &first, &last);
		assert_int_equal(last, next);
		assert_int_equal(cul_bar_of(first), bar);
		assert_int_equal(cul_bar_of(last), bar);
		next = first - 1;
	}
	assert_int_equal(next, INT64_MIN);
	cul_bar_bounds(cul_bar_of(INT64_MIN), &first, &last);
	assert_int_equal(first, INT64_MIN);
	assert_int_equal(last, INT64_MIN);
}

static void make(const struct cul_probe_scale *scale, const int64_t *values, size_t n)
{
	struct cul_picture_count counts[32];

	for (size_t i = 0; i < n; i++)
		counts[i] = (struct cul_picture_count){cul_bar_of(values[i]), i + 1};
	cul_picture_make(scale, counts, n, bars, &h);
	/* No gaps, nothing lost. */
	for (size_t i = 0; i < h.n_bars; i++) {
		assert_true(h.bars[i].low <= h.bars[i].high);
		assert_true(!i || h.bars[i].low == h.bars[i - 1].high);
		n = i;
	}
	assert_true(h.bars[0].count && h.bars[h.n_bars - 1].count);
}

static void expect_bar(size_t i, int64_t low, int64_t high, uint64_t count)
{
	assert_true(i < h.n_bars);
	assert_int_equal(h.bars[i].low, low);
	assert_int_equal(h.bars[i].high, high);
	assert_int_equal(h.bars[i].count, count);
}

static void powers_of_two(void **state)
{
	static const int64_t values[] = {0, 1, 2, 3, 4, 100, 127, 128};
	const struct cul_probe_scale log = {0};

	make(&log, values, 8);
	assert_int_equal(h.n_bars, 9);
	expect_bar(0, 0, 1, 1);
	expect_bar(1, 1, 2, 2);
	expect_bar(2, 2, 4, 3 + 4);
	expect_bar(3, 4, 8, 5);
	expect_bar(4, 8, 16, 0);
	expect_bar(7, 64, 128, 6 + 7);
	expect_bar(8, 128, 256, 8);
	assert_int_equal(h.count, 36);
	assert_int_equal(h.min, 0);
	assert_int_equal(h.max, 135); /* the kernel counted 128..135 together */
}

static void negative_numbers_are_no_zeros(void **state)
{
	static const int64_t values[] = {-11, 0, -1, -2, 5}, least[] = {INT64_MIN, INT64_MAX};
	const struct cul_probe_scale log = {0};

	make(&log, values, 5);
	expect_bar(0, -15, -7, 1);
	expect_bar(1, -7, -3, 0);
	expect_bar(2, -3, -1, 4);
	expect_bar(3, -1, 0, 3);
	expect_bar(4, 0, 1, 2);
	expect_bar(7, 4, 8, 5);
	assert_int_equal(h.n_bars, 8);
	assert_int_equal(h.min, -11);
	assert_int_equal(h.max, 5);
	make(&log, least, 2);
	assert_int_equal(h.n_bars, 128);
	expect_bar(0, INT64_MIN, INT64_MIN + 1, 1);
	expect_bar(127, (int64_t)1 << 62, INT64_MAX, 2);
	make(&log, least, 1);
	assert_int_equal(h.n_bars, 1);
}

static void bars_of_equal_width(void **state)
{
	static const int64_t values[] = {-1000, -4, -1, 0, 3, 9, 10, 11, 1000};
	const struct cul_probe_scale scale = {-4, 10, 4};

	make(&scale, values, 9);
	assert_int_equal(h.n_bars, 6);
	expect_bar(0, INT64_MIN, -4, 1);
	expect_bar(1, -4, 0, 2 + 3);
	expect_bar(2, 0, 4, 4 + 5);
	expect_bar(3, 4, 8, 0);
	expect_bar(4, 8, 10, 6); /* cut short by MAX */
	expect_bar(5, 10, INT64_MAX, 7 + 8 + 9);
	make(&scale, values, 1);
	assert_int_equal(h.n_bars, 1);
	make(&scale, values + 8, 1);
	assert_int_equal(h.n_bars, 1);
	expect_bar(0, 10, INT64_MAX, 1);
}

static void the_widest_scale(void **state)
{
	static const int64_t values[] = {INT64_MIN, -1, 0, INT64_MAX};
	const struct cul_probe_scale wide = {INT64_MIN, INT64_MAX, (int64_t)1 << 56},
				     one = {INT64_MIN, INT64_MAX, INT64_MAX};

	make(&wide, values, 4);
	assert_int_equal(h.n_bars, 253);
	expect_bar(0, INT64_MIN, INT64_MIN + ((int64_t)1 << 56), 1);
	expect_bar(127, -((int64_t)1 << 56), 0, 2);
	/* Counted together with all from 31 << 58 on. */
	expect_bar(252, (int64_t)31 << 58, ((int64_t)31 << 58) + ((int64_t)1 << 56), 4);
	make(&one, values, 4);
	expect_bar(0, INT64_MIN, -1, 1);
	expect_bar(1, -1, INT64_MAX - 1, 2 + 3 + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_within_its_bar),
		cmocka_unit_test(bars_follow_one_another),
		cmocka_unit_test(powers_of_two),
		cmocka_unit_test(negative_numbers_are_no_zeros),
		cmocka_unit_test(bars_of_equal_width),
		cmocka_unit_test(the_widest_scale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
