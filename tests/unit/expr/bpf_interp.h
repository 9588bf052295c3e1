/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the instructions that the expression compiler emits, as an oracle for
 * tests. It also keeps the verifier's rules that matter to a compiler: nothing
 * is read that was not written, jumps go forward, calls clobber R1-R5.
 */
#ifndef TEST_EXPR_BPF_INTERP_H
#define TEST_EXPR_BPF_INTERP_H

#include "expr/bpf.h"
#include "mem/mem.h"

struct bpf_interp {
	struct cul_mem *mem; /* for the probe_read helpers */
	const void *inputs;  /* readable through `inputs_reg`, which points to them */
	size_t inputs_size;
	uint8_t inputs_reg;
	int16_t stack_free;       /* the program may use the stack below only */
	struct cul_mem *user_mem; /* for the helpers of user memory; NULL: `mem` */
	const void *constants;    /* what BPF_PSEUDO_MAP_VALUE names; NULL: there is none */
	size_t constants_size;
	int16_t fault_offset; /* where among the inputs the program may write; 0: nowhere */
	uint64_t fault;       /* out: what it wrote */
	const char *broken;   /* out: what rule the program broke, NULL when none */
	size_t at;            /* out: the instruction that broke it */
};

/* Runs `code` to its end; R0. Check `broken`. */
uint64_t bpf_interp_run(struct bpf_interp *vm, const struct cul_bpf_code *code);

#endif
