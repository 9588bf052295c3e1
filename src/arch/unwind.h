/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What unwinding needs to know of a processor, and the one form in which every
 * method says how to get from a frame to its caller: CFI, EXIDX, signal frames
 * and the analysis of code all make a `struct cul_rules`, which unwind/ applies
 * to registers and memory. Data and pure functions, as in arch/arch.h.
 */
#ifndef CUL_ARCH_UNWIND_H
#define CUL_ARCH_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

enum { CUL_NO_REG = 0xff, CUL_SIGNAL_CODE_MAX = 16, CUL_EXIT_CODE_MAX = 8 };

enum cul_rule_kind {
	CUL_RULE_SAME,     /* the caller's value is this frame's */
	CUL_RULE_UNKNOWN,  /* lost; of the pc: there is no caller */
	CUL_RULE_AT,       /* in memory at CFA + off */
	CUL_RULE_CFA,      /* CFA + off */
	CUL_RULE_REG,      /* register `reg` + off */
	CUL_RULE_AT_EXPR,  /* in memory where the expression says */
	CUL_RULE_VAL_EXPR, /* what the expression says */
};

struct cul_rule {
	uint8_t kind;
	uint8_t reg;
	uint16_t n_ops;
	union {
		int64_t off;
		const void *ops; /* n_ops Dwarf_Ops, owned by the file they came from */
	};
};

/*
 * From a frame to its caller. All zero is nearly right: everything is the same; the maker sets
 * `cfa` and the rule of the pc. The stack pointer of the caller is the CFA unless it has a rule
 * other than CUL_RULE_SAME and CUL_RULE_UNKNOWN.
 */
struct cul_rules {
	struct cul_rule cfa; /* CUL_RULE_REG, CUL_RULE_VAL_EXPR; CUL_RULE_UNKNOWN: there is none */
	struct cul_rule reg[CUL_MAX_REGS];
	bool signal; /* the caller was interrupted: its pc is not a return address */
};

static inline void cul_rules_at(struct cul_rules *rules, unsigned reg, int64_t off)
{
	rules->reg[reg] = (struct cul_rule){.kind = CUL_RULE_AT, .off = off};
}

static inline void cul_rules_is_reg(struct cul_rules *rules, unsigned reg, unsigned from)
{
	rules->reg[reg] = (struct cul_rule){.kind = CUL_RULE_REG, .reg = (uint8_t)from};
}

static inline void cul_rules_cfa(struct cul_rules *rules, unsigned reg, int64_t off)
{
	rules->cfa = (struct cul_rule){.kind = CUL_RULE_REG, .reg = (uint8_t)reg, .off = off};
}

/* A register that a signal frame holds, at this offset from the stack pointer of its trampoline. */
struct cul_signal_reg {
	uint8_t reg;
	uint16_t off;
};

/* The code that a signal handler returns to, and the registers that lie on the stack then. */
struct cul_signal_frame {
	uint8_t code[CUL_SIGNAL_CODE_MAX];
	uint8_t len;
	uint8_t pc[2]; /* where in it the pc may be */
	const struct cul_signal_reg *regs;
	unsigned n_regs;
	/* A word of 32 bits that the kernel puts there: one of those that are not 0. */
	uint16_t mark_at; /* from the stack pointer of the trampoline */
	uint32_t marks[3];
};

/*
 * What ends a thread when the function that it began with has returned: the system call exit, by
 * its number, in the code of clone(). C libraries have no unwind tables that say so on all
 * processors.
 */
struct cul_exit_code {
	uint8_t code[CUL_EXIT_CODE_MAX];
	uint8_t len;
};

/* What a frame pointer points at. Offsets from its value. */
struct cul_fp_layout {
	uint8_t reg; /* the frame pointer */
	int8_t fp_off, ra_off;
	int8_t sp_off; /* the caller's stack pointer is fp + sp_off; for some layouts a lower bound
			*/
};

/* Where in its code a frame is. */
struct cul_code_place {
	uint64_t pc;
	uint64_t flags; /* of reg_flags what flags_used says */
	bool exact;     /* pc is where it stopped, not a return address */
	uint64_t lr;    /* then: the address that the link register holds; 0: unknown */
};

enum { CUL_CODE_MOST = 65536 }; /* bytes that are analysed */

struct cul_arch_unwind {
	/* DWARF register numbers: dwarf_regs[number] is the index in struct cul_regs or CUL_NO_REG.
	 */
	const uint8_t *dwarf_regs;
	unsigned n_dwarf_regs;
	uint8_t reg_fp;
	uint8_t reg_lr; /* CUL_NO_REG: calls push the return address */
	uint8_t stack_align;
	uint8_t insn_align; /* of the address of an instruction */
	uint64_t preserved; /* bits of registers that a call keeps (1 << index) */
	uint64_t pc_clear;  /* bits of a return address that are no address: mode, signature */
	const struct cul_fp_layout *fp_layouts; /* in the order to be tried */
	unsigned n_fp_layouts;
	const struct cul_signal_frame *signals;
	unsigned n_signals;
	const struct cul_exit_code *exits;
	unsigned n_exits;
	bool has_exidx; /* files have ARM's tables (arch/arm/exidx.h) */
	/*
	 * Whether a return address, with its pc_mode, can be behind these bytes, which are the
	 * `size` before it: they end with a call. `target` (NULL allowed) is where a direct call
	 * goes, 0 for an indirect one. The most bytes it wants: call_bytes.
	 */
	bool (*after_call)(const uint8_t *bytes, size_t size, uint64_t ra, uint64_t *target);
	unsigned call_bytes;
	/*
	 * The rules at `at` from the code of its function alone. `code` has the bytes around it;
	 * with from_entry it begins at the function's first instruction. -ENOENT: the code does not
	 * tell, or is more than CUL_CODE_MOST. -ENODATA: by then a call has overwritten the return
	 * address, which was kept nowhere; `out` has the other rules. NULL: not for this
	 * architecture.
	 */
	int (*analyse)(const struct cul_code *code, const struct cul_code_place *at,
		struct cul_rules *out);
	uint64_t flags_used; /* of reg_flags, by analyse */
	/*
	 * Two instruction sets (ARM, Thumb): the bit of a return address that says which, and that
	 * of reg_flags which says the same of the code that runs. 0: there is one.
	 */
	uint64_t pc_mode, flags_mode;
};

#endif
