/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of parsing one text: parse.c does expressions, typename.c the
 * types in casts. Internal to src/expr.
 */
#ifndef CUL_EXPR_PARSER_H
#define CUL_EXPR_PARSER_H

#include "expr/typing.h"

struct cul_parser {
	struct cul_typing ty;
	struct cul_lexer lex;
	struct cul_token tok; /* the word not yet consumed */
	unsigned nesting;
	unsigned pending; /* `?` of this bracket whose `:` is still to come */
};

int cul_parser_advance(struct cul_parser *p);
/* A place where the text is none of the language, whatever its names stand for. NULL. */
void *cul_parser_bad(struct cul_parser *p, struct cul_span span, const char *what);
/* NUL terminated copy of a piece of the text, NULL with -ENOMEM in err. */
const char *cul_parser_word(struct cul_parser *p, struct cul_span span);

/* typename.c: whether the words after a consumed `(` are a type. Leaves the parser as it was. */
int cul_typename_ahead(struct cul_parser *p, bool *yes);
/* Parses a type name up to but without its `)`. */
int cul_typename_parse(struct cul_parser *p, const struct cul_type **out);

#endif
