/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/escape.h"

#include <stddef.h>

/* Characters that steer a terminal or reorder a line instead of being seen. */
static bool steers(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static void add_visible(struct cul_str *out, uint32_t c)
{
	if (c == '\n')
		cul_str_add(out, "\\n");
	else if (c == '\t')
		cul_str_add(out, "\\t");
	else if (c < 0x80)
		cul_str_addf(out, "\\x%02x", c);
	else
		cul_str_addf(out, "\\u{%x}", c);
}

/* Bytes at `s` that stand for themselves everywhere: most text is nothing else. */
static size_t plain(const char *s)
{
	size_t n = 0;

	while (s[n] >= 0x20 && s[n] < 0x7f)
		n++;
	return n;
}

bool cul_escape_is_plain(const char *s)
{
	return !s[plain(s)];
}

static unsigned escape(struct cul_str *out, const char *s, bool keep_lines)
{
	unsigned columns = 0;

	for (;;) {
		size_t run = plain(s), before;
		uint32_t c;
		unsigned n;

		cul_str_addn(out, s, run);
		columns += (unsigned)run;
		s += run;
		if (!*s)
			return columns;
		n = cul_utf8_decode(s, SIZE_MAX, &c);
		before = out->len;

		if (n == 0) {
			cul_str_addf(out, "\\x%02x", (unsigned char)*s);
			n = 1;
			columns += 4;
		} else if (steers(c) && !(keep_lines && (c == '\n' || c == '\t'))) {
			add_visible(out, c);
			columns += (unsigned)(out->len - before);
		} else {
			cul_str_addn(out, s, n);
			columns++;
		}
		s += n;
	}
}

unsigned cul_escape_text(struct cul_str *out, const char *s)
{
	return escape(out, s, false);
}

void cul_escape_lines(struct cul_str *out, const char *s)
{
	escape(out, s, true);
}

void cul_escape_utf8(struct cul_str *out, const char *s)
{
	for (;;) {
		size_t run = plain(s);
		uint32_t c;
		unsigned n;

		cul_str_addn(out, s, run);
		s += run;
		if (!*s)
			return;
		n = cul_utf8_decode(s, SIZE_MAX, &c);
		if (n == 0) {
			cul_str_addf(out, "\\x%02x", (unsigned char)*s);
			n = 1;
		} else {
			cul_str_addn(out, s, n);
		}
		s += n;
	}
}

void cul_escape_json(struct cul_str *out, const char *json)
{
	for (;;) {
		size_t run = plain(json);
		uint32_t c;
		unsigned n;

		cul_str_addn(out, json, run);
		json += run;
		if (!*json)
			return;
		n = cul_utf8_decode(json, SIZE_MAX, &c);
		if (n == 0)
			n = 1; /* the strings were made UTF-8 before */
		else if (steers(c))
			cul_str_addf(out, "\\u%04x", c);
		else
			cul_str_addn(out, json, n);
		json += n;
	}
}
