/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that read a live process share. Inside src/stack only. */
#ifndef CUL_STACK_LIVE_H
#define CUL_STACK_LIVE_H

#include "stack/snapshot.h"
#include "stack/source.h"
#include "stack/stop.h"
#include "stack/tasks.h"

/* What was known of a thread before the stop. */
struct cul_live_before {
	bool is_blocked;
	struct cul_task_blocked at;
	bool is_deep; /* its stack is larger than what is copied */
	size_t stop;  /* its place in the stop's list; SIZE_MAX: not there any more */
};

/* The data of such a source. */
struct cul_live {
	struct cul_stack_source *source;
	const struct cul_stack_options *options;
	pid_t pid;   /* of the process */
	pid_t alive; /* a thread of it that has memory: the first may have ended */
	bool is_kernel_thread;
	struct cul_objfile *ahead; /* a file that threads sleep in, whose DWARF is being read */
	struct cul_tasks_dir tasks;
	bool no_kernel; /* /proc/PID/stack may not be read */
	struct cul_mem *mem;
	struct cul_snapshot *snapshot;
	struct cul_maps maps;                   /* while it stood still */
	CUL_VEC(struct cul_live_before) before; /* of each thread of the source */
	struct cul_stop stop;
	uint64_t until;      /* deep stacks are walked until then */
	bool is_split;       /* gcc -fsplit-stack: a stack goes on elsewhere */
	bool is_first;       /* what stops it comes before others at the processors */
	const char *refused; /* why ptrace says no; NULL: nobody knows */
	/* Threads: with registers of another width, in a sleep, that somebody else traces. */
	size_t n_narrow, n_asleep, n_refused;
	int result;
	struct cul_error err;
};

/* live.c: adds a thread with what /proc tells of it. -ENOMEM. */
int cul_live_add(struct cul_live *live, pid_t tid);

/* live.c: -ESRCH, in words about the process: `alive` is a thread that the user may not know. */
int cul_live_ended(const struct cul_live *live, struct cul_error *err);

/* live.c: while it stands still: why ptrace refuses this thread. */
void cul_live_check(struct cul_live *live, pid_t tid);

/*
 * live_take.c: all stand still, registers, stacks and mappings are taken, all go on.
 * -ESRCH, -EPERM, -ENOMEM, -EAGAIN, -EINTR.
 */
int cul_live_take(struct cul_live *live, struct cul_error *err);

#endif
