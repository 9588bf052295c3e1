/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/breakpoint.h"

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

static int armed(struct cul_sink *s, const struct cul_watch_armed *a)
{
	struct record *r = (struct record *)s;

	r->armed++;
	return told(r);
}

static int hit(struct cul_sink *s, const struct cul_watch_hit *h)
{
	struct record *r = (struct record *)s;

	if (r->hits < RECORD_HITS) {
		struct record_hit *to = &r->hit[r->hits];

		copy(to->old, sizeof(to->old), h->old.text);
		copy(to->new, sizeof(to->new), h->new.text);
		copy(to->function, sizeof(to->function), h->store.function);
		to->ns = h->ns;
		to->same_stack_as = h->same_stack_as;
		to->number = h->number;
		to->n_frames = h->n_frames;
		to->violation = h->violation;
	}
	r->hits++;
	return told(r);
}

static int behind(struct cul_sink *s, const struct cul_watch_behind *b)
{
	struct record *r = (struct record *)s;

	r->behind++;
	r->behind_from = b->from_ns;
	r->behind_to = b->to_ns;
	return told(r);
}

static int writers(struct cul_sink *s, const struct cul_watch_writer *w, size_t n)
{
	struct record *r = (struct record *)s;

	r->writers = (unsigned)n;
	for (size_t i = 0; i < n && i < RECORD_WRITERS; i++) {
		struct record_writer *to = &r->writer[i];

		copy(to->function, sizeof(to->function), w[i].where.function);
		copy(to->min, sizeof(to->min), w[i].min.text);
		copy(to->max, sizeof(to->max), w[i].max.text);
		copy(to->last, sizeof(to->last), w[i].last.text);
		to->ip = w[i].where.addr;
		to->hits = w[i].hits;
		to->unchanged = w[i].unchanged;
		to->first_ns = w[i].first_ns;
		to->last_ns = w[i].last_ns;
		to->n_processes = w[i].n_processes;
		to->busiest = w[i].n_processes ? w[i].processes[0].pid : 0;
		to->guilty = w[i].guilty;
	}
	return told(r);
}

static int loss(struct cul_sink *s, const struct cul_watch_loss *l)
{
	struct record *r = (struct record *)s;

	r->losses++;
	r->loss = *l;
	if (l->n_gaps)
		copy(r->gap, sizeof(r->gap), l->gaps[l->n_gaps - 1]);
	return told(r);
}

void record_init(struct record *r)
{
	static const struct cul_sink_ops ops = {
		.watch_armed = armed,
		.watch_hit = hit,
		.watch_behind = behind,
		.watch_writers = writers,
		.watch_loss = loss,
	};

	memset(r, 0, sizeof(*r));
	r->sink.ops = &ops;
}

unsigned free_registers(void)
{
	static uint64_t cell;
	const struct cul_breakpoint bp = {.addr = (uintptr_t)&cell,
		.len = 8,
		.access = CUL_ACCESS_WRITE,
		.tid = 0,
		.cpu = -1};
	int fds[64];
	unsigned n = 0, i;

	while (n < 64 && (fds[n] = cul_breakpoint_open(&bp, -1, NULL)) >= 0)
		n++;
	for (i = 0; i < n; i++)
		close(fds[i]);
	return n;
}
