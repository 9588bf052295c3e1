/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a core file's notes look like on a processor, as data. Offsets are bytes into a note's
 * contents. Where they come from: struct elf_prstatus and elf_prpsinfo of include/linux/elfcore.h
 * (compat_elf_* of elfcore-compat.h are the same), elf_gregset_t of arch/NAME/include/asm/elf.h,
 * siginfo_t of include/uapi/asm-generic/siginfo.h; Linux 6.12.
 */
#ifndef CUL_ARCH_CORE_H
#define CUL_ARCH_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

struct cul_arch_core {
	/* NT_PRSTATUS. The registers stand in the order of struct cul_regs, a word each. */
	uint16_t prstatus_size, prstatus_pid, prstatus_regs;
	/* NT_PRPSINFO */
	uint16_t prpsinfo_size, prpsinfo_pid, prpsinfo_name, prpsinfo_args;
	/* NT_SIGINFO: si_addr or si_pid */
	uint8_t siginfo_fields;
	bool siginfo_code_second;   /* si_code stands before si_errno */
	const char *const *signals; /* names by number */
	unsigned n_signals;
};

enum {
	CUL_PRSTATUS_SIGNAL = 12, /* pr_cursig, 2 bytes, everywhere */
	CUL_PRPSINFO_NAME = 16,   /* bytes of pr_fname */
	CUL_PRPSINFO_ARGS = 80,   /* ELF_PRARGSZ, bytes of pr_psargs */
};

/* "SIGSEGV"; NULL: no signal has that number there. */
const char *cul_signal_name(const struct cul_arch *arch, int number);
/* "SEGV_MAPERR"; NULL: not known. `*has_addr`: siginfo has the address of a fault. */
const char *cul_signal_code_name(const struct cul_arch *arch, int number, int code, bool *has_addr);

/* The numbers of all architectures but MIPS: include/uapi/asm-generic/signal.h. */
enum { CUL_N_SIGNALS = 32 };
extern const char *const cul_signals[CUL_N_SIGNALS];

extern const struct cul_arch_core cul_x86_core, cul_arm64_core, cul_arm_core;
extern const struct cul_arch_core cul_mips_core, cul_mips64_core;

#endif
