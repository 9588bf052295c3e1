/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of /proc/kallsyms in memory, and the walk over its lines. What the
 * kernel prints (kernel/kallsyms.c, s_show) is
 *
 *	ffffffff81000000 T _text
 *	ffffffffc0201000 t get_ref	[victim]
 *
 * Loading puts a NUL where a name and where a module's name ends, so that
 * names are borrowed from here without a copy. Nothing else is kept for a
 * line: walking all 200,000 of them costs about a millisecond, building a
 * table of them more than that.
 */
#ifndef CUL_SYM_KALLSYMS_TEXT_H
#define CUL_SYM_KALLSYMS_TEXT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

struct cul_kallsyms_text {
	char *buf;
	size_t size; /* buf[size] is NUL */
	/* Noticed while loading: */
	bool any_address; /* one is not zero */
	bool any_data;    /* the kernel's own data is listed (CONFIG_KALLSYMS_ALL) */
	bool has_percpu;  /* both bounds were there */
	uint64_t percpu_start, percpu_end;
};

struct cul_kallsyms_line {
	const char *start; /* of the address */
	const char *name;
	const char *module; /* NULL: the kernel itself */
	char kind;
};

/* -ECANCELED when `*stop` was set meanwhile; NULL: nobody will. */
int cul_kallsyms_text_load(const char *path, const atomic_bool *stop, struct cul_kallsyms_text *out,
	struct cul_error *err);
/* The same from bytes, which are copied. -ENOMEM, -EFBIG. */
int cul_kallsyms_text_parse(const char *bytes, size_t size, struct cul_kallsyms_text *out);
void cul_kallsyms_text_free(struct cul_kallsyms_text *text);

/* Eight hexadecimal digits at once; nonsense for anything else. */
static inline uint64_t cul_kallsyms_text_hex8(const char *digits)
{
	uint64_t v;

	memcpy(&v, digits, sizeof(v));
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		v = __builtin_bswap64(v);
	/* Each byte to its value: 'a' and 'A' have bit 6 set and count from 1. */
	v = (v & 0x0f0f0f0f0f0f0f0fu) + 9 * (v >> 6 & 0x0101010101010101u);
	v = (v | v >> 4) & 0x00ff00ff00ff00ffu;
	v = (v | v >> 8) & 0x0000ffff0000ffffu;
	return (v | v >> 16) & 0xffffffffu;
}

/* The address of a line, which it begins with. */
static inline uint64_t cul_kallsyms_text_addr(const struct cul_kallsyms_line *line)
{
	const char *p = line->start, *blank = line->name - 3;
	uint64_t addr = 0;

	if (blank - p == 16)
		return cul_kallsyms_text_hex8(p) << 32 | cul_kallsyms_text_hex8(p + 8);
	for (; p < blank; p++)
		addr = addr << 4 | ((*p & 0xf) + 9u * (*p >> 6 & 1));
	return addr;
}

static inline bool cul_kallsyms_text_has_nul(const char *eight_bytes)
{
	uint64_t v;

	memcpy(&v, eight_bytes, sizeof(v));
	return ((v - 0x0101010101010101u) & ~v & 0x8080808080808080u) != 0;
}

/* The name in the line at `p`, NULL when the line has another form. */
static inline const char *cul_kallsyms_text_name(const char *p, const char *end)
{
	const char *blank = p;

	/* 16 digits on every 64-bit kernel; fewer end at the blank. */
	if (end - p > 19 && p[16] == ' ' && !cul_kallsyms_text_has_nul(p) &&
		!cul_kallsyms_text_has_nul(p + 8))
		blank = p + 16;
	else
		while ((unsigned char)*blank > ' ')
			blank++;
	if (blank == p || blank[0] != ' ' || !blank[1] || blank[2] != ' ')
		return NULL;
	return blank + 3;
}

/* The line at `*pos`, which moves on to the next; malformed lines are skipped. False at the end. */
static inline bool cul_kallsyms_text_next(
	const struct cul_kallsyms_text *text, size_t *pos, struct cul_kallsyms_line *line)
{
	const char *p = text->buf + *pos, *end = text->buf + text->size;

	while (p < end) {
		const char *name = cul_kallsyms_text_name(p, end);

		if (!name) {
			p += strlen(p) + 1;
			continue;
		}
		line->start = p;
		line->kind = name[-2];
		line->name = name;
		line->module = NULL;
		p = name + strlen(name) + 1;
		if (p < end && *p == '[') {
			line->module = p + 1;
			p += strlen(p) + 1;
		}
		*pos = (size_t)(p - text->buf);
		return true;
	}
	*pos = text->size;
	return false;
}

#endif
