/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/core.h"

/* elf_gregset_t: struct user_pt_regs (34 words). */
const struct cul_arch_core cul_arm64_core = {
	.prstatus_size = 392,
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
