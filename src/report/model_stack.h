/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `culprit stack` has to say. As in report/model.h: borrowed strings, times in nanoseconds.
 */
#ifndef CUL_REPORT_MODEL_STACK_H
#define CUL_REPORT_MODEL_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "report/model_parts.h"

/* Once, first: whose stacks these are. */
struct cul_stack_about {
	int pid;             /* 0: tasks of the kernel, several processes */
	const char *process; /* its name; NULL: not known */
	const char *core;    /* the file's path; NULL: live */
	const char *arch;    /* "x86_64" */
	size_t n_threads;    /* there are, also those whose stack is not to be had */
	uint64_t stopped_ns; /* how long all of it stood still; 0: it was not stopped */
	/* A core: what ended it. */
	int signal;               /* 0: not known, or live */
	const char *signal_name;  /* on its machine: "SIGSEGV"; NULL: as on this one */
	const char *reason;       /* "SEGV_MAPERR at 0x10"; NULL */
	const char *command;      /* as the core's psinfo or /proc/PID/cmdline has it; NULL */
	const char *const *notes; /* sentences: what is missing and how to get it */
	size_t n_notes;
};

struct cul_stack_frame_shown {
	struct cul_where where;
	const char *build_id; /* hexadecimal, where there is no function; NULL */
	bool user;
	bool inlined;                 /* no frame of its own: it is part of the next one's code */
	bool signal;                  /* the kernel called a signal handler here */
	const char *method;           /* "CFI", "ORC", "/proc"; NULL of an inlined one */
	enum cul_certainty certainty; /* CUL_CERTAIN, CUL_LIKELY */
	uint64_t times; /* above 1: this and the period - 1 frames behind it, in a row */
	unsigned period;
};

struct cul_stack_thread {
	int tid;
	int pid;                 /* its process, where several are shown */
	const char *name;        /* NULL: not known */
	char state;              /* as /proc/TID/stat has it; 0: not known */
	int signal;              /* of a core: it got this; 0 */
	const char *signal_name; /* as in struct cul_stack_about */
};

/* Threads with one and the same stack. */
struct cul_stack_threads {
	const struct cul_stack_thread *threads;
	size_t n_threads;
	const struct cul_stack_frame_shown *frames; /* the innermost first: kernel, then user */
	size_t n_frames;
	uint64_t depth;      /* frames walked, recursion not folded */
	const char *end;     /* why the walk ended, when not at the outermost frame; NULL */
	const char *missing; /* why there is no stack, or no kernel part of it; NULL */
};

struct cul_stack_summary {
	size_t n_threads, n_stacks;
	size_t n_complete;  /* threads walked to their outermost frame */
	size_t n_truncated; /* threads whose walk ended before */
	size_t n_missing;   /* threads with no stack at all */
	size_t n_likely;    /* threads that have a frame which may be wrong */
};

#endif
