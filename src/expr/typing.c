/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/typing.h"

#include <errno.h>
#include <string.h>

static const struct cul_type *integer(struct cul_typing *ty, uint64_t size, bool is_signed)
{
	return cul_ctypes_int(ty->env->ctypes, (unsigned)size, is_signed);
}

static const struct cul_type *plain_int(struct cul_typing *ty)
{
	return integer(ty, 4, true);
}

static const char *op_text(int op, char buf[3])
{
	static const struct {
		int op;
		char text[3];
	} longer[] = {
		{CUL_TOK_SHL, "<<"},
		{CUL_TOK_SHR, ">>"},
		{CUL_TOK_LE, "<="},
		{CUL_TOK_GE, ">="},
		{CUL_TOK_EQ, "=="},
		{CUL_TOK_NE, "!="},
		{CUL_TOK_LAND, "&&"},
		{CUL_TOK_LOR, "||"},
	};

	for (size_t i = 0; i < sizeof(longer) / sizeof(longer[0]); i++)
		if (longer[i].op == op)
			return longer[i].text;
	buf[0] = (char)op;
	buf[1] = '\0';
	return buf;
}

/* C11 6.4.4.1: the first type that holds the value. */
struct cul_node *cul_typing_number(struct cul_typing *ty, const struct cul_token *token)
{
	struct cul_span span = {token->at, token->len};
	unsigned size = token->longs == 2 ? 8 : token->longs ? ty->e->word : 4;
	bool is_unsigned = token->is_unsigned;
	uint64_t v = token->value;

	if (token->kind == CUL_TOK_CHAR)
		return cul_node_const(ty, span, plain_int(ty), v);
	if (size == 4 && (v > UINT32_MAX || (v > INT32_MAX && !is_unsigned && token->is_decimal)))
		size = 8;
	/* A decimal beyond long long has no type in C; unsigned is what was meant. */
	if (v > (size == 4 ? INT32_MAX : INT64_MAX))
		is_unsigned = true;
	return cul_node_const(ty, span, integer(ty, size, !is_unsigned), v);
}

struct cul_node *cul_typing_string(struct cul_typing *ty, const struct cul_token *token)
{
	struct cul_span span = {token->at, token->len};
	struct cul_node *n =
		cul_node_new(ty, CUL_OP_STRING, span, integer(ty, 1, true), NULL, NULL);
	char *bytes = n ? cul_arena_alloc(&ty->e->arena, token->len) : NULL;

	if (!n)
		return NULL;
	if (!bytes)
		return cul_node_no_memory(ty);
	n->text_len = cul_lex_string(ty->e->text, token, bytes);
	n->text = bytes;
	return n;
}

/* `n` as `type`, which both are scalar. A conversion that changes nothing makes no node. */
static struct cul_node *convert(
	struct cul_typing *ty, struct cul_node *n, const struct cul_type *type)
{
	if (n->type == type)
		return n;
	if (n->op == CUL_OP_CONST)
		return cul_node_const(ty, cul_span_of(n), type, cul_arith_cast(type, n->value));
	return cul_node_new(ty, CUL_OP_CAST, cul_span_of(n), type, n, NULL);
}

/* C11 6.3.1.1: what is narrower than int becomes int; a bit field counts by its width. */
static struct cul_node *promote(struct cul_typing *ty, struct cul_node *n)
{
	uint64_t size = n->type->size;
	bool is_signed = n->type->is_signed;
	unsigned bits = n->op == CUL_OP_LOAD ? n->a->bit_size : n->bit_size;

	if (bits && bits <= 32) {
		is_signed |= bits < 32;
		size = 4;
	} else if (size < 4) {
		is_signed = true;
		size = 4;
	}
	return convert(ty, n, integer(ty, size, is_signed));
}

/* C11 6.3.1.8 for integers. Promotes both operands, then makes both the wider or unsigned type. */
static bool balance(struct cul_typing *ty, struct cul_node **a, struct cul_node **b)
{
	const struct cul_type *ta, *tb, *common;

	*a = promote(ty, *a);
	*b = *a ? promote(ty, *b) : NULL;
	if (!*b)
		return false;
	ta = (*a)->type;
	tb = (*b)->type;
	if (ta->size == tb->size)
		common = ta->is_signed ? tb : ta;
	else
		common = ta->size > tb->size ? ta : tb;
	*a = convert(ty, *a, common);
	*b = *a ? convert(ty, *b, common) : NULL;
	return *b != NULL;
}

static bool need_integer(struct cul_typing *ty, const struct cul_node *n, int op)
{
	char buf[3];

	if (cul_type_is_integer(n->type))
		return true;
	if (n->type->kind == CUL_KIND_FLOAT)
		cul_node_fail(ty, cul_span_of(n), -EINVAL,
			"%s: floating-point arithmetic is not supported",
			cul_node_spell(ty, n->type));
	else
		cul_node_fail(ty, cul_span_of(n), -EINVAL, "'%s' needs integers, and this is %s",
			op_text(op, buf), cul_node_spell(ty, n->type));
	return false;
}

static bool need_condition(struct cul_typing *ty, const struct cul_node *n, int op)
{
	return n->type->kind == CUL_KIND_PTR || need_integer(ty, n, op);
}

struct cul_node *cul_typing_cast(struct cul_typing *ty, const struct cul_type *type,
	struct cul_node *a, struct cul_span span)
{
	struct cul_node *n;

	if (type->kind != CUL_KIND_PTR && !cul_type_is_integer(type))
		return cul_node_fail(ty, span, -EINVAL,
			"cannot cast to %s; cast to an integer or a pointer: *(%s *)&...",
			cul_node_spell(ty, type), cul_node_spell(ty, type));
	a = cul_lvalue_read(ty, a);
	if (!a)
		return NULL;
	if (a->type->kind == CUL_KIND_FLOAT)
		return cul_node_fail(ty, cul_span_of(a), -EINVAL,
			"%s: floating-point arithmetic is not supported",
			cul_node_spell(ty, a->type));
	n = cul_node_new(ty, CUL_OP_CAST, span, type, a, NULL);
	if (n && a->op == CUL_OP_CONST)
		return cul_node_const(ty, span, type, cul_arith_cast(type, a->value));
	return n;
}

struct cul_node *cul_typing_unary(
	struct cul_typing *ty, int op, struct cul_node *a, struct cul_span span)
{
	enum cul_op made = op == '-' ? CUL_OP_NEG : CUL_OP_NOT;

	if (op == '*')
		return cul_lvalue_deref(ty, a, span);
	if (op == '&')
		return cul_lvalue_address(ty, a, span);
	a = cul_lvalue_read(ty, a);
	if (!a)
		return NULL;
	if (op == '!') {
		if (!need_condition(ty, a, op))
			return NULL;
		return cul_node_new(ty, CUL_OP_LNOT, span, plain_int(ty), a, NULL);
	}
	if (!need_integer(ty, a, op))
		return NULL;
	a = promote(ty, a);
	if (!a || op == '+')
		return a;
	return cul_node_new(ty, made, span, a->type, a, NULL);
}

/* Bytes that a pointer moves by 1; GNU C: void and functions count as bytes. 0 on failure. */
static uint64_t pointer_step(struct cul_typing *ty, const struct cul_node *p)
{
	const struct cul_type *to;

	if (cul_type_to(p->type, &to, ty->err)) {
		cul_node_fail_below(ty, cul_span_of(p), -ENODATA);
		return 0;
	}
	if (to->kind == CUL_KIND_VOID || to->kind == CUL_KIND_FUNC)
		return 1;
	if (!to->size || to->size > INT32_MAX) {
		cul_node_fail(ty, cul_span_of(p), -EINVAL, "the size of %s is not known here",
			cul_node_spell(ty, to));
		return 0;
	}
	return to->size;
}

struct cul_node *cul_typing_pointer_add(struct cul_typing *ty, enum cul_op op, struct cul_node *p,
	struct cul_node *i, struct cul_span span)
{
	const struct cul_type *offset = integer(ty, ty->e->word, true);
	uint64_t step;
	struct cul_node *n;

	if (!need_integer(ty, i, op == CUL_OP_SUB ? '-' : '+'))
		return NULL;
	step = pointer_step(ty, p);
	if (!step)
		return NULL;
	i = promote(ty, i);
	i = i ? convert(ty, i, offset) : NULL;
	if (i && op == CUL_OP_SUB)
		i = cul_node_new(ty, CUL_OP_NEG, cul_span_of(i), offset, i, NULL);
	n = i ? cul_node_new(ty, CUL_OP_PTRADD, span, p->type, p, i) : NULL;
	if (n)
		n->value = step;
	return n;
}

static struct cul_node *pointer_difference(
	struct cul_typing *ty, struct cul_node *a, struct cul_node *b, struct cul_span span)
{
	uint64_t step = pointer_step(ty, a), other = step ? pointer_step(ty, b) : 0;
	struct cul_node *n;

	if (!other)
		return NULL;
	if (step != other)
		return cul_node_fail(ty, span, -EINVAL, "%s and %s point to different things",
			cul_node_spell(ty, a->type), cul_node_spell(ty, b->type));
	n = cul_node_new(ty, CUL_OP_PTRDIFF, span, integer(ty, ty->e->word, true), a, b);
	if (n)
		n->value = step;
	return n;
}

static struct cul_node *add(
	struct cul_typing *ty, enum cul_op op, struct cul_node *a, struct cul_node *b)
{
	struct cul_span span = cul_span_join(cul_span_of(a), cul_span_of(b));
	bool pa = a->type->kind == CUL_KIND_PTR, pb = b->type->kind == CUL_KIND_PTR;

	if (pa && pb && op == CUL_OP_SUB)
		return pointer_difference(ty, a, b, span);
	if (pa)
		return cul_typing_pointer_add(ty, op, a, b, span);
	if (pb && op == CUL_OP_ADD)
		return cul_typing_pointer_add(ty, op, b, a, span);
	if (!need_integer(ty, a, op == CUL_OP_ADD ? '+' : '-') ||
		!need_integer(ty, b, op == CUL_OP_ADD ? '+' : '-') || !balance(ty, &a, &b))
		return NULL;
	return cul_node_new(ty, op, span, a->type, a, b);
}

/* With a pointer on either side both are compared as addresses. */
static struct cul_node *comparison(
	struct cul_typing *ty, enum cul_op op, int token, struct cul_node *a, struct cul_node *b)
{
	struct cul_span span = cul_span_join(cul_span_of(a), cul_span_of(b));
	const struct cul_type *address = integer(ty, ty->e->word, false);

	if (!need_condition(ty, a, token) || !need_condition(ty, b, token))
		return NULL;
	if (a->type->kind == CUL_KIND_PTR || b->type->kind == CUL_KIND_PTR) {
		a = convert(ty, a, address);
		b = a ? convert(ty, b, address) : NULL;
		if (!b)
			return NULL;
	} else if (!balance(ty, &a, &b)) {
		return NULL;
	}
	return cul_node_new(ty, op, span, plain_int(ty), a, b);
}

/* A function by its name, or as &name; else NULL. */
static const struct cul_node *named_function(const struct cul_node *n)
{
	if (n->op == CUL_OP_ADDR)
		n = n->a;
	return n->op == CUL_OP_OBJECT && n->code ? n : NULL;
}

/*
 * The return address `a` lies in `function`, or not: behind its first byte, and at its end when
 * its last instruction is the call of a function that does not return.
 */
static struct cul_node *code_comparison(struct cul_typing *ty, enum cul_op op, struct cul_node *a,
	const struct cul_node *function, struct cul_span span)
{
	const struct cul_type *address = integer(ty, ty->e->word, false);
	struct cul_span name = cul_span_of(function);
	struct cul_node *start, *size;

	if (!function->index)
		return cul_node_fail(ty, name, -ENODATA,
			"how large this function is, is not known; compare addresses: "
			"%.*s >= %.*s && %.*s < %.*s + BYTES",
			(int)a->len, ty->e->text + a->at, (int)name.len, ty->e->text + name.at,
			(int)a->len, ty->e->text + a->at, (int)name.len, ty->e->text + name.at);
	a = convert(ty, a, address);
	start = a ? cul_node_const(ty, name, address, function->value + 1) : NULL;
	size = start ? cul_node_const(ty, name, address, function->index) : NULL;
	a = size ? cul_node_new(ty, CUL_OP_SUB, span, address, a, start) : NULL;
	if (!a)
		return NULL;
	return cul_node_new(
		ty, op == CUL_OP_EQ ? CUL_OP_LT : CUL_OP_GE, span, plain_int(ty), a, size);
}

static bool is_char_like(const struct cul_type *t)
{
	return (t->kind == CUL_KIND_INT || t->kind == CUL_KIND_CHAR) && t->size == 1;
}

/* A string operand is kept as what says most about its length: input, array in memory, pointer. */
static struct cul_node *string_operand(struct cul_typing *ty, struct cul_node *n)
{
	bool array = n->type->kind == CUL_KIND_ARRAY &&
		     (cul_node_is_lvalue(n) || cul_node_is_array_input(n));
	const struct cul_type *to;

	if (n->op == CUL_OP_STRING)
		return cul_node_fail(ty, cul_span_of(n), -EINVAL,
			"one side of this comparison must not be a literal");
	if (!array) {
		n = cul_lvalue_read(ty, n);
		if (!n)
			return NULL;
	}
	if ((!array && n->type->kind != CUL_KIND_PTR) || cul_type_to(n->type, &to, ty->err) ||
		!is_char_like(to))
		return cul_node_fail(ty, cul_span_of(n), -EINVAL,
			"%s is no string; an array of char or a pointer to char is",
			cul_node_spell(ty, n->type));
	return n;
}

static struct cul_node *string_comparison(
	struct cul_typing *ty, int token, struct cul_node *a, struct cul_node *b)
{
	struct cul_span span = cul_span_join(cul_span_of(a), cul_span_of(b));
	enum cul_op op = token == CUL_TOK_EQ ? CUL_OP_STREQ : CUL_OP_STRNE;
	struct cul_node *n;

	if (token == '~' && b->op != CUL_OP_STRING)
		return cul_node_fail(ty, cul_span_of(b), -EINVAL,
			"'~' matches a string with a pattern in quotes: name ~ \"abc*\"");
	if (token == '~')
		op = CUL_OP_MATCH;
	else if (b->op != CUL_OP_STRING) {
		n = a;
		a = b;
		b = n;
	}
	a = string_operand(ty, a);
	n = a ? cul_node_new(ty, op, span, plain_int(ty), a, NULL) : NULL;
	if (!n)
		return NULL;
	n->text = b->text;
	n->text_len = b->text_len;
	return n;
}

static struct cul_node *shift(
	struct cul_typing *ty, enum cul_op op, struct cul_node *a, struct cul_node *b)
{
	struct cul_span span = cul_span_join(cul_span_of(a), cul_span_of(b));

	a = promote(ty, a);
	b = a ? promote(ty, b) : NULL;
	return b ? cul_node_new(ty, op, span, a->type, a, b) : NULL;
}

static enum cul_op binary_op(int token)
{
	static const struct {
		int token;
		enum cul_op op;
	} ops[] = {
		{'*', CUL_OP_MUL},
		{'/', CUL_OP_DIV},
		{'%', CUL_OP_MOD},
		{'+', CUL_OP_ADD},
		{'-', CUL_OP_SUB},
		{CUL_TOK_SHL, CUL_OP_SHL},
		{CUL_TOK_SHR, CUL_OP_SHR},
		{'&', CUL_OP_AND},
		{'^', CUL_OP_XOR},
		{'|', CUL_OP_OR},
		{'<', CUL_OP_LT},
		{CUL_TOK_LE, CUL_OP_LE},
		{'>', CUL_OP_GT},
		{CUL_TOK_GE, CUL_OP_GE},
		{CUL_TOK_EQ, CUL_OP_EQ},
		{CUL_TOK_NE, CUL_OP_NE},
		{CUL_TOK_LAND, CUL_OP_LAND},
		{CUL_TOK_LOR, CUL_OP_LOR},
	};
	size_t i = 0;

	while (ops[i].token != token && i + 1 < sizeof(ops) / sizeof(ops[0]))
		i++;
	return ops[i].op;
}

struct cul_node *cul_typing_binary(
	struct cul_typing *ty, int token, struct cul_node *a, struct cul_node *b)
{
	struct cul_span span = cul_span_join(cul_span_of(a), cul_span_of(b));
	bool literal = a->op == CUL_OP_STRING || b->op == CUL_OP_STRING;
	enum cul_op op = binary_op(token);

	if (token == '~' || (literal && (op == CUL_OP_EQ || op == CUL_OP_NE)))
		return string_comparison(ty, token, a, b);
	if (op == CUL_OP_EQ || op == CUL_OP_NE) {
		if (a->op == CUL_OP_INPUT && a->code && named_function(b))
			return code_comparison(ty, op, a, named_function(b), span);
		if (b->op == CUL_OP_INPUT && b->code && named_function(a))
			return code_comparison(ty, op, b, named_function(a), span);
	}
	a = cul_lvalue_read(ty, a);
	b = a ? cul_lvalue_read(ty, b) : NULL;
	if (!b)
		return NULL;
	if (op == CUL_OP_ADD || op == CUL_OP_SUB)
		return add(ty, op, a, b);
	if (op >= CUL_OP_LT && op <= CUL_OP_NE)
		return comparison(ty, op, token, a, b);
	if (op == CUL_OP_LAND || op == CUL_OP_LOR) {
		if (!need_condition(ty, a, token) || !need_condition(ty, b, token))
			return NULL;
		return cul_node_new(ty, op, span, plain_int(ty), a, b);
	}
	if (!need_integer(ty, a, token) || !need_integer(ty, b, token))
		return NULL;
	if (op == CUL_OP_SHL || op == CUL_OP_SHR)
		return shift(ty, op, a, b);
	if (!balance(ty, &a, &b))
		return NULL;
	return cul_node_new(ty, op, span, a->type, a, b);
}

struct cul_node *cul_typing_cond(
	struct cul_typing *ty, struct cul_node *c, struct cul_node *a, struct cul_node *b)
{
	struct cul_span span = cul_span_join(cul_span_of(c), cul_span_of(b));
	struct cul_node *n;

	c = cul_lvalue_read(ty, c);
	a = c ? cul_lvalue_read(ty, a) : NULL;
	b = a ? cul_lvalue_read(ty, b) : NULL;
	if (!b || !need_condition(ty, c, '?') || !need_condition(ty, a, '?') ||
		!need_condition(ty, b, '?'))
		return NULL;
	if (a->type->kind == CUL_KIND_PTR)
		b = convert(ty, b, a->type);
	else if (b->type->kind == CUL_KIND_PTR)
		a = convert(ty, a, b->type);
	else if (!balance(ty, &a, &b))
		return NULL;
	n = a && b ? cul_node_new(ty, CUL_OP_COND, span, a->type, a, b) : NULL;
	if (!n)
		return NULL;
	if (c->height >= n->height)
		n->height = (uint16_t)(c->height + 1);
	/* Condition first, as it is evaluated. */
	n->c = b;
	n->b = a;
	n->a = c;
	return n;
}

int cul_typing_finish(struct cul_typing *ty, struct cul_node *root)
{
	const struct cul_type *type = root->type;
	struct cul_expr *e = ty->e;

	if (root->op == CUL_OP_STRING) {
		cul_lvalue_read(ty, root);
		return ty->err->code;
	}
	e->root = root;
	e->value = root;
	if (root->op == CUL_OP_PART && !cul_type_is_scalar(type) && type->kind != CUL_KIND_ARRAY)
		e->value = NULL;
	if (cul_node_is_lvalue(root)) {
		bool readable = cul_type_is_scalar(type) || type->kind == CUL_KIND_ARRAY ||
				type->kind == CUL_KIND_FUNC;

		e->value = readable ? cul_lvalue_read(ty, root) : NULL;
		if (readable && !e->value)
			return ty->err->code;
	}
	return 0;
}
