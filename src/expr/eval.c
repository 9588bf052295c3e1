/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "expr/tree.h"

struct eval {
	const struct cul_expr *e;
	const struct cul_expr_run *run;
	struct cul_error *err; /* may be NULL */
};

static int eval_value(struct eval *v, const struct cul_node *n, uint64_t *out);

static int read_memory(
	struct eval *v, const struct cul_node *n, uint64_t addr, void *buf, size_t size)
{
	int r = v->run->mem ? cul_mem_read(v->run->mem, addr, buf, size) : -EFAULT;

	if (!r)
		return 0;
	return cul_caret_fail(v->e, n, v->err, r, "cannot read %zu byte%s at 0x%" PRIx64 ": %s",
		size, size == 1 ? "" : "s", addr, cul_strerror(r));
}

static uint64_t wrap_address(const struct eval *v, uint64_t addr)
{
	return cul_arith_extend(addr, v->e->word * 8, false);
}

static int eval_place(struct eval *v, const struct cul_node *n, uint64_t *addr)
{
	int r = 0;

	if (n->op == CUL_OP_OBJECT)
		*addr = n->value + (n->percpu ? v->run->percpu_offset : 0);
	else if (n->op == CUL_OP_DEREF)
		r = eval_value(v, n->a, addr);
	else
		r = eval_place(v, n->a, addr);
	if (r)
		return r;
	if (n->op == CUL_OP_MEMBER)
		*addr += n->value;
	*addr = wrap_address(v, *addr);
	return 0;
}

static int eval_load(struct eval *v, const struct cul_node *n, uint64_t *out)
{
	const struct cul_node *place = n->a;
	unsigned size = cul_node_width(place);
	uint8_t buf[8] = {0};
	uint64_t addr = 0;
	int r = eval_place(v, place, &addr);

	if (!r)
		r = read_memory(v, place, addr, buf, size);
	if (r)
		return r;
	*out = cul_arith_from_bytes(buf, size);
	if (place->bit_size)
		*out = cul_arith_extend(
			*out >> place->bit_shift, place->bit_size, n->type->is_signed);
	*out = cul_arith_fit(n->type, *out);
	return 0;
}

static int eval_input(struct eval *v, const struct cul_node *n, uint64_t *out)
{
	if (n->value >= v->run->n_inputs || (n->op == CUL_OP_PART && !v->run->inputs[n->value]))
		return cul_caret_fail(v->e, n, v->err, -EINVAL, "this value is not there");
	*out = v->run->inputs[n->value];
	if (n->op == CUL_OP_PART)
		*out += n->index;
	if (n->type->kind == CUL_KIND_ARRAY)
		return 0;
	if (n->op == CUL_OP_PART)
		*out = cul_arith_from_bytes((const void *)(uintptr_t)*out, cul_node_width(n));
	if (n->bit_size)
		*out = cul_arith_extend(*out >> n->bit_shift, n->bit_size, n->type->is_signed);
	*out = cul_arith_fit(n->type, *out);
	return 0;
}

/*
 * A string through a pointer: up to its NUL or `room` bytes. Reads pieces that do not cross a
 * 64-byte line, so that what follows the NUL is touched only within its page.
 */
static int read_string(struct eval *v, const struct cul_node *n, uint64_t addr, char *buf,
	size_t room, size_t *len)
{
	size_t done = 0;

	while (done < room) {
		uint64_t at = wrap_address(v, addr + done);
		size_t piece = 64 - at % 64;
		int r;

		if (piece > room - done)
			piece = room - done;
		if (!v->run->mem || cul_mem_read(v->run->mem, at, buf + done, piece)) {
			piece = 1;
			r = read_memory(v, n, at, buf + done, 1);
			if (r)
				return r;
		}
		*len = done + strnlen(buf + done, piece);
		if (*len < done + piece)
			return 0;
		done += piece;
	}
	*len = room;
	return 0;
}

/* The bytes of a string operand up to its NUL, as many as cul_match_room says. */
static int eval_string(
	struct eval *v, const struct cul_node *n, char *buf, const char **s, size_t *len)
{
	const struct cul_node *a = n->a;
	size_t room = cul_match_room(n);
	uint64_t addr = 0;
	int r;

	*s = buf;
	if (cul_node_is_array_input(a)) {
		r = eval_input(v, a, &addr);
		if (r)
			return r;
		*s = (const char *)(uintptr_t)addr;
		*len = strnlen(*s, room);
		return 0;
	}
	r = cul_node_is_lvalue(a) ? eval_place(v, a, &addr) : eval_value(v, a, &addr);
	if (r)
		return r;
	if (a->type->kind != CUL_KIND_ARRAY || !a->type->count)
		return read_string(v, a, addr, buf, room, len);
	r = room ? read_memory(v, a, addr, buf, room) : 0;
	*len = r ? 0 : strnlen(buf, room);
	return r;
}

/* Not inlined: its buffer must not be in every frame of the recursion. */
static __attribute__((noinline)) int eval_match(
	struct eval *v, const struct cul_node *n, uint64_t *out)
{
	char buf[CUL_EXPR_MAX_STRING];
	const char *s = buf;
	size_t len = 0;
	int r = eval_string(v, n, buf, &s, &len);

	if (r)
		return r;
	if (n->op == CUL_OP_MATCH)
		*out = cul_match_glob(n->text, n->text_len, s, len);
	else
		*out = (len == n->text_len && !memcmp(s, n->text, len)) == (n->op == CUL_OP_STREQ);
	return 0;
}

static int eval_choice(struct eval *v, const struct cul_node *n, uint64_t *out)
{
	uint64_t a = 0;
	int r = eval_value(v, n->a, &a);

	if (r)
		return r;
	if (n->op == CUL_OP_COND)
		return eval_value(v, a ? n->b : n->c, out);
	if ((n->op == CUL_OP_LOR) == (a != 0)) {
		*out = a != 0;
		return 0;
	}
	r = eval_value(v, n->b, out);
	if (!r)
		*out = *out != 0;
	return r;
}

static int eval_operator(struct eval *v, const struct cul_node *n, uint64_t *out)
{
	uint64_t a = 0, b = 0;
	int r = eval_value(v, n->a, &a);

	if (!r && n->b)
		r = eval_value(v, n->b, &b);
	if (r)
		return r;
	if (cul_arith_apply(n, a, b, out))
		return cul_caret_fail(v->e, n, v->err, -EDOM, "division by zero");
	return 0;
}

static int eval_value(struct eval *v, const struct cul_node *n, uint64_t *out)
{
	int r;

	switch (n->op) {
	case CUL_OP_CONST:
		*out = n->value;
		return 0;
	case CUL_OP_INPUT:
	case CUL_OP_PART:
		return eval_input(v, n, out);
	case CUL_OP_LOAD:
		return eval_load(v, n, out);
	case CUL_OP_ADDR:
		return eval_place(v, n->a, out);
	case CUL_OP_CAST:
		r = eval_value(v, n->a, out);
		if (!r)
			*out = cul_arith_cast(n->type, *out);
		return r;
	case CUL_OP_STREQ:
	case CUL_OP_STRNE:
	case CUL_OP_MATCH:
		return eval_match(v, n, out);
	case CUL_OP_LAND:
	case CUL_OP_LOR:
	case CUL_OP_COND:
		return eval_choice(v, n, out);
	default:
		return eval_operator(v, n, out);
	}
}

int cul_expr_eval(const struct cul_expr *e, const struct cul_expr_run *run, struct cul_value *out,
	struct cul_error *err)
{
	struct eval v = {e, run, err};
	uint64_t bits = 0;
	int r;

	if (!e->value)
		return cul_caret_no_value(e, err);
	r = eval_value(&v, e->value, &bits);
	if (r)
		return r;
	out->type = e->value->type;
	out->bits = bits;
	return 0;
}

int cul_expr_place(const struct cul_expr *e, const struct cul_expr_run *run, struct cul_place *out,
	struct cul_error *err)
{
	struct eval v = {e, run, err};
	const struct cul_node *n = e->root;
	uint64_t addr = 0;
	int r;

	if (!cul_node_is_lvalue(n))
		return cul_caret_fail(
			e, n, err, -EINVAL, "this value is not in memory: it has no address");
	r = eval_place(&v, n, &addr);
	if (r)
		return r;
	out->type = n->type;
	out->addr = addr;
	out->size = n->bit_size ? n->unit : n->type->size;
	out->bit_offset = n->bit_shift;
	out->bit_size = n->bit_size;
	return 0;
}
