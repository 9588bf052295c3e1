/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command that is run under the trace: started stopped, before its first
 * instruction; held once more before it is gone, so that its memory can be
 * read a last time.
 */
#ifndef CUL_TRACE_CHILD_H
#define CUL_TRACE_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

enum cul_child_state {
	CUL_CHILD_NONE,    /* never started */
	CUL_CHILD_STOPPED, /* at its first instruction */
	CUL_CHILD_RUNNING,
	CUL_CHILD_EXITING, /* held at its exit, memory intact: cul_child_release lets it go */
	CUL_CHILD_EXITED,
};

struct cul_child {
	pid_t pid;
	enum cul_child_state state;
	int status;    /* EXITING, EXITED: as waitpid gives it */
	int signal_fd; /* readable when something happened to it; -1 before the start */
	bool execed;   /* it became another program after its start */
	bool headless; /* its first thread is gone, others run on: it is not held at its exit */
	bool stepped;
	bool trapped;    /* its first thread was given a SIGTRAP of its own */
	unsigned strays; /* traps of debug registers that were nobody's, kept from it */
	int entry_fd;    /* breakpoint on its entry point while stepping; -1: none */
};

/*
 * Starts `argv` (searched on PATH) and holds it at its first instruction. If we die meanwhile it
 * dies too; once it runs, it lives on without us. -ENOENT, -EACCES from exec; -EPERM from ptrace.
 */
int cul_child_start(char *const *argv, struct cul_child *out, struct cul_error *err);

/*
 * While stopped: lets it go on to its next system call, or to its entry point (main's caller), when
 * `*at_entry` becomes true: by then the dynamic linker has mapped all libraries it was linked with.
 * Before 5.13 the entry point cannot be told and `*at_entry` is true at once. -ESRCH: it ended.
 */
int cul_child_step(struct cul_child *c, bool *at_entry, struct cul_error *err);

/*
 * No further step: gives back the debug register that waits for the entry point, before others are
 * asked for, and before the trap would kill it.
 */
void cul_child_end_steps(struct cul_child *c);

/* Lets a stopped one run, after its last step was ended. */
int cul_child_run(struct cul_child *c, struct cul_error *err);

/* Takes note of what happened; passes its signals on. Never waits. */
void cul_child_handle(struct cul_child *c);

/* Lets one that is held at its exit go, and waits for the end. */
void cul_child_release(struct cul_child *c);

/* Detaches from it: it goes on alone. One that never ran is killed. */
void cul_child_free(struct cul_child *c);

#endif
