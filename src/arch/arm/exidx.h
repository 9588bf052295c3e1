/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ARM's unwind tables: an index of functions (.ARM.exidx) and, for those whose few instructions do
 * not fit there, entries elsewhere (.ARM.extab). Exception Handling ABI for the Arm Architecture
 * (EHABI32), sections 6, 7 and 10. Here is what the bytes mean; finding them is for unwind/.
 */
#ifndef CUL_ARCH_ARM_EXIDX_H
#define CUL_ARCH_ARM_EXIDX_H

#include "arch/unwind.h"

enum { CUL_EXIDX_ENTRY = 8, CUL_EXIDX_CANTUNWIND = 1, CUL_EXIDX_MAX_CODE = 4 * 256 };

/* What the second word of an index entry is. */
enum cul_exidx_kind {
	CUL_EXIDX_REFUSES, /* nobody unwinds through this function */
	CUL_EXIDX_INLINE,  /* the word itself holds the instructions */
	CUL_EXIDX_TABLE,   /* the address of an entry of .ARM.extab */
	CUL_EXIDX_BROKEN,
};

/* `at`: the address of the word; `*table` is set for CUL_EXIDX_TABLE. */
enum cul_exidx_kind cul_exidx_kind(uint32_t word, uint32_t at, uint32_t *table);

/* A number of 31 bits relative to the place it is at. */
uint32_t cul_exidx_prel31(uint32_t word, uint32_t at);

/*
 * The unwinding instructions of an entry: the word of an index (compact, personality 0), or the
 * words of an .ARM.extab entry: compact with personality 0, 1 or 2, or generic, whose personality
 * routine is at an address and takes instructions as personality 1 has them (__gxx_personality_v0
 * and those of other languages' gcc and clang all do: EHABI32 7.3). Returns how many bytes are in
 * `code`, or -EBADMSG, -E2BIG (`n` words are not enough: `*want` is how many there are).
 */
int cul_exidx_code(const uint32_t *words, size_t n, uint8_t code[CUL_EXIDX_MAX_CODE], size_t *want);

/*
 * The rules that the instructions mean. -ENOENT: the function refuses to be unwound; -EBADMSG: an
 * instruction that is reserved; -ENOTSUP: the stack pointer comes from a register that was popped,
 * or is popped before others are.
 */
int cul_exidx_rules(const uint8_t *code, size_t n, struct cul_rules *out);

#endif
