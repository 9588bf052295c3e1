/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a function's instructions move its stack pointer and save its caller's
 * registers: from the entry along every path to a pc, or, where the entry is
 * not known, from the pc on to a return, or from the nearest code before it that
 * makes a frame. For architectures with a link register. An architecture says what each instruction
 * does in the few words below; what they do not cover is a register whose value is lost.
 *
 * Compilers keep the frame the same at an instruction, whichever way leads to
 * it, and calls return with what they were entered with: this is used and
 * cannot be seen, so that an answer is likely and not certain.
 */
#ifndef CUL_ARCH_FLOW_H
#define CUL_ARCH_FLOW_H

#include "arch/unwind.h"

enum { CUL_PATH_REGS = 34, CUL_PATH_EFFECTS = 20 };

enum cul_flow_kind {
	CUL_PATH_LOST,  /* dst: any value */
	CUL_PATH_ADD,   /* dst = a + imm */
	CUL_PATH_SET,   /* dst = imm */
	CUL_PATH_OR,    /* dst = a | imm, of constants */
	CUL_PATH_SUM,   /* dst = a + b */
	CUL_PATH_DIFF,  /* dst = a - b */
	CUL_PATH_STORE, /* a word at a + imm = dst */
	CUL_PATH_LOAD,  /* dst = the word at a + imm */
};

struct cul_flow_effect {
	uint8_t kind, dst, a, b;
	int64_t imm;
};

enum cul_flow_end {
	CUL_PATH_NEXT,     /* goes on behind it */
	CUL_PATH_BRANCH,   /* to `target` or on */
	CUL_PATH_JUMP,     /* to `target` */
	CUL_PATH_JUMP_REG, /* somewhere: a table, a tail call */
	CUL_PATH_TAIL,     /* by a register or memory, to another function for sure */
	CUL_PATH_CALL,     /* and on behind it */
	CUL_PATH_RETURN,   /* to what the link register holds */
	CUL_PATH_STOP,     /* nowhere */
};

struct cul_flow_insn {
	uint8_t len; /* 0: no instruction */
	uint8_t end;
	uint8_t n_effects;
	bool delay; /* the next instruction is executed before it takes effect */
	/* Executed only if `condition` holds (the architecture's code of it). */
	bool conditional;
	uint8_t condition;
	/* What earlier instructions say of this one (T32's ITSTATE); set to what it says of the
	 * next. */
	uint8_t it;
	uint64_t target;
	struct cul_flow_effect effects[CUL_PATH_EFFECTS]; /* in their order */
};

struct cul_flow_arch {
	uint8_t n_regs, sp, lr, ip;
	uint8_t zero;       /* a register that is always 0; CUL_NO_REG */
	uint8_t align;      /* of an instruction */
	uint64_t preserved; /* through calls; with the stack pointer */
	/* `*out` is all zero before, but for `it`. */
	void (*decode)(const uint8_t *bytes, size_t size, uint64_t pc, struct cul_flow_insn *out);
	/* NULL: no instruction is `conditional`. */
	bool (*holds)(unsigned condition, uint64_t flags);
};

/* As `analyse` of struct cul_arch_unwind. */
int cul_flow_analyse(const struct cul_flow_arch *arch, const struct cul_code *code,
	const struct cul_code_place *at, struct cul_rules *out);

static inline void cul_flow_effect(
	struct cul_flow_insn *insn, enum cul_flow_kind kind, unsigned dst, unsigned a, int64_t imm)
{
	if (insn->n_effects < CUL_PATH_EFFECTS)
		insn->effects[insn->n_effects++] =
			(struct cul_flow_effect){kind, (uint8_t)dst, (uint8_t)a, 0, imm};
}

#endif
