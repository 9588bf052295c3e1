/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tasks of the running kernel, from its memory: which there are, and of each what is needed to
 * walk its stack. The kernel goes on while it is read, so that a list can lead astray and a task
 * can run on: reading is bounded, and what was read of a task says whether it stood still.
 */
#ifndef CUL_STACK_KTASKS_H
#define CUL_STACK_KTASKS_H

#include "base/vec.h"
#include "sym/kernel.h"
#include "unwind/kstack.h"

struct cul_ktasks; /* the layout of a task, and the memory */

/* `k` is kept by the caller. -ENOTSUP: this kernel's types do not tell; -EPERM and others. */
int cul_ktasks_open(struct cul_kernel *k, const struct cul_arch *arch, struct cul_ktasks **out,
	struct cul_error *err);
void cul_ktasks_free(struct cul_ktasks *t); /* accepts NULL */

/* A thread in the list. */
struct cul_ktask_listed {
	uint64_t addr; /* of its struct task_struct */
	int tid, pid;
};

struct cul_ktask_list {
	CUL_VEC(struct cul_ktask_listed) tasks;
	bool whole; /* the list was read to its end */
};

/*
 * All threads, those of process `pid`, or the thread with that number when no process has it; 0:
 * all. -ESRCH: none; -ENOMEM; or what reading failed with. The caller frees list.tasks.data.
 */
int cul_ktasks_list(
	struct cul_ktasks *t, int pid, struct cul_ktask_list *list, struct cul_error *err);

enum cul_ktask_stands {
	CUL_KTASK_BLOCKED, /* `start` and `stack` are of one and the same moment */
	CUL_KTASK_RUNS,    /* on `cpu` */
	CUL_KTASK_RAN,     /* while it was read */
	CUL_KTASK_ENDED,   /* it is a zombie, or gone */
	CUL_KTASK_STRANGE, /* what is there is no task with a stack */
};

struct cul_ktask {
	enum cul_ktask_stands stands;
	int tid, pid;
	char name[16];
	char state; /* as /proc/TID/stat has it */
	int cpu;    /* -1: not known */
	/* Of one that is blocked; the bytes are kept until the next is read. */
	struct cul_kstack_start start;
	struct cul_stack_bytes stack;
	const uint8_t *bytes; /* of its struct task_struct, as far as it was read */
	size_t size;
};

/* What cannot be read is CUL_KTASK_ENDED. */
void cul_ktasks_read(
	struct cul_ktasks *t, const struct cul_ktask_listed *listed, struct cul_ktask *out);

/* Whether the task stood still since cul_ktasks_read; what was read by then belongs together. */
bool cul_ktasks_stood_still(
	struct cul_ktasks *t, const struct cul_ktask_listed *listed, const struct cul_ktask *task);

#endif
