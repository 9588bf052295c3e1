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

/* A value's bar is that of its highest bit, on the side of its sign. */
static void a_bar_a_power_of_two(void **state)
{
	assert_int_equal(cul_bar_of(0), 0);
	for (unsigned e = 0; e < 63; e++) {
		int64_t low = (int64_t)(1ull << e), high = (int64_t)((2ull << e) - 1);

		assert_int_equal(cul_bar_of(low), 1 + e);
		assert_int_equal(cul_bar_of(high), 1 + e);
		assert_int_equal(cul_bar_of(-low), 1 + CUL_BARS_OF_A_SIGN + e);
		assert_int_equal(cul_bar_of(-high), 1 + CUL_BARS_OF_A_SIGN + e);
	}
	assert_int_equal(cul_bar_of(INT64_MIN), CUL_BARS - 1);
}

static uint32_t counted(const struct cul_probe_scale *s, int64_t v)
{
	return s->step ? cul_bar_linear(v, s->min, s->max, (uint64_t)s->step) : cul_bar_of(v);
}

static void make(const struct cul_probe_scale *scale, const int64_t *values, size_t n)
{
	struct cul_picture_count counts[32];

	for (size_t i = 0; i < n; i++)
		counts[i] = (struct cul_picture_count){
			counted(scale, values[i]), i + 1, values[i], values[i]};
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
	assert_int_equal(h.max, 128);
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
	assert_int_equal(h.n_bars, 257);
	expect_bar(0, INT64_MIN, INT64_MIN + ((int64_t)1 << 56), 1);
	expect_bar(127, -((int64_t)1 << 56), 0, 2);
	expect_bar(128, 0, (int64_t)1 << 56, 3);
	expect_bar(255, INT64_MAX - ((int64_t)1 << 56) + 1, INT64_MAX, 0);
	expect_bar(256, INT64_MAX, INT64_MAX, 4);
	make(&one, values, 4);
	expect_bar(0, INT64_MIN, -1, 1);
	expect_bar(1, -1, INT64_MAX - 1, 2 + 3);
	expect_bar(3, INT64_MAX, INT64_MAX, 4);
}

/* Far from zero, where bars are narrower than a power of two's sixteenth. */
static void narrow_bars_are_exact(void **state)
{
	static const int64_t values[] = {999999, 1000000, 1000009, 1000010, 1000999, 1001000};
	const struct cul_probe_scale scale = {1000000, 1001000, 10};

	make(&scale, values, 6);
	assert_int_equal(h.n_bars, 102);
	expect_bar(0, INT64_MIN, 1000000, 1);
	expect_bar(1, 1000000, 1000010, 2 + 3);
	expect_bar(2, 1000010, 1000020, 4);
	expect_bar(100, 1000990, 1001000, 5);
	expect_bar(101, 1001000, INT64_MAX, 6);
	assert_int_equal(h.min, 999999);
	assert_int_equal(h.max, 1001000);
}

static void what_could_not_be_read_is_in_no_bar(void **state)
{
	const struct cul_picture_count counts[] = {{CUL_BAR_UNREAD, 5, 0, 0}, {1, 2, 1, 1}};
	const struct cul_probe_scale scales[] = {{0}, {0, 10, 1}};

	for (int i = 0; i < 2; i++) {
		cul_picture_make(&scales[i], counts, 2, bars, &h);
		assert_int_equal(h.n_bars, 1);
		assert_int_equal(h.count, 2);
		assert_int_equal(h.unread, 5);
		cul_picture_make(&scales[i], counts, 1, bars, &h);
		assert_int_equal(h.n_bars, 0);
		assert_int_equal(h.count, 0);
		assert_int_equal(h.unread, 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bar_a_power_of_two),
		cmocka_unit_test(narrow_bars_are_exact),
		cmocka_unit_test(what_could_not_be_read_is_in_no_bar),
		cmocka_unit_test(powers_of_two),
		cmocka_unit_test(negative_numbers_are_no_zeros),
		cmocka_unit_test(bars_of_equal_width),
		cmocka_unit_test(the_widest_scale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
