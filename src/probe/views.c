/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --count and --hist: groups of calls, at the end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "probe/picture.h"
#include "probe/run.h"
#include "sym/print.h"

struct groups {
	CUL_VEC(struct entry {
		struct cul_probe_tally_key key;
		struct cul_probe_tally g;
	})
	v;
};

static int collect(
	void *data, const struct cul_probe_tally_key *key, const struct cul_probe_tally *g)
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
		r = x->key.unread - y->key.unread;
	if (!r)
		r = memcmp(x->key.by, y->key.by, sizeof(x->key.by));
	return r ? r : x->key.bar < y->key.bar ? -1 : x->key.bar > y->key.bar;
}

/* What stands for a group: its stack, and the values of --by. */
struct naming {
	struct cul_shown_frame frames[2 * CUL_PROBE_STACK_DEPTH];
	size_t n;
	struct cul_probe_arg by[CUL_PROBE_BY];
	struct cul_str texts[CUL_PROBE_BY];
	size_t n_by;
};

static void namings_free(struct naming *names, size_t n)
{
	for (size_t i = 0; names && i < n; i++)
		for (size_t j = 0; j < CUL_PROBE_BY; j++)
			cul_str_free(&names[i].texts[j]);
	free(names);
}

static bool name_pointer(void *data, uint64_t addr, struct cul_where *out)
{
	return cul_scope_data_name(data, addr, out);
}

static void name_values(
	struct cul_probe_run *run, const struct cul_probe_tally_key *key, struct naming *out)
{
	const struct cul_generated *g = &run->generated[key->site];
	const struct cul_print_names names = {.name = name_pointer, .data = run->scope};

	for (size_t i = 0; i < g->n_by && i < CUL_PROBE_BY; i++) {
		const struct cul_generated_value *v = &g->values[g->n_values - g->n_by + i];
		struct cul_probe_arg *arg = &out->by[out->n_by];
		unsigned word = v->at - CUL_PROBE_BY_AT;
		struct cul_print_value value = {.type = v->type,
			.bytes = (const uint8_t *)&key->by[word],
			.size = v->type->size < v->n * 8u ? v->type->size : v->n * 8u};

		arg->name = v->text;
		out->n_by++;
		if (key->unread >> word & 1) {
			arg->why = "unreadable";
			continue;
		}
		cul_print_value(&out->texts[out->n_by - 1], &value, &names);
		arg->value.text = cul_str_text(&out->texts[out->n_by - 1]);
		arg->value.is_number = cul_print_is_number(v->type, value.size);
	}
}

static void name_stack(struct cul_probe_run *run, int32_t id, bool user, struct naming *out)
{
	uint64_t addrs[CUL_PROBE_STACK_DEPTH];
	size_t n = cul_probe_program_stack(&run->program, id, addrs);

	for (size_t i = 0; i < n; i++) {
		struct cul_shown_frame *f = &out->frames[out->n++];

		*f = (struct cul_shown_frame){.user = user,
			.method = !i     ? "regs"
				  : user ? "fp"
					 : "kernel"};
		cul_probe_where(
			run, i ? addrs[i] - 1 : addrs[i], user, run->only_pid, "", &f->where);
		f->where.addr = addrs[i];
		f->where.offset += i > 0;
	}
}

static int say_groups(struct cul_probe_run *run, struct groups *all)
{
	size_t n = all->v.len;
	cul_autofree struct cul_probe_group *shown = cul_calloc(n + 1, sizeof(*shown));
	struct naming *names = cul_calloc(n + 1, sizeof(*names));
	int r;

	if (!shown || !names) {
		namings_free(names, n);
		return -ENOMEM;
	}
	if (n)
		qsort(all->v.data, n, sizeof(*all->v.data), by_count);
	if (run->only_pid && run->options->want_user_stack)
		cul_users_open(&run->users, run->only_pid, "");
	for (size_t i = 0; i < n; i++) {
		const struct entry *e = &all->v.data[i];
		const struct cul_site *site = &run->sites.sites.data[e->key.site];
		size_t skip;

		if (run->options->want_kernel_stack)
			name_stack(run, e->key.stack, false, &names[i]);
		if (run->options->want_user_stack)
			name_stack(run, e->key.user_stack, true, &names[i]);
		skip = cul_probe_skip_ours(site, names[i].frames, names[i].n);
		name_values(run, &e->key, &names[i]);
		shown[i] = (struct cul_probe_group){.function = site->name,
			.module = site->module,
			.by = names[i].by,
			.n_by = names[i].n_by,
			.frames = names[i].frames + skip,
			.n_frames = names[i].n - skip,
			.calls = e->g.count,
			.errors = e->g.errors,
			.timed = run->returns,
			.sum_ns = e->g.sum,
			.max_ns = e->g.max};
	}
	r = run->sink->ops->probe_groups(run->sink, shown, n);
	namings_free(names, n);
	return r;
}

/* One histogram of the entries of one group. */
static int say_histogram(struct cul_probe_run *run, const struct entry *from, size_t n)
{
	const struct cul_site *site = &run->sites.sites.data[from->key.site];
	cul_autofree struct cul_picture_count *counts = cul_calloc(n, sizeof(*counts));
	struct cul_probe_bar bars[CUL_PICTURE_MOST];
	struct cul_probe_histogram h = {.function = site->name,
		.module = site->module,
		.measure = run->options->hist,
		.is_time = !strcmp(run->options->hist, "dur")};
	struct naming *names = cul_calloc(1, sizeof(*names));
	int r = -ENOMEM;

	if (counts && names) {
		for (size_t i = 0; i < n; i++)
			counts[i] = (struct cul_picture_count){
				from[i].key.bar, from[i].g.count, from[i].g.low, from[i].g.high};
		cul_picture_make(&run->options->scale, counts, n, bars, &h);
		name_values(run, &from->key, names);
		h.by = names->by;
		h.n_by = names->n_by;
		r = run->sink->ops->probe_histogram(run->sink, &h);
	}
	namings_free(names, 1);
	return r;
}

static bool same_group(const struct cul_probe_tally_key *a, const struct cul_probe_tally_key *b)
{
	return a->site == b->site && a->unread == b->unread && !memcmp(a->by, b->by, sizeof(a->by));
}

static int say_histograms(struct cul_probe_run *run, struct groups *all)
{
	size_t start = 0;
	int r = 0;

	if (all->v.len)
		qsort(all->v.data, all->v.len, sizeof(*all->v.data), by_group);
	for (size_t i = 0; !r && i < all->v.len; i++) {
		if (i + 1 < all->v.len && same_group(&all->v.data[i].key, &all->v.data[i + 1].key))
			continue;
		r = say_histogram(run, &all->v.data[start], i + 1 - start);
		start = i + 1;
	}
	return r;
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
	return run->options->view == CUL_VIEW_COUNT ? say_groups(run, &all)
						    : say_histograms(run, &all);
}
