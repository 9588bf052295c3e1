/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/tee.h"

#include <stdlib.h>

#include "base/alloc.h"

struct tee {
	struct cul_sink sink;
	struct cul_sink *to[2];
};

/* Calls the operation on both; the value is the first failure. */
#define both(s, op, ...)                                                                           \
	({                                                                                         \
		struct tee *tee_ = (struct tee *)(s);                                              \
		int first_ = tee_->to[0]->ops->op(tee_->to[0], __VA_ARGS__);                       \
		int second_ = tee_->to[1]->ops->op(tee_->to[1], __VA_ARGS__);                      \
		first_ < 0 ? first_ : second_;                                                     \
	})

static int tee_armed(struct cul_sink *s, const struct cul_watch_armed *armed)
{
	return both(s, watch_armed, armed);
}

static int tee_hit(struct cul_sink *s, const struct cul_watch_hit *hit)
{
	return both(s, watch_hit, hit);
}

static int tee_behind(struct cul_sink *s, const struct cul_watch_behind *behind)
{
	return both(s, watch_behind, behind);
}

static int tee_writers(struct cul_sink *s, const struct cul_watch_writer *w, size_t n)
{
	return both(s, watch_writers, w, n);
}

static int tee_loss(struct cul_sink *s, const struct cul_watch_loss *loss)
{
	return both(s, watch_loss, loss);
}

static int tee_probe_attached(struct cul_sink *s, const struct cul_probe_attached *attached)
{
	return both(s, probe_attached, attached);
}

static int tee_probe_call(struct cul_sink *s, const struct cul_probe_call *call)
{
	return both(s, probe_call, call);
}

static int tee_probe_rate(struct cul_sink *s, const struct cul_probe_rate *rates, size_t n)
{
	return both(s, probe_rate, rates, n);
}

static int tee_probe_groups(struct cul_sink *s, const struct cul_probe_group *groups, size_t n)
{
	return both(s, probe_groups, groups, n);
}

static int tee_probe_histogram(struct cul_sink *s, const struct cul_probe_histogram *h)
{
	return both(s, probe_histogram, h);
}

static int tee_probe_functions(
	struct cul_sink *s, const struct cul_probe_function *f, size_t n, size_t n_silent)
{
	return both(s, probe_functions, f, n, n_silent);
}

static int tee_probe_loss(struct cul_sink *s, const struct cul_probe_loss *loss)
{
	return both(s, probe_loss, loss);
}

static int tee_stack_about(struct cul_sink *s, const struct cul_stack_about *about)
{
	return both(s, stack_about, about);
}

static int tee_stack_threads(struct cul_sink *s, const struct cul_stack_threads *threads)
{
	return both(s, stack_threads, threads);
}

static int tee_stack_summary(struct cul_sink *s, const struct cul_stack_summary *summary)
{
	return both(s, stack_summary, summary);
}

static int tee_doctor(struct cul_sink *s, const struct cul_doctor_report *report)
{
	return both(s, doctor, report);
}

static void tee_free(struct cul_sink *s)
{
	struct tee *tee = (struct tee *)s;

	cul_sink_free(tee->to[0]);
	cul_sink_free(tee->to[1]);
	free(tee);
}

static const struct cul_sink_ops tee_ops = {
	.watch_armed = tee_armed,
	.watch_hit = tee_hit,
	.watch_behind = tee_behind,
	.watch_writers = tee_writers,
	.watch_loss = tee_loss,
	.probe_attached = tee_probe_attached,
	.probe_call = tee_probe_call,
	.probe_rate = tee_probe_rate,
	.probe_groups = tee_probe_groups,
	.probe_histogram = tee_probe_histogram,
	.probe_functions = tee_probe_functions,
	.probe_loss = tee_probe_loss,
	.stack_about = tee_stack_about,
	.stack_threads = tee_stack_threads,
	.stack_summary = tee_stack_summary,
	.doctor = tee_doctor,
	.free = tee_free,
};

struct cul_sink *cul_tee_sink_new(struct cul_sink *first, struct cul_sink *second)
{
	struct tee *tee = first && second ? cul_calloc(1, sizeof(*tee)) : NULL;

	if (!tee) {
		cul_sink_free(first);
		cul_sink_free(second);
		return NULL;
	}
	tee->sink.ops = &tee_ops;
	tee->to[0] = first;
	tee->to[1] = second;
	return &tee->sink;
}
