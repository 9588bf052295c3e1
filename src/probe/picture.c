/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/picture.h"

#include <string.h>

#include "bpf/bars.h"

/* The bar of 0: below it those of -1, -2.., above of 1, 2.. */
enum { LOG_ZERO = CUL_BARS_OF_A_SIGN };

_Static_assert((int)CUL_BARS <= (int)CUL_PICTURE_MOST, "");

/* Where a bar of the kernel's stands. */
static size_t log_bar(uint32_t bar)
{
	return bar <= CUL_BARS_OF_A_SIGN ? LOG_ZERO + bar : LOG_ZERO + CUL_BARS_OF_A_SIGN - bar;
}

static void log_bounds(size_t bar, struct cul_probe_bar *out)
{
	uint64_t low;

	if (bar == LOG_ZERO) {
		out->low = 0;
		out->high = 1;
		return;
	}
	low = 1ull << (bar > LOG_ZERO ? bar - LOG_ZERO - 1 : LOG_ZERO - 1 - bar);
	if (bar > LOG_ZERO) {
		out->low = (int64_t)low;
		out->high = low > INT64_MAX / 2 ? INT64_MAX : (int64_t)(low * 2);
	} else {
		out->low = bar ? (int64_t)(1 - 2 * low) : INT64_MIN;
		out->high = (int64_t)(1 - low);
	}
}

static void linear_bounds(const struct cul_probe_scale *s, size_t bar, struct cul_probe_bar *out)
{
	size_t n = (size_t)cul_bar_steps(s->min, s->max, (uint64_t)s->step);

	out->low = bar ? (int64_t)((uint64_t)s->min + (bar - 1) * (uint64_t)s->step) : INT64_MIN;
	out->high = (int64_t)((uint64_t)s->min + bar * (uint64_t)s->step);
	if (bar == n)
		out->high = s->max;
	if (bar > n) {
		out->low = s->max;
		out->high = INT64_MAX;
	}
}

void cul_picture_make(const struct cul_probe_scale *scale, const struct cul_picture_count *from,
	size_t n, struct cul_probe_bar bars[CUL_PICTURE_MOST], struct cul_probe_histogram *out)
{
	size_t first = CUL_PICTURE_MOST, last = 0;

	memset(bars, 0, CUL_PICTURE_MOST * sizeof(*bars));
	out->count = out->unread = 0;
	out->min = INT64_MAX;
	out->max = INT64_MIN;
	for (size_t i = 0; i < n; i++) {
		size_t at;

		if (from[i].bar == CUL_BAR_UNREAD) {
			out->unread += from[i].count;
			continue;
		}
		at = scale->step ? from[i].bar : log_bar(from[i].bar);
		if (at >= CUL_PICTURE_MOST)
			continue;
		bars[at].count += from[i].count;
		out->count += from[i].count;
		out->min = from[i].low < out->min ? from[i].low : out->min;
		out->max = from[i].high > out->max ? from[i].high : out->max;
		first = at < first ? at : first;
		last = at > last ? at : last;
	}
	for (size_t at = first; at <= last; at++) {
		if (scale->step)
			linear_bounds(scale, at, &bars[at]);
		else
			log_bounds(at, &bars[at]);
	}
	out->bars = bars + first;
	out->n_bars = first <= last ? last - first + 1 : 0;
}
