/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a run: exact counts by function, and what was lost.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "probe/run.h"

/* Sums of the run, as the ledger has them. */
struct sums {
	struct cul_probe_totals all;
	uint64_t missed, missed_returns, recursion;
	bool probe_unknown, recursion_unknown;
};

static void add(struct cul_probe_totals *sum, const struct cul_probe_totals *one)
{
	sum->calls += one->calls;
	sum->own += one->own;
	sum->waited += one->waited;
	sum->returns += one->returns;
	sum->strays += one->strays;
	sum->filtered += one->filtered;
	sum->filtered_late += one->filtered_late;
	sum->lone += one->lone;
	sum->emitted += one->emitted;
	sum->dropped += one->dropped;
	sum->ungrouped += one->ungrouped;
	sum->unread += one->unread;
	sum->errors += one->errors;
	sum->matched += one->matched;
	sum->injected += one->injected;
	sum->sum_ns += one->sum_ns;
	if (one->max_ns > sum->max_ns)
		sum->max_ns = one->max_ns;
}

static void fill(struct cul_probe_function *f, const struct cul_probe_totals *t, bool returns)
{
	f->calls = t->calls;
	f->timed = returns ? t->returns - t->filtered_late : 0;
	/* Those that were filtered at the entry are not waited for. */
	f->returns_known = returns && t->waited == t->calls;
	f->returns = t->returns;
	f->errors = t->errors;
	f->filtered = t->filtered;
	f->matched = t->matched;
	f->sum_ns = t->sum_ns;
	f->max_ns = t->max_ns;
}

static int by_calls(const void *a, const void *b)
{
	const struct cul_probe_function *x = a, *y = b;

	if (x->calls != y->calls)
		return x->calls > y->calls ? -1 : 1;
	return strcmp(x->function, y->function);
}

/* Misses of the links that are for one site. */
static void add_misses(struct cul_probe_run *run, unsigned site, struct cul_probe_function *f)
{
	for (size_t i = 0; i < run->links.len; i++) {
		const struct cul_probe_link *link = &run->links.data[i];
		struct cul_attach_misses misses = {0};
		uint64_t missed = 0;

		if (link->site != site || link->n_sites != 1)
			continue;
		cul_attachment_misses(&link->attachment, &misses);
		missed = misses.probe;
		if (link->attachment.kind == CUL_ATTACH_TRACEFS && link->attachment.at_return &&
			cul_kretprobe_missed(run->kretprobes, link->kretprobe, &missed))
			missed = 0;
		if (link->attachment.at_return)
			f->missed_returns += missed;
		else
			f->missed += missed;
	}
}

static int say_functions(struct cul_probe_run *run, struct sums *sums, struct cul_error *err)
{
	size_t n_sites = run->sites.sites.len, n = 0, silent = 0;
	cul_autofree struct cul_probe_function *functions = cul_calloc(n_sites, sizeof(*functions));
	struct cul_probe_totals sum = {0}, one;
	bool present = false; /* one of the function's sites is probed */
	int r;

	if (!functions)
		return -ENOMEM;
	for (size_t i = 0; i < n_sites; i++) {
		const struct cul_site *site = &run->sites.sites.data[i];
		struct cul_probe_function *f = &functions[n];

		r = cul_probe_program_totals(&run->program, (unsigned)i, &one);
		if (r)
			return cul_fail(
				err, r, "reading what the kernel counted: %s", cul_strerror(r));
		present |= !run->absent[i];
		add(&sum, &one);
		add(&sums->all, &one);
		add_misses(run, (unsigned)i, f);
		if (i + 1 < n_sites && cul_probe_same_function(site, site + 1))
			continue;
		f->function = site->name;
		f->module = site->module;
		fill(f, &sum, run->returns);
		memset(&sum, 0, sizeof(sum));
		if (f->calls || f->missed || f->missed_returns)
			n++;
		else
			silent += present;
		present = false;
		if (n < n_sites)
			memset(&functions[n], 0, sizeof(*functions));
	}
	qsort(functions, n, sizeof(*functions), by_calls);
	return run->sink->ops->probe_functions(run->sink, functions, n, silent);
}

/* Of all links; of programs that several links share once. */
static void sum_misses(struct cul_probe_run *run, struct sums *sums)
{
	for (size_t i = 0; i < run->links.len; i++) {
		const struct cul_probe_link *link = &run->links.data[i];
		const struct cul_attachment *a = &link->attachment;
		struct cul_attach_misses misses = {0};
		bool counted = false;
		uint64_t missed;

		cul_attachment_misses(a, &misses);
		missed = misses.probe;
		if (a->kind == CUL_ATTACH_TRACEFS && a->at_return)
			misses.probe_known =
				!cul_kretprobe_missed(run->kretprobes, link->kretprobe, &missed);
		if (a->at_return)
			sums->missed_returns += missed;
		else
			sums->missed += missed;
		sums->probe_unknown |= !misses.probe_known;
		for (size_t j = 0; j < i; j++)
			counted |= run->links.data[j].attachment.prog_fd == a->prog_fd;
		if (!counted)
			sums->recursion += misses.recursion;
		sums->recursion_unknown |= !misses.recursion_known;
	}
}

/* Closing the links takes the kernel a while: it is told, and done before the ledger. */
static void detach(struct cul_probe_run *run)
{
	uint64_t start = cul_clock_now();

	cul_probe_detach(run);
	run->detached_ns = cul_clock_now() - start;
}

static int say_loss(struct cul_probe_run *run, const struct sums *sums)
{
	const struct cul_probe_totals *t = &sums->all;
	struct cul_probe_loss loss = {
		.calls = t->calls,
		.own = t->own,
		.injecting = run->inject.every != 0,
		.injected = t->injected,
		.matched = t->matched,
		.filtered = t->filtered,
		.shown = run->shown,
		.dropped = t->dropped,
		.ungrouped = t->ungrouped,
		.unread = t->unread,
		.lone = t->lone,
		.missed = sums->missed,
		.missed_returns = sums->missed_returns,
		.recursion = sums->recursion + cul_probe_program_crowded(&run->program),
		.misses_known = !sums->probe_unknown && !sums->recursion_unknown,
		.gaps = (const char *const *)run->gaps.texts.data,
		.n_gaps = run->gaps.texts.len,
		.end = run->end,
		.command_status = run->end == CUL_END_COMMAND ? run->child.status : -1,
		.ran_ns = run->end_ns - run->start_ns,
		.detached_ns = run->detached_ns,
	};

	/* Those whose return was missed are told as such. */
	if (t->waited > t->returns + sums->missed_returns)
		loss.unreturned = t->waited - t->returns - sums->missed_returns;
	if (sums->probe_unknown)
		loss.misses_unknown_for =
			"this kernel does not tell how often a probe was nested in another";
	return run->sink->ops->probe_loss(run->sink, &loss);
}

int cul_probe_summary(struct cul_probe_run *run, struct cul_error *err)
{
	struct sums sums = {0};
	int r = cul_probe_say_rate(run, run->end_ns);

	cul_probe_say_children(run);
	if (cul_probe_program_met_outsiders(&run->program))
		cul_gaps_add_outsiders(&run->gaps);
	if (run->users.refused)
		cul_gaps_add(&run->gaps,
			"user frames are named in the first %d processes alone; -p PID --kernel "
			"chooses one",
			CUL_USERS_MOST);

	if (!r)
		r = cul_probe_say_views(run, err);
	if (!r)
		r = say_functions(run, &sums, err);
	if (r)
		return r;
	sum_misses(run, &sums);
	detach(run);
	return say_loss(run, &sums);
}
