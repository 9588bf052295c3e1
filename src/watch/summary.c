/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "watch/run.h"
#include "watch.skel.h"

/* One instruction's doings at one target, over all processes. */
struct writer {
	struct cul_watch_key key; /* tgid 0 */
	struct cul_watch_writer_count sum;
	bool is_signed, guilty;
	const struct cul_watch_site *site;
	CUL_VEC(struct cul_watch_process) processes;
	struct cul_str texts[3]; /* min, max, last */
};

struct table {
	struct cul_watch_run *run;
	CUL_VEC(struct writer) writers;
	int failed;
};

static void free_table(struct table *t)
{
	for (size_t i = 0; i < t->writers.len; i++) {
		struct writer *w = &t->writers.data[i];

		for (size_t p = 0; p < w->processes.len; p++)
			free((char *)w->processes.data[p].comm);
		free(w->processes.data);
		for (size_t s = 0; s < 3; s++)
			cul_str_free(&w->texts[s]);
	}
	free(t->writers.data);
}

static struct writer *find_writer(struct table *t, const struct cul_watch_key *key)
{
	struct writer *w;

	for (size_t i = 0; i < t->writers.len; i++) {
		w = &t->writers.data[i];
		if (w->key.ip == key->ip && w->key.target == key->target)
			return w;
	}
	w = cul_vec_push(&t->writers);
	if (w) {
		w->key = *key;
		w->key.tgid = 0;
		w->is_signed = t->run->targets[key->target].type &&
			       t->run->targets[key->target].type->is_signed;
	}
	return w;
}

static int add(
	void *data, const struct cul_watch_key *key, const struct cul_watch_writer_count *one)
{
	struct table *t = data;
	struct cul_watch_process *p;
	struct writer *w;

	if (!one->hits || key->target >= t->run->n_targets)
		return 0;
	w = find_writer(t, key);
	p = w ? cul_vec_push(&w->processes) : NULL;
	if (!p)
		return -ENOMEM;
	cul_watch_writer_merge(&w->sum, one, w->is_signed);
	p->pid = (int)key->tgid;
	p->comm = cul_strndup(one->comm, sizeof(one->comm));
	p->hits = one->hits;
	return p->comm ? 0 : -ENOMEM;
}

/* The guilty before the others, then by target, hits, time of the first. */
static int in_order(const void *a, const void *b)
{
	const struct writer *x = a, *y = b;

	if (x->guilty != y->guilty)
		return x->guilty ? -1 : 1;
	if (x->key.target != y->key.target)
		return x->key.target < y->key.target ? -1 : 1;
	if (x->sum.hits != y->sum.hits)
		return x->sum.hits < y->sum.hits ? 1 : -1;
	return x->sum.first_ns < y->sum.first_ns ? -1 : x->sum.first_ns > y->sum.first_ns;
}

static int busier_first(const void *a, const void *b)
{
	const struct cul_watch_process *x = a, *y = b;

	return x->hits < y->hits ? 1 : x->hits > y->hits ? -1 : x->pid - y->pid;
}

static bool is_kernel_address(uint64_t addr)
{
	return addr >> 63; /* on every architecture with 64-bit addresses so far */
}

static void fill_range(struct cul_watch_run *run, struct writer *w, struct cul_watch_writer *out)
{
	const struct cul_watch_target *t = &run->targets[w->key.target];

	if (run->options->access == CUL_ACCESS_EXECUTE || !cul_watch_target_is_scalar(t))
		return;
	cul_watch_print(run, w->key.target, NULL, w->sum.last, &w->texts[2], &out->last);
	if (t->type && !cul_type_is_integer(t->type))
		return;
	cul_watch_print(run, w->key.target, NULL, w->sum.min, &w->texts[0], &out->min);
	cul_watch_print(run, w->key.target, NULL, w->sum.max, &w->texts[1], &out->max);
}

static void fill_writer(struct cul_watch_run *run, struct writer *w, struct cul_watch_writer *out)
{
	const struct cul_watch_site *site =
		cul_watch_site(run, w->key.ip, !is_kernel_address(w->key.ip), w->key.target, NULL);

	memset(out, 0, sizeof(*out));
	out->target = run->targets[w->key.target].text;
	out->hits = w->sum.hits;
	out->first_ns = cul_watch_since(run, w->sum.first_ns);
	out->last_ns = cul_watch_since(run, w->sum.last_ns);
	out->access = run->options->access;
	out->guilty = w->guilty;
	out->where.addr = w->key.ip;
	if (site) {
		out->where = site->where;
		out->insn = site->insn.certainty != CUL_UNKNOWN ? &site->insn : NULL;
		out->access = cul_watch_site_access(run, site);
	}
	if (site && cul_watch_site_stores(run, site)) {
		out->unchanged = w->sum.unchanged;
		out->neighbour = w->sum.neighbour;
	}
	fill_range(run, w, out);
	qsort(w->processes.data, w->processes.len, sizeof(*w->processes.data), busier_first);
	out->processes = w->processes.data;
	out->n_processes = w->processes.len;
}

/* A ledger with a part missing would say that nothing was lost. */
static int unread(int code, struct cul_error *err)
{
	return cul_fail(err, code, "reading what the kernel counted: %s", cul_strerror(code));
}

static int show_writers(
	struct cul_watch_run *run, struct cul_watch_loss *loss, struct cul_error *err)
{
	__attribute__((cleanup(free_table))) struct table t = {.run = run};
	cul_autofree struct cul_watch_writer *out = NULL;
	int r;

	r = cul_watch_program_writers(&run->program, add, &t);
	if (r)
		return unread(r, err);
	cul_watch_naming(run, true);
	for (size_t i = 0; i < t.writers.len; i++) {
		struct writer *w = &t.writers.data[i];

		w->site = cul_watch_site(
			run, w->key.ip, !is_kernel_address(w->key.ip), w->key.target, NULL);
		w->guilty = w->site && w->site->guilty;
	}
	if (t.writers.len)
		qsort(t.writers.data, t.writers.len, sizeof(*t.writers.data), in_order);
	out = cul_calloc(t.writers.len + 1, sizeof(*out));
	if (!out)
		return unread(-ENOMEM, err);
	for (size_t i = 0; i < t.writers.len; i++) {
		fill_writer(run, &t.writers.data[i], &out[i]);
		loss->unchanged += out[i].unchanged;
	}
	cul_watch_naming(run, false);
	return run->sink->ops->watch_writers(run->sink, out, t.writers.len);
}

static void add_up(struct cul_watch_run *run, struct cul_watch_loss *loss)
{
	struct cul_watch_totals sum;

	for (unsigned i = 0; i < run->n_targets; i++) {
		cul_watch_program_totals(&run->program, i, &sum);
		loss->seen += sum.hits - sum.early;
		loss->filtered += sum.filtered;
		loss->dropped += sum.dropped;
		loss->unattributed += sum.unattributed;
		loss->unreadable += sum.unreadable;
	}
	loss->busy = cul_watch_arm_busy(&run->arm);
	loss->hits = loss->seen + loss->busy;
	loss->behind = run->behind;
}

/* Of a SIGTRAP that its first thread was not given: there it would have been looked at. */
static bool died_of_anothers_trap(const struct cul_child *c)
{
	return c->state >= CUL_CHILD_EXITING && c->status >= 0 && WIFSIGNALED(c->status) &&
	       WTERMSIG(c->status) == SIGTRAP && !c->trapped;
}

int cul_watch_summary(struct cul_watch_run *run, struct cul_error *err)
{
	struct cul_watch_loss loss = {
		.disarmed = run->disarmed,
		.max_rate = run->max_rate > 0 ? (uint64_t)run->max_rate : 0,
		.end = run->end,
		.command_status = run->child.state >= CUL_CHILD_EXITING ? run->child.status : -1,
		.ran_ns = cul_watch_since(run, run->end_ns),
		.detailed = run->arrived,
		.expect = run->options->expect,
		.violations = run->options->expect ? run->shown : 0,
	};
	unsigned share = cul_watch_arm_share(&run->arm);
	int r;

	if (run->child.strays)
		cul_gaps_add(&run->gaps,
			"a debug register fired %u times while the kernel had no owner for it: "
			"those stores were not told, and the command was kept from dying of "
			"SIGTRAP",
			run->child.strays);
	if (run->trapped || died_of_anothers_trap(&run->child))
		cul_gaps_add(&run->gaps,
			"the %s: unless something sent it, a debug register fired and the machine "
			"lost the cause, as some virtual ones do; that hit was not told",
			run->trapped
				? "process died of SIGTRAP"
				: "command died of a SIGTRAP that its first thread did not get");
	if (share < 99)
		cul_gaps_add(
			&run->gaps, "a debug register was on for %u %% of the time only", share);
	if (__atomic_load_n(&run->program.skel->bss->outsiders, __ATOMIC_RELAXED))
		cul_gaps_add_outsiders(&run->gaps);
	add_up(run, &loss);
	r = show_writers(run, &loss, err);
	if (r)
		return r;
	loss.gaps = (const char *const *)run->gaps.texts.data;
	loss.n_gaps = run->gaps.texts.len;
	return run->sink->ops->watch_loss(run->sink, &loss);
}
