/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frame records, the chain by which arm64 kernels unwind their stacks (Procedure Call Standard,
 * 6.4.6; arch/arm64/kernel/stacktrace.c). Pure; what is read is hostile.
 */
#ifndef CUL_UNWIND_RECORDS_H
#define CUL_UNWIND_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "unwind/orc.h"

struct cul_records_rules {
	uint64_t kernel_bits; /* set in each address of the kernel: a signature may be there */
	/*
	 * A record of zeros is followed by its kind (struct frame_record_meta, since 6.13), and may
	 * be within a struct pt_regs so many bytes behind its start. 0: it always is the last one.
	 */
	uint64_t regs_distance;
};

struct cul_records_frame {
	uint64_t pc, fp;
	bool exact; /* pc is where it was interrupted */
};

/* Of a clean address of the kernel's code: the bits that all of them have. */
uint64_t cul_records_kernel_bits(uint64_t code);

/* As cul_orc_step. */
int cul_records_step(const struct cul_records_rules *rules, const struct cul_stack_bytes *stack,
	struct cul_records_frame *frame, uint64_t *fail);

#endif
