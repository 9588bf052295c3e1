/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/seen.h"

#include <search.h>
#include <stdlib.h>

#include "base/alloc.h"

enum { MOST = 1 << 16 }; /* a run may go on for days */

struct stack {
	uint64_t hash;
	uint64_t number;
};

static int by_hash(const void *a, const void *b)
{
	const struct stack *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static uint64_t hash_frames(const uint64_t *frames, size_t n)
{
	uint64_t hash = 0xcbf29ce484222325u + n;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ frames[i]) * 0x100000001b3u ^ (hash >> 29);
	return hash;
}

uint64_t cul_seen_at(struct cul_seen *seen, const uint64_t *frames, size_t n, uint64_t number)
{
	struct stack key = {.hash = hash_frames(frames, n)};
	struct stack **slot = tfind(&key, &seen->tree, by_hash), *fresh;

	if (slot)
		return (*slot)->number;
	fresh = seen->n < MOST ? cul_calloc(1, sizeof(*fresh)) : NULL;
	if (!fresh)
		return 0;
	fresh->hash = key.hash;
	fresh->number = number;
	if (tsearch(fresh, &seen->tree, by_hash))
		seen->n++;
	else
		free(fresh);
	return 0;
}

void cul_seen_free(struct cul_seen *seen)
{
	tdestroy(seen->tree, free);
	seen->tree = NULL;
	seen->n = 0;
}
