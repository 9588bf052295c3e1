/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From words to a typed tree: each function checks its operands, adds the
 * conversions that C makes silently, and returns the new node, or NULL with
 * message and caret in `err`. Internal to src/expr.
 *
 * node.c makes nodes and errors, lvalue.c does names and what has an address,
 * part.c structs and arrays among the inputs, typing.c operators.
 */
#ifndef CUL_EXPR_TYPING_H
#define CUL_EXPR_TYPING_H

#include "expr/lex.h"
#include "expr/tree.h"

struct cul_typing {
	struct cul_expr *e;
	const struct cul_expr_env *env;
	struct cul_error *err; /* not NULL */
};

/* A piece of the text. */
struct cul_span {
	uint32_t at, len;
};

static inline struct cul_span cul_span_of(const struct cul_node *n)
{
	return (struct cul_span){n->at, n->len};
}

/* From the start of one to the end of the other. */
static inline struct cul_span cul_span_join(struct cul_span a, struct cul_span b)
{
	return (struct cul_span){a.at, b.at + b.len - a.at};
}

/* node.c */
struct cul_node *cul_node_new(struct cul_typing *ty, enum cul_op op, struct cul_span span,
	const struct cul_type *type, struct cul_node *a, struct cul_node *b);
struct cul_node *cul_node_const(
	struct cul_typing *ty, struct cul_span span, const struct cul_type *type, uint64_t value);
void *cul_node_fail(struct cul_typing *ty, struct cul_span span, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* For an error whose message a lower layer has set. */
void *cul_node_fail_below(struct cul_typing *ty, struct cul_span span, int code);
void *cul_node_no_memory(struct cul_typing *ty);
const char *cul_node_spell(struct cul_typing *ty, const struct cul_type *type); /* for messages */

/* part.c: `m` and `i` of the PART `a` */
struct cul_node *cul_part_member(struct cul_typing *ty, const struct cul_node *a,
	const struct cul_member *m, struct cul_span span);
struct cul_node *cul_part_index(
	struct cul_typing *ty, struct cul_node *a, struct cul_node *i, struct cul_span span);

/* lvalue.c */
struct cul_node *cul_lvalue_name(struct cul_typing *ty, struct cul_span span, const char *name);
struct cul_node *cul_lvalue_member(struct cul_typing *ty, struct cul_node *a, bool arrow,
	const char *name, struct cul_span span);
struct cul_node *cul_lvalue_index(
	struct cul_typing *ty, struct cul_node *a, struct cul_node *i, struct cul_span span);
struct cul_node *cul_lvalue_deref(struct cul_typing *ty, struct cul_node *a, struct cul_span span);
struct cul_node *cul_lvalue_address(
	struct cul_typing *ty, struct cul_node *a, struct cul_span span);
/* The value of `n`: reads an lvalue, lets arrays and functions decay. */
struct cul_node *cul_lvalue_read(struct cul_typing *ty, struct cul_node *n);

/* typing.c */
struct cul_node *cul_typing_number(struct cul_typing *ty, const struct cul_token *token);
struct cul_node *cul_typing_string(struct cul_typing *ty, const struct cul_token *token);
struct cul_node *cul_typing_cast(struct cul_typing *ty, const struct cul_type *type,
	struct cul_node *a, struct cul_span span);
/* `op` is a token kind. Unary: - + ! ~ * & */
struct cul_node *cul_typing_unary(
	struct cul_typing *ty, int op, struct cul_node *a, struct cul_span span);
struct cul_node *cul_typing_binary(
	struct cul_typing *ty, int op, struct cul_node *a, struct cul_node *b);
struct cul_node *cul_typing_cond(
	struct cul_typing *ty, struct cul_node *c, struct cul_node *a, struct cul_node *b);
/* Pointer plus or minus integer, both read already. */
struct cul_node *cul_typing_pointer_add(struct cul_typing *ty, enum cul_op op, struct cul_node *p,
	struct cul_node *i, struct cul_span span);
/* Sets root and value of the expression. */
int cul_typing_finish(struct cul_typing *ty, struct cul_node *root);

#endif
