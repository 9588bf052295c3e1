/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/tree.h"

const char *cul_expr_text(const struct cul_expr *e)
{
	return e->own;
}

const struct cul_type *cul_expr_type(const struct cul_expr *e)
{
	return e->root->type;
}

bool cul_expr_is_lvalue(const struct cul_expr *e)
{
	return cul_node_is_lvalue(e->root);
}

static bool uses_input(const struct cul_node *n, unsigned input)
{
	if (!n)
		return false;
	if ((n->op == CUL_OP_INPUT || n->op == CUL_OP_PART) && n->value == input)
		return true;
	return uses_input(n->a, input) || uses_input(n->b, input) || uses_input(n->c, input);
}

bool cul_expr_uses_input(const struct cul_expr *e, unsigned input)
{
	return uses_input(e->root, input);
}

bool cul_expr_is_input_bytes(const struct cul_expr *e, unsigned *input, uint64_t *offset)
{
	const struct cul_node *n = e->root;

	if (n->op != CUL_OP_PART || n->bit_size)
		return false;
	*input = (unsigned)n->value;
	*offset = n->index;
	return true;
}

struct split {
	const struct cul_node **parts;
	unsigned len, spare; /* how many more && may be taken apart */
};

static void split(struct split *s, const struct cul_node *n)
{
	if (n->op != CUL_OP_LAND || !s->spare) {
		s->parts[s->len++] = n;
		return;
	}
	s->spare--;
	split(s, n->a);
	split(s, n->b);
}

unsigned cul_expr_split(const struct cul_node *n, const struct cul_node *parts[CUL_EXPR_MAX_PARTS])
{
	struct split s = {.parts = parts, .spare = CUL_EXPR_MAX_PARTS - 1};

	split(&s, n);
	return s.len;
}

unsigned cul_expr_parts(const struct cul_expr *e)
{
	const struct cul_node *parts[CUL_EXPR_MAX_PARTS];

	return cul_expr_split(e->root, parts);
}

bool cul_expr_part_uses_input(const struct cul_expr *e, unsigned part, unsigned input)
{
	const struct cul_node *parts[CUL_EXPR_MAX_PARTS];

	return part < cul_expr_split(e->root, parts) && uses_input(parts[part], input);
}

static bool within(const struct cul_node *n, uint64_t inputs)
{
	if (!n)
		return true;
	if ((n->op == CUL_OP_INPUT || n->op == CUL_OP_PART) &&
		(n->value >= 64 || !(inputs >> n->value & 1)))
		return false;
	return within(n->a, inputs) && within(n->b, inputs) && within(n->c, inputs);
}

static bool reads_memory(const struct cul_node *n)
{
	if (!n)
		return false;
	if (n->op == CUL_OP_LOAD)
		return true;
	if (n->op == CUL_OP_STREQ || n->op == CUL_OP_STRNE || n->op == CUL_OP_MATCH)
		return !cul_node_is_array_input(n->a);
	return reads_memory(n->a) || reads_memory(n->b) || reads_memory(n->c);
}

uint64_t cul_expr_parts_within(const struct cul_expr *e, uint64_t inputs)
{
	const struct cul_node *parts[CUL_EXPR_MAX_PARTS];
	unsigned n = cul_expr_split(e->root, parts);
	uint64_t set = 0;

	bool waits = false;

	for (unsigned i = 0; i < n; i++) {
		if (!within(parts[i], inputs))
			waits = true;
		else if (!waits || !reads_memory(parts[i]))
			set |= 1ull << i;
	}
	return set;
}

bool cul_expr_is_percpu(const struct cul_expr *e)
{
	const struct cul_node *n = e->root;

	/* Members, elements and casts of the object; a pointer in it leads elsewhere. */
	while (n && n->op != CUL_OP_OBJECT) {
		switch (n->op) {
		case CUL_OP_MEMBER:
		case CUL_OP_DEREF:
		case CUL_OP_ADDR:
		case CUL_OP_PTRADD:
		case CUL_OP_CAST:
			n = n->a;
			break;
		default:
			return false;
		}
	}
	return n && n->percpu && cul_node_is_lvalue(e->root);
}
