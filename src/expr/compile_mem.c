/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "expr/compile.h"

static int address_of_object(struct cul_compile *c, const struct cul_node *n)
{
	if (n->percpu)
		return cul_caret_fail(c->e, n, c->err, -EOPNOTSUPP,
			"a per-CPU object cannot be read in a filter in the kernel");
	cul_asm_imm(c, BPF_REG_0, n->value);
	return 0;
}

int cul_compile_address(struct cul_compile *c, const struct cul_node *n)
{
	int r;

	if (n->op == CUL_OP_OBJECT)
		return address_of_object(c, n);
	if (n->op == CUL_OP_DEREF)
		return cul_compile_value(c, n->a);
	r = cul_compile_address(c, n->a);
	if (r)
		return r;
	if (n->value && n->value <= INT32_MAX) {
		cul_asm_alu_imm(c, BPF_ADD, BPF_REG_0, (int32_t)n->value);
	} else if (n->value) {
		cul_asm_imm(c, BPF_REG_1, n->value);
		cul_asm_alu(c, BPF_ADD, BPF_REG_0, BPF_REG_1);
	}
	cul_asm_extend(c, BPF_REG_0, c->e->word * 8, false);
	return 0;
}

/* Calls the helper with the address in R3. R0 becomes negative on a fault. */
static void call_probe_read(struct cul_compile *c, bool user, int off, size_t size, bool string)
{
	int helper = string ? (user ? BPF_FUNC_probe_read_user_str : BPF_FUNC_probe_read_kernel_str)
			    : (user ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel);

	cul_asm_alu(c, BPF_MOV, BPF_REG_1, BPF_REG_10);
	cul_asm_alu_imm(c, BPF_ADD, BPF_REG_1, off);
	cul_asm_imm(c, BPF_REG_2, size);
	cul_asm_call(c, helper);
}

/* Reads memory at R0 into the stack, for `n`; a fault makes the expression 0. */
static int probe_read(
	struct cul_compile *c, const struct cul_node *n, int off, size_t size, bool string)
{
	enum cul_bpf_memory memory = c->layout->memory;
	int stack = c->stack, address = 0;
	size_t done;

	if (memory == CUL_BPF_EITHER) {
		int r = cul_compile_stack(c, n, CUL_BPF_SLOT, &address);

		if (r)
			return r;
		cul_asm_store(c, BPF_REG_10, address, BPF_REG_0);
	}
	cul_asm_alu(c, BPF_MOV, BPF_REG_3, BPF_REG_0);
	call_probe_read(c, memory == CUL_BPF_USER, off, size, string);
	if (memory == CUL_BPF_EITHER) {
		done = cul_asm_jump_imm(c, BPF_JSGE, BPF_REG_0, 0);
		cul_asm_load(c, 8, BPF_REG_3, BPF_REG_10, address);
		call_probe_read(c, true, off, size, string);
		cul_asm_land(c, done);
	}
	/* A string's length comes back, or a negative errno from any of them. */
	cul_asm_wait(c, &c->faults, cul_asm_jump_imm(c, BPF_JSLT, BPF_REG_0, 0));
	c->stack = stack;
	return 0;
}

/* Cuts the bit field that `place` says out of `reg`. */
static void cut_bit_field(
	struct cul_compile *c, const struct cul_node *place, bool is_signed, uint8_t reg)
{
	int above = 64 - place->bit_shift - place->bit_size;

	cul_asm_alu_imm(c, BPF_LSH, reg, above);
	cul_asm_alu_imm(c, is_signed ? BPF_ARSH : BPF_RSH, reg, above + place->bit_shift);
}

int cul_compile_load(struct cul_compile *c, const struct cul_node *n)
{
	const struct cul_node *place = n->a;
	unsigned size = cul_node_width(place);
	bool is_signed = n->type->is_signed && n->type->kind != CUL_KIND_PTR;
	int stack = c->stack, off, r;

	if (n->type->kind == CUL_KIND_FLOAT)
		return cul_caret_fail(c->e, n, c->err, -EOPNOTSUPP,
			"a floating-point number cannot be read in the kernel");
	r = cul_compile_address(c, place);
	if (!r)
		r = cul_compile_stack(c, n, size, &off);
	if (!r)
		r = probe_read(c, n, off, size, false);
	if (r)
		return r;
	cul_asm_load(c, size, BPF_REG_0, BPF_REG_10, off);
	if (place->bit_size)
		cut_bit_field(c, place, is_signed, BPF_REG_0);
	else if (is_signed)
		cul_asm_extend(c, BPF_REG_0, size * 8, true);
	c->stack = stack;
	return 0;
}

static const struct cul_bpf_input *find_input(struct cul_compile *c, const struct cul_node *n)
{
	if (n->value >= c->layout->n_inputs) {
		cul_caret_fail(c->e, n, c->err, -EINVAL, "this value is not there in the kernel");
		return NULL;
	}
	return &c->layout->inputs[n->value];
}

/* Whether the bytes of the PART `n`, `size` of them, lie in the input. */
static bool has_part(const struct cul_bpf_input *in, const struct cul_node *n, size_t size)
{
	return n->index <= in->bytes && size <= in->bytes - n->index;
}

static bool has_scalar(const struct cul_bpf_input *in)
{
	return !in->bytes && in->size && in->size <= 8 && !(in->size & (in->size - 1));
}

static void load_part(struct cul_compile *c, const struct cul_bpf_input *in,
	const struct cul_node *n, uint8_t reg)
{
	bool is_signed = n->type->is_signed && n->type->kind != CUL_KIND_PTR;
	unsigned size = cul_node_width(n);

	cul_asm_load_pieces(c, size, reg, c->layout->inputs_reg, in->offset + (int)n->index);
	if (n->bit_size)
		cut_bit_field(c, n, is_signed, reg);
	else if (is_signed)
		cul_asm_extend(c, reg, size * 8, true);
}

static void load_scalar(struct cul_compile *c, const struct cul_bpf_input *in,
	const struct cul_node *n, uint8_t reg)
{
	bool is_signed = n->type->is_signed && n->type->kind != CUL_KIND_PTR;
	unsigned size = in->size > n->type->size ? (unsigned)n->type->size : in->size;

	cul_asm_load(c, in->size, reg, c->layout->inputs_reg, in->offset);
	if (is_signed || in->size > size)
		cul_asm_extend(c, reg, size * 8, is_signed);
}

int cul_compile_input(struct cul_compile *c, const struct cul_node *n, uint8_t reg)
{
	const struct cul_bpf_input *in = find_input(c, n);
	bool is_part = n->op == CUL_OP_PART;

	if (!in)
		return -EINVAL;
	if (n->type->kind == CUL_KIND_ARRAY)
		return cul_caret_fail(c->e, n, c->err, -EINVAL,
			"a string is not a condition; compare it with ==, != or ~");
	if (is_part ? !has_part(in, n, cul_node_width(n)) : !has_scalar(in))
		return cul_caret_fail(
			c->e, n, c->err, -EINVAL, "this value has another shape in the kernel");
	if (n->type->kind == CUL_KIND_FLOAT)
		return cul_caret_fail(c->e, n, c->err, -EOPNOTSUPP,
			"a floating-point number cannot be used in the kernel");
	if (is_part)
		load_part(c, in, n, reg);
	else
		load_scalar(c, in, n, reg);
	return 0;
}

bool cul_compile_word(struct cul_compile *c, const struct cul_node *n)
{
	const struct cul_bpf_input *in;

	if (n->value >= c->layout->n_inputs)
		return false;
	in = &c->layout->inputs[n->value];
	if (in->bytes || in->size != 4)
		return false;
	cul_asm_load(c, 4, BPF_REG_0, c->layout->inputs_reg, in->offset);
	return true;
}

/* Jumps to `differ` unless the `len` bytes at base+off are those of `text`. */
static void compare_bytes(struct cul_compile *c, uint8_t base, int off, const char *text,
	size_t len, struct cul_jumps *differ)
{
	size_t i = 0;

	while (i < len) {
		unsigned piece = 8;

		/* Aligned pieces: not every program type may access its context otherwise. */
		while (piece > len - i || (off + (int)i) % (int)piece)
			piece /= 2;
		cul_asm_load(c, piece, BPF_REG_0, base, off + (int)i);
		cul_asm_imm(c, BPF_REG_1, cul_arith_from_bytes(text + i, piece));
		cul_asm_wait(c, differ, cul_asm_jump(c, BPF_JNE, BPF_REG_0, BPF_REG_1));
		i += piece;
	}
}

/* Brings the string operand of `n` to base+off. `room` is what may be read of it. */
static int fetch_string(
	struct cul_compile *c, const struct cul_node *n, size_t room, uint8_t *base, int *off)
{
	const struct cul_node *a = n->a;
	bool array = a->type->kind == CUL_KIND_ARRAY && a->type->count;
	const struct cul_bpf_input *in;
	int r;

	if (cul_node_is_array_input(a)) {
		in = find_input(c, a);
		if (!in)
			return -EINVAL;
		if (!has_part(in, a, room))
			return cul_caret_fail(c->e, a, c->err, -EINVAL,
				"this string has another shape in the kernel");
		*base = c->layout->inputs_reg;
		*off = in->offset + (int)a->index;
		return 0;
	}
	r = cul_node_is_lvalue(a) ? cul_compile_address(c, a) : cul_compile_value(c, a);
	if (!r)
		r = cul_compile_stack(c, n, room, off);
	if (r)
		return r;
	*base = BPF_REG_10;
	return room ? probe_read(c, n, *off, room, !array) : 0;
}

int cul_compile_match(struct cul_compile *c, const struct cul_node *n)
{
	bool array = n->a->type->kind == CUL_KIND_ARRAY && n->a->type->count;
	bool wanted = n->op != CUL_OP_STRNE;
	size_t room = cul_match_room(n), len, end;
	struct cul_jumps differ = {0};
	int stack = c->stack, off = 0, r;
	enum cul_match_kind kind;
	uint8_t base = 0;
	const char *start;

	kind = cul_match_classify(n, &start, &len);
	if (kind != CUL_MATCH_EXACT && kind != CUL_MATCH_PREFIX)
		return cul_caret_fail(c->e, n, c->err, -EOPNOTSUPP,
			"in the kernel a pattern may have one '*', at its end");
	r = fetch_string(c, n, room, &base, &off);
	if (r)
		return r;
	c->stack = stack;
	if (array && len > n->a->type->count) {
		cul_asm_imm(c, BPF_REG_0, !wanted);
		return 0;
	}
	compare_bytes(c, base, off, start, len, &differ);
	if (kind == CUL_MATCH_EXACT && (!array || len < n->a->type->count)) {
		cul_asm_load(c, 1, BPF_REG_0, base, off + (int)len);
		cul_asm_wait(c, &differ, cul_asm_jump_imm(c, BPF_JNE, BPF_REG_0, 0));
	}
	cul_asm_imm(c, BPF_REG_0, wanted);
	if (differ.len) {
		end = cul_asm_jump_imm(c, BPF_JA, 0, 0);
		cul_asm_land_all(c, &differ);
		cul_asm_imm(c, BPF_REG_0, !wanted);
		cul_asm_land(c, end);
	}
	free(differ.data);
	return 0;
}
