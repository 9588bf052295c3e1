/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stack/stack.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "report/stream.h"
#include "stack/groups.h"
#include "stack/names.h"
#include "stack/source.h"
#include "unwind/process.h"

enum {
	LOOK_NS = 20000000,  /* between two looks at the user */
	KEPT_MOST = 2 << 20, /* frames in all; then so many of each stack, up to as many again */
	KEPT_EACH = 128,
};

/* Who is hostile would have us walk for days: of one stack, and of the work for all. */
#define WALK_NS 20000000000ull

struct run {
	const struct cul_stack_options *options;
	struct cul_sink *sink;
	struct cul_stack_source source;
	struct cul_unwind_process *code;
	struct cul_unwinder *unwinder; /* NULL: there is no user space */
	struct cul_stack_groups groups;
	struct cul_stack_names *names;
	CUL_VEC(struct cul_stack_frame_shown) shown; /* of one group */
	CUL_VEC(struct cul_stack_thread) threads;    /* likewise */
	struct cul_stack_summary summary;
	uint64_t worked; /* before the first was walked */
	uint64_t kept, looked;
};

static void run_free(struct run *r)
{
	free(r->shown.data);
	free(r->threads.data);
	cul_stack_names_free(r->names);
	cul_stack_groups_free(&r->groups);
	cul_unwinder_free(r->unwinder);
	cul_unwind_process_free(r->code);
	cul_stack_source_free(&r->source);
}

static int no_memory(struct cul_error *err)
{
	return cul_fail(err, -ENOMEM, "out of memory for the stacks");
}

static int make_source(struct run *r, struct cul_error *err)
{
	const struct cul_stack_options *o = r->options;

	if (o->core)
		return cul_stack_from_core(o, &r->source, err);
	if (o->kernel_only || o->all_tasks)
		return cul_stack_from_kernel(o, &r->source, err);
	return cul_stack_from_process(o, &r->source, err);
}

static int make_unwinder(struct run *r, struct cul_error *err)
{
	struct cul_stack_source *s = &r->source;
	struct cul_code_space space;

	if (!s->mem || !s->syms)
		return cul_stack_names_new(s->syms, NULL, &r->names) == 0 ? 0 : no_memory(err);
	if (cul_unwind_process_new(s->syms, s->mem, &r->code) != 0)
		return no_memory(err);
	space = cul_unwind_process_space(r->code);
	if (cul_stack_names_new(s->syms, &space, &r->names) != 0)
		return no_memory(err);
	switch (cul_unwinder_new(s->arch, s->mem, &space, &r->unwinder)) {
	case 0:
		cul_unwinder_signature(r->unwinder, s->signature);
		return 0;
	case -ENOTSUP:
		return cul_fail(err, -ENOTSUP, "stacks of %s cannot be walked", s->arch->name);
	default:
		return no_memory(err);
	}
}

static void progress(struct run *r, const char *what, size_t done, size_t of)
{
	if (r->options->progress)
		r->options->progress(r->options->progress_data, what, done, of);
}

/* Cheap enough to be asked for each frame. */
static bool wants_end(struct run *r)
{
	uint64_t now = cul_clock_now();

	if (now - r->looked < LOOK_NS)
		return false;
	r->looked = now;
	return cul_stack_is_over(r->options);
}

static bool is_over(void *data)
{
	return wants_end(data);
}

static int walk(struct run *r, struct cul_source_thread *t, struct cul_stack *stack)
{
	struct cul_unwind_options options = {.methods = r->options->methods,
		.max_frames = r->options->max_frames,
		.until = cul_clock_now() + WALK_NS,
		.is_over = is_over,
		.data = r};
	bool few = r->kept > KEPT_MOST && (!options.max_frames || options.max_frames > KEPT_EACH);
	int ret = 0;

	if (few)
		options.max_frames = KEPT_EACH;
	if (t->walked) {
		*stack = *t->walked;
		*t->walked = (struct cul_stack){0};
	} else if (t->has_regs && r->unwinder) {
		ret = cul_stack_walk(r->unwinder, &t->regs, &options, stack);
		if (t->cut && stack->end.why == CUL_UNWIND_END_UNREADABLE)
			t->user_end = t->cut;
		if (few && stack->end.why == CUL_UNWIND_END_LIMIT)
			t->user_end = "the stack is deeper, and others have millions of frames "
				      "already (--frames N)";
	}
	for (size_t i = 0; t->moving && i < stack->frames.len; i++)
		stack->frames.data[i].frame.certainty = CUL_LIKELY;
	return ret;
}

/* Why no more stacks are walked; NULL: they are. */
static const char *spent(const struct run *r)
{
	if (r->kept > 2 * KEPT_MOST)
		return "not walked: those before it have millions of frames (--frames N)";
	if (cul_clock_worked() - r->worked > WALK_NS)
		return "not walked: those before it took too long (--frames N)";
	return NULL;
}

static int walk_all(struct run *r, struct cul_error *err)
{
	r->worked = cul_clock_worked();
	for (size_t i = 0; i < r->source.threads.len; i++) {
		struct cul_source_thread *t = &r->source.threads.data[i];
		const char *why = t->has_regs && !t->walked ? spent(r) : NULL;
		size_t groups = r->groups.groups.len, frames;
		struct cul_stack stack = {0};
		int ret = 0;

		if (why)
			t->missing = why;
		else
			ret = walk(r, t, &stack);
		frames = stack.frames.len;
		if (ret == 0)
			ret = cul_stack_groups_add(&r->groups, t, &stack);
		if (r->groups.groups.len > groups)
			r->kept += frames;
		if (ret == 0 && wants_end(r))
			ret = -EINTR;
		if (ret != 0)
			cul_stack_free(&stack);
		if (ret == -EINTR)
			return cul_fail(err, ret, "interrupted before all threads were walked");
		if (ret != 0)
			return no_memory(err);
		progress(r, "threads walked", i, r->source.threads.len);
	}
	/* The first thread of a core is the one that got the signal. */
	cul_stack_groups_sort(&r->groups,
		r->options->core ? r->source.threads.data[0].about.tid : r->options->pid);
	return 0;
}

static int add_kernel(struct run *r, const struct cul_source_thread *t)
{
	for (size_t i = 0; i < t->kernel.len; i++) {
		const struct cul_kernel_frame *k = &t->kernel.data[i];
		struct cul_stack_frame_shown *f = cul_vec_push(&r->shown);

		if (!f)
			return -ENOMEM;
		*f = (struct cul_stack_frame_shown){.where = k->where,
			.method = k->method,
			.certainty = k->certainty,
			.times = 1,
			.period = 1};
	}
	return 0;
}

/* A frame, after the functions that are inlined where it is. */
static int add_frame(struct run *r, const struct cul_stack_frame *s, size_t *added)
{
	struct cul_stack_place place;
	int ret = cul_stack_names_at(r->names, s->frame.pc, cul_frame_lookup(&s->frame), &place);

	for (size_t i = 0; ret == 0 && i < place.n; i++) {
		struct cul_stack_frame_shown *f = cul_vec_push(&r->shown);
		bool inlined = i + 1 < place.n;

		if (!f)
			return -ENOMEM;
		*f = (struct cul_stack_frame_shown){.where = place.where[i],
			.build_id = place.build_id,
			.user = true,
			.inlined = inlined,
			.signal = !inlined && s->frame.trampoline,
			.method = inlined ? NULL : cul_unwind_method_name(s->frame.method),
			.certainty = s->frame.certainty,
			.times = i == 0 ? s->times : 1,
			.period = i == 0 ? s->period : 1};
	}
	*added = place.n;
	return ret;
}

static int add_user(struct run *r, const struct cul_stack *stack)
{
	size_t run = 0, left = 0; /* what is repeated begins at shown frame `run` */

	for (size_t i = 0; i < stack->frames.len; i++) {
		const struct cul_stack_frame *s = &stack->frames.data[i];
		size_t added;

		if (s->times > 1) {
			run = r->shown.len;
			left = s->period;
		}
		if (wants_end(r))
			return -EINTR;
		if (add_frame(r, s, &added) != 0)
			return -ENOMEM;
		if (left > 0) {
			r->shown.data[run].period += (unsigned)added - 1;
			left--;
		}
	}
	return 0;
}

static const char *end_of(const struct cul_stack_group *g, char *buf, size_t size)
{
	const struct cul_source_thread *t = g->first;

	if (g->stack.frames.len == 0)
		return t->kernel_end;
	if (t->user_end || g->stack.end.why != CUL_UNWIND_END_OUTERMOST)
		return t->user_end ? t->user_end : cul_unwind_end_text(&g->stack.end, buf, size);
	return t->kernel_end;
}

static void count(struct run *r, const struct cul_stack_threads *shown)
{
	struct cul_stack_summary *s = &r->summary;
	bool likely = false;

	for (size_t i = 0; i < shown->n_frames; i++)
		likely |= shown->frames[i].certainty == CUL_LIKELY;
	s->n_threads += shown->n_threads;
	s->n_stacks += shown->n_frames > 0;
	s->n_likely += likely ? shown->n_threads : 0;
	if (shown->n_frames == 0)
		s->n_missing += shown->n_threads;
	else if (shown->end || shown->missing)
		s->n_truncated += shown->n_threads;
	else
		s->n_complete += shown->n_threads;
}

static int show_group(struct run *r, const struct cul_stack_group *g)
{
	struct cul_stack_threads shown = {
		.depth = g->stack.depth + g->first->kernel.len, .missing = g->first->missing};
	char end[128];
	int ret;

	r->shown.len = 0;
	r->threads.len = 0;
	for (size_t i = 0; i < g->threads.len; i++) {
		struct cul_stack_thread *t = cul_vec_push(&r->threads);

		if (!t)
			return -ENOMEM;
		*t = g->threads.data[i]->about;
	}
	progress(r, "naming frames", 0, 0);
	ret = add_kernel(r, g->first);
	if (ret == 0)
		ret = add_user(r, &g->stack);
	progress(r, NULL, 0, 0);
	if (ret != 0)
		return ret;
	shown.threads = r->threads.data;
	shown.n_threads = r->threads.len;
	shown.frames = r->shown.data;
	shown.n_frames = r->shown.len;
	shown.end = end_of(g, end, sizeof(end));
	count(r, &shown);
	return r->sink->ops->stack_threads(r->sink, &shown);
}

static int show(struct run *r)
{
	int ret = r->sink->ops->stack_about(r->sink, &r->source.about);

	for (size_t i = 0; i < r->groups.groups.len && ret == 0; i++) {
		if (wants_end(r))
			return -EINTR;
		ret = show_group(r, &r->groups.groups.data[i]);
	}
	return ret == 0 ? r->sink->ops->stack_summary(r->sink, &r->summary) : ret;
}

int cul_stack_run(
	const struct cul_stack_options *options, struct cul_sink *sink, struct cul_error *err)
{
	cul_cleanup(run_free) struct run r = {
		.options = options, .sink = sink, .groups.no_fold = options->no_fold};
	int ret = make_source(&r, err);

	if (ret == 0)
		ret = make_unwinder(&r, err);
	if (ret == 0)
		ret = walk_all(&r, err);
	progress(&r, NULL, 0, 0);
	if (ret != 0)
		return ret;
	ret = show(&r);
	if (ret == -EINTR)
		return cul_fail(err, ret, "interrupted before all stacks were shown");
	if (ret == -ENOMEM)
		return no_memory(err);
	/* A reader that has seen enough is no failure. */
	if (ret < 0 && ret != -EPIPE)
		return cul_stream_failed(ret, err);
	return 0;
}
