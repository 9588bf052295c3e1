/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this directory share. The ABIs: o32 and n64, little and big endian. */
#ifndef CUL_ARCH_MIPS_MIPS_H
#define CUL_ARCH_MIPS_MIPS_H

#include "arch/flow.h"

/* Indices into struct cul_regs: ptrace's order (arch/mips/include/uapi/asm/reg.h). */
enum {
	CUL_MIPS_ZERO,
	CUL_MIPS_AT,
	CUL_MIPS_V0,
	CUL_MIPS_S0 = 16,
	CUL_MIPS_T9 = 25,
	CUL_MIPS_GP = 28,
	CUL_MIPS_SP,
	CUL_MIPS_S8,
	CUL_MIPS_RA,
	CUL_MIPS_LO,
	CUL_MIPS_HI,
	CUL_MIPS_EPC,
	CUL_MIPS_BADVADDR,
	CUL_MIPS_STATUS,
	CUL_MIPS_CAUSE,
	CUL_MIPS_N_REGS,
};

extern const struct cul_arch_unwind cul_mips_unwind, cul_mipsel_unwind;
extern const struct cul_arch_unwind cul_mips64_unwind, cul_mips64el_unwind;

#endif
