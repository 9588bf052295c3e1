/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words of an expression's text. Internal to src/expr.
 *
 * A name is an identifier. Three forms are longer:
 *  - `bank::total`, `list<int>::count`, `f(int)::n`, `(anonymous namespace)::x`;
 *  - `foo.isra.0`, `__key.42`: letters, digits and dots without blanks are one
 *    name up to the last part that begins with a digit (no member does);
 *  - `module:symbol`, `file.c:variable`, `"any-file.c":variable`,
 *    `module:file.c:variable`: prefixes, each with a ':' and no blank around it. Since `a ?b:c` has
 * the same letters, the lexer reports both lengths and the parser decides.
 */
#ifndef CUL_EXPR_LEX_H
#define CUL_EXPR_LEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Tokens of one character are that character. */
enum cul_token_kind {
	CUL_TOK_END = 0,
	CUL_TOK_NUMBER = 256,
	CUL_TOK_CHAR,
	CUL_TOK_STRING,
	CUL_TOK_NAME,
	CUL_TOK_ARROW,
	CUL_TOK_SHL,
	CUL_TOK_SHR,
	CUL_TOK_LE,
	CUL_TOK_GE,
	CUL_TOK_EQ,
	CUL_TOK_NE,
	CUL_TOK_LAND,
	CUL_TOK_LOR,
};

struct cul_token {
	int kind;
	uint32_t at, len;
	uint32_t prefixed_len; /* NAME, STRING: length when it is the prefix of a name, else 0 */
	uint64_t value;        /* NUMBER, CHAR */
	bool is_decimal, is_unsigned; /* NUMBER */
	uint8_t longs;                /* NUMBER: how many l in its suffix */
};

struct cul_lexer {
	const char *text;
	uint32_t pos;
	struct cul_error *err; /* not NULL */
};

/* The next token; on failure -EINVAL with the caret in `err`. */
int cul_lex_next(struct cul_lexer *lex, struct cul_token *out);

/* Decodes a STRING token into `out`, which has room for token->len bytes. Returns the length. */
uint32_t cul_lex_string(const char *text, const struct cul_token *token, char *out);

#endif
