/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/core.h"

#include <string.h>

const char *const cul_signals[CUL_N_SIGNALS] = {
	[1] = "SIGHUP",
	"SIGINT",
	"SIGQUIT",
	"SIGILL",
	"SIGTRAP",
	"SIGABRT",
	"SIGBUS",
	"SIGFPE",
	"SIGKILL",
	"SIGUSR1",
	"SIGSEGV",
	"SIGUSR2",
	"SIGPIPE",
	"SIGALRM",
	"SIGTERM",
	"SIGSTKFLT",
	"SIGCHLD",
	"SIGCONT",
	"SIGSTOP",
	"SIGTSTP",
	"SIGTTIN",
	"SIGTTOU",
	"SIGURG",
	"SIGXCPU",
	"SIGXFSZ",
	"SIGVTALRM",
	"SIGPROF",
	"SIGWINCH",
	"SIGIO",
	"SIGPWR",
	"SIGSYS",
};

const char *cul_signal_name(const struct cul_arch *arch, int number)
{
	const struct cul_arch_core *core = arch->core;

	return core && number > 0 && (unsigned)number < core->n_signals ? core->signals[number]
									: NULL;
}

struct code {
	const char *signal;
	int code;
	const char *name;
};

/* include/uapi/asm-generic/siginfo.h */
static const struct code codes[] = {
	{"SIGILL", 1, "ILL_ILLOPC"},
	{"SIGILL", 2, "ILL_ILLOPN"},
	{"SIGILL", 3, "ILL_ILLADR"},
	{"SIGILL", 4, "ILL_ILLTRP"},
	{"SIGILL", 5, "ILL_PRVOPC"},
	{"SIGILL", 6, "ILL_PRVREG"},
	{"SIGILL", 7, "ILL_COPROC"},
	{"SIGILL", 8, "ILL_BADSTK"},
	{"SIGFPE", 1, "FPE_INTDIV"},
	{"SIGFPE", 2, "FPE_INTOVF"},
	{"SIGFPE", 3, "FPE_FLTDIV"},
	{"SIGFPE", 4, "FPE_FLTOVF"},
	{"SIGFPE", 5, "FPE_FLTUND"},
	{"SIGFPE", 6, "FPE_FLTRES"},
	{"SIGFPE", 7, "FPE_FLTINV"},
	{"SIGFPE", 8, "FPE_FLTSUB"},
	{"SIGSEGV", 1, "SEGV_MAPERR"},
	{"SIGSEGV", 2, "SEGV_ACCERR"},
	{"SIGSEGV", 3, "SEGV_BNDERR"},
	{"SIGSEGV", 4, "SEGV_PKUERR"},
	{"SIGSEGV", 8, "SEGV_MTEAERR"},
	{"SIGSEGV", 9, "SEGV_MTESERR"},
	{"SIGSEGV", 10, "SEGV_CPERR"},
	{"SIGBUS", 1, "BUS_ADRALN"},
	{"SIGBUS", 2, "BUS_ADRERR"},
	{"SIGBUS", 3, "BUS_OBJERR"},
	{"SIGBUS", 4, "BUS_MCEERR_AR"},
	{"SIGBUS", 5, "BUS_MCEERR_AO"},
	{"SIGTRAP", 1, "TRAP_BRKPT"},
	{"SIGTRAP", 2, "TRAP_TRACE"},
	{"SIGTRAP", 3, "TRAP_BRANCH"},
	{"SIGTRAP", 4, "TRAP_HWBKPT"},
	{"SIGTRAP", 6, "TRAP_PERF"},
	{"SIGSYS", 1, "SYS_SECCOMP"},
};

static const struct code sent[] = {
	{NULL, 0, "SI_USER"},
	{NULL, -1, "SI_QUEUE"},
	{NULL, -2, "SI_TIMER"},
	{NULL, -3, "SI_MESGQ"},
	{NULL, -4, "SI_ASYNCIO"},
	{NULL, -6, "SI_TKILL"},
	{NULL, 0x80, "SI_KERNEL"},
};

const char *cul_signal_code_name(const struct cul_arch *arch, int number, int code, bool *has_addr)
{
	const char *signal = cul_signal_name(arch, number);

	*has_addr = false;
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		if (sent[i].code == code)
			return sent[i].name;
	for (size_t i = 0; signal && i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code && strcmp(codes[i].signal, signal) == 0) {
			*has_addr = strcmp(signal, "SIGSYS") != 0;
			return codes[i].name;
		}
	return NULL;
}
