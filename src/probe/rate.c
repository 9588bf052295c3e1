/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --rate: how often each function was called in the last second.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "probe/run.h"

enum { SECOND = 1000000000, SHOWN = 20 };

static int by_calls(const void *a, const void *b)
{
	const struct cul_probe_rate *x = a, *y = b;

	return x->calls > y->calls ? -1 : x->calls < y->calls;
}

int cul_probe_say_rate(struct cul_probe_run *run, uint64_t now)
{
	size_t n = run->sites.sites.len, called = 0;
	cul_autofree struct cul_probe_rate *rates = NULL;

	if (run->options->view != CUL_VIEW_RATE || now <= run->rated_ns)
		return 0;
	/* What is left of a second at the end is told too: the lines' sum is the count. */
	if (now - run->rated_ns < SECOND && !run->end_ns)
		return 0;
	rates = cul_calloc(n, sizeof(*rates));
	if (!run->rated)
		run->rated = cul_calloc(n, sizeof(*run->rated));
	if (!rates || !run->rated)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct cul_site *site = &run->sites.sites.data[i];
		struct cul_probe_totals t;
		int r = cul_probe_program_totals(&run->program, (unsigned)i, &t);

		if (r)
			return r;
		rates[called] = (struct cul_probe_rate){.ns = now - run->start_ns,
			.span_ns = now - run->rated_ns,
			.function = site->name,
			.module = site->module,
			.calls = t.calls - run->rated[i].calls,
			.errors = t.errors - run->rated[i].errors};
		called += rates[called].calls != 0;
		run->rated[i] = t;
	}
	run->rated_ns = now;
	if (run->end_ns && !called)
		return 0;
	qsort(rates, called, sizeof(*rates), by_calls);
	return run->sink->ops->probe_rate(run->sink, rates, called < SHOWN ? called : SHOWN);
}
