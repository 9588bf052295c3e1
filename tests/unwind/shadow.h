/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stack as the calls and returns of a program make it, and what an unwinder's answer is worth
 * against it. Knows no architecture.
 */
#ifndef CUL_TESTS_UNWIND_SHADOW_H
#define CUL_TESTS_UNWIND_SHADOW_H

#include "unwind/unwind.h"

enum { SHADOW_MAX = 4096, SCORE_FRAMES = 4096 };

struct shadow_entry {
	uint64_t pc; /* where the caller goes on */
	uint64_t sp; /* then */
	bool interrupted;
};

struct shadow {
	struct shadow_entry entries[SHADOW_MAX]; /* the innermost last */
	size_t len;
};

void shadow_call(struct shadow *s, uint64_t ra, uint64_t sp_after_return);
void shadow_signal(struct shadow *s, uint64_t pc, uint64_t sp);
void shadow_sigreturn(struct shadow *s);
/* The stack pointer is this: what is below it has returned, or was left by longjmp. */
void shadow_now(struct shadow *s, uint64_t sp);
/* What frame `i` should have; 0 beyond the last. */
uint64_t shadow_pc(const struct shadow *s, size_t i, uint64_t pc);

/*
 * TRUNCATED: right as far as it goes, and it says that it goes no further. LOST: one of the two,
 * where the return address is nowhere any more: a compiler need not keep it for a call that never
 * returns.
 */
enum verdict { EXACT, TRUNCATED, WRONG_MARKED, WRONG, LOST, VERDICTS };

const char *shadow_verdict(enum verdict verdict);

struct score {
	uint64_t count[VERDICTS];
	struct cul_frame frames[SCORE_FRAMES];
	size_t n_frames;
	struct cul_unwind_end end;
};

int score_visit(void *data, const struct cul_frame *frame, const struct cul_thread_regs *regs);
/* Whether frame `i`'s return address is in no register and not on the stack. */
typedef bool is_lost(void *data, size_t i);
/* Counts; `*at` is the first frame that is not right. `lost` may be NULL: they never are. */
enum verdict score_judge(struct score *score, const struct shadow *shadow, uint64_t pc, size_t *at,
	is_lost *lost, void *data);
void score_print(const struct score *score);

#endif
