/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads with the same stack put together: the same frames, found in the same way, with the same
 * end.
 */
#ifndef CUL_STACK_GROUPS_H
#define CUL_STACK_GROUPS_H

#include "base/vec.h"
#include "stack/source.h"

struct cul_stack_group {
	const struct cul_source_thread *first; /* speaks for all */
	struct cul_stack stack;                /* in user space */
	CUL_VEC(const struct cul_source_thread *) threads;
	uint64_t hash;
};

struct cul_stack_groups {
	CUL_VEC(struct cul_stack_group) groups;
	size_t *table; /* places in `groups`, plus 1 */
	size_t table_size;
	bool no_fold;
};

/*
 * Takes `stack`, all zero for a thread without frames in user space, and leaves it all zero.
 * `thread` is kept by the caller. -ENOMEM.
 */
int cul_stack_groups_add(struct cul_stack_groups *groups, const struct cul_source_thread *thread,
	struct cul_stack *stack);
/*
 * The order they are shown in: that with thread `first`, then the largest, then by number; threads
 * within each by number.
 */
void cul_stack_groups_sort(struct cul_stack_groups *groups, pid_t first);
void cul_stack_groups_free(struct cul_stack_groups *groups); /* leaves it all zero */

#endif
