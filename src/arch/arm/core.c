/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/core.h"

/* elf_gregset_t: struct pt_regs (18 words). A uid of elf_prpsinfo has 16 bits here. */
const struct cul_arch_core cul_arm_core = {
	.prstatus_size = 148,
	.prstatus_pid = 24,
	.prstatus_regs = 72,
	.prpsinfo_size = 124,
	.prpsinfo_pid = 12,
	.prpsinfo_name = 28,
	.prpsinfo_args = 44,
	.siginfo_fields = 12,
	.signals = cul_signals,
	.n_signals = CUL_N_SIGNALS,
};
