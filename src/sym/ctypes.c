/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "sym/type.h"

enum { WORD = 0, BUCKETS = 64 };

/* The first names are those that cul_ctypes_int hands out. */
static const struct basic {
	const char *name;
	enum cul_kind kind;
	uint8_t size; /* WORD: as wide as a pointer */
	bool is_signed;
} basics[] = {
	{"int", CUL_KIND_INT, 4, true},
	{"unsigned int", CUL_KIND_INT, 4, false},
	{"short", CUL_KIND_INT, 2, true},
	{"unsigned short", CUL_KIND_INT, 2, false},
	{"signed char", CUL_KIND_CHAR, 1, true},
	{"unsigned char", CUL_KIND_CHAR, 1, false},
	{"long", CUL_KIND_INT, WORD, true},
	{"unsigned long", CUL_KIND_INT, WORD, false},
	{"long long", CUL_KIND_INT, 8, true},
	{"unsigned long long", CUL_KIND_INT, 8, false},
	{"void", CUL_KIND_VOID, 0, false},
	{"char", CUL_KIND_CHAR, 1, true},
	{"_Bool", CUL_KIND_BOOL, 1, false},
	{"bool", CUL_KIND_BOOL, 1, false},
	{"float", CUL_KIND_FLOAT, 4, true},
	{"double", CUL_KIND_FLOAT, 8, true},
	{"s8", CUL_KIND_INT, 1, true},
	{"u8", CUL_KIND_INT, 1, false},
	{"s16", CUL_KIND_INT, 2, true},
	{"u16", CUL_KIND_INT, 2, false},
	{"s32", CUL_KIND_INT, 4, true},
	{"u32", CUL_KIND_INT, 4, false},
	{"s64", CUL_KIND_INT, 8, true},
	{"u64", CUL_KIND_INT, 8, false},
	{"__s8", CUL_KIND_INT, 1, true},
	{"__u8", CUL_KIND_INT, 1, false},
	{"__s16", CUL_KIND_INT, 2, true},
	{"__u16", CUL_KIND_INT, 2, false},
	{"__s32", CUL_KIND_INT, 4, true},
	{"__u32", CUL_KIND_INT, 4, false},
	{"__s64", CUL_KIND_INT, 8, true},
	{"__u64", CUL_KIND_INT, 8, false},
	{"int8_t", CUL_KIND_INT, 1, true},
	{"uint8_t", CUL_KIND_INT, 1, false},
	{"int16_t", CUL_KIND_INT, 2, true},
	{"uint16_t", CUL_KIND_INT, 2, false},
	{"int32_t", CUL_KIND_INT, 4, true},
	{"uint32_t", CUL_KIND_INT, 4, false},
	{"int64_t", CUL_KIND_INT, 8, true},
	{"uint64_t", CUL_KIND_INT, 8, false},
	{"size_t", CUL_KIND_INT, WORD, false},
	{"ssize_t", CUL_KIND_INT, WORD, true},
	{"ptrdiff_t", CUL_KIND_INT, WORD, true},
	{"intptr_t", CUL_KIND_INT, WORD, true},
	{"uintptr_t", CUL_KIND_INT, WORD, false},
};

enum { N_BASICS = sizeof(basics) / sizeof(basics[0]) };

struct made {
	struct made *next;
	struct cul_type type;
};

struct cul_ctypes {
	struct cul_type_provider provider;
	unsigned word;
	struct cul_arena arena;
	struct made *made[BUCKETS]; /* pointers and arrays, one of each */
	struct cul_type basic[N_BASICS];
};

int cul_ctypes_new(unsigned word, struct cul_ctypes **out)
{
	struct cul_ctypes *c = cul_calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->word = word;
	for (size_t i = 0; i < N_BASICS; i++) {
		struct cul_type *t = &c->basic[i];

		t->kind = basics[i].kind;
		t->name = basics[i].name;
		t->is_signed = basics[i].is_signed;
		t->size = basics[i].size;
		if (t->size == WORD && t->kind == CUL_KIND_INT)
			t->size = word;
		t->filled_to = t->filled_members = true;
		t->provider = &c->provider;
		t->id = i;
	}
	*out = c;
	return 0;
}

void cul_ctypes_free(struct cul_ctypes *c)
{
	if (!c)
		return;
	cul_arena_free(&c->arena);
	free(c);
}

unsigned cul_ctypes_word(const struct cul_ctypes *c)
{
	return c->word;
}

const struct cul_type *cul_ctypes_find(struct cul_ctypes *c, const char *name)
{
	for (size_t i = 0; i < N_BASICS; i++)
		if (!strcmp(basics[i].name, name))
			return &c->basic[i];
	return NULL;
}

const struct cul_type *cul_ctypes_int(struct cul_ctypes *c, unsigned size, bool is_signed)
{
	for (size_t i = 0; i < N_BASICS && basics[i].kind != CUL_KIND_VOID; i++)
		if (c->basic[i].size == size && c->basic[i].is_signed == is_signed)
			return &c->basic[i];
	return NULL;
}

/* The one node for a pointer to, or an array of `count`, `to`; made when it is not there yet. */
static const struct cul_type *intern(struct cul_ctypes *c, enum cul_kind kind,
	const struct cul_type *to, uint64_t count, uint64_t size)
{
	size_t bucket = ((uintptr_t)to / 16 + count * 31 + kind) % BUCKETS;
	struct made *m;

	for (m = c->made[bucket]; m; m = m->next)
		if (m->type.kind == kind && m->type.to == to && m->type.count == count)
			return &m->type;
	m = cul_arena_alloc(&c->arena, sizeof(*m));
	if (!m)
		return NULL;
	m->type.kind = kind;
	m->type.to = to;
	m->type.count = count;
	m->type.size = size;
	m->type.filled_to = m->type.filled_members = true;
	m->type.provider = &c->provider;
	m->next = c->made[bucket];
	c->made[bucket] = m;
	return &m->type;
}

const struct cul_type *cul_ctypes_pointer(struct cul_ctypes *c, const struct cul_type *to)
{
	return intern(c, CUL_KIND_PTR, to, 0, c->word);
}

const struct cul_type *cul_ctypes_array(
	struct cul_ctypes *c, const struct cul_type *element, uint64_t count)
{
	uint64_t size;

	if (__builtin_mul_overflow(element->size, count, &size))
		return NULL;
	return intern(c, CUL_KIND_ARRAY, element, count, size);
}
