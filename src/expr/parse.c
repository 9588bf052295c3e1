/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "expr/parser.h"

static struct cul_node *parse_cond(struct cul_parser *p);
static struct cul_node *parse_unary(struct cul_parser *p);

int cul_parser_advance(struct cul_parser *p)
{
	return cul_lex_next(&p->lex, &p->tok);
}

const char *cul_parser_word(struct cul_parser *p, struct cul_span span)
{
	const char *word = cul_arena_strndup(&p->ty.e->arena, p->lex.text + span.at, span.len);

	return word ? word : cul_node_no_memory(&p->ty);
}

static struct cul_span token_span(const struct cul_parser *p)
{
	return (struct cul_span){p->tok.at, p->tok.len ? p->tok.len : 1};
}

void *cul_parser_bad(struct cul_parser *p, struct cul_span span, const char *what)
{
	cul_node_fail(&p->ty, span, -EINVAL, "%s", what);
	p->ty.err->usage = true;
	return NULL;
}

/* Consumes the token `kind` or complains that it is not there. */
static bool expect(struct cul_parser *p, int kind, const char *what)
{
	char text[64];

	if (p->tok.kind == kind)
		return !cul_parser_advance(p);
	snprintf(text, sizeof(text), "%s is missing here", what);
	cul_parser_bad(p, token_span(p), text);
	return false;
}

/* "a:b" from `"a":b` or a:b, as the environment knows names. */
static const char *prefixed_name(struct cul_parser *p)
{
	const char *text = p->lex.text + p->tok.at;
	char *name;
	uint32_t n;

	if (p->tok.kind == CUL_TOK_NAME)
		return cul_parser_word(p, (struct cul_span){p->tok.at, p->tok.prefixed_len});
	name = cul_arena_alloc(&p->ty.e->arena, p->tok.prefixed_len + 1);
	if (!name)
		return cul_node_no_memory(&p->ty);
	n = cul_lex_string(p->lex.text, &p->tok, name);
	memcpy(name + n, text + p->tok.len, p->tok.prefixed_len - p->tok.len);
	return name;
}

/*
 * Whether the token is a prefixed name. Between `?` and `:` the ':' may be that of the condition:
 * there, only when such a name exists.
 */
static bool is_prefixed(struct cul_parser *p, const char *name)
{
	const struct cul_expr_env *env = p->ty.env;
	struct cul_name found = {0};

	return !p->pending || (env->name && !env->name(env->data, name, &found, NULL));
}

static struct cul_node *parse_name(struct cul_parser *p)
{
	struct cul_span span = token_span(p);
	const char *name;

	if (p->tok.prefixed_len) {
		name = prefixed_name(p);
		if (!name)
			return NULL;
		if (is_prefixed(p, name)) {
			span.len = p->tok.prefixed_len;
			p->lex.pos = span.at + span.len;
			return cul_parser_advance(p) ? NULL : cul_lvalue_name(&p->ty, span, name);
		}
	}
	if (p->tok.kind == CUL_TOK_STRING) {
		struct cul_node *n = cul_typing_string(&p->ty, &p->tok);

		return n && !cul_parser_advance(p) ? n : NULL;
	}
	name = cul_parser_word(p, span);
	if (!name || cul_parser_advance(p))
		return NULL;
	return cul_lvalue_name(&p->ty, span, name);
}

/* An opening bracket, an expression and the closing one. `*span` becomes all of it. */
static struct cul_node *parse_bracketed(
	struct cul_parser *p, int closing, const char *what, struct cul_span *span)
{
	unsigned pending = p->pending;
	struct cul_node *n;

	*span = token_span(p);
	if (cul_parser_advance(p))
		return NULL;
	p->pending = 0;
	n = parse_cond(p);
	if (!n)
		return NULL;
	p->pending = pending;
	*span = cul_span_join(*span, token_span(p));
	return expect(p, closing, what) ? n : NULL;
}

static struct cul_node *parse_parenthesis(struct cul_parser *p)
{
	struct cul_span span;
	struct cul_node *n = parse_bracketed(p, ')', "')'", &span);

	if (n) {
		n->at = span.at;
		n->len = span.len;
	}
	return n;
}

static struct cul_node *parse_primary(struct cul_parser *p)
{
	struct cul_node *n;

	switch (p->tok.kind) {
	case CUL_TOK_NAME:
	case CUL_TOK_STRING:
		return parse_name(p);
	case CUL_TOK_NUMBER:
	case CUL_TOK_CHAR:
		n = cul_typing_number(&p->ty, &p->tok);
		return n && !cul_parser_advance(p) ? n : NULL;
	case '(':
		return parse_parenthesis(p);
	default:
		return cul_parser_bad(p, token_span(p), "a name or a number is missing here");
	}
}

static struct cul_node *parse_member(struct cul_parser *p, struct cul_node *a)
{
	bool arrow = p->tok.kind == CUL_TOK_ARROW;
	struct cul_span span;
	const char *name;

	if (cul_parser_advance(p))
		return NULL;
	span = token_span(p);
	if (p->tok.kind != CUL_TOK_NAME)
		return cul_parser_bad(p, span, "the name of a member is missing here");
	name = cul_parser_word(p, span);
	if (!name || cul_parser_advance(p))
		return NULL;
	return cul_lvalue_member(&p->ty, a, arrow, name, span);
}

static struct cul_node *parse_index(struct cul_parser *p, struct cul_node *a)
{
	struct cul_span span;
	struct cul_node *i = parse_bracketed(p, ']', "']'", &span);

	return i ? cul_lvalue_index(&p->ty, a, i, cul_span_join(cul_span_of(a), span)) : NULL;
}

static struct cul_node *parse_postfix(struct cul_parser *p)
{
	struct cul_node *n = parse_primary(p);

	while (n) {
		if (p->tok.kind == '.' || p->tok.kind == CUL_TOK_ARROW)
			n = parse_member(p, n);
		else if (p->tok.kind == '[')
			n = parse_index(p, n);
		else if (p->tok.kind == '(')
			return cul_parser_bad(p, cul_span_of(n),
				"an expression only reads: functions cannot be called");
		else
			break;
	}
	return n;
}

static bool enter(struct cul_parser *p)
{
	if (p->nesting++ < CUL_EXPR_MAX_NESTING)
		return true;
	cul_node_fail(&p->ty, token_span(p), -E2BIG, "this expression is nested too deep");
	return false;
}

static struct cul_node *parse_cast(struct cul_parser *p, uint32_t at)
{
	const struct cul_type *type;
	struct cul_node *a;

	if (cul_typename_parse(p, &type) || !expect(p, ')', "')' after a type"))
		return NULL;
	a = parse_unary(p);
	if (!a)
		return NULL;
	return cul_typing_cast(&p->ty, type, a, (struct cul_span){at, a->at + a->len - at});
}

static struct cul_node *parse_prefixed(struct cul_parser *p)
{
	struct cul_token op = p->tok;
	struct cul_node *a;
	bool cast;

	if (op.kind == '(') {
		struct cul_lexer lex = p->lex;

		if (cul_parser_advance(p) || cul_typename_ahead(p, &cast))
			return NULL;
		if (cast)
			return parse_cast(p, op.at);
		p->lex = lex;
		p->tok = op;
		return parse_postfix(p);
	}
	if (!op.kind || op.kind > 255 || !strchr("-+!~*&", op.kind))
		return parse_postfix(p);
	if (cul_parser_advance(p))
		return NULL;
	a = parse_unary(p);
	if (!a)
		return NULL;
	return cul_typing_unary(
		&p->ty, op.kind, a, (struct cul_span){op.at, a->at + a->len - op.at});
}

static struct cul_node *parse_unary(struct cul_parser *p)
{
	struct cul_node *n = enter(p) ? parse_prefixed(p) : NULL;

	p->nesting--;
	return n;
}

/* How tightly a binary operator binds, as in C; `~` as the comparison it is. 0: not one. */
static unsigned precedence(int kind)
{
	switch (kind) {
	case CUL_TOK_LOR:
		return 1;
	case CUL_TOK_LAND:
		return 2;
	case '|':
		return 3;
	case '^':
		return 4;
	case '&':
		return 5;
	case CUL_TOK_EQ:
	case CUL_TOK_NE:
	case '~':
		return 6;
	case '<':
	case '>':
	case CUL_TOK_LE:
	case CUL_TOK_GE:
		return 7;
	case CUL_TOK_SHL:
	case CUL_TOK_SHR:
		return 8;
	case '+':
	case '-':
		return 9;
	case '*':
	case '/':
	case '%':
		return 10;
	default:
		return 0;
	}
}

static struct cul_node *parse_binary(struct cul_parser *p, unsigned least)
{
	struct cul_node *a = parse_unary(p);

	while (a) {
		int op = p->tok.kind;
		unsigned level = precedence(op);
		struct cul_node *b;

		if (!level || level < least)
			break;
		if (cul_parser_advance(p))
			return NULL;
		b = parse_binary(p, level + 1);
		a = b ? cul_typing_binary(&p->ty, op, a, b) : NULL;
	}
	return a;
}

/* What follows a consumed `?`. */
static struct cul_node *parse_branches(struct cul_parser *p, struct cul_node *c)
{
	unsigned pending = p->pending;
	struct cul_node *a, *b;

	p->pending++;
	a = parse_cond(p);
	if (!a)
		return NULL;
	p->pending = pending;
	if (!expect(p, ':', "the ':' that belongs to '?'"))
		return NULL;
	b = parse_cond(p);
	return b ? cul_typing_cond(&p->ty, c, a, b) : NULL;
}

static struct cul_node *parse_cond(struct cul_parser *p)
{
	struct cul_node *n = parse_binary(p, 1);

	if (!n || p->tok.kind != '?')
		return n;
	if (cul_parser_advance(p))
		return NULL;
	n = enter(p) ? parse_branches(p, n) : NULL;
	p->nesting--;
	return n;
}

static const char blanks[] = " \t\n\r\v\f";

/* The words of the expression alone, without the blanks around them. */
static int keep_own_text(struct cul_parser *p, uint32_t from)
{
	uint32_t to = p->tok.at;

	while (to > from && strchr(blanks, p->lex.text[to - 1]))
		to--;
	p->ty.e->own = cul_arena_strndup(&p->ty.e->arena, p->lex.text + from, to - from);
	return p->ty.e->own ? 0 : cul_fail(p->ty.err, -ENOMEM, "out of memory");
}

/* One expression up to the end of the text, or, in a list, up to a comma. */
static int parse_all(struct cul_parser *p, bool list)
{
	struct cul_error *err = p->ty.err;
	struct cul_node *root;
	uint32_t from;

	if (cul_parser_advance(p))
		return err->code;
	from = p->tok.at;
	if (p->tok.kind == CUL_TOK_END && from == strspn(p->lex.text, blanks))
		return cul_fail_usage(err, -EINVAL, "the expression is empty");
	root = parse_cond(p);
	if (!root)
		return err->code;
	if (p->tok.kind != CUL_TOK_END && !(list && p->tok.kind == ',')) {
		cul_parser_bad(p, token_span(p),
			p->tok.kind == ':' ? "this ':' follows no '?'"
			: p->tok.kind == ')' || p->tok.kind == ']'
				? "nothing is open that this could close"
				: "an operator is missing before this");
		return err->code;
	}
	if (keep_own_text(p, from))
		return err->code;
	return cul_typing_finish(&p->ty, root);
}

/* The expression at `at`. With `next` it is one of a list: that is where the next one begins. */
static int parse(const char *text, size_t at, size_t *next, const struct cul_expr_env *env,
	struct cul_expr **out, struct cul_error *err)
{
	struct cul_error below = {0};
	struct cul_parser p = {.ty = {.env = env, .err = &below}, .lex.pos = (uint32_t)at};
	struct cul_expr *e;
	int r;

	if (strlen(text) > CUL_EXPR_MAX_TEXT)
		return cul_fail(err, -E2BIG, "the expression is longer than %d characters",
			CUL_EXPR_MAX_TEXT);
	e = cul_calloc(1, sizeof(*e));
	if (!e)
		return cul_fail(err, -ENOMEM, "out of memory");
	e->word = cul_ctypes_word(env->ctypes);
	e->text = cul_arena_strdup(&e->arena, text);
	p.ty.e = e;
	p.lex.text = e->text;
	p.lex.err = &below;
	r = e->text ? parse_all(&p, next != NULL) : cul_fail(&below, -ENOMEM, "out of memory");
	if (r) {
		cul_expr_free(e);
		if (err)
			*err = below;
		return r;
	}
	*out = e;
	if (next)
		*next = p.tok.at;
	return 0;
}

int cul_expr_parse(const char *text, const struct cul_expr_env *env, struct cul_expr **out,
	struct cul_error *err)
{
	return parse(text, 0, NULL, env, out, err);
}

int cul_expr_parse_next(const char *text, size_t *at, const struct cul_expr_env *env,
	struct cul_expr **out, struct cul_error *err)
{
	size_t from = *at, next = 0;
	int r;

	if (from && !text[from])
		return 0;
	/* Past the comma that ended the one before. */
	r = parse(text, from + (from != 0), &next, env, out, err);
	if (r)
		return r;
	*at = next;
	return 1;
}

void cul_expr_free(struct cul_expr *e)
{
	if (!e)
		return;
	cul_arena_free(&e->arena);
	free(e);
}
