/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "random_text.h"

#include <string.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* splitmix64 */
uint64_t random_next(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static size_t below(uint64_t *seed, size_t n)
{
	return random_next(seed) % n;
}

static uint64_t edge(uint64_t *seed)
{
	static const uint64_t edges[] = {0, 1, 2, 3, 7, 31, 32, 63, 64, 127, 128, 255, 256, 32767,
		32768, 65535, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, INT64_MAX,
		0x8000000000000000};
	uint64_t v = edges[below(seed, LENGTH(edges))];

	switch (below(seed, 4)) {
	case 0:
		return -v;
	case 1:
		return random_next(seed) >> below(seed, 64);
	default:
		return v;
	}
}

static void pointer(struct cul_str *out, uint64_t *seed, int depth);

static void leaf(struct cul_str *out, uint64_t *seed)
{
	static const char *const names[] = {"i", "u", "l", "ul", "c8", "uc", "us", "flag", "w", "n",
		"i", "u", "l", "ul", "counter", "acct.refs", "acct.flags", "acct.id",
		"acct.half[1]", "acct.hi", "acct.a", "acct.b", "acct.c", "acct.wide", "acct.big",
		"acct.sbig", "acct.arr[2]", "acct.grid[1][2]", "acct.on", "acct.col", "acct.s8",
		"acct.u8", "acct.u16", "p->refs", "p->b", "p->next->col", "q->refs", "q->wide",
		"tight.x", "tight.y", "table[3]", "comm[1]", "*acct.str", "GREEN", "BLUE",
		"*(int *)&pid_max", "sh", "em", "DIM", "DAZZLING", "HIGH", "acct.shade",
		"acct.mask", "acct.bit", "acct.few", "acct.swide", "acct.bytes[3]", "p->flex[9]",
		"(*acct.pp)->refs", "q->few", "p->swide", "(acct.fn == do_fork)", "(&acct)[1].b",
		"*p->grid[1]", "!acct.next", "p->next->next->refs", "*(short *)ul", "pair.tag",
		"pair.odd", "pair.x", "pair.y", "pair.end[0]", "(caller == do_fork)"};
	static const char *const suffixes[] = {"", "", "u", "L", "ul", "ll"};

	if (below(seed, 3))
		cul_str_add(out, names[below(seed, LENGTH(names))]);
	else
		cul_str_addf(out, "%llu%s", (unsigned long long)edge(seed),
			suffixes[below(seed, LENGTH(suffixes))]);
}

static void string_test(struct cul_str *out, uint64_t *seed)
{
	static const char *const strings[] = {"comm", "pair.end", "acct.name", "q->name",
		"filename", "acct.str", "text", "p->next->next->name", "(char *)ul",
		"acct.next->name", "acct.bytes", "q->flex", "(*acct.pp)->name", "(u8 *)acct.str"};
	static const char *const ops[] = {"==", "!=", "~"};
	static const char *const literals[] = {"", "savings", "saving", "savingss", "sav*", "*",
		"kworker/1:2", "kworker/1:2*", "kwork*", "sixteen letters!", "sixteen letters!!",
		"/etc/passwd", "/etc/*", "/etc/passw", "/etc/passwd*", "\\xff\\x80\\x90\\xa0",
		"twenty-four characters!!", "*wd", "s?v*", "z", "z*"};

	cul_str_addf(out, "(%s %s \"%s\")", strings[below(seed, LENGTH(strings))],
		ops[below(seed, LENGTH(ops))], literals[below(seed, LENGTH(literals))]);
}

/* An index that keeps to the terabyte around the memory. */
static void offset(struct cul_str *out, uint64_t *seed, int depth)
{
	cul_str_add(out, below(seed, 2) ? "(short)(" : "(signed char)(");
	random_text(out, seed, depth - 1);
	cul_str_add(out, ")");
}

static void pointer(struct cul_str *out, uint64_t *seed, int depth)
{
	static const char *const names[] = {
		"p", "q", "&acct", "&other", "p->next", "acct.next", "other.next"};

	if (depth > 0 && !below(seed, 3)) {
		cul_str_add(out, "(");
		pointer(out, seed, depth - 1);
		cul_str_add(out, below(seed, 2) ? " + " : " - ");
		offset(out, seed, depth - 1);
		cul_str_add(out, ")");
		return;
	}
	if (depth > 0 && !below(seed, 6)) {
		cul_str_add(out, "(");
		random_text(out, seed, depth - 1);
		cul_str_add(out, " ? ");
		pointer(out, seed, depth - 1);
		cul_str_add(out, " : ");
		pointer(out, seed, depth - 1);
		cul_str_add(out, ")");
		return;
	}
	cul_str_addf(out, "(%s)", names[below(seed, LENGTH(names))]);
}

static void pointer_use(struct cul_str *out, uint64_t *seed, int depth)
{
	static const char *const members[] = {
		"refs", "b", "c", "big", "arr[1]", "next->refs", "col"};
	static const char *const ops[] = {"-", "==", "!=", "<", ">="};

	if (below(seed, 2)) {
		pointer(out, seed, depth - 1);
		cul_str_addf(out, "->%s", members[below(seed, LENGTH(members))]);
		return;
	}
	if (!below(seed, 3)) {
		cul_str_add(out, "table[");
		offset(out, seed, depth);
		cul_str_add(out, "]");
		return;
	}
	cul_str_add(out, "(");
	pointer(out, seed, depth - 1);
	cul_str_addf(out, " %s ", ops[below(seed, LENGTH(ops))]);
	pointer(out, seed, depth - 1);
	cul_str_add(out, ")");
}

static void binary(struct cul_str *out, uint64_t *seed, int depth)
{
	static const char *const ops[] = {"+", "-", "*", "/", "%", "<<", ">>", "<",
		"<=", "==", "!=", ">", ">=", "&", "^", "|", "&&", "||", "/", "%", ">>"};

	cul_str_add(out, "(");
	random_text(out, seed, depth - 1);
	cul_str_addf(out, " %s ", ops[below(seed, LENGTH(ops))]);
	random_text(out, seed, depth - 1);
	cul_str_add(out, ")");
}

static void unary(struct cul_str *out, uint64_t *seed, int depth)
{
	static const char *const ops[] = {"-", "~", "!", "+", "(int)", "(unsigned)", "(u8)", "(s8)",
		"(u16)", "(short)", "(long)", "(u64)", "(bool)", "(enum color)", "(enum shade)",
		"(enum mask)", "(s16)", "(char)", "(unsigned long)"};

	cul_str_addf(out, "%s(", ops[below(seed, LENGTH(ops))]);
	random_text(out, seed, depth - 1);
	cul_str_add(out, ")");
}

void random_text(struct cul_str *out, uint64_t *seed, int depth)
{
	if (depth <= 0) {
		leaf(out, seed);
		return;
	}
	switch (below(seed, 10)) {
	case 0:
		leaf(out, seed);
		break;
	case 1:
		string_test(out, seed);
		break;
	case 2:
		pointer_use(out, seed, depth);
		break;
	case 3:
	case 4:
		unary(out, seed, depth);
		break;
	case 5:
		cul_str_add(out, "(");
		random_text(out, seed, depth - 1);
		cul_str_add(out, " ? ");
		random_text(out, seed, depth - 1);
		cul_str_add(out, " : ");
		random_text(out, seed, depth - 1);
		cul_str_add(out, ")");
		break;
	default:
		binary(out, seed, depth);
		break;
	}
}

void random_world(struct fake *f, uint64_t *seed)
{
	struct account *a = &f->image->acct;

	fake_reset(f);
	f->in.i = (int32_t)edge(seed);
	f->in.u = (uint32_t)edge(seed);
	f->in.l = (int64_t)edge(seed);
	f->in.ul = edge(seed);
	f->in.c8 = (int8_t)edge(seed);
	f->in.uc = (uint8_t)edge(seed);
	f->in.us = (uint16_t)edge(seed);
	f->in.flag = below(seed, 2);
	f->in.w = edge(seed);
	f->in.n = (int32_t)edge(seed);
	f->in.pair.odd = (int32_t)edge(seed);
	f->in.pair.x = edge(seed) & 31;
	f->in.pair.y = (int)(edge(seed) & 63) - 32;
	f->in.pair.end[0] = (char)edge(seed);
	f->in.sh = (enum shade)edge(seed);
	f->in.em = (enum mask)edge(seed);
	if (!below(seed, 4))
		f->in.q = NULL;
	if (!below(seed, 4))
		f->in.filename = (const char *)(uintptr_t)fake_tail(f);
	if (!below(seed, 4))
		memcpy(f->in.comm, "sixteen letters!", 16);
	fake_inputs(f);
	a->refs = (int)edge(seed);
	a->flags = (unsigned int)edge(seed);
	a->id = (uint32_t)edge(seed);
	a->b = (int)(edge(seed) & 31) - 16;
	a->c = edge(seed) & 0xfffff;
	a->big = edge(seed);
	a->sbig = (int64_t)edge(seed);
	f->image->other.refs = (int)edge(seed);
	f->image->other.wide = edge(seed) & 0xffffffffff;
	f->image->counter = (int)edge(seed);
	a->shade = (enum shade)edge(seed);
	a->mask = (enum mask)edge(seed);
	a->few = (enum color)((int)(edge(seed) & 15) - 8);
	a->bit = below(seed, 2);
	a->swide = (int64_t)(edge(seed) << 27) >> 27;
}
