/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread that there is none of: a block of stack, a block of code, and what a test adds. */
#ifndef CUL_TESTS_UNIT_UNWIND_FAKE_H
#define CUL_TESTS_UNIT_UNWIND_FAKE_H

#include "unwind/unwind.h"

enum { FAKE_CODE = 0x10000, FAKE_STACK = 0x70000000, FAKE_SIZE = 0x4000 };

struct fake_thread {
	struct cul_mem mem; /* first */
	uint8_t code[FAKE_SIZE], stack[FAKE_SIZE];
	/* Instead of the stack's bytes: the word at an address. */
	uint64_t (*word)(uint64_t addr);
	uint64_t stack_size;
	struct cul_thread_regs regs;
	struct cul_code_space space;
};

/* All zero but for regs: pc at FAKE_CODE + 0x100, sp at FAKE_STACK. */
struct fake_thread *fake_thread(const struct cul_arch *arch);
void fake_put(struct fake_thread *t, const struct cul_arch *arch, unsigned offset, uint64_t value);

#endif
