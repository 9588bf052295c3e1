/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bars of a histogram as they are counted in the kernel. Included by both sides.
 *
 * Logarithmic: one a power of two. First that of 0, then those of positive
 * numbers, then those of negative ones, by their magnitude.
 * Linear: one for what lies below `min`, those between `min` and `max`, and
 * one for what lies above.
 */
#ifndef CUL_BPF_BARS_H
#define CUL_BPF_BARS_H

#include <linux/types.h>

enum {
	CUL_BARS_OF_A_SIGN = 64,
	CUL_BARS = 1 + 2 * CUL_BARS_OF_A_SIGN,
	CUL_BAR_UNREAD = 0xffff, /* the value could not be read */
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
	if (!value)
		return 0;
	return value > 0 ? 1 + cul_bar_log2(value)
			 : 1 + CUL_BARS_OF_A_SIGN + cul_bar_log2(-(__u64)value);
}

/* Bars between `min` and `max`; the last one may be narrower. */
static inline __attribute__((always_inline)) __u64 cul_bar_steps(__s64 min, __s64 max, __u64 step)
{
	return ((__u64)max - (__u64)min - 1) / step + 1;
}

static inline __attribute__((always_inline)) __u32 cul_bar_linear(
	__s64 value, __s64 min, __s64 max, __u64 step)
{
	if (value < min)
		return 0;
	if (value >= max)
		return cul_bar_steps(min, max, step) + 1;
	return ((__u64)value - (__u64)min) / step + 1;
}

#endif
