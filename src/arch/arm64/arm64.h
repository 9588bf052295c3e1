/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this directory share. */
#ifndef CUL_ARCH_ARM64_ARM64_H
#define CUL_ARCH_ARM64_ARM64_H

#include "arch/flow.h"

/* Indices into struct cul_regs: struct user_pt_regs. x0 is 0. */
enum {
	CUL_ARM64_FP = 29,
	CUL_ARM64_LR,
	CUL_ARM64_SP,
	CUL_ARM64_PC,
	CUL_ARM64_PSTATE,
	CUL_ARM64_N_REGS,
};

/* flow.c */
void cul_arm64_decode(const uint8_t *bytes, size_t size, uint64_t pc, struct cul_flow_insn *out);

/* stub.c: `stub` of struct cul_arch. */
bool cul_arm64_stub(
	const uint8_t *code, size_t size, uint64_t addr, uint64_t *slot, unsigned *length);

#endif
