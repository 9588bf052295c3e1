/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `culprit probe`: who calls this, with which arguments, what comes back.
 *
 * The case takes plain options, attaches programs, and feeds a sink with calls,
 * groups or histograms. It does not parse options and does not print.
 */
#ifndef CUL_PROBE_PROBE_H
#define CUL_PROBE_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "report/model.h"

enum cul_probe_view {
	CUL_VIEW_CALLS, /* a line a call */
	CUL_VIEW_COUNT, /* --count: groups at the end */
	CUL_VIEW_HIST,  /* --hist */
	CUL_VIEW_RATE,  /* --rate: per second, live */
};

/* Bars of equal width from `min` to below `max`, and one for what lies below and above. */
struct cul_probe_scale {
	int64_t min, max, step; /* step 0: powers of two */
};

enum { CUL_PROBE_SCALE_MOST = 256 }; /* bars between min and max */

struct cul_probe_options {
	const char *const *specs; /* as given on the command line */
	size_t n_specs;
	pid_t pid;            /* -p: functions of this process; with `kernel`: calls made by it */
	char *const *command; /* NULL-terminated; NULL: none */
	bool kernel;      /* with -p or a command: the kernel's functions, called by that process */
	const char *cpus; /* NULL: all */
	const char *condition; /* --if */
	const char *args;      /* --args: expressions by commas; NULL: all parameters by type */
	const char *by;        /* --by: expressions by commas; NULL: by stack */
	const char *hist;      /* --hist: an expression */
	struct cul_probe_scale scale; /* --linear */
	enum cul_probe_view view;
	bool returns;       /* --ret */
	bool diff;          /* --diff */
	bool errors;        /* --errors */
	uint64_t slow_ns;   /* --slow; 0: no limit */
	bool after;         /* --after: registers once the instruction has run */
	unsigned depth;     /* pointers to structs are followed so far; 1 by default */
	unsigned maxactive; /* 0: the kernel's choice */
	const char *inject; /* --inject RET[,EVERY N]; NULL */
	bool want_kernel_stack, want_user_stack;
	uint64_t for_ns;
	uint64_t count; /* end after this many calls were shown; 0: no limit */
	const char *const *debug_paths;
	int stop_fd;
	/*
	 * Told before and while something takes its time: `done` of `of` places, `of` 0 where there
	 * is no count; `what` NULL when it is over, if it went well. NULL: nobody wants to know.
	 */
	void (*progress)(void *data, const char *what, size_t done, size_t of);
	void *progress_data;
};

struct cul_probe_outcome {
	enum cul_end end;
};

/* As cul_watch_run. */
int cul_probe_run(const struct cul_probe_options *options, struct cul_sink *sink,
	struct cul_probe_outcome *outcome, struct cul_error *err);

#endif
