/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What user space puts other things in the place of, before it loads a template: numbers
 * (CUL_PATCH_* in probe.h) and a function. A part of probe.bpf.c.
 */
#ifndef CUL_BPF_PROBE_PATCH_H
#define CUL_BPF_PROBE_PATCH_H

#include "bpf/probe.h"

struct scratch;

/* Replaced by generated code. Weak, so that the compiler believes nothing of it. */
__attribute__((noinline, weak)) int expression(struct scratch *s)
{
	__asm__ volatile("" : "+r"(s));
	return CUL_PATCH_CODE;
}

#define PATCHED(number)                                                                            \
	({                                                                                         \
		__u64 patched_;                                                                    \
		__asm__ volatile("%0 = %1" : "=r"(patched_) : "i"(number));                        \
		patched_;                                                                          \
	})

/* What generated code has to say to the call: whether it passes. */
static __always_inline int passes(struct scratch *s)
{
	return !PATCHED(CUL_PATCH_CODED) || expression(s);
}

/* The verifier must see the very register that was compared. */
#define OPAQUE(v) __asm__ volatile("" : "+r"(v))

#endif
