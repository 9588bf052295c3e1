/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All threads of a process made to stand still at one time, and let go again.
 *
 * Each is seized before any is interrupted, and each has stopped before the caller reads any: what
 * is read belongs to one instant. What cannot stop is named and does not hold up the others. The
 * stops are never taken by wait(2), so that a signal one of them is about is not lost even when
 * this process is killed meanwhile.
 *
 * Seizing binds threads to the calling thread, which is to end soon after cul_stop_release(): then
 * the kernel lets go of those that had not stopped by then.
 */
#ifndef CUL_STACK_STOP_H
#define CUL_STACK_STOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/vec.h"

enum cul_stop_state {
	CUL_STOP_SEIZED, /* asked to stop, has not */
	CUL_STOP_STOPPED,
	CUL_STOP_GONE,    /* it has ended */
	CUL_STOP_REFUSED, /* `error`: -EPERM when somebody else traces it */
};

struct cul_stop_thread {
	pid_t tid;
	enum cul_stop_state state;
	int signal; /* that it was about to get, and gets when it goes on */
	int error;
};

struct cul_stop {
	pid_t pid;
	CUL_VEC(struct cul_stop_thread) threads; /* by number */
	uint64_t since_ns;                       /* when the first was asked to stop */
	bool incomplete; /* new threads came faster than they could be stopped */
	/* Whether the user wants no more: then it waits for nobody. NULL; set before. */
	bool (*is_over)(void *data);
	void *data;
};

/*
 * Stops the threads of process `pid`. `out` is all zero before, but for `is_over`. On failure,
 * -ESRCH or -ENOMEM, what was stopped is in `out` too and is to be released.
 */
int cul_stop_threads(pid_t pid, struct cul_stop *out, struct cul_error *err);
/*
 * The same list, of threads that are all refused (-EBUSY) because nothing is tried. -ESRCH,
 * -ENOMEM.
 */
int cul_stop_nobody(pid_t pid, struct cul_stop *out, struct cul_error *err);

/*
 * For another thread, now and then while that works. A thread that executes another program waits
 * for the other ones to end and for their tracer to look at how; until then it lets nobody be
 * seized.
 */
void cul_stop_reap(pid_t pid);
/* Lets all go on: what was stopped by SIGSTOP before stays so. Leaves the list. */
void cul_stop_release(struct cul_stop *stop);
void cul_stop_free(struct cul_stop *stop); /* of what is released; leaves it all zero */

#endif
