/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { SHORT = 32 };

static bool grow(struct cul_str *str, size_t more)
{
	size_t need, cap;
	char *s;

	if (str->failed)
		return false;
	if (__builtin_add_overflow(str->len, more, &need) || need == SIZE_MAX) {
		str->failed = true;
		return false;
	}
	need++;
	if (need <= str->cap)
		return true;
	cap = str->cap ? str->cap : 64;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	s = cul_realloc(str->s, cap);
	if (!s) {
		str->failed = true;
		return false;
	}
	str->s = s;
	str->cap = cap;
	return true;
}

void cul_str_addn(struct cul_str *str, const char *s, size_t n)
{
	if (!grow(str, n))
		return;
	if (n) /* `s` may be NULL */
		memcpy(str->s + str->len, s, n);
	str->len += n;
	str->s[str->len] = '\0';
}

void cul_str_add(struct cul_str *str, const char *s)
{
	cul_str_addn(str, s, strlen(s));
}

void cul_str_addv(struct cul_str *str, const char *fmt, va_list ap)
{
	va_list again;
	size_t room;
	int n;

	/* Most texts fit into what is there: then they are formatted once. */
	if (!grow(str, SHORT))
		return;
	room = str->cap - str->len;
	va_copy(again, ap);
	n = vsnprintf(str->s + str->len, room, fmt, again);
	va_end(again);
	if (n < 0 || (size_t)n >= room) {
		str->s[str->len] = '\0';
		if (n < 0 || !grow(str, (size_t)n)) {
			str->failed = true;
			return;
		}
		vsnprintf(str->s + str->len, (size_t)n + 1, fmt, ap);
	}
	str->len += (size_t)n;
}

void cul_str_addf(struct cul_str *str, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cul_str_addv(str, fmt, ap);
	va_end(ap);
}

void cul_str_cut(struct cul_str *str, size_t len)
{
	if (len >= str->len)
		return;
	str->len = len;
	str->s[len] = '\0';
}

void cul_str_reset(struct cul_str *str)
{
	str->len = 0;
	str->failed = false;
	if (str->s)
		str->s[0] = '\0';
}

void cul_str_free(struct cul_str *str)
{
	free(str->s);
	memset(str, 0, sizeof(*str));
}

/* Row by row; two letters that changed places count as one edit, so two rows back are kept. */
unsigned cul_edit_distance(const char *a, const char *b, unsigned max)
{
	enum { LONGEST = 128 };
	size_t la = strlen(a), lb = strlen(b);
	unsigned rows[3][LONGEST + 1];

	if (la > LONGEST || lb > LONGEST || (la > lb ? la - lb : lb - la) > max)
		return max + 1;
	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3];
		unsigned best = (unsigned)i;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned cost = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < cost)
				cost = above[j] + 1;
			if (row[j - 1] + 1 < cost)
				cost = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				rows[(i - 2) % 3][j - 2] + 1 < cost)
				cost = rows[(i - 2) % 3][j - 2] + 1;
			row[j] = cost;
			if (cost < best)
				best = cost;
		}
		/* A swap may still reach back over this row. */
		if (best > max + 1)
			return max + 1;
	}
	return rows[la % 3][lb] > max ? max + 1 : rows[la % 3][lb];
}

int cul_parse_u64(const char *s, uint64_t *value)
{
	unsigned long long v;
	char *end;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 0);
	if (end == s || *end)
		return -EINVAL;
	if (errno)
		return -ERANGE;
	*value = v;
	return 0;
}

int cul_parse_duration(const char *s, uint64_t *ns)
{
	static const struct {
		const char *suffix;
		double scale;
	} units[] = {
		{"s", 1e9},
		{"ms", 1e6},
		{"us", 1e3},
		{"ns", 1},
		{"m", 60e9},
		{"h", 3600e9},
	};
	double v;
	char *end;

	if ((*s < '0' || *s > '9') && *s != '.')
		return -EINVAL;
	v = strtod(s, &end);
	if (end == s || (s[0] == '0' && (s[1] | 32) == 'x'))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].suffix))
			continue;
		v *= units[i].scale;
		if (!(v < 9.2e18))
			return -ERANGE;
		*ns = (uint64_t)v;
		return 0;
	}
	return -EINVAL;
}

unsigned cul_utf8_decode(const char *s, size_t size, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *b = (const unsigned char *)s;
	unsigned len;
	uint32_t c;

	if (b[0] < 0x80) {
		*code = b[0];
		return 1;
	}
	if ((b[0] & 0xe0) == 0xc0) {
		len = 2;
		c = b[0] & 0x1f;
	} else if ((b[0] & 0xf0) == 0xe0) {
		len = 3;
		c = b[0] & 0x0f;
	} else if ((b[0] & 0xf8) == 0xf0) {
		len = 4;
		c = b[0] & 0x07;
	} else {
		return 0;
	}
	if (len > size)
		return 0;
	for (unsigned i = 1; i < len; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (b[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return len;
}

void cul_str_add_quoted(struct cul_str *s, const uint8_t *bytes, size_t size)
{
	enum { CONTROLS_END = 0xa0 };
	unsigned n;

	for (size_t i = 0; i < size && bytes[i]; i += n) {
		uint32_t code = 0;

		n = cul_utf8_decode((const char *)bytes + i, size - i, &code);
		if (code == '"' || code == '\\')
			cul_str_add(s, "\\");
		if (n > 1 && code >= CONTROLS_END) {
			cul_str_addn(s, (const char *)bytes + i, n);
			continue;
		}
		n = 1;
		if (bytes[i] >= ' ' && bytes[i] < 0x7f)
			cul_str_addf(s, "%c", bytes[i]);
		else
			cul_str_addf(s, "\\x%02x", bytes[i]);
	}
}

char *cul_str_prefix_end(char *text)
{
	for (char *p = text; *p; p++) {
		if (p[0] == ':' && p[1] == ':')
			p++;
		else if (p[0] == ':')
			return p;
	}
	return NULL;
}
