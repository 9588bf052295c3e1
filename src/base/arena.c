/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { CHUNK = 16 * 1024 - 64, ALIGN = 16 };

struct cul_arena_chunk {
	struct cul_arena_chunk *next;
	size_t used, size;
	_Alignas(ALIGN) char bytes[];
};

void *cul_arena_alloc(struct cul_arena *arena, size_t size)
{
	struct cul_arena_chunk *chunk = arena->chunks;
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = size > CHUNK ? size : CHUNK;

		chunk = cul_calloc(1, sizeof(*chunk) + room);
		if (!chunk)
			return NULL;
		chunk->size = room;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
	}
	p = chunk->bytes + chunk->used;
	chunk->used += size;
	return p;
}

char *cul_arena_strndup(struct cul_arena *arena, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = cul_arena_alloc(arena, len + 1);

	if (copy)
		memcpy(copy, s, len);
	return copy;
}

char *cul_arena_strdup(struct cul_arena *arena, const char *s)
{
	return cul_arena_strndup(arena, s, strlen(s));
}

void cul_arena_free(struct cul_arena *arena)
{
	while (arena->chunks) {
		struct cul_arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		free(chunk);
	}
}
