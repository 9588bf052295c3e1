/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes that only tracefs can make, by a line in a file of its: a kretprobe
 * with a chosen number of instances (maxactive), and a uprobe in a process that
 * its children inherit. Such a line outlives who wrote it. So that nothing is
 * left behind, a small process of ours waits for our end, however it comes, and
 * takes the lines back; a run that finds lines of a dead culprit takes those
 * back too.
 */
#ifndef CUL_TRACE_KRETPROBE_H
#define CUL_TRACE_KRETPROBE_H

#include "trace/attach.h"

struct cul_kretprobes; /* one a process: lines are told apart by its number */

/*
 * Starts the keeper, and takes away what dead runs left. `file`: of tracefs, that is needed
 * (trace/kprobe_events.h). -ENOENT: there is none; -EPERM.
 */
int cul_kretprobes_new(const char *file, struct cul_kretprobes **out, struct cul_error *err);
/* The same with the tracefs that is mounted at `tracefs`. */
int cul_kretprobes_new_at(const char *tracefs, struct cul_kretprobes **out, struct cul_error *err);
/* Takes all lines back; detach what hangs on them before. */
void cul_kretprobes_free(struct cul_kretprobes *k);

/*
 * `place`: "func", "module:func", or an address as "0x...". `number`: for cul_kretprobe_missed.
 * `maxactive`: 1 to 4096 (KRETPROBE_MAXACTIVE_MAX of kernel/trace/trace_kprobe.c, v6.12), 0: the
 * kernel's choice. -ENOENT: no such module, or no such function (6.1; 6.12 says -EINVAL);
 * -EADDRNOTAVAIL: several of that name (6.7; older ones take the first); -EINVAL: refused, as
 * cul_attach_kprobe.
 */
int cul_kretprobe_attach(struct cul_kretprobes *k, const char *place, unsigned maxactive,
	int prog_fd, uint64_t cookie, size_t *number, struct cul_attachment *out,
	struct cul_error *err);

/*
 * Calls whose return was not seen, since all instances were in use: tracefs' kprobe_profile. The
 * kernel counts without a lock (nmissed++ in pre_handler_kretprobe(), kernel/kprobes.c, v6.12):
 * two CPUs that miss one at once may count one.
 */
int cul_kretprobe_missed(struct cul_kretprobes *k, size_t number, uint64_t *out);

struct cul_uprobe_place {
	const char *path; /* that we can open */
	uint64_t offset;  /* in the file */
	bool at_return;
};

/*
 * A uprobe in the address space of `pid`, and in those of all that it and its children will fork,
 * from their first instruction on: what a task's perf event is inherited by is probed as the task
 * is (trace_uprobe_filter_add() of kernel/trace/trace_uprobe.c, v6.1 and v6.12). Other processes
 * that map the file have no breakpoint. An event for each thread; all but the first are `k`'s.
 */
int cul_uprobe_inherited(struct cul_kretprobes *k, const struct cul_uprobe_place *place, pid_t pid,
	int prog_fd, uint64_t cookie, struct cul_attachment *out, struct cul_error *err);

#endif
