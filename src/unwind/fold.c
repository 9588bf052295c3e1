/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames kept. A run of frames that repeats three times becomes one with a count as soon as it
 * does, so that a recursion of millions takes the memory of one round.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/unwind.h"

static bool same(const struct cul_frame *a, const struct cul_frame *b)
{
	return a->pc == b->pc && a->exact == b->exact && a->trampoline == b->trampoline &&
	       a->certainty == b->certainty;
}

static int keep(struct cul_stack *s, const struct cul_frame *frame)
{
	struct cul_stack_frame *kept;

	if (s->frames.len == CUL_STACK_MAX_KEPT)
		return -E2BIG;
	kept = cul_vec_push(&s->frames);
	if (!kept)
		return -ENOMEM;
	kept->frame = *frame;
	kept->times = 1;
	kept->period = 1;
	return 0;
}

/* Whether the last three runs of `period` frames are alike. */
static bool repeats(const struct cul_stack *s, size_t period)
{
	const struct cul_stack_frame *first;

	if (s->frames.len - s->fold_end < 3 * period)
		return false;
	first = s->frames.data + (s->frames.len - 3 * period);
	for (size_t i = 2 * period; i-- > 0;) {
		if (!same(&first[i].frame, &first[i + period].frame))
			return false;
	}
	return true;
}

static void fold(struct cul_stack *s)
{
	for (size_t period = 1; period <= CUL_STACK_MAX_PERIOD; period++) {
		struct cul_stack_frame *first;

		if (!repeats(s, period))
			continue;
		s->frames.len -= 2 * period;
		first = &s->frames.data[s->frames.len - period];
		first->times = 3;
		first->period = (unsigned)period;
		s->fold = s->frames.len - period + 1;
		s->fold_end = s->frames.len;
		return;
	}
}

/* Ends the fold that is open: what came of a round that is not whole is kept by itself. */
static int unfold(struct cul_stack *s)
{
	int ret = 0;

	s->fold = 0;
	for (size_t i = 0; i < s->n_pending && ret == 0; i++)
		ret = keep(s, &s->pending[i]);
	s->n_pending = 0;
	return ret;
}

static int add(struct cul_stack *s, const struct cul_frame *frame)
{
	int ret;

	s->depth++;
	if (s->fold) {
		struct cul_stack_frame *first = &s->frames.data[s->fold - 1];

		if (same(&first[s->n_pending].frame, frame)) {
			s->pending[s->n_pending++] = *frame;
			if (s->n_pending == first->period) {
				first->times++;
				s->n_pending = 0;
			}
			return 0;
		}
		ret = unfold(s);
		if (ret != 0)
			return ret;
	}
	ret = keep(s, frame);
	if (ret == 0)
		fold(s);
	return ret;
}

enum { OVER_EVERY = 256 }; /* frames between two questions whether it is over */

struct collect {
	struct cul_stack *stack;
	const struct cul_unwind_options *options;
	int ret;
};

static int visit(void *data, const struct cul_frame *frame, const struct cul_thread_regs *regs)
{
	struct collect *c = data;

	if (c->options && c->options->is_over && c->stack->depth % OVER_EVERY == 0 &&
		c->options->is_over(c->options->data))
		c->ret = -EINTR;
	else
		c->ret = add(c->stack, frame);
	return c->ret;
}

int cul_stack_walk(struct cul_unwinder *u, const struct cul_thread_regs *regs,
	const struct cul_unwind_options *options, struct cul_stack *stack)
{
	struct collect c = {.stack = stack, .options = options};

	cul_unwind(u, regs, options, visit, &c, &stack->end);
	if (c.ret == 0)
		c.ret = unfold(stack);
	if (c.ret == -E2BIG) {
		stack->end.why = CUL_UNWIND_END_LIMIT;
		c.ret = 0;
	}
	return c.ret;
}

void cul_stack_free(struct cul_stack *stack)
{
	free(stack->frames.data);
	*stack = (struct cul_stack){0};
}
