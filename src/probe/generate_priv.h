/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files behind probe/generate.h share; nobody else includes this. generate.c leads;
 * generate_gate.c has what is asked before anything is kept, generate_copy.c the arguments of
 * inlined copies and system calls.
 */
#ifndef CUL_PROBE_GENERATE_PRIV_H
#define CUL_PROBE_GENERATE_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "probe/generate.h"

/* Inputs by number: first the parameters, then these. */
enum {
	IN_RET = CUL_SIGNATURE_MOST,
	IN_DUR,
	IN_CPU,
	IN_PID,
	IN_TID,
	IN_CALLER,
	IN_COMM,
	INPUTS,
	STACK_LIMIT = 320, /* of 512, which the function shares with its caller */
};

#define INPUT(field) (int16_t) offsetof(struct cul_probe_inputs, field)

struct generating {
	const struct cul_probe_options *options;
	const struct cul_plan *plan;
	const struct cul_expr_env *scope;
	bool user, returns;
	struct cul_expr_env env;
	struct cul_bpf_input at[INPUTS];
	struct cul_bpf_layout layout;
	unsigned next; /* free among CUL_PROBE_VALUES */
	struct cul_generated *out;
};

static inline void emit(
	struct cul_bpf_code *code, uint8_t op, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	cul_bpf_emit(
		code, (struct bpf_insn){
			      .code = op, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm});
}

/* The arguments that a gate can ask for, as bits. */
uint64_t cul_generate_gate_inputs(const struct cul_plan *plan);
/* Those `parts` of the condition, of such arguments alone. */
int cul_generate_gate(
	struct generating *g, const struct cul_expr *e, uint64_t parts, struct cul_error *err);

/* Of an inlined copy: puts its arguments where those of a function would be. */
void cul_generate_copy_words(struct generating *g, struct cul_bpf_code *code);
/* Of a system call: the same; the word that was there is that of `regs`. */
void cul_generate_syscall_words(struct generating *g, struct cul_bpf_code *code);

#endif
