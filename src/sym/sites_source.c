/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions by the names that C++ and Rust have for them: "ns::list::push", "ns::list<int>::push",
 * "push(int const&)", "ns::*". A name without parameters is that of all overloads, one without
 * template arguments that of all instances.
 */
#include <fnmatch.h>
#include <string.h>

#include "base/str.h"
#include "sym/sites_priv.h"

enum { WORD_MOST = 64 };

static const char NAME_CHARS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/* "f(int) [clone .part.0]" */
static size_t without_clone(const char *text)
{
	const char *clone = strstr(text, " [clone ");

	return clone ? (size_t)(clone - text) : strlen(text);
}

/* Where what closes at text[end - 1] opens; `end`: nothing does. */
static size_t opening(const char *text, size_t end, char open, char close)
{
	size_t depth = 0;

	for (size_t i = end; i-- > 0;) {
		depth += text[i] == close;
		if (text[i] == open && --depth == 0)
			return i;
	}
	return end;
}

static size_t without_params(const char *text)
{
	size_t len = without_clone(text), end = len;

	while (end && text[end - 1] != ')')
		end--;
	/* What follows is " const", "&" or nothing; of "(anonymous namespace)::x" it is a name. */
	if (!end || strstr(text + end, "::"))
		return len;
	return opening(text, end, '(', ')');
}

/* Where the name begins behind a return type, which functions from templates have. */
static size_t name_begin(const char *text, size_t len)
{
	size_t begin = 0, depth = 0;

	for (size_t i = 0; i < len && strncmp(text + i, "operator", 8) != 0; i++) {
		depth += text[i] == '<' || text[i] == '(';
		depth -= depth && (text[i] == '>' || text[i] == ')');
		if (text[i] == ' ' && !depth)
			begin = i + 1;
	}
	return begin;
}

/* "ns::list::push" of "ns::list<int>::push<long>". */
static void add_without_templates(struct cul_str *out, const char *text, size_t len)
{
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		depth += text[i] == '<';
		if (!depth)
			cul_str_addn(out, text + i, 1);
		depth -= depth && text[i] == '>';
	}
}

/* Blanks do not count. */
static bool same(const char *wanted, const char *text, size_t len)
{
	const char *end = text + len;

	for (;;) {
		wanted += strspn(wanted, " ");
		while (text < end && *text == ' ')
			text++;
		if (text == end || !*wanted)
			return text == end && !*wanted;
		if (*wanted++ != *text++)
			return false;
	}
}

static bool like(const struct sites_spec *s, const char *text, size_t len)
{
	cul_autostr struct cul_str copy = {0};

	if (!s->is_pattern)
		return same(s->name, text, len);
	cul_str_addn(&copy, text, len);
	return !fnmatch(s->name, cul_str_text(&copy), 0);
}

/* A word that is in the mangled name as well: most need not be demangled for an answer. */
static bool may_be(const struct sites_spec *s, const char *symbol)
{
	size_t end = s->is_pattern ? s->literal : without_params(s->name), n;
	char word[WORD_MOST];

	/* The part of a pattern that is whole: "list" of "ns::list::pu*". */
	while (s->is_pattern && end && strchr(NAME_CHARS, s->name[end - 1]))
		end--;
	while (s->is_pattern && end && s->name[end - 1] == ':')
		end--;
	for (n = 0; n < end && n + 1 < sizeof(word); n++)
		if (!strchr(NAME_CHARS, s->name[end - n - 1]))
			break;
	memcpy(word, s->name + end - n, n);
	word[n] = '\0';
	/* What is short for others, operators, and numbers in templates are written otherwise. */
	return strstr(s->name, "std::") || strpbrk(s->name, "<{~") || strstr(s->name, "operator") ||
	       strstr(symbol, word);
}

const char *cul_sites_bare(const char *text, size_t *len)
{
	size_t end = without_params(text), begin = name_begin(text, end);

	*len = end - begin;
	return text + begin;
}

bool cul_sites_names_source(
	const struct sites_spec *s, struct cul_objfile *file, const char *symbol)
{
	cul_autostr struct cul_str plain = {0};
	const char *text, *bare;
	enum sites_form form;
	size_t len;

	if (!s->in_source || !may_be(s, symbol))
		return false;
	cul_sites_base(symbol, &form);
	text = cul_objfile_shown(file, symbol);
	if (text == symbol || form == SITES_COLD)
		return false;
	bare = cul_sites_bare(text, &len);
	if (like(s, bare, len) || like(s, bare, without_clone(bare)))
		return true;
	if (!memchr(bare, '<', len) || strstr(text, "operator"))
		return false;
	add_without_templates(&plain, bare, len);
	return like(s, cul_str_text(&plain), plain.len);
}
