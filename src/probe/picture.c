/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/picture.h"

#include <string.h>

#include "bpf/bars.h"

enum { LOG_ZERO = 64 }; /* the bar of 0: below it those of -1, -2.., above of 1, 2.. */

_Static_assert(2 * LOG_ZERO <= CUL_PICTURE_MOST, "");

static size_t log_bar(int64_t v)
{
	if (!v)
		return LOG_ZERO;
	return v > 0 ? LOG_ZERO + 1 + cul_bar_log2((uint64_t)v)
		     : LOG_ZERO - 1 - cul_bar_log2(-(uint64_t)v);
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

/* Bars between min and max. */
static size_t n_steps(const struct cul_probe_scale *s)
{
	return (size_t)(((uint64_t)s->max - (uint64_t)s->min - 1) / (uint64_t)s->step + 1);
}

static size_t linear_bar(const struct cul_probe_scale *s, int64_t v)
{
	if (v < s->min)
		return 0;
	if (v >= s->max)
		return n_steps(s) + 1;
	return (size_t)(((uint64_t)v - (uint64_t)s->min) / (uint64_t)s->step) + 1;
}

static void linear_bounds(const struct cul_probe_scale *s, size_t bar, struct cul_probe_bar *out)
{
	size_t n = n_steps(s);

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
	out->count = 0;
	out->min = INT64_MAX;
	out->max = INT64_MIN;
	for (size_t i = 0; i < n; i++) {
		__s64 low, high;
		size_t at;

		cul_bar_bounds(from[i].bar, &low, &high);
		at = scale->step ? linear_bar(scale, low < 0 ? high : low)
				 : log_bar(low < 0 ? high : low);
		bars[at].count += from[i].count;
		out->count += from[i].count;
		out->min = low < out->min ? low : out->min;
		out->max = high > out->max ? high : out->max;
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
	out->n_bars = last - first + 1;
}
