/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kretprobe with a chosen number of instances (maxactive): made by a line in
 * tracefs' kprobe_events, which outlives who wrote it. So that nothing is left
 * behind, a small process of ours waits for our end, however it comes, and
 * takes the line back; a run that finds lines of a dead culprit takes those
 * back too.
 */
#ifndef CUL_TRACE_KRETPROBE_H
#define CUL_TRACE_KRETPROBE_H

#include "trace/attach.h"

struct cul_kretprobes;

/* Starts the keeper, and takes away what dead runs left. -ENOENT: no tracefs; -EPERM. */
int cul_kretprobes_new(struct cul_kretprobes **out, struct cul_error *err);
/* Takes all lines back; detach what hangs on them before. */
void cul_kretprobes_free(struct cul_kretprobes *k);

/* `place`: "func", "module:func". `number`: for cul_kretprobe_missed. */
int cul_kretprobe_attach(struct cul_kretprobes *k, const char *place, unsigned maxactive,
	int prog_fd, uint64_t cookie, size_t *number, struct cul_attachment *out,
	struct cul_error *err);

/* Calls whose return was not seen, since all instances were in use: tracefs' kprobe_profile. */
int cul_kretprobe_missed(struct cul_kretprobes *k, size_t number, uint64_t *out);

#endif
