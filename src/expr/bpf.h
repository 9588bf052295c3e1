/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An expression as BPF instructions.
 *
 * The compiler emits straight-line code with forward jumps only, which leaves
 * the value of the expression in R0. It is the caller who wraps it into a
 * program. No LLVM, no text: the instructions are made here.
 */
#ifndef CUL_EXPR_BPF_H
#define CUL_EXPR_BPF_H

#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>

#include "base/error.h"
#include "expr/expr.h"

struct cul_bpf_code {
	struct bpf_insn *insns; /* owned; free with cul_bpf_code_free */
	size_t len, cap;
	int failed; /* -ENOMEM once an emit failed; later emits do nothing */
};

void cul_bpf_emit(struct cul_bpf_code *code, struct bpf_insn insn);
void cul_bpf_code_free(struct cul_bpf_code *code);

/* Where input number i lies when the program runs, relative to the register `inputs_reg`. */
struct cul_bpf_input {
	int16_t offset;     /* bytes from the inputs register */
	uint8_t size;       /* 1, 2, 4, 8: width in memory; the type says how it is extended */
	uint16_t is_string; /* not 0: `size` is ignored, a char array of this many bytes (comm) */
};

struct cul_bpf_layout {
	const struct cul_bpf_input *inputs;
	size_t n_inputs;
	uint8_t inputs_reg; /* R6..R9: points to the inputs; preserved by the code */
	int16_t stack_free; /* the stack is free below this offset from R10: 0, or negative */
	bool user_memory;   /* dereferences read user memory instead of kernel memory */
};

/*
 * Compiles `e`. Clobbers R0-R5 and stack below `stack_free` (to -512); keeps R6-R9. A dereference
 * that faults makes the whole expression 0 (false), as in the evaluator's -EFAULT. Refuses what
 * BPF cannot do (floats, too deep a tree) with the place in `err`.
 */
int cul_expr_compile(const struct cul_expr *e, const struct cul_bpf_layout *layout,
	struct cul_bpf_code *code, struct cul_error *err);

#endif
