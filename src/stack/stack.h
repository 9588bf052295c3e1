/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `culprit stack`: where every thread is.
 */
#ifndef CUL_STACK_STACK_H
#define CUL_STACK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "report/model.h"

struct cul_stack_options {
	pid_t pid;           /* 0: a core, or all tasks */
	const char *core;    /* its path; NULL */
	const char *exe;     /* of a core: the program, where it is not at its old place */
	const char *sysroot; /* of a core: where its files are; NULL: "/" */
	bool kernel_only;    /* --kernel: the task's kernel stack, from the kernel's memory */
	bool all_tasks;      /* --all-tasks: the same of all tasks */
	bool no_fold;        /* threads with the same stack are not put together */
	unsigned methods;    /* bits of enum cul_unwind_method; 0: all */
	uint64_t max_frames; /* 0: as many as there are */
	const char *const *debug_paths; /* NULL-terminated; NULL */
	int stop_fd;                    /* readable: the user wants it to end; -1 */
	/* Called now and then while there is work, `of` 0: nobody knows how much; NULL `what`: it
	 * is over. NULL: nobody looks. */
	void (*progress)(void *data, const char *what, size_t done, size_t of);
	void *progress_data;
};

/* Whether stop_fd is readable. */
bool cul_stack_is_over(const struct cul_stack_options *options);

/* 0 when stacks were shown. -EINTR: the user wanted it to end before. */
int cul_stack_run(
	const struct cul_stack_options *options, struct cul_sink *sink, struct cul_error *err);

#endif
