/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record.h"

#include <stdio.h>
#include <string.h>

void record_progress(void *data, const char *what, size_t done, size_t of)
{
	struct record *r = data;

	r->busy = what;
	r->namings += what && strstr(what, "names and lines");
}

static int told(struct record *r)
{
	r->talked_over |= r->busy != NULL;
	return r->fail && r->fail_after-- <= 0 ? r->fail : 0;
}

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

static int attached(struct cul_sink *s, const struct cul_probe_attached *a)
{
	struct record *r = (struct record *)s;

	r->attached++;
	r->n_sites = a->n_sites;
	r->n_refused = a->n_refused;
	if (a->n_methods)
		copy(r->method, sizeof(r->method), a->methods[0].name);
	copy(r->signature, sizeof(r->signature), a->signature);
	return told(r);
}

static int call(struct cul_sink *s, const struct cul_probe_call *c)
{
	struct record *r = (struct record *)s;
	struct record_call *to = &r->call[r->calls < RECORD_CALLS ? r->calls : RECORD_CALLS - 1];

	copy(to->function, sizeof(to->function), c->where.function);
	copy(to->comm, sizeof(to->comm), c->comm);
	copy(to->ret, sizeof(to->ret), c->ret.text);
	copy(to->error, sizeof(to->error), c->error);
	for (size_t i = 0; i < c->n_args && i < RECORD_ARGS; i++) {
		copy(to->arg[i], sizeof(to->arg[i]), c->args[i].value.text);
		copy(to->after[i], sizeof(to->after[i]), c->args[i].after.text);
		copy(to->why[i], sizeof(to->why[i]), c->args[i].why);
	}
	to->n_args = c->n_args;
	to->n_frames = c->n_frames;
	to->n_regs = c->n_regs;
	to->number = c->number;
	to->ns = c->ns;
	to->dur_ns = c->dur_ns;
	to->same_stack_as = c->same_stack_as;
	to->place = c->place;
	to->returned = c->returned;
	r->calls++;
	return told(r);
}

static int rate(struct cul_sink *s, const struct cul_probe_rate *rates, size_t n)
{
	struct record *r = (struct record *)s;

	r->rates++;
	return told(r);
}

static int groups(struct cul_sink *s, const struct cul_probe_group *g, size_t n)
{
	struct record *r = (struct record *)s;

	r->groups++;
	r->n_groups = n;
	for (size_t i = 0; i < n && i < RECORD_GROUPS; i++) {
		r->group[i].calls = g[i].calls;
		r->group[i].errors = g[i].errors;
		r->group[i].n_frames = g[i].n_frames;
		copy(r->group[i].by, sizeof(r->group[i].by),
			g[i].n_by ? g[i].by[0].value.text : NULL);
		copy(r->group[i].why, sizeof(r->group[i].why), g[i].n_by ? g[i].by[0].why : NULL);
	}
	return told(r);
}

static int histogram(struct cul_sink *s, const struct cul_probe_histogram *h)
{
	struct record *r = (struct record *)s;

	r->histograms++;
	r->n_bars = h->n_bars;
	r->bars_count = h->count;
	r->histogram = *h;
	return told(r);
}

static int functions(
	struct cul_sink *s, const struct cul_probe_function *f, size_t n, size_t n_silent)
{
	struct record *r = (struct record *)s;

	r->functions++;
	r->n_functions = n;
	r->n_silent = n_silent;
	if (n)
		r->function = f[0];
	return told(r);
}

static int loss(struct cul_sink *s, const struct cul_probe_loss *l)
{
	struct record *r = (struct record *)s;

	r->losses++;
	r->loss = *l;
	return told(r);
}

void record_init(struct record *r)
{
	static const struct cul_sink_ops ops = {
		.probe_attached = attached,
		.probe_call = call,
		.probe_rate = rate,
		.probe_groups = groups,
		.probe_histogram = histogram,
		.probe_functions = functions,
		.probe_loss = loss,
	};

	memset(r, 0, sizeof(*r));
	r->sink.ops = &ops;
}
