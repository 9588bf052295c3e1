/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unwind/records.h"

#include <errno.h>

/* arch/arm64/include/asm/stacktrace/frame.h */
enum { META_FINAL = 1, META_REGS = 2 };

/* struct pt_regs (uapi/asm/ptrace.h): x0 to x30, sp, pc. */
enum { REGS_FP = 29 * 8, REGS_PC = 32 * 8 };

uint64_t cul_records_kernel_bits(uint64_t code)
{
	unsigned ones = ~code ? (unsigned)__builtin_clzll(~code) : 64;

	/* Half of the kernel's addresses, its code among them, have the next bit set, too. */
	return ones < 2 ? 0 : ~(UINT64_MAX >> (ones - 1));
}

static int read_word(
	const struct cul_stack_bytes *stack, uint64_t addr, uint64_t *value, uint64_t *fail)
{
	if (cul_stack_word(stack, addr, value))
		return 0;
	*fail = addr;
	return -EFAULT;
}

/* Behind a record of zeros. */
static int past_boundary(const struct cul_records_rules *rules, const struct cul_stack_bytes *stack,
	struct cul_records_frame *next, uint64_t *fail)
{
	uint64_t kind, regs = next->fp - rules->regs_distance;
	int ret;

	if (rules->regs_distance == 0)
		return -ENOENT;
	ret = read_word(stack, next->fp + 16, &kind, fail);
	if (ret != 0)
		return ret;
	if (kind == META_FINAL)
		return -ENOENT;
	if (kind != META_REGS)
		return -EBADMSG;
	ret = read_word(stack, regs + REGS_PC, &next->pc, fail);
	if (ret == 0)
		ret = read_word(stack, regs + REGS_FP, &next->fp, fail);
	next->exact = true;
	return ret;
}

int cul_records_step(const struct cul_records_rules *rules, const struct cul_stack_bytes *stack,
	struct cul_records_frame *frame, uint64_t *fail)
{
	struct cul_records_frame next = {.fp = frame->fp};
	uint64_t fp, lr;
	int ret;

	*fail = frame->fp;
	if (frame->fp & 7)
		return -EFAULT;
	ret = read_word(stack, frame->fp, &fp, fail);
	if (ret == 0)
		ret = read_word(stack, frame->fp + 8, &lr, fail);
	if (ret != 0)
		return ret;
	if (fp == 0 && lr == 0) {
		ret = past_boundary(rules, stack, &next, fail);
		if (ret != 0)
			return ret;
	} else {
		next.fp = fp;
		next.pc = lr | rules->kernel_bits;
	}
	if (next.fp <= frame->fp) {
		*fail = next.fp;
		return -ELOOP;
	}
	*frame = next;
	return 0;
}
