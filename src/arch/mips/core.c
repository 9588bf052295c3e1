/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/core.h"

/* arch/mips/include/uapi/asm/signal.h */
static const char *const signals[] = {
	[1] = "SIGHUP",
	"SIGINT",
	"SIGQUIT",
	"SIGILL",
	"SIGTRAP",
	"SIGABRT",
	"SIGEMT",
	"SIGFPE",
	"SIGKILL",
	"SIGBUS",
	"SIGSEGV",
	"SIGSYS",
	"SIGPIPE",
	"SIGALRM",
	"SIGTERM",
	"SIGUSR1",
	"SIGUSR2",
	"SIGCHLD",
	"SIGPWR",
	"SIGWINCH",
	"SIGURG",
	"SIGIO",
	"SIGSTOP",
	"SIGTSTP",
	"SIGCONT",
	"SIGTTIN",
	"SIGTTOU",
	"SIGVTALRM",
	"SIGPROF",
	"SIGXCPU",
	"SIGXFSZ",
};

/*
 * elf_gregset_t has ELF_NGREG 45 words, with register 0 at MIPS32_EF_R0 (6) or MIPS64_EF_R0 (0)
 * (asm/elf.h, uapi/asm/reg.h). siginfo: __ARCH_HAS_SWAPPED_SIGINFO.
 */
const struct cul_arch_core cul_mips_core = {
	.prstatus_size = 256,
	.prstatus_pid = 24,
	.prstatus_regs = 72 + 6 * 4,
	.prpsinfo_size = 128,
	.prpsinfo_pid = 16,
	.prpsinfo_name = 32,
	.prpsinfo_args = 48,
	.siginfo_fields = 12,
	.siginfo_code_second = true,
	.signals = signals,
	.n_signals = sizeof(signals) / sizeof(signals[0]),
};

const struct cul_arch_core cul_mips64_core = {
	.prstatus_size = 480,
	.prstatus_pid = 32,
	.prstatus_regs = 112,
	.prpsinfo_size = 136,
	.prpsinfo_pid = 24,
	.prpsinfo_name = 40,
	.prpsinfo_args = 56,
	.siginfo_fields = 16,
	.siginfo_code_second = true,
	.signals = signals,
	.n_signals = sizeof(signals) / sizeof(signals[0]),
};
