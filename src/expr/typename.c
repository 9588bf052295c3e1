/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "expr/parser.h"

/* Words that begin or continue a type whatever the environment knows. */
enum word {
	W_NONE,
	W_QUALIFIER,
	W_STRUCT,
	W_UNION,
	W_ENUM,
	W_VOID,
	W_BOOL,
	W_FLOAT,
	W_DOUBLE,
	W_CHAR,
	W_SHORT,
	W_INT,
	W_LONG,
	W_SIGNED,
	W_UNSIGNED,
	N_WORDS,
};

static enum word word_of(const struct cul_parser *p)
{
	static const struct {
		const char *text;
		enum word word;
	} words[] = {
		{"const", W_QUALIFIER},
		{"volatile", W_QUALIFIER},
		{"restrict", W_QUALIFIER},
		{"struct", W_STRUCT},
		{"union", W_UNION},
		{"enum", W_ENUM},
		{"void", W_VOID},
		{"_Bool", W_BOOL},
		{"float", W_FLOAT},
		{"double", W_DOUBLE},
		{"char", W_CHAR},
		{"short", W_SHORT},
		{"int", W_INT},
		{"long", W_LONG},
		{"signed", W_SIGNED},
		{"unsigned", W_UNSIGNED},
	};

	if (p->tok.kind != CUL_TOK_NAME)
		return W_NONE;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].text) == p->tok.len &&
			!memcmp(words[i].text, p->lex.text + p->tok.at, p->tok.len))
			return words[i].word;
	return W_NONE;
}

/* A typedef or base type: the target's own meaning of the name first, then the usual one. */
static const struct cul_type *find_plain(struct cul_parser *p, const char *name)
{
	const struct cul_expr_env *env = p->ty.env;
	const struct cul_type *t = NULL;

	if (env->type)
		t = env->type(env->data, CUL_TAG_NONE, name);
	return t ? t : cul_ctypes_find(env->ctypes, name);
}

static bool is_name_known(struct cul_parser *p, const char *name)
{
	struct cul_name found = {0};

	return p->ty.env->name && !p->ty.env->name(p->ty.env->data, name, &found, NULL);
}

/*
 * `(T)` before a `)` and after a type's name that is no keyword: C knows from its declarations
 * whether T is a type. Here what follows tells; where that could be an operator too, as in
 * `(T) - 1`, T is a type when nothing else has the name.
 */
static bool casts(struct cul_parser *p, const char *name)
{
	int kind = p->tok.kind;

	switch (kind) {
	case CUL_TOK_NAME:
	case CUL_TOK_NUMBER:
	case CUL_TOK_CHAR:
	case CUL_TOK_STRING:
	case '(':
	case '!':
		return true;
	case '*':
	case '&':
	case '+':
	case '-':
	case '~':
		return !is_name_known(p, name);
	default:
		return false;
	}
}

static int look_ahead(struct cul_parser *p, bool *yes)
{
	const char *name = cul_parser_word(p, (struct cul_span){p->tok.at, p->tok.len});
	bool pointer = false;
	int r;

	*yes = false;
	if (!name)
		return -ENOMEM;
	if (p->tok.prefixed_len || !find_plain(p, name))
		return 0;
	r = cul_parser_advance(p);
	while (!r && (p->tok.kind == '*' || word_of(p) == W_QUALIFIER)) {
		pointer |= p->tok.kind == '*';
		r = cul_parser_advance(p);
	}
	if (r || p->tok.kind != ')')
		return r;
	r = cul_parser_advance(p);
	if (!r)
		*yes = pointer || casts(p, name);
	return r;
}

int cul_typename_ahead(struct cul_parser *p, bool *yes)
{
	struct cul_token tok = p->tok;
	struct cul_lexer lex = p->lex;
	int r = 0;

	*yes = word_of(p) != W_NONE;
	if (!*yes && p->tok.kind == CUL_TOK_NAME)
		r = look_ahead(p, yes);
	p->tok = tok;
	p->lex = lex;
	return r;
}

/* The name of a run of words such as "long unsigned int"; NULL when C has no such type. */
static const char *basic_name(const unsigned n[N_WORDS])
{
	static const char *const names[][2] = {
		{"int", "unsigned int"},
		{"short", "unsigned short"},
		{"long", "unsigned long"},
		{"long long", "unsigned long long"},
	};
	unsigned alone = n[W_VOID] + n[W_BOOL] + n[W_FLOAT] + n[W_DOUBLE];
	unsigned sign = n[W_SIGNED] + n[W_UNSIGNED], size = n[W_SHORT] + n[W_LONG];

	if (alone)
		return alone + sign + size + n[W_CHAR] + n[W_INT] > 1 ? NULL
		       : n[W_VOID]                                    ? "void"
		       : n[W_BOOL]                                    ? "_Bool"
		       : n[W_FLOAT]                                   ? "float"
								      : "double";
	if (sign > 1 || n[W_INT] > 1 || n[W_CHAR] > 1 || n[W_SHORT] > 1 || n[W_LONG] > 2 ||
		(n[W_SHORT] && n[W_LONG]) || (n[W_CHAR] && (size || n[W_INT])))
		return NULL;
	if (n[W_CHAR])
		return n[W_UNSIGNED] ? "unsigned char" : n[W_SIGNED] ? "signed char" : "char";
	return names[n[W_SHORT] ? 1 : n[W_LONG] ? 1 + n[W_LONG] : 0][n[W_UNSIGNED]];
}

/* Says that there is no such type, and which there are; `word` is "struct" or the like, or "". */
static int fail_unknown(struct cul_parser *p, struct cul_span span, enum cul_tag tag,
	const char *word, const char *name)
{
	const struct cul_expr_env *env = p->ty.env;
	struct cul_nearest near;
	char text[192];

	cul_nearest_init(&near, name);
	if (env->nearest_type)
		env->nearest_type(env->data, tag, &near);
	cul_node_fail(&p->ty, span, -ENOENT, "unknown type: %s%s%.100s%s", word, *word ? " " : "",
		name, cul_nearest_text(&near, text, sizeof(text)));
	return -ENOENT;
}

static int parse_tagged(struct cul_parser *p, enum word word, const struct cul_type **out)
{
	static const struct {
		const char *text;
		enum cul_tag tag;
	} tags[] = {
		[W_STRUCT] = {"struct", CUL_TAG_STRUCT},
		[W_UNION] = {"union", CUL_TAG_UNION},
		[W_ENUM] = {"enum", CUL_TAG_ENUM},
	};
	const struct cul_expr_env *env = p->ty.env;
	struct cul_span span = {p->tok.at, p->tok.len ? p->tok.len : 1};
	const char *name;
	char text[64];

	if (p->tok.kind != CUL_TOK_NAME) {
		snprintf(text, sizeof(text), "the name of the %s is missing here", tags[word].text);
		cul_parser_bad(p, span, text);
		return -EINVAL;
	}
	name = cul_parser_word(p, span);
	if (!name)
		return -ENOMEM;
	*out = env->type ? env->type(env->data, tags[word].tag, name) : NULL;
	if (!*out)
		return fail_unknown(p, span, tags[word].tag, tags[word].text, name);
	return cul_parser_advance(p);
}

/* A run of C's own words, in any order and with qualifiers between them. */
static int parse_words(struct cul_parser *p, const struct cul_type **out)
{
	struct cul_span span = {p->tok.at, 0};
	unsigned n[N_WORDS] = {0};
	const char *name;
	enum word word;
	int r;

	while ((word = word_of(p)) != W_NONE) {
		if (word == W_STRUCT || word == W_UNION || word == W_ENUM)
			break;
		n[word]++;
		span.len = p->tok.at + p->tok.len - span.at;
		r = cul_parser_advance(p);
		if (r)
			return r;
	}
	name = basic_name(n);
	*out = name ? cul_ctypes_find(p->ty.env->ctypes, name) : NULL;
	if (*out)
		return 0;
	cul_node_fail(&p->ty, span, -EINVAL, "C has no such type");
	return -EINVAL;
}

static int parse_named(struct cul_parser *p, const struct cul_type **out)
{
	struct cul_span span = {p->tok.at, p->tok.len ? p->tok.len : 1};
	const char *name = cul_parser_word(p, span);

	if (!name)
		return -ENOMEM;
	*out = p->tok.kind == CUL_TOK_NAME ? find_plain(p, name) : NULL;
	if (!*out)
		return fail_unknown(p, span, CUL_TAG_NONE, "", name);
	return cul_parser_advance(p);
}

static int skip_qualifiers(struct cul_parser *p)
{
	int r = 0;

	while (!r && word_of(p) == W_QUALIFIER)
		r = cul_parser_advance(p);
	return r;
}

static int parse_specifier(struct cul_parser *p, const struct cul_type **out)
{
	enum word word;
	int r = skip_qualifiers(p);

	if (r)
		return r;
	word = word_of(p);
	if (word == W_NONE)
		r = parse_named(p, out);
	else if (word != W_STRUCT && word != W_UNION && word != W_ENUM)
		return parse_words(p, out);
	else if (!(r = cul_parser_advance(p)))
		r = parse_tagged(p, word, out);
	return r ? r : skip_qualifiers(p);
}

int cul_typename_parse(struct cul_parser *p, const struct cul_type **out)
{
	const struct cul_type *type = NULL;
	int r = parse_specifier(p, &type);

	while (!r && p->tok.kind == '*') {
		type = cul_ctypes_pointer(p->ty.env->ctypes, type);
		if (!type) {
			cul_node_no_memory(&p->ty);
			return -ENOMEM;
		}
		r = cul_parser_advance(p);
		if (!r)
			r = skip_qualifiers(p);
	}
	if (!r)
		*out = type;
	return r;
}
