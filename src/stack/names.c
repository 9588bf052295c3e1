/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stack/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/vec.h"

enum { BUCKETS = 4096, BUILD_ID_MOST = 64 };

struct name {
	uint64_t pc, lookup;
	struct name *next;
	struct cul_where where;
	const char *build_id;
};

struct cul_stack_names {
	struct cul_process_syms *syms;
	struct name *buckets[BUCKETS];
	struct cul_arena arena;
};

int cul_stack_names_new(struct cul_process_syms *syms, struct cul_stack_names **out)
{
	struct cul_stack_names *names = cul_calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	names->syms = syms;
	*out = names;
	return 0;
}

void cul_stack_names_free(struct cul_stack_names *names)
{
	if (!names)
		return;
	cul_arena_free(&names->arena);
	free(names);
}

static const char *build_id(struct cul_stack_names *names, uint64_t lookup)
{
	struct cul_objfile *file = cul_process_object_at(names->syms, lookup, NULL);
	const uint8_t *id;
	size_t n = file ? cul_objfile_build_id(file, &id) : 0;
	char text[2 * BUILD_ID_MOST + 1];

	if (n == 0 || n > BUILD_ID_MOST)
		return NULL;
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	return cul_arena_strdup(&names->arena, text);
}

static void look_up(struct cul_stack_names *names, struct name *name)
{
	struct cul_process_where at;

	name->where.addr = name->pc;
	if (!names->syms)
		return;
	cul_process_at(names->syms, name->lookup, &at);
	name->where = (struct cul_where){
		.addr = name->pc,
		.function = at.symbol,
		.offset = at.offset + (name->pc - name->lookup),
		.module = at.object,
		.file = at.file,
		.line = at.line,
	};
	if (!at.symbol)
		name->build_id = build_id(names, name->lookup);
}

int cul_stack_names_at(struct cul_stack_names *names, uint64_t pc, uint64_t lookup,
	struct cul_stack_frame_shown *out)
{
	struct name **bucket = &names->buckets[(lookup ^ lookup >> 12) % BUCKETS], *name;

	for (name = *bucket; name; name = name->next) {
		if (name->pc == pc && name->lookup == lookup)
			break;
	}
	if (!name) {
		name = cul_arena_alloc(&names->arena, sizeof(*name));
		if (!name)
			return -ENOMEM;
		name->pc = pc;
		name->lookup = lookup;
		look_up(names, name);
		name->next = *bucket;
		*bucket = name;
	}
	out->where = name->where;
	out->build_id = name->build_id;
	return 0;
}
