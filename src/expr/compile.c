/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "expr/compile.h"

int cul_compile_stack(struct cul_compile *c, const struct cul_node *n, size_t size, int *off)
{
	size_t rounded = (size + CUL_BPF_SLOT - 1) & ~(size_t)(CUL_BPF_SLOT - 1);

	if (rounded > (size_t)(c->stack - c->lowest))
		return cul_caret_fail(c->e, n, c->err, -E2BIG,
			"too large for the stack of a filter in the kernel (%d bytes)",
			c->layout->stack_limit ? c->layout->stack_limit : CUL_BPF_STACK);
	c->stack -= (int)rounded;
	if (c->code->stack < -c->stack)
		c->code->stack = -c->stack;
	*off = c->stack;
	return 0;
}

/* Values that need no other register than their own. */
static bool is_leaf(const struct cul_node *n)
{
	return n->op == CUL_OP_CONST || n->op == CUL_OP_INPUT || n->op == CUL_OP_PART;
}

static int leaf(struct cul_compile *c, const struct cul_node *n, uint8_t reg)
{
	if (n->op != CUL_OP_CONST)
		return cul_compile_input(c, n, reg);
	cul_asm_imm(c, reg, n->value);
	return 0;
}

/* `a` into R0, `b` into R1. */
static int operands(struct cul_compile *c, const struct cul_node *a, const struct cul_node *b)
{
	int stack = c->stack, off = 0;
	int r = cul_compile_value(c, a);

	if (r)
		return r;
	if (is_leaf(b))
		return leaf(c, b, BPF_REG_1);
	r = cul_compile_stack(c, a, CUL_BPF_SLOT, &off);
	if (r)
		return r;
	cul_asm_store(c, BPF_REG_10, off, BPF_REG_0);
	r = cul_compile_value(c, b);
	if (r)
		return r;
	cul_asm_alu(c, BPF_MOV, BPF_REG_1, BPF_REG_0);
	cul_asm_load(c, 8, BPF_REG_0, BPF_REG_10, off);
	c->stack = stack;
	return 0;
}

/* R0 becomes 1 or 0: whether R0 `jump` R1. */
static void truth(struct cul_compile *c, uint8_t jump)
{
	size_t yes;

	cul_asm_imm(c, BPF_REG_2, 1);
	yes = cul_asm_jump(c, jump, BPF_REG_0, BPF_REG_1);
	cul_asm_imm(c, BPF_REG_2, 0);
	cul_asm_land(c, yes);
	cul_asm_alu(c, BPF_MOV, BPF_REG_0, BPF_REG_2);
}

/* R0 becomes 1 or 0: whether it is (BPF_JEQ) or is not (BPF_JNE) zero. */
static void truth_zero(struct cul_compile *c, uint8_t jump)
{
	cul_asm_imm(c, BPF_REG_1, 0);
	truth(c, jump);
}

/* Negates `reg` when `sign` is -1 and not when it is 0. */
static void negate_if(struct cul_compile *c, uint8_t reg, uint8_t sign)
{
	cul_asm_alu(c, BPF_XOR, reg, sign);
	cul_asm_alu(c, BPF_SUB, reg, sign);
}

/* Makes `reg` its absolute value; the least number stays, which is right as an unsigned one. */
static void absolute(struct cul_compile *c, uint8_t reg)
{
	cul_asm_alu(c, BPF_MOV, BPF_REG_3, reg);
	cul_asm_alu_imm(c, BPF_ARSH, BPF_REG_3, 63);
	negate_if(c, reg, BPF_REG_3);
}

/*
 * BPF divides unsigned numbers only (signed ones since v6.6): work on magnitudes, then the sign.
 * Without jumps: the verifier would follow each, and what comes after it, twice.
 */
static void divide(struct cul_compile *c, bool is_signed, bool remainder)
{
	uint8_t op = remainder ? BPF_MOD : BPF_DIV;

	if (!is_signed) {
		cul_asm_alu(c, op, BPF_REG_0, BPF_REG_1);
		return;
	}
	cul_asm_alu(c, BPF_MOV, BPF_REG_2, BPF_REG_0);
	if (!remainder)
		cul_asm_alu(c, BPF_XOR, BPF_REG_2, BPF_REG_1);
	cul_asm_alu_imm(c, BPF_ARSH, BPF_REG_2, 63);
	absolute(c, BPF_REG_0);
	absolute(c, BPF_REG_1);
	cul_asm_alu(c, op, BPF_REG_0, BPF_REG_1);
	negate_if(c, BPF_REG_0, BPF_REG_2);
}

static enum cul_op opposite(enum cul_op op)
{
	switch (op) {
	case CUL_OP_LT:
		return CUL_OP_GE;
	case CUL_OP_LE:
		return CUL_OP_GT;
	case CUL_OP_GT:
		return CUL_OP_LE;
	case CUL_OP_GE:
		return CUL_OP_LT;
	case CUL_OP_EQ:
		return CUL_OP_NE;
	default:
		return CUL_OP_EQ;
	}
}

static uint8_t comparison(enum cul_op op, bool is_signed)
{
	switch (op) {
	case CUL_OP_LT:
		return is_signed ? BPF_JSLT : BPF_JLT;
	case CUL_OP_LE:
		return is_signed ? BPF_JSLE : BPF_JLE;
	case CUL_OP_GT:
		return is_signed ? BPF_JSGT : BPF_JGT;
	case CUL_OP_GE:
		return is_signed ? BPF_JSGE : BPF_JGE;
	case CUL_OP_EQ:
		return BPF_JEQ;
	default:
		return BPF_JNE;
	}
}

static void pointer_operator(struct cul_compile *c, const struct cul_node *n)
{
	if (n->op == CUL_OP_PTRADD) {
		cul_asm_alu_imm(c, BPF_MUL, BPF_REG_1, (int32_t)n->value);
		cul_asm_alu(c, BPF_ADD, BPF_REG_0, BPF_REG_1);
		return;
	}
	cul_asm_alu(c, BPF_SUB, BPF_REG_0, BPF_REG_1);
	cul_asm_extend(c, BPF_REG_0, (unsigned)n->type->size * 8, true);
	if (n->value == 1)
		return;
	cul_asm_imm(c, BPF_REG_1, n->value);
	divide(c, true, false);
}

static void arithmetic(struct cul_compile *c, const struct cul_node *n)
{
	static const uint8_t plain[] = {
		[CUL_OP_MUL] = BPF_MUL,
		[CUL_OP_ADD] = BPF_ADD,
		[CUL_OP_SUB] = BPF_SUB,
		[CUL_OP_AND] = BPF_AND,
		[CUL_OP_XOR] = BPF_XOR,
		[CUL_OP_OR] = BPF_OR,
	};
	bool is_signed = n->type->is_signed;

	switch (n->op) {
	case CUL_OP_DIV:
	case CUL_OP_MOD:
		cul_asm_wait(c, &c->zeros, cul_asm_jump_imm(c, BPF_JEQ, BPF_REG_1, 0));
		divide(c, is_signed, n->op == CUL_OP_MOD);
		break;
	case CUL_OP_SHL:
	case CUL_OP_SHR:
		cul_asm_alu_imm(c, BPF_AND, BPF_REG_1, (int32_t)n->type->size * 8 - 1);
		cul_asm_alu(c,
			n->op == CUL_OP_SHL ? BPF_LSH
			: is_signed         ? BPF_ARSH
					    : BPF_RSH,
			BPF_REG_0, BPF_REG_1);
		break;
	case CUL_OP_PTRADD:
	case CUL_OP_PTRDIFF:
		pointer_operator(c, n);
		break;
	default:
		cul_asm_alu(c, plain[n->op], BPF_REG_0, BPF_REG_1);
		break;
	}
	/* These leave extended operands extended. */
	if (n->op != CUL_OP_AND && n->op != CUL_OP_XOR && n->op != CUL_OP_OR && n->op != CUL_OP_SHR)
		cul_asm_extend(c, BPF_REG_0, (unsigned)n->type->size * 8, is_signed);
}

static bool is_comparison(const struct cul_node *n)
{
	return n->op >= CUL_OP_LT && n->op <= CUL_OP_NE;
}

static int binary(struct cul_compile *c, const struct cul_node *n)
{
	int r = operands(c, n->a, n->b);

	if (r)
		return r;
	if (is_comparison(n))
		truth(c, comparison(n->op, n->a->type->is_signed));
	else
		arithmetic(c, n);
	return 0;
}

static int unary(struct cul_compile *c, const struct cul_node *n)
{
	int r = cul_compile_value(c, n->a);

	if (r)
		return r;
	if (n->op == CUL_OP_LNOT) {
		truth_zero(c, BPF_JEQ);
		return 0;
	}
	if (n->op == CUL_OP_CAST && n->type->kind == CUL_KIND_BOOL) {
		truth_zero(c, BPF_JNE);
		return 0;
	}
	if (n->op == CUL_OP_NEG)
		cul_asm_alu_imm(c, BPF_NEG, BPF_REG_0, 0);
	else if (n->op == CUL_OP_NOT)
		cul_asm_alu_imm(c, BPF_XOR, BPF_REG_0, -1);
	cul_asm_extend(c, BPF_REG_0, (unsigned)n->type->size * 8,
		n->type->is_signed && n->type->kind != CUL_KIND_PTR);
	return 0;
}

/* a && b, a || b: R0 becomes 1 or 0, and b is skipped when a decides. */
static int logical(struct cul_compile *c, const struct cul_node *n)
{
	bool is_or = n->op == CUL_OP_LOR;
	size_t decided, end;
	int r = cul_compile_value(c, n->a);

	if (r)
		return r;
	decided = cul_asm_jump_imm(c, is_or ? BPF_JNE : BPF_JEQ, BPF_REG_0, 0);
	r = cul_compile_value(c, n->b);
	if (r)
		return r;
	end = cul_asm_jump_imm(c, BPF_JEQ, BPF_REG_0, 0);
	if (is_or)
		cul_asm_land(c, decided);
	cul_asm_imm(c, BPF_REG_0, 1);
	cul_asm_land(c, end);
	if (!is_or)
		cul_asm_land(c, decided);
	return 0;
}

static int choice(struct cul_compile *c, const struct cul_node *n)
{
	size_t no, end;
	int r = cul_compile_value(c, n->a);

	if (r)
		return r;
	no = cul_asm_jump_imm(c, BPF_JEQ, BPF_REG_0, 0);
	r = cul_compile_value(c, n->b);
	if (r)
		return r;
	end = cul_asm_jump_imm(c, BPF_JA, 0, 0);
	cul_asm_land(c, no);
	r = cul_compile_value(c, n->c);
	cul_asm_land(c, end);
	return r;
}

int cul_compile_value(struct cul_compile *c, const struct cul_node *n)
{
	switch (n->op) {
	case CUL_OP_CONST:
	case CUL_OP_INPUT:
	case CUL_OP_PART:
		return leaf(c, n, BPF_REG_0);
	case CUL_OP_LOAD:
		return cul_compile_load(c, n);
	case CUL_OP_ADDR:
		return cul_compile_address(c, n->a);
	case CUL_OP_STREQ:
	case CUL_OP_STRNE:
	case CUL_OP_MATCH:
		return cul_compile_match(c, n);
	case CUL_OP_CAST:
	case CUL_OP_NEG:
	case CUL_OP_NOT:
	case CUL_OP_LNOT:
		return unary(c, n);
	case CUL_OP_LAND:
	case CUL_OP_LOR:
		return logical(c, n);
	case CUL_OP_COND:
		return choice(c, n);
	default:
		return binary(c, n);
	}
}

/* Where a failure of one kind ends. Without any there must be no such code. */
static void finish_kind(struct cul_compile *c, struct cul_jumps *jumps, enum cul_bpf_fault fault)
{
	size_t end;

	if (!jumps->len)
		return;
	end = cul_asm_jump_imm(c, BPF_JA, 0, 0);
	cul_asm_land_all(c, jumps);
	if (c->layout->fault_offset)
		cul_asm_store_imm(c, c->layout->inputs_reg, c->layout->fault_offset, fault);
	cul_asm_imm(c, BPF_REG_0, 0);
	cul_asm_land(c, end);
}

static struct cul_compile start(const struct cul_expr *e, const struct cul_bpf_layout *layout,
	struct cul_bpf_code *code, struct cul_error *err)
{
	struct cul_compile c = {.e = e, .layout = layout, .code = code, .err = err};

	c.stack = layout->stack_free & ~(CUL_BPF_SLOT - 1);
	c.lowest = -CUL_BPF_STACK;
	if (layout->stack_limit && layout->stack_free - layout->stack_limit > c.lowest)
		c.lowest = layout->stack_free - layout->stack_limit;
	if (c.lowest > c.stack)
		c.lowest = c.stack;
	return c;
}

/* `r` is what compiling has returned; code from `from` on goes away when it fails. */
static int finish(struct cul_compile *c, int r, size_t from)
{
	if (!r) {
		finish_kind(c, &c->faults, CUL_BPF_FAULT_MEMORY);
		finish_kind(c, &c->zeros, CUL_BPF_FAULT_DIVISION);
	}
	free(c->faults.data);
	free(c->zeros.data);
	if (c->code->failed)
		r = cul_fail(c->err, c->code->failed, "out of memory");
	else if (!r && c->too_far)
		r = cul_caret_fail(c->e, c->e->root, c->err, -E2BIG,
			"the expression is too large for a filter in the kernel");
	if (r)
		c->code->len = from;
	return r;
}

int cul_expr_compile(const struct cul_expr *e, const struct cul_bpf_layout *layout,
	struct cul_bpf_code *code, struct cul_error *err)
{
	struct cul_compile c = start(e, layout, code, err);
	size_t from = code->len;

	if (!e->value)
		return cul_caret_no_value(e, err);
	return finish(&c, cul_compile_value(&c, e->value), from);
}

int cul_expr_compile_address(const struct cul_expr *e, const struct cul_bpf_layout *layout,
	struct cul_bpf_code *code, struct cul_error *err)
{
	struct cul_compile c = start(e, layout, code, err);
	size_t from = code->len;

	if (!cul_node_is_lvalue(e->root) || e->root->bit_size)
		return cul_caret_fail(e, e->root, err, -EINVAL, "this value has no address");
	return finish(&c, cul_compile_address(&c, e->root), from);
}

static bool is_word(const struct cul_type *t)
{
	return t->size == 4 && (t->kind == CUL_KIND_INT || t->kind == CUL_KIND_ENUM);
}

/* Of a comparison with a number: whether 32 bits are compared, which then are in R0. */
static bool load_word(struct cul_compile *c, const struct cul_node *n)
{
	const struct cul_node *a = n->a;

	/* The same bits as another type. */
	while (a->op == CUL_OP_CAST && is_word(a->type) && is_word(a->a->type))
		a = a->a;
	return n->b->op == CUL_OP_CONST && a->op == CUL_OP_INPUT && is_word(a->type) &&
	       cul_compile_word(c, a);
}

/* Jumps to one of `to` when `n` is as true as `on`. */
static int branch(struct cul_compile *c, const struct cul_node *n, bool on, struct cul_jumps *to)
{
	uint8_t jump;
	int r;

	if (!is_comparison(n)) {
		jump = on ? BPF_JNE : BPF_JEQ;
		r = cul_compile_value(c, n);
		if (!r)
			cul_asm_wait(c, to, cul_asm_jump_imm(c, jump, BPF_REG_0, 0));
		return r;
	}
	jump = comparison(on ? n->op : opposite(n->op), n->a->type->is_signed);
	if (load_word(c, n)) {
		cul_asm_wait(c, to, cul_asm_jump32(c, jump, BPF_REG_0, (int32_t)n->b->value));
		return 0;
	}
	if (n->b->op == CUL_OP_CONST && (int64_t)n->b->value == (int32_t)n->b->value) {
		r = cul_compile_value(c, n->a);
		if (!r)
			cul_asm_wait(
				c, to, cul_asm_jump_imm(c, jump, BPF_REG_0, (int32_t)n->b->value));
		return r;
	}
	r = operands(c, n->a, n->b);
	if (!r)
		cul_asm_wait(c, to, cul_asm_jump(c, jump, BPF_REG_0, BPF_REG_1));
	return r;
}

int cul_expr_compile_parts(const struct cul_expr *e, uint64_t set,
	const struct cul_bpf_layout *layout, struct cul_bpf_code *code, struct cul_error *err)
{
	const struct cul_node *parts[CUL_EXPR_MAX_PARTS];
	struct cul_compile c = start(e, layout, code, err);
	struct cul_jumps no = {0};
	size_t from = code->len, end;
	unsigned n;
	int r = 0;

	if (!e->value)
		return cul_caret_no_value(e, err);
	n = cul_expr_split(e->value, parts);
	for (unsigned i = 0; i < n && !r; i++)
		if (set >> i & 1)
			r = branch(&c, parts[i], false, &no);
	cul_asm_imm(&c, BPF_REG_0, 1);
	if (no.len) {
		end = cul_asm_jump_imm(&c, BPF_JA, 0, 0);
		cul_asm_land_all(&c, &no);
		cul_asm_imm(&c, BPF_REG_0, 0);
		cul_asm_land(&c, end);
	}
	return finish(&c, r, from);
}

int cul_expr_compile_branch(const struct cul_expr *e, uint64_t set,
	const struct cul_bpf_layout *layout, size_t room, size_t *no, struct cul_bpf_code *code,
	struct cul_error *err)
{
	const struct cul_node *parts[CUL_EXPR_MAX_PARTS];
	struct cul_compile c = start(e, layout, code, err);
	struct cul_jumps differ = {0}, yes = {0};
	size_t from = code->len;
	unsigned n;
	int r = 0;

	if (!e->value)
		return cul_caret_no_value(e, err);
	n = cul_expr_split(e->value, parts);
	if (n < CUL_EXPR_MAX_PARTS)
		set &= (1ull << n) - 1;
	for (unsigned i = 0; i < n && !r; i++) {
		bool last = !(set >> i >> 1);

		if (set >> i & 1)
			r = branch(&c, parts[i], last, last ? &yes : &differ);
	}
	cul_asm_land_all(&c, &differ);
	cul_asm_land_all(&c, &c.faults);
	cul_asm_land_all(&c, &c.zeros);
	*no = code->len;
	for (size_t i = 0; i < room; i++)
		cul_bpf_emit(code, (struct bpf_insn){0});
	cul_asm_land_all(&c, &yes);
	return finish(&c, r, from);
}
