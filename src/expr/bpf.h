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
	int stack;  /* bytes below R10 that the compiled expressions use */
};

void cul_bpf_emit(struct cul_bpf_code *code, struct bpf_insn insn);
void cul_bpf_code_free(struct cul_bpf_code *code);

/* Where input number i lies when the program runs, relative to the register `inputs_reg`. */
struct cul_bpf_input {
	int16_t offset; /* bytes from the inputs register */
	uint8_t size;   /* 1, 2, 4, 8: width in memory; the type says how it is extended */
	uint16_t bytes; /* not 0: `size` is ignored; a char array or struct of this many bytes */
};

/* Which memory a dereference reads. */
enum cul_bpf_memory {
	CUL_BPF_KERNEL,
	CUL_BPF_USER,
	CUL_BPF_EITHER, /* the kernel's, and where that fails the user's: a pointer may be __user */
};

/* Why an expression has no value. */
enum cul_bpf_fault {
	CUL_BPF_FAULT_NONE,
	CUL_BPF_FAULT_MEMORY,   /* a dereference failed */
	CUL_BPF_FAULT_DIVISION, /* by zero */
};

struct cul_bpf_layout {
	const struct cul_bpf_input *inputs;
	size_t n_inputs;
	/*
	 * R6..R10: points to the inputs; preserved by the code. R1 and R5 are for code without
	 * calls, which leaves R5 alone; whether it left R1, its instructions tell.
	 */
	uint8_t inputs_reg;
	int16_t stack_free;   /* the stack is free below this offset from R10: 0, or negative */
	uint16_t stack_limit; /* bytes below stack_free that may be used; 0: down to -512 */
	/*
	 * Not 0: where, from the inputs register, the code stores an enum cul_bpf_fault as a u64
	 * when there is no value. It stores nothing else: the caller clears it before.
	 */
	int16_t fault_offset;
	enum cul_bpf_memory memory;
};

/*
 * Compiles `e`. Clobbers R0-R5 and stack below `stack_free`; keeps R6-R9. A dereference that faults
 * or a division by zero makes the whole expression 0 (false), as in the evaluator's -EFAULT and
 * -EDOM. Refuses what BPF cannot do (floats, too deep a tree) with the place in `err`.
 */
int cul_expr_compile(const struct cul_expr *e, const struct cul_bpf_layout *layout,
	struct cul_bpf_code *code, struct cul_error *err);
/* The same for the address of an lvalue (no bit field), whose type need not have a value. */
int cul_expr_compile_address(const struct cul_expr *e, const struct cul_bpf_layout *layout,
	struct cul_bpf_code *code, struct cul_error *err);
/*
 * The same for some of the parts of a condition (cul_expr_parts), bit i for part i: 1 when all of
 * these are true, or there are none, else 0.
 */
int cul_expr_compile_parts(const struct cul_expr *e, uint64_t parts,
	const struct cul_bpf_layout *layout, struct cul_bpf_code *code, struct cul_error *err);
/*
 * The same, of one part at least, as a branch: when all are true, what stands behind the code is
 * performed, else what the caller puts at `*no`, where there is room for so many instructions,
 * which do not come back. No fault is told.
 */
int cul_expr_compile_branch(const struct cul_expr *e, uint64_t parts,
	const struct cul_bpf_layout *layout, size_t room, size_t *no, struct cul_bpf_code *code,
	struct cul_error *err);

#endif
