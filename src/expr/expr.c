/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/tree.h"

const char *cul_expr_text(const struct cul_expr *e)
{
	return e->text;
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
	if ((n->op == CUL_OP_INPUT || n->op == CUL_OP_INPUT_CHAR) && n->value == input)
		return true;
	return uses_input(n->a, input) || uses_input(n->b, input) || uses_input(n->c, input);
}

bool cul_expr_uses_input(const struct cul_expr *e, unsigned input)
{
	return uses_input(e->root, input);
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
