/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `probe` has to say: a part of report/model.h, whose rules hold here.
 */
#ifndef CUL_REPORT_MODEL_PROBE_H
#define CUL_REPORT_MODEL_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/model_parts.h"

struct cul_probe_method {
	const char *name; /* "fentry", "kprobe-multi", "kprobe", "uprobe", ... */
	size_t n_sites;
};

struct cul_probe_refused {
	const char *function, *module;
	const char *why;
};

/* What is probed; once for the run, when all is attached. */
struct cul_probe_attached {
	const char *spec; /* as the user wrote it, several by blanks */
	const char
		*signature; /* of a single function: "int open(const char *name)"; NULL: several */
	size_t n_functions; /* by the names in the source */
	size_t n_sites;     /* places that are probed for them */
	size_t n_clones, n_inlined; /* of `n_sites` */
	const struct cul_probe_method *methods;
	size_t n_methods;
	const struct cul_probe_refused *refused; /* some of them */
	size_t n_refused;                        /* all */
	size_t n_refused_shown;
	bool returns;  /* the way back is probed too */
	int pid;       /* 0: the kernel's functions */
	bool children; /* of `pid`, that it will fork, are probed too */
	const char *process;
	int only_pid; /* the kernel's functions, called by this process and its children to come; 0:
			 by all */
	const char *only_cpus; /* calls on these alone, as the user wrote them; NULL: on all */
	uint64_t took_ns;      /* attaching */
	const char *note;      /* what it does not see; NULL */
};

struct cul_probe_arg {
	const char *name;       /* NULL: the parameter has no name */
	struct cul_shown value; /* text NULL: unreadable, or not where a probe can see it */
	const char *why;        /* "floating point", "unreadable", ...; with a value.text: only the
				   pointer could be read */
	struct cul_shown after; /* --diff: at the return, when it is another; else text NULL */
};

struct cul_probe_reg {
	const char *name;
	uint64_t value;
	bool changed; /* by the instruction; `before` is valid */
	uint64_t before;
};

struct cul_probe_call {
	uint64_t number;        /* from 1 */
	struct cul_where where; /* the site; `function` is the name in the source */
	enum cul_probe_place {
		CUL_PLACE_ENTRY,
		CUL_PLACE_CLONE,
		CUL_PLACE_INLINED,
		CUL_PLACE_INSIDE,
		CUL_PLACE_TRACEPOINT
	} place;
	uint64_t ns; /* of the entry */
	int cpu, pid, tid;
	const char *comm;
	const struct cul_probe_arg *args;
	size_t n_args;
	bool returned;
	bool injected;                    /* was not called: --inject had it return at once */
	struct cul_shown ret;             /* text NULL with `returned`: void, or not to be seen */
	const char *error;                /* "ENOENT": the returned value is this error; NULL */
	uint64_t dur_ns;                  /* with `returned` */
	struct cul_where caller;          /* addr 0: not known */
	const struct cul_probe_reg *regs; /* of an instruction */
	size_t n_regs;
	bool regs_after; /* once it has run */
	const struct cul_shown_frame *frames;
	size_t n_frames;
	uint64_t same_stack_as; /* number of the earlier call with these frames; 0: the first */
};

/* --count: calls that have function, stack and --by values in common. */
struct cul_probe_group {
	const char *function, *module;
	const struct cul_probe_arg *by;
	size_t n_by;
	int pid; /* with user stacks of several processes: whose; else 0 */
	const char *comm;
	const struct cul_shown_frame *frames;
	size_t n_frames;
	uint64_t calls, errors;
	bool timed; /* the next two are valid */
	uint64_t sum_ns, max_ns;
};

struct cul_probe_bar {
	int64_t low, high; /* [low, high) */
	uint64_t count;
};

struct cul_probe_histogram {
	const char *function, *module; /* NULL: of all functions together */
	const char *measure;           /* "dur", or the expression */
	bool is_time;                  /* nanoseconds */
	const struct cul_probe_arg *by;
	size_t n_by;
	const struct cul_probe_bar *bars; /* without gaps, from the first filled to the last */
	size_t n_bars;
	uint64_t count;   /* in all bars */
	uint64_t unread;  /* of calls whose value could not be read: in no bar */
	int64_t min, max; /* of all values; valid with `count` */
};

/* --rate: one line a second and function that was called. */
struct cul_probe_rate {
	uint64_t ns, span_ns;
	const char *function, *module;
	uint64_t calls, errors;
};

/* At the end: exact counts of one function. */
struct cul_probe_function {
	const char *function, *module;
	uint64_t calls;
	bool returns_known;
	uint64_t returns, errors;
	uint64_t filtered, matched;
	uint64_t missed; /* the probe was reached and did not run, as far as known */
	uint64_t missed_returns;
	uint64_t timed; /* of `matched`: came back; the next two are of them */
	uint64_t sum_ns, max_ns;
};

struct cul_probe_loss {
	uint64_t calls;
	uint64_t matched;   /* of `calls`: passed the filters */
	uint64_t filtered;  /* of `calls` */
	uint64_t shown;     /* of `matched`: told one by one */
	uint64_t dropped;   /* of `matched`: ring full */
	uint64_t ungrouped; /* of `matched`: table of groups full */
	uint64_t unread;    /* of `matched`: a value of --by or --hist could not be read */
	bool injecting;
	uint64_t injected;   /* of `matched`: not called, by --inject */
	uint64_t own;        /* calls by culprit itself, which are not among `calls` */
	uint64_t unreturned; /* calls that had not come back at the end */
	uint64_t lone;       /* calls too many to remember until their return */
	uint64_t missed;     /* probes that did not run: nested, or no instance free */
	uint64_t missed_returns;
	uint64_t recursion;             /* runs refused since the program ran on that CPU already */
	bool misses_known;              /* the kernel tells them all */
	const char *misses_unknown_for; /* what it does not tell, a clause; NULL */
	const char *const *gaps;
	size_t n_gaps;
	enum cul_end end;
	int command_status; /* as in struct cul_watch_loss */
	uint64_t ran_ns;
	uint64_t detached_ns; /* how long detaching took */
};

#endif
