/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/shorten.h"

#include <string.h>

/* Behind the bracket that closes the one at `p`; its end when none does. */
static const char *behind(const char *p, char open, char close)
{
	unsigned depth = 0;

	for (; *p; p++) {
		/* The arrow of operator-> and of Rust's functions closes nothing. */
		if (*p == close && (close != '>' || p[-1] != '-') && --depth == 0)
			return p + 1;
		if (*p == open)
			depth++;
	}
	return p;
}

/* How much of "operator<<", "operator()", "(anonymous namespace)" stands here and is no bracket. */
static size_t literal(const char *p)
{
	static const char *const words[] = {"operator()", "operator<=>",
		"operator<<=", "operator<<", "operator<=", "operator<", "operator->", "operator>",
		"(anonymous namespace)"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strncmp(p, words[i], strlen(words[i])) == 0)
			return strlen(words[i]);
	return 0;
}

static void compact(struct cul_str *out, const char *p, bool templates)
{
	while (*p) {
		size_t n = literal(p);

		if (n) {
			cul_str_addn(out, p, n);
			p += n;
		} else if (*p == '(' && p[1] != ')') {
			cul_str_add(out, "(...)");
			p = behind(p, '(', ')');
		} else if (*p == '<' && templates) {
			cul_str_add(out, "<...>");
			p = behind(p, '<', '>');
		} else {
			cul_str_addn(out, p++, 1);
		}
	}
}

void cul_shorten_name(struct cul_str *out, const char *name, size_t max)
{
	size_t start = out->len, len = strlen(name);
	cul_autostr struct cul_str text = {0};
	const char *end;

	if (len <= max || max < 4) {
		cul_str_add(out, name);
		return;
	}
	compact(out, name, false);
	if (out->len - start <= max)
		return;
	cul_str_cut(out, start);
	compact(&text, name, true);
	end = cul_str_text(&text);
	if (text.len > max) {
		cul_str_add(out, "...");
		end += text.len - (max - 3);
		while ((*end & 0xc0) == 0x80) /* within a character of several bytes */
			end++;
	}
	cul_str_add(out, end);
	out->failed |= text.failed;
}
