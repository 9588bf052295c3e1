/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What compile.c (operators), compile_mem.c (memory, strings, inputs) and
 * asm.c (single instructions) share while an expression becomes BPF.
 * Internal to src/expr.
 *
 * A value is computed into R0; R1 is the right operand, R2 and R3 scratch. What has
 * to survive the computation of another value lies in a slot of the stack.
 */
#ifndef CUL_EXPR_COMPILE_H
#define CUL_EXPR_COMPILE_H

#include "base/vec.h"
#include "expr/bpf.h"
#include "expr/tree.h"

enum { CUL_BPF_STACK = 512, CUL_BPF_SLOT = 8 };

/* Indices of jumps that wait for their target. */
struct cul_jumps {
	size_t *data;
	size_t len, cap;
};

struct cul_compile {
	const struct cul_expr *e;
	const struct cul_bpf_layout *layout;
	struct cul_bpf_code *code;
	struct cul_error *err;          /* may be NULL */
	int stack;                      /* offset from R10 of the lowest byte in use */
	int lowest;                     /* that it may have */
	bool too_far;                   /* a jump does not reach its target */
	struct cul_jumps faults, zeros; /* to where the whole expression is 0: why */
};

/* asm.c */
void cul_asm_alu(struct cul_compile *c, uint8_t op, uint8_t dst, uint8_t src); /* 64 bit */
void cul_asm_alu_imm(struct cul_compile *c, uint8_t op, uint8_t dst, int32_t imm);
void cul_asm_imm(struct cul_compile *c, uint8_t dst, uint64_t value);
void cul_asm_load(struct cul_compile *c, unsigned size, uint8_t dst, uint8_t src, int off);
/* Of 1 to 8 bytes at any place, by aligned accesses. Clobbers R2, which is neither. */
void cul_asm_load_pieces(struct cul_compile *c, unsigned size, uint8_t dst, uint8_t src, int off);
void cul_asm_store(struct cul_compile *c, uint8_t dst, int off, uint8_t src);     /* 8 bytes */
void cul_asm_store_imm(struct cul_compile *c, uint8_t dst, int off, int32_t imm); /* 8 bytes */
void cul_asm_call(struct cul_compile *c, int helper);
/* Cuts `reg` to `bits` bits, sign- or zero-extended: cul_arith_extend. */
void cul_asm_extend(struct cul_compile *c, uint8_t reg, unsigned bits, bool is_signed);
/* Jumps, conditional or (BPF_JA) not, to where cul_asm_land will be called with the result. */
size_t cul_asm_jump(struct cul_compile *c, uint8_t op, uint8_t dst, uint8_t src);
size_t cul_asm_jump_imm(struct cul_compile *c, uint8_t op, uint8_t dst, int32_t imm);
size_t cul_asm_jump32(struct cul_compile *c, uint8_t op, uint8_t dst, int32_t imm);
void cul_asm_land(struct cul_compile *c, size_t jump);
/* The same for a set of jumps. cul_asm_land_all frees it. */
void cul_asm_wait(struct cul_compile *c, struct cul_jumps *jumps, size_t jump);
void cul_asm_land_all(struct cul_compile *c, struct cul_jumps *jumps);

/* compile.c */
int cul_compile_value(struct cul_compile *c, const struct cul_node *n); /* into R0 */
/* `size` bytes of stack, 8-aligned, until c->stack is set back. */
int cul_compile_stack(struct cul_compile *c, const struct cul_node *n, size_t size, int *off);

/* compile_mem.c: each into R0 */
int cul_compile_address(struct cul_compile *c, const struct cul_node *n);
int cul_compile_load(struct cul_compile *c, const struct cul_node *n);
int cul_compile_input(
	struct cul_compile *c, const struct cul_node *n, uint8_t reg); /* into `reg` */
/* An input of four bytes as it lies there, not extended; false: it is none, nothing was done. */
bool cul_compile_word(struct cul_compile *c, const struct cul_node *n);
int cul_compile_match(struct cul_compile *c, const struct cul_node *n);

#endif
