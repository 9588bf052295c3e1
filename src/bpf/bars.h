/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bars of a histogram as they are counted in the kernel: sixteen to a power of
 * two, so that both logarithmic and linear pictures can be made of them, to
 * 6 %; values below 16 have a bar of their own. Those of negative numbers, by
 * their magnitude, follow those of the others. Included by both sides.
 */
#ifndef CUL_BPF_BARS_H
#define CUL_BPF_BARS_H

#include <linux/types.h>

enum {
	CUL_BARS_OF_A_SIGN = 16 * 61,
	CUL_BARS = 2 * CUL_BARS_OF_A_SIGN,
};

static inline __attribute__((always_inline)) __u64 cul_bar_log2(__u64 v)
{
	__u64 e = 0;

	if (v >> 32)
		e += 32, v >>= 32;
	if (v >> 16)
		e += 16, v >>= 16;
	if (v >> 8)
		e += 8, v >>= 8;
	if (v >> 4)
		e += 4, v >>= 4;
	if (v >> 2)
		e += 2, v >>= 2;
	return e + (v >> 1);
}

static inline __attribute__((always_inline)) __u32 cul_bar_of(__s64 value)
{
	__u32 sign = value < 0 ? CUL_BARS_OF_A_SIGN : 0;
	__u64 v = value < 0 ? -(__u64)value : (__u64)value, e;

	if (v < 16)
		return sign + (__u32)v;
	e = cul_bar_log2(v);
	return sign + (__u32)((e - 3) * 16 + ((v >> ((e - 4) & 63)) & 15));
}

/* The first and the last value of a bar. */
static inline void cul_bar_bounds(__u32 bar, __s64 *first, __s64 *last)
{
	__u32 at = bar % CUL_BARS_OF_A_SIGN, e = at / 16 + 3;
	__u64 low = at, high = at;

	if (at >= 16) {
		low = (__u64)(16 + at % 16) << (e - 4);
		high = low + ((__u64)1 << (e - 4)) - 1;
	}
	*first = (__s64)(bar < CUL_BARS_OF_A_SIGN ? low : -high);
	*last = (__s64)(bar < CUL_BARS_OF_A_SIGN ? high : -low);
	/* The last magnitude, of one number alone. */
	if (bar >= CUL_BARS_OF_A_SIGN && e == 63)
		*first = *last;
}

#endif
