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

static bool same_values(const struct cul_generated *a, const struct cul_generated *b)
{
	bool same = a->n_values == b->n_values;

	for (size_t i = 0; same && i < a->n_values; i++)
		same = a->values[i].type == b->values[i].type &&
		       a->values[i].text_room == b->values[i].text_room;
	return same;
}

/* The first site of the same function that has values of the same types, and times or none. */
static unsigned first_alike(const struct cul_probe_run *run, unsigned site)
{
	const struct cul_site *sites = run->sites.sites.data;
	unsigned first = site;

	for (unsigned i = site; i && cul_probe_same_function(&sites[i - 1], &sites[site]); i--)
		if (same_values(&run->generated[i - 1], &run->generated[site]) &&
			cul_probe_is_paired(run, &sites[i - 1]) ==
				cul_probe_is_paired(run, &sites[site]))
			first = i - 1;
	return first;
}

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

/* Copies of a function are one to who counts its calls; stacks tell them apart. */
static void unite(struct cul_probe_run *run, struct groups *all)
{
	struct entry *e = all->v.data;
	size_t n = 0;

	if (run->options->want_kernel_stack || run->options->want_user_stack || !all->v.len)
		return;
	for (size_t i = 0; i < all->v.len; i++)
		e[i].key.site = first_alike(run, e[i].key.site);
	qsort(e, all->v.len, sizeof(*e), by_key);
	for (size_t i = 1; i < all->v.len; i++) {
		struct cul_probe_tally *to = &e[n].g, *from = &e[i].g;

		if (by_key(&e[n], &e[i])) {
			e[++n] = e[i];
			continue;
		}
		to->count += from->count;
		to->errors += from->errors;
		to->sum += from->sum;
		to->max = from->max > to->max ? from->max : to->max;
		to->low = from->low < to->low ? from->low : to->low;
		to->high = from->high > to->high ? from->high : to->high;
	}
	all->v.len = n + 1;
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
	struct cul_shown_frame frames[2 * CUL_PROBE_STACK_DEPTH + 1];
	size_t n;
	struct cul_probe_owner owner; /* of user frames */
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
	const struct cul_print_names names = {
		.name = name_pointer, .data = run->scope, .addresses = true};
	uint8_t text[CUL_PROBE_TEXT];

	for (size_t i = 0; i < g->n_by && i < CUL_PROBE_BY; i++) {
		const struct cul_generated_value *v = &g->values[g->n_values - g->n_by + i];
		struct cul_probe_arg *arg = &out->by[out->n_by];
		unsigned word = v->at - CUL_PROBE_BY_AT;
		struct cul_print_value value = {.type = v->type,
			.bytes = (const uint8_t *)&key->by[word],
			.size = v->type->size < v->n * 8u ? v->type->size : v->n * 8u,
			.called = v->text};

		arg->name = v->text;
		out->n_by++;
		if (key->unread >> word & 1) {
			arg->why = "unreadable";
			continue;
		}
		if (v->text_room && !cul_probe_program_text(&run->program, key->by[word], text)) {
			arg->why = "not kept";
			continue;
		}
		if (v->text_room)
			cul_plan_show_text(&out->texts[out->n_by - 1], text,
				strnlen((char *)text, sizeof(text) - 1) + 1, sizeof(text));
		else
			cul_print_value(&out->texts[out->n_by - 1], &value, &names);
		arg->value.text = cul_str_text(&out->texts[out->n_by - 1]);
		arg->value.is_number =
			cul_print_is_number(v->type, value.size) && !cul_print_is_address(&value);
	}
}

static void name_one(struct cul_probe_run *run, struct cul_probe_frame from, uint64_t addr, int at,
	struct naming *out)
{
	from.addr = addr;
	from.at = at;
	cul_probe_name_frame(run, &from, &out->frames[out->n++]);
}

static void name_stack(struct cul_probe_run *run, const struct cul_probe_tally_key *key, bool user,
	struct naming *out)
{
	const struct cul_site *site = &run->sites.sites.data[key->site];
	struct cul_probe_frame from = {.user = user, .owner = &out->owner};
	uint64_t addrs[CUL_PROBE_STACK_DEPTH];
	size_t n =
		cul_probe_program_stack(&run->program, user ? key->user_stack : key->stack, addrs);

	for (size_t i = 0; i < n; i++) {
		from.site = !i && user && run->pid && !run->returns ? site : NULL;
		name_one(run, from, addrs[i], i ? CUL_FRAME_OUTER : CUL_FRAME_INNERMOST, out);
		from.site = NULL;
		if (!i && user && cul_probe_lacks_caller(run, key->site, key->caller, addrs, n))
			name_one(run, from, key->caller, CUL_FRAME_ENTRY, out);
	}
}

/* What one group tells of its site, another of the same site may need. */
static void learn(struct cul_probe_run *run, const struct groups *all)
{
	uint64_t addrs[CUL_PROBE_STACK_DEPTH];

	for (size_t i = 0; i < all->v.len; i++) {
		const struct cul_probe_tally_key *key = &all->v.data[i].key;

		if (key->caller)
			cul_probe_lacks_caller(run, key->site, key->caller, addrs,
				cul_probe_program_stack(&run->program, key->user_stack, addrs));
	}
}

/* Stacks of different processes are different groups, which are told apart by them. */
static bool several_processes(const struct groups *all)
{
	for (size_t i = 1; i < all->v.len; i++)
		if (all->v.data[i].key.tgid != all->v.data[0].key.tgid)
			return true;
	return false;
}

static void name_group(struct cul_probe_run *run, const struct entry *e, struct naming *out,
	struct cul_probe_group *shown)
{
	const struct cul_site *site = &run->sites.sites.data[e->key.site];
	size_t skip;

	out->owner = (struct cul_probe_owner){
		.pid = (pid_t)e->key.tgid, .comm = "", .renewed = e->key.renewed};
	cul_probe_open_user(run, &out->owner);
	out->owner.comm = cul_users_comm(&run->users, out->owner.pid);
	if (run->options->want_kernel_stack)
		name_stack(run, &e->key, false, out);
	if (run->options->want_user_stack)
		name_stack(run, &e->key, true, out);
	skip = cul_probe_skip_ours(site, out->frames, out->n);
	name_values(run, &e->key, out);
	*shown = (struct cul_probe_group){.function = site->name,
		.module = site->module,
		.by = out->by,
		.n_by = out->n_by,
		.frames = out->frames + skip,
		.n_frames = out->n - skip,
		.calls = e->g.count,
		.errors = e->g.errors,
		.timed = cul_probe_is_paired(run, site),
		.sum_ns = e->g.sum,
		.max_ns = e->g.max};
}

static int say_groups(struct cul_probe_run *run, struct groups *all)
{
	size_t n = all->v.len;
	bool several = several_processes(all);
	cul_autofree struct cul_probe_group *shown = cul_calloc(n + 1, sizeof(*shown));
	struct naming *names = cul_calloc(n + 1, sizeof(*names));
	int r;

	if (!shown || !names) {
		namings_free(names, n);
		return -ENOMEM;
	}
	if (n)
		qsort(all->v.data, n, sizeof(*all->v.data), by_count);
	cul_probe_naming(run, true);
	cul_probe_meet_callers(run);
	learn(run, all);
	for (size_t i = 0; i < n; i++) {
		name_group(run, &all->v.data[i], &names[i], &shown[i]);
		if (several) {
			shown[i].pid = (int)all->v.data[i].key.tgid;
			shown[i].comm = names[i].owner.comm;
		}
	}
	cul_probe_naming(run, false);
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
		cul_probe_naming(run, true);
		name_values(run, &from->key, names);
		cul_probe_naming(run, false);
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
	unite(run, &all);
	return run->options->view == CUL_VIEW_COUNT ? say_groups(run, &all)
						    : say_histograms(run, &all);
}
