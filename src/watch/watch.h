/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `culprit watch`: who writes (or touches, or executes) this memory.
 *
 * The case takes plain options, arms debug registers, and feeds a sink with
 * what happened. It does not parse options and does not print.
 */
#ifndef CUL_WATCH_WATCH_H
#define CUL_WATCH_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch/arch.h"
#include "base/error.h"
#include "report/model.h"

enum cul_stack_choice {
	CUL_STACK_DEFAULT, /* the writer's own side: kernel for a kernel target, user for a process
			    */
	CUL_STACK_NONE,
	CUL_STACK_KERNEL,
	CUL_STACK_USER,
	CUL_STACK_BOTH,
};

enum { CUL_RATE_AUTO = -1, CUL_RATE_UNLIMITED = 0 };

struct cul_watch_options {
	const char *const *targets; /* as given on the command line */
	size_t n_targets;
	enum cul_access_kind access; /* WRITE, READ_WRITE or EXECUTE */
	pid_t pid;                   /* process target; 0: the kernel, or the command's process */
	char *const *command;        /* NULL-terminated; NULL: none */
	bool kernel;                 /* with a command: watch the kernel while it runs */
	const char *cpus;            /* list as in "0-3,8"; NULL: all */
	const char *condition;       /* --if */
	const char *expect;          /* --expect */
	bool keep_going;
	bool partial;
	enum cul_stack_choice stack;
	uint64_t for_ns;  /* 0: until told to stop */
	uint64_t count;   /* end after this many hits were shown; 0: no limit */
	int64_t max_rate; /* hits a second and CPU, or CUL_RATE_* */
	const char *const
		*debug_paths; /* NULL-terminated: files and directories with debug files */
	int stop_fd; /* readable when the user wants it to end (signalfd or pipe); -1: none */
	/* As of struct cul_probe_options. */
	void (*progress)(void *data, const char *what, size_t done, size_t of);
	void *progress_data;
};

/* How a run ended, for the exit status. */
struct cul_watch_outcome {
	enum cul_end end;
	bool violated; /* --expect was broken at least once */
};

/*
 * Runs to its end. 0 when it ran (see `outcome`), a negative errno with `err` when it could not.
 * -EPIPE from the sink ends the run cleanly. On every way out all events are closed.
 */
int cul_watch_run(const struct cul_watch_options *options, struct cul_sink *sink,
	struct cul_watch_outcome *outcome, struct cul_error *err);

#endif
