/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/lex.h"

#include <errno.h>
#include <string.h>

#include "expr/tree.h"

/* Not <ctype.h>: the locale has no say. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static bool is_name_char(char c)
{
	return is_name_start(c) || is_digit(c);
}

static int fail(struct cul_lexer *lex, uint32_t at, uint32_t len, const char *what)
{
	cul_fail_usage(lex->err, -EINVAL, "%s", what);
	return cul_caret_add(lex->text, at, len, lex->err);
}

static uint32_t scan_identifier(const char *s)
{
	uint32_t n = 0;

	while (is_name_char(s[n]))
		n++;
	return n;
}

/* An identifier, and dotted parts up to the last that begins with a digit. */
static uint32_t scan_symbol(const char *s)
{
	uint32_t n = scan_identifier(s), last = n;

	while (s[n] == '.' && is_name_char(s[n + 1])) {
		bool numbered = is_digit(s[n + 1]);

		n += 1 + scan_identifier(s + n + 1);
		if (numbered)
			last = n;
	}
	return last;
}

static const char ANONYMOUS[] = "(anonymous namespace)";

static bool is_anonymous(const char *s)
{
	return !strncmp(s, ANONYMOUS, sizeof(ANONYMOUS) - 1) &&
	       !strncmp(s + sizeof(ANONYMOUS) - 1, "::", 2);
}

/* Up to behind what closes the bracket at s[0], if it is `open`. */
static uint32_t scan_group(const char *s, char open, char close)
{
	uint32_t depth = 0;

	for (uint32_t n = 0; s[0] == open && s[n]; n++) {
		depth += s[n] == open;
		if (s[n] == close && --depth == 0)
			return n + 1;
	}
	return 0;
}

/* What may stand before a "::": "f", "list<int>", "f(int) const". 0: nothing of the kind. */
static uint32_t scan_scope(const char *s)
{
	uint32_t n = is_anonymous(s) ? sizeof(ANONYMOUS) - 1 : scan_identifier(s);

	if (!n)
		return 0;
	n += scan_group(s + n, '<', '>');
	n += scan_group(s + n, '(', ')');
	if (!strncmp(s + n, " const", 6))
		n += 6;
	return s[n] == ':' && s[n + 1] == ':' ? n + 2 : 0;
}

/* A symbol, in the scopes of C++ and Rust. */
static uint32_t scan_name(const char *s)
{
	uint32_t n = 0, scope;

	while ((scope = scan_scope(s + n)))
		n += scope;
	return n + scan_symbol(s + n);
}

static bool starts_name(const char *s)
{
	return is_name_start(*s) || is_anonymous(s);
}

/* The "6" of "libc.so.6". */
static uint32_t scan_version(const char *s, uint32_t n)
{
	while (s[n] == '.' && is_digit(s[n + 1]))
		n += 1 + scan_identifier(s + n + 1);
	return n;
}

static uint32_t scan_file_name(const char *s)
{
	static const char *const endings[] = {"c", "h", "S", "cc", "cpp", "cxx", "so"};
	uint32_t n = scan_identifier(s), ending;

	if (s[n] != '.')
		return n;
	ending = scan_identifier(s + n + 1);
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (strlen(endings[i]) == ending && !memcmp(endings[i], s + n + 1, ending))
			return scan_version(s, n + 1 + ending);
	return n;
}

/*
 * The length of `s` up to the end of the name when `n` characters are its prefix; 0: they are not.
 * A module or a library goes before a file too: `module:file.c:variable`.
 */
static uint32_t scan_prefixed(const char *s, uint32_t n)
{
	const char *rest = s + n + 1;
	uint32_t file;

	if (s[n] != ':' || !starts_name(rest))
		return 0;
	file = scan_file_name(rest);
	if (file > scan_identifier(rest) && rest[file] == ':' && starts_name(rest + file + 1))
		return n + 1 + file + 1 + scan_name(rest + file + 1);
	return n + 1 + scan_name(rest);
}

static int lex_name(struct cul_lexer *lex, struct cul_token *t)
{
	const char *s = lex->text + lex->pos;

	t->kind = CUL_TOK_NAME;
	t->len = scan_name(s);
	t->prefixed_len = scan_prefixed(s, scan_file_name(s));
	return 0;
}

static int digit_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if ((c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return 99;
}

/* u, l, ll in either order and case. Returns the length. */
static uint32_t lex_suffix(const char *s, struct cul_token *t)
{
	uint32_t n = 0;

	for (;; n++) {
		if ((s[n] == 'u' || s[n] == 'U') && !t->is_unsigned)
			t->is_unsigned = true;
		else if ((s[n] == 'l' || s[n] == 'L') && t->longs == 0)
			t->longs = 1;
		else if ((s[n] == 'l' || s[n] == 'L') && t->longs == 1 && s[n] == s[n - 1])
			t->longs = 2;
		else
			return n;
	}
}

static int lex_number(struct cul_lexer *lex, struct cul_token *t)
{
	const char *s = lex->text + lex->pos;
	uint64_t base = 10, v = 0;
	uint32_t n = 0;
	bool overflow = false;

	t->kind = CUL_TOK_NUMBER;
	if (s[0] == '0' && (s[1] | 32) == 'x' && digit_value(s[2]) < 16) {
		base = 16;
		n = 2;
	} else if (s[0] == '0' && (s[1] | 32) == 'b' && digit_value(s[2]) < 2) {
		base = 2;
		n = 2;
	} else if (s[0] == '0') {
		base = 8;
	}
	t->is_decimal = base == 10;
	for (; (uint64_t)digit_value(s[n]) < base; n++)
		overflow |= __builtin_mul_overflow(v, base, &v) ||
			    __builtin_add_overflow(v, (uint64_t)digit_value(s[n]), &v);
	n += lex_suffix(s + n, t);
	t->len = n;
	t->value = v;
	if (s[n] == '.' && is_digit(s[n + 1]))
		return fail(lex, t->at, n + 1 + scan_identifier(s + n + 1),
			"floating-point numbers are not supported");
	if (is_name_char(s[n]))
		return fail(lex, t->at, n + scan_identifier(s + n), "this is not a number");
	if (overflow)
		return fail(lex, t->at, n, "this number does not fit 64 bits");
	return 0;
}

/* One character of a literal at `s`, which is not its end. Returns its length, 0: bad escape. */
static uint32_t unescape(const char *s, uint8_t *out)
{
	static const char letters[] = "abefnrtv\\'\"?", values[] = "\a\b\033\f\n\r\t\v\\'\"?";
	const char *found;
	unsigned v = 0;
	uint32_t n = 1;

	*out = (uint8_t)s[0];
	if (s[0] != '\\')
		return 1;
	found = s[1] ? strchr(letters, s[1]) : NULL;
	if (found) {
		*out = (uint8_t)values[found - letters];
		return 2;
	}
	if (s[1] == 'x') {
		for (n = 2; n < 4 && digit_value(s[n]) < 16; n++)
			v = v * 16 + (unsigned)digit_value(s[n]);
		*out = (uint8_t)v;
		return n == 2 || digit_value(s[n]) < 16 ? 0 : n;
	}
	for (; n < 4 && digit_value(s[n]) < 8; n++)
		v = v * 8 + (unsigned)digit_value(s[n]);
	*out = (uint8_t)v;
	return n == 1 || v > 255 ? 0 : n;
}

static int lex_char(struct cul_lexer *lex, struct cul_token *t)
{
	const char *s = lex->text + lex->pos;
	uint8_t c = 0;
	uint32_t n;

	t->kind = CUL_TOK_CHAR;
	if (!s[1] || s[1] == '\'')
		return fail(lex, t->at, 1, "a character is missing after this quote");
	n = unescape(s + 1, &c);
	if (!n)
		return fail(lex, t->at, 2, "unknown escape in this character");
	if (s[1 + n] != '\'')
		return fail(lex, t->at, 1 + n, "a character ends with ' after one letter");
	t->value = (uint64_t)(int64_t)(int8_t)c;
	t->len = n + 2;
	return 0;
}

static int lex_string(struct cul_lexer *lex, struct cul_token *t)
{
	const char *s = lex->text + lex->pos;
	uint32_t n = 1, step;
	uint8_t c = 0;

	t->kind = CUL_TOK_STRING;
	while (s[n] != '"') {
		if (!s[n])
			return fail(lex, t->at, n, "this string has no closing quote");
		step = unescape(s + n, &c);
		if (!step)
			return fail(lex, t->at + n, s[n + 1] ? 2 : 1, "unknown escape in a string");
		if (!c)
			return fail(lex, t->at + n, step, "a string cannot contain a NUL");
		n += step;
	}
	t->len = n + 1;
	t->prefixed_len = scan_prefixed(s, n + 1);
	return 0;
}

uint32_t cul_lex_string(const char *text, const struct cul_token *token, char *out)
{
	uint32_t n = 0, pos = token->at + 1, end = token->at + token->len - 1;

	while (pos < end) {
		uint8_t c = 0;

		pos += unescape(text + pos, &c);
		out[n++] = (char)c;
	}
	return n;
}

static int lex_punctuation(struct cul_lexer *lex, struct cul_token *t)
{
	static const struct {
		char text[3];
		int kind;
	} pairs[] = {
		{"->", CUL_TOK_ARROW},
		{"<<", CUL_TOK_SHL},
		{">>", CUL_TOK_SHR},
		{"<=", CUL_TOK_LE},
		{">=", CUL_TOK_GE},
		{"==", CUL_TOK_EQ},
		{"!=", CUL_TOK_NE},
		{"&&", CUL_TOK_LAND},
		{"||", CUL_TOK_LOR},
		{"++", -1},
		{"--", -1},
		{"+=", -1},
		{"-=", -1},
	};
	const char *s = lex->text + lex->pos;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (strncmp(s, pairs[i].text, 2))
			continue;
		t->kind = pairs[i].kind;
		t->len = 2;
		if (t->kind < 0)
			return fail(lex, t->at, 2, "an expression only reads: nothing is assigned");
		return 0;
	}
	t->kind = s[0];
	t->len = 1;
	if (s[0] == '=')
		return fail(lex, t->at, 1, "an expression only reads; to compare, write ==");
	if (!strchr("()[].,*&+-!~/%<>^|?:", s[0]))
		return fail(lex, t->at, 1, "this character has no meaning here");
	return 0;
}

int cul_lex_next(struct cul_lexer *lex, struct cul_token *out)
{
	struct cul_token t = {0};
	const char *s = lex->text;
	int r = 0;

	lex->pos += (uint32_t)strspn(s + lex->pos, " \t\n\r\v\f");
	s += lex->pos;
	t.at = lex->pos;
	if (!*s)
		t.kind = CUL_TOK_END;
	else if (starts_name(s))
		r = lex_name(lex, &t);
	else if (is_digit(*s))
		r = lex_number(lex, &t);
	else if (*s == '\'')
		r = lex_char(lex, &t);
	else if (*s == '"')
		r = lex_string(lex, &t);
	else
		r = lex_punctuation(lex, &t);
	if (r)
		return r;
	lex->pos += t.len;
	*out = t;
	return 0;
}
