/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shadow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAME_STACK = 1 << 20 };

static void push(struct shadow *s, struct shadow_entry entry)
{
	if (s->len == SHADOW_MAX) {
		fprintf(stderr, "shadow: too deep\n");
		exit(2);
	}
	s->entries[s->len++] = entry;
}

void shadow_call(struct shadow *s, uint64_t ra, uint64_t sp_after_return)
{
	push(s, (struct shadow_entry){ra, sp_after_return, false});
}

void shadow_signal(struct shadow *s, uint64_t pc, uint64_t sp)
{
	push(s, (struct shadow_entry){pc, sp, true});
}

void shadow_sigreturn(struct shadow *s)
{
	while (s->len && !s->entries[s->len - 1].interrupted)
		s->len--;
	if (s->len)
		s->len--;
}

void shadow_now(struct shadow *s, uint64_t sp)
{
	while (s->len) {
		const struct shadow_entry *e = &s->entries[s->len - 1];

		/* A handler may be on another stack: that it was left by longjmp shows only here.
		 */
		if (e->interrupted ? sp <= e->sp || sp - e->sp > SAME_STACK : sp < e->sp)
			return;
		s->len--;
	}
}

uint64_t shadow_pc(const struct shadow *s, size_t i, uint64_t pc)
{
	if (i == 0)
		return pc;
	return i <= s->len ? s->entries[s->len - i].pc : 0;
}

const char *shadow_verdict(enum verdict verdict)
{
	static const char *const words[] = {"exact", "truncated", "wrong, marked", "WRONG", "lost"};

	return words[verdict];
}

int score_visit(void *data, const struct cul_frame *frame, const struct cul_thread_regs *regs)
{
	struct score *score = data;

	if (score->n_frames == SCORE_FRAMES)
		return 1;
	score->frames[score->n_frames++] = *frame;
	return 0;
}

static enum verdict judge(
	const struct score *score, const struct shadow *shadow, uint64_t pc, size_t *at)
{
	for (size_t i = 0; i <= shadow->len; i++) {
		const struct cul_frame *f = &score->frames[i];
		bool sure;

		*at = i;
		if (i >= score->n_frames && score->end.why != CUL_UNWIND_END_OUTERMOST)
			return TRUNCATED;
		if (i >= score->n_frames) /* that it ends is as sure as the last frame */
			return f[-1].certainty == CUL_CERTAIN ? WRONG : WRONG_MARKED;
		sure = f->certainty == CUL_CERTAIN;
		if (f->pc != shadow_pc(shadow, i, pc))
			return sure ? WRONG : WRONG_MARKED;
		if (i && sure && f->sp != shadow->entries[shadow->len - i].sp)
			return WRONG;
	}
	return EXACT;
}

enum verdict score_judge(struct score *score, const struct shadow *shadow, uint64_t pc, size_t *at,
	is_lost *lost, void *data)
{
	enum verdict verdict = judge(score, shadow, pc, at);

	if ((verdict == TRUNCATED || verdict == WRONG_MARKED) && lost && lost(data, *at))
		verdict = LOST;
	score->count[verdict]++;
	return verdict;
}

void score_print(const struct score *score)
{
	uint64_t steps = 0;

	for (unsigned i = 0; i < VERDICTS; i++)
		steps += score->count[i];
	printf("%" PRIu64, steps);
	for (unsigned i = 0; i < VERDICTS; i++)
		printf(" %" PRIu64, score->count[i]);
	printf("\n");
}
