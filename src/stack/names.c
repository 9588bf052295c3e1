/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stack/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/vec.h"

enum { BUCKETS_LEAST = 1024, BUILD_ID_MOST = 64 };

struct name {
	uint64_t pc, lookup;
	struct name *next;
	struct cul_stack_place place;
};

struct cul_stack_names {
	struct cul_process_syms *syms;
	struct cul_code_space code;
	struct name **buckets;
	size_t n_buckets, n_names;
	uint64_t seed; /* who makes the addresses does not know it */
	struct cul_arena arena;
};

int cul_stack_names_new(struct cul_process_syms *syms, const struct cul_code_space *code,
	struct cul_stack_names **out)
{
	struct cul_stack_names *names = cul_calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	names->syms = syms;
	names->seed = cul_clock_now() ^ (uintptr_t)names;
	if (code)
		names->code = *code;
	*out = names;
	return 0;
}

void cul_stack_names_free(struct cul_stack_names *names)
{
	if (!names)
		return;
	cul_arena_free(&names->arena);
	free(names->buckets);
	free(names);
}

static const char *build_id(struct cul_stack_names *names, uint64_t lookup)
{
	const uint8_t *id;
	size_t n = cul_process_build_id(names->syms, lookup, &id);
	char text[2 * BUILD_ID_MOST + 1];

	if (n == 0 || n > BUILD_ID_MOST)
		return NULL;
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	return cul_arena_strdup(&names->arena, text);
}

/* The vDSO is in no file: where code is asked for, it is known. */
static size_t places_at(struct cul_stack_names *names, uint64_t lookup, struct cul_where *out)
{
	struct cul_code_at at;
	size_t n = 0;

	out[0] = (struct cul_where){0};
	if (names->code.at && names->code.at(names->code.data, lookup, &at) == 0 && at.file)
		n = cul_objfile_frames(at.file, lookup, out, CUL_MAX_CALLS);
	if (n)
		return n;
	return names->syms ? cul_process_frames(names->syms, lookup, out, CUL_MAX_CALLS) : 1;
}

static int look_up(struct cul_stack_names *names, struct name *name)
{
	struct cul_where found[CUL_MAX_CALLS], *kept;
	size_t n = places_at(names, name->lookup, found);

	kept = cul_arena_alloc(&names->arena, n * sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		kept[i] = found[i];
		kept[i].addr = name->pc;
	}
	if (names->syms)
		kept[n - 1].offset += name->pc - name->lookup;
	if (names->syms && !kept[n - 1].function)
		name->place.build_id = build_id(names, name->lookup);
	name->place.where = kept;
	name->place.n = n;
	return 0;
}

static struct name **bucket_of(struct cul_stack_names *names, uint64_t pc, uint64_t lookup)
{
	uint64_t hash = (lookup ^ names->seed) * 0x9e3779b97f4a7c15ull;

	hash = (hash ^ hash >> 32 ^ (pc - lookup)) * 0xbf58476d1ce4e5b9ull;
	return &names->buckets[(hash ^ hash >> 29) & (names->n_buckets - 1)];
}

static int make_room(struct cul_stack_names *names)
{
	size_t n = names->n_buckets;
	struct name **old = names->buckets, **new;

	if (names->n_names < n)
		return 0;
	new = cul_calloc(n ? 2 * n : BUCKETS_LEAST, sizeof(struct name *));
	if (!new)
		return -ENOMEM;
	names->buckets = new;
	names->n_buckets = n ? 2 * n : BUCKETS_LEAST;
	for (size_t i = 0; i < n; i++)
		while (old[i]) {
			struct name *name = old[i];
			struct name **bucket = bucket_of(names, name->pc, name->lookup);

			old[i] = name->next;
			name->next = *bucket;
			*bucket = name;
		}
	free(old);
	return 0;
}

int cul_stack_names_at(
	struct cul_stack_names *names, uint64_t pc, uint64_t lookup, struct cul_stack_place *out)
{
	struct name **bucket, *name;

	if (make_room(names) != 0)
		return -ENOMEM;
	bucket = bucket_of(names, pc, lookup);
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
		if (look_up(names, name) != 0)
			return -ENOMEM;
		name->next = *bucket;
		*bucket = name;
		names->n_names++;
	}
	*out = name->place;
	return 0;
}
