/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/core.h"

/* elf_gregset_t: struct user_regs_struct (27 words), the head of which is pt_regs. */
const struct cul_arch_core cul_x86_core = {
	.prstatus_size = 336,
	.prstatus_pid = 32,
	.prstatus_regs = 112,
	.prpsinfo_size = 136,
	.prpsinfo_pid = 24,
	.prpsinfo_name = 40,
	.prpsinfo_args = 56,
	.siginfo_fields = 16,
	.signals = cul_signals,
	.n_signals = CUL_N_SIGNALS,
};
