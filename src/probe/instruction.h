/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instruction at a site, and where it goes on: for func+off, and --after.
 */
#ifndef CUL_PROBE_INSTRUCTION_H
#define CUL_PROBE_INSTRUCTION_H

#include "arch/arch.h"
#include "expr/scope.h"
#include "sym/sites.h"

/* -ENODATA when its bytes cannot be read, -EILSEQ when they are none, or none begins there. */
int cul_instruction_at(struct cul_scope *scope, const struct cul_arch *arch,
	const struct cul_site *site, bool user, struct cul_insn *out, struct cul_error *err);

/* The length of an instruction that goes on behind itself; -ENOTSUP with the reason. */
int cul_instruction_next(const struct cul_site *site, const struct cul_insn *insn, unsigned *len,
	struct cul_error *err);

/*
 * Registers as expressions know them: a struct of the architecture's names, so that `regs->rax` is
 * the same everywhere. Must stay where it is while types of it are in use.
 */
struct cul_instruction_regs {
	struct cul_type type;
	struct cul_member members[CUL_MAX_REGS];
	const struct cul_type *pointer; /* to `type`; NULL: out of memory */
};

void cul_instruction_regs_init(
	struct cul_instruction_regs *regs, const struct cul_arch *arch, struct cul_ctypes *ctypes);

#endif
