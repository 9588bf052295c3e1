/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this directory share. */
#ifndef CUL_ARCH_ARM_ARM_H
#define CUL_ARCH_ARM_ARM_H

#include "arch/unwind.h"

/* Indices into struct cul_regs: struct pt_regs of arch/arm/include/uapi/asm/ptrace.h. r0 is 0. */
enum {
	CUL_ARM_R4 = 4,
	CUL_ARM_R7 = 7, /* the frame pointer of Thumb code */
	CUL_ARM_FP = 11,
	CUL_ARM_SP = 13,
	CUL_ARM_LR,
	CUL_ARM_PC,
	CUL_ARM_CPSR,
	CUL_ARM_ORIG_R0,
	CUL_ARM_N_REGS,
};

/* stub.c: `stub` of struct cul_arch. */
bool cul_arm_stub(
	const uint8_t *code, size_t size, uint64_t addr, uint64_t *slot, unsigned *length);

#define CUL_ARM_PRESERVED (0xffull << CUL_ARM_R4) /* r4-r11 */

#endif
