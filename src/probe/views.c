/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --count and --hist: groups of calls, at the end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "probe/run.h"

struct groups {
	CUL_VEC(struct entry {
		struct cul_probe_group_key key;
		struct cul_probe_group g;
	}) v;
};

static int collect(
	void *data, const struct cul_probe_group_key *key, const struct cul_probe_group *g)
{
	struct groups *all = data;
	struct entry *e = cul_vec_push(&all->v);

	if (!e)
		return -ENOMEM;
	e->key = *key;
	e->g = *g;
	return 0;
}

static void groups_free(struct groups *all)
{
	free(all->v.data);
}

static int by_count(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->g.count != y->g.count)
		return x->g.count > y->g.count ? -1 : 1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

/* All bars of one group side by side, in order. */
static int by_group(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = x->key.site < y->key.site ? -1 : x->key.site > y->key.site;

	if (!r)
		r = memcmp(x->key.by, y->key.by, sizeof(x->key.by));
	return r ? r : x->key.bar < y->key.bar ? -1 : x->key.bar > y->key.bar;
}

struct naming {
	struct cul_frame frames[2 * CUL_PROBE_STACK_DEPTH];
	size_t n;
};

static void name_stack(struct cul_probe_run *run, int32_t id, bool user, struct naming *out)
{
	uint64_t addrs[CUL_PROBE_STACK_DEPTH];
	size_t n = cul_probe_program_stack(&run->program, id, addrs);

	for (size_t i = 0; i < n; i++) {
		struct cul_frame *f = &out->frames[out->n++];

		*f = (struct cul_frame){.user = user, .method = i ? "kernel" : "regs"};
		cul_scope_where(run->scope, i ? addrs[i] - 1 : addrs[i], user, &f->where);
		f->where.addr = addrs[i];
		f->where.offset += i > 0;
	}
}

static int say_groups(struct cul_probe_run *run, struct groups *all)
{
	size_t n = all->v.len;
	cul_autofree struct cul_probe_group *shown = NULL;
	cul_autofree struct naming *names = NULL;

	(void)names;
	shown = cul_calloc(n + 1, sizeof(*shown));
	names = cul_calloc(n + 1, sizeof(*names));
	if (!shown || !names)
		return -ENOMEM;
	if (n)
		qsort(all->v.data, n, sizeof(*all->v.data), by_count);
	for (size_t i = 0; i < n; i++) {
		const struct entry *e = &all->v.data[i];
		const struct cul_site *site = &run->sites.sites.data[e->key.site];

		if (run->options->want_kernel_stack)
			name_stack(run, e->key.stack, false, &names[i]);
		if (run->options->want_user_stack)
			name_stack(run, e->key.user_stack, true, &names[i]);
		shown[i] = (struct cul_probe_group){.function = site->name,
			.module = site->module,
			.frames = names[i].frames,
			.n_frames = names[i].n,
			.calls = e->g.count,
			.errors = e->g.errors,
			.timed = run->returns,
			.sum_ns = e->g.sum,
			.max_ns = e->g.max};
	}
	return run->sink->ops->probe_groups(run->sink, shown, n);
}

/* [low, high) of a bar; see bar_of() in bpf/probe.bpf.c. */
static void bounds(unsigned bar, int64_t *low, int64_t *high)
{
	unsigned e = bar / 16 + 3;

	if (bar < 16) {
		*low = bar;
		*high = bar + 1;
		return;
	}
	*low = (int64_t)(16 + bar % 16) << (e - 4);
	*high = (int64_t)(17 + bar % 16) << (e - 4);
}

int cul_probe_say_views(struct cul_probe_run *run, struct cul_error *err)
{
	__attribute__((cleanup(groups_free))) struct groups all = {0};
	int r;

	if (run->options->view != CUL_VIEW_COUNT && run->options->view != CUL_VIEW_HIST)
		return 0;
	r = cul_probe_program_groups(&run->program, collect, &all);
	if (r)
		return cul_fail(err, r, "reading the groups: %s", cul_strerror(r));
	if (run->options->view == CUL_VIEW_COUNT)
		return say_groups(run, &all);
	if (all.v.len)
		qsort(all.v.data, all.v.len, sizeof(*all.v.data), by_group);
	return cul_probe_say_histograms(run, &all);
}
