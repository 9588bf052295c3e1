/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "expr/typing.h"

void *cul_node_no_memory(struct cul_typing *ty)
{
	cul_fail(ty->err, -ENOMEM, "out of memory");
	return NULL;
}

void *cul_node_fail_below(struct cul_typing *ty, struct cul_span span, int code)
{
	ty->err->code = code;
	if (!*ty->err->text)
		snprintf(ty->err->text, sizeof(ty->err->text), "%s", cul_strerror(code));
	cul_caret_add(ty->e->text, span.at, span.len, ty->err);
	return NULL;
}

void *cul_node_fail(struct cul_typing *ty, struct cul_span span, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ty->err->text, sizeof(ty->err->text), fmt, ap);
	va_end(ap);
	ty->err->usage = false;
	return cul_node_fail_below(ty, span, code);
}

struct cul_node *cul_node_new(struct cul_typing *ty, enum cul_op op, struct cul_span span,
	const struct cul_type *type, struct cul_node *a, struct cul_node *b)
{
	struct cul_node *n;
	unsigned height = a ? a->height : 0;

	if (b && b->height > height)
		height = b->height;
	if (height >= CUL_EXPR_MAX_HEIGHT || ty->e->n_nodes >= CUL_EXPR_MAX_NODES)
		return cul_node_fail(ty, span, -E2BIG, "this expression is too large");
	n = type ? cul_arena_alloc(&ty->e->arena, sizeof(*n)) : NULL;
	if (!n)
		return cul_node_no_memory(ty);
	ty->e->n_nodes++;
	n->op = op;
	n->at = span.at;
	n->len = span.len;
	n->type = type;
	n->a = a;
	n->b = b;
	n->height = (uint16_t)(height + 1);
	return n;
}

struct cul_node *cul_node_const(
	struct cul_typing *ty, struct cul_span span, const struct cul_type *type, uint64_t value)
{
	struct cul_node *n = cul_node_new(ty, CUL_OP_CONST, span, type, NULL, NULL);

	if (n)
		n->value = cul_arith_fit(type, value);
	return n;
}

const char *cul_node_spell(struct cul_typing *ty, const struct cul_type *type)
{
	cul_autostr struct cul_str text = {0};
	const char *copy = NULL;

	cul_type_print(&text, type);
	if (!text.failed)
		copy = cul_arena_strdup(&ty->e->arena, cul_str_text(&text));
	return copy ? copy : "this";
}
