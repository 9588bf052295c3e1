/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stack/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { TABLE_LEAST = 64 };

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

static uint64_t hash_of(const struct cul_source_thread *t, const struct cul_stack *s)
{
	uint64_t hash = s->end.why;

	for (size_t i = 0; i < t->kernel.len; i++)
		hash = mix(hash, t->kernel.data[i].where.offset);
	for (size_t i = 0; i < s->frames.len; i++)
		hash = mix(hash, s->frames.data[i].frame.pc);
	return mix(hash, s->depth);
}

static bool same_kernel(const struct cul_source_thread *a, const struct cul_source_thread *b)
{
	if (a->kernel.len != b->kernel.len || !same_text(a->kernel_end, b->kernel_end))
		return false;
	for (size_t i = 0; i < a->kernel.len; i++) {
		const struct cul_kernel_frame *x = &a->kernel.data[i], *y = &b->kernel.data[i];

		if (x->where.addr != y->where.addr || x->where.offset != y->where.offset ||
			x->certainty != y->certainty ||
			!same_text(x->where.function, y->where.function) ||
			!same_text(x->where.module, y->where.module))
			return false;
	}
	return true;
}

static bool same_frames(const struct cul_stack *a, const struct cul_stack *b)
{
	if (a->frames.len != b->frames.len || a->depth != b->depth || a->end.why != b->end.why)
		return false;
	for (size_t i = 0; i < a->frames.len; i++) {
		const struct cul_stack_frame *x = &a->frames.data[i], *y = &b->frames.data[i];

		if (x->frame.pc != y->frame.pc || x->frame.method != y->frame.method ||
			x->frame.certainty != y->frame.certainty || x->times != y->times ||
			x->period != y->period)
			return false;
	}
	return true;
}

static bool same(const struct cul_stack_group *g, const struct cul_source_thread *t,
	const struct cul_stack *s)
{
	const struct cul_source_thread *f = g->first;

	return same_frames(&g->stack, s) && same_kernel(f, t) &&
	       same_text(f->missing, t->missing) && same_text(f->user_end, t->user_end) &&
	       f->moving == t->moving && f->about.signal == t->about.signal;
}

static int grow(struct cul_stack_groups *groups)
{
	size_t size = groups->table_size ? groups->table_size * 2 : TABLE_LEAST;
	size_t *table = cul_calloc(size, sizeof(*table));

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < groups->groups.len; i++) {
		size_t at = groups->groups.data[i].hash % size;

		while (table[at])
			at = (at + 1) % size;
		table[at] = i + 1;
	}
	free(groups->table);
	groups->table = table;
	groups->table_size = size;
	return 0;
}

static struct cul_stack_group *find(struct cul_stack_groups *groups, uint64_t hash,
	const struct cul_source_thread *t, const struct cul_stack *s)
{
	size_t at = hash % groups->table_size;

	for (; groups->table[at]; at = (at + 1) % groups->table_size) {
		struct cul_stack_group *g = &groups->groups.data[groups->table[at] - 1];

		if (!groups->no_fold && g->hash == hash && same(g, t, s))
			return g;
	}
	return NULL;
}

static struct cul_stack_group *add(struct cul_stack_groups *groups, uint64_t hash,
	const struct cul_source_thread *t, struct cul_stack *s)
{
	struct cul_stack_group *g = cul_vec_push(&groups->groups);
	size_t at = hash % groups->table_size;

	if (!g)
		return NULL;
	g->first = t;
	g->hash = hash;
	g->stack = *s;
	*s = (struct cul_stack){0};
	while (groups->table[at])
		at = (at + 1) % groups->table_size;
	groups->table[at] = groups->groups.len;
	return g;
}

int cul_stack_groups_add(struct cul_stack_groups *groups, const struct cul_source_thread *thread,
	struct cul_stack *stack)
{
	uint64_t hash = groups->no_fold ? mix(0, groups->groups.len) : hash_of(thread, stack);
	const struct cul_source_thread **slot;
	struct cul_stack_group *g;

	if (groups->groups.len * 2 >= groups->table_size && grow(groups) != 0)
		return -ENOMEM;
	g = find(groups, hash, thread, stack);
	if (!g)
		g = add(groups, hash, thread, stack);
	slot = g ? cul_vec_push(&g->threads) : NULL;
	cul_stack_free(stack);
	if (!slot)
		return -ENOMEM;
	*slot = thread;
	return 0;
}

static int by_tid(const void *a, const void *b)
{
	const struct cul_source_thread *x = *(const struct cul_source_thread *const *)a;
	const struct cul_source_thread *y = *(const struct cul_source_thread *const *)b;

	return (x->about.tid > y->about.tid) - (x->about.tid < y->about.tid);
}

static bool has(const struct cul_stack_group *g, pid_t tid)
{
	for (size_t i = 0; i < g->threads.len; i++) {
		if (g->threads.data[i]->about.tid == tid)
			return true;
	}
	return false;
}

static int by_size(const void *a, const void *b)
{
	const struct cul_stack_group *x = a, *y = b;

	if (x->threads.len != y->threads.len)
		return x->threads.len < y->threads.len ? 1 : -1;
	return by_tid(&x->threads.data[0], &y->threads.data[0]);
}

void cul_stack_groups_sort(struct cul_stack_groups *groups, pid_t first)
{
	struct cul_stack_group *g = groups->groups.data, found;
	size_t n = groups->groups.len, at = 0;

	for (size_t i = 0; i < n; i++)
		qsort(g[i].threads.data, g[i].threads.len, sizeof(*g[i].threads.data), by_tid);
	if (n)
		qsort(g, n, sizeof(*g), by_size);
	while (at < n && !has(&g[at], first))
		at++;
	if (at == 0 || at == n)
		return;
	found = g[at];
	memmove(g + 1, g, at * sizeof(*g));
	g[0] = found;
}

void cul_stack_groups_free(struct cul_stack_groups *groups)
{
	for (size_t i = 0; i < groups->groups.len; i++) {
		cul_stack_free(&groups->groups.data[i].stack);
		free(groups->groups.data[i].threads.data);
	}
	free(groups->groups.data);
	free(groups->table);
	*groups = (struct cul_stack_groups){0};
}
