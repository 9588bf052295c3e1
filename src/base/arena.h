/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that is freed all at once: nodes of type graphs and expression trees.
 * An arena starts as all zero. Blocks are zeroed and aligned to 16 bytes.
 */
#ifndef CUL_BASE_ARENA_H
#define CUL_BASE_ARENA_H

#include <stddef.h>

struct cul_arena_chunk;

struct cul_arena {
	struct cul_arena_chunk *chunks;
};

void *cul_arena_alloc(struct cul_arena *arena, size_t size); /* NULL when out of memory */
char *cul_arena_strdup(struct cul_arena *arena, const char *s);
char *cul_arena_strndup(struct cul_arena *arena, const char *s, size_t n);
void cul_arena_free(struct cul_arena *arena); /* leaves it empty and usable */

#endif
