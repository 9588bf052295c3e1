/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files behind trace/attach.h and trace/kretprobe.h share.
 */
#ifndef CUL_TRACE_ATTACH_PRIV_H
#define CUL_TRACE_ATTACH_PRIV_H

#include <linux/perf_event.h>

#include "trace/attach.h"

/*
 * Opens the event (in `pid` alone, or -1) and hangs the program on it. `attr` has type, config and
 * what they need. -EINVAL and so on as the kernel said: `*linking` tells whether the event was
 * opened and the link refused. Fills out's descriptors; the words of a failure are the caller's.
 */
int cul_attach_perf(struct perf_event_attr *attr, pid_t pid, int prog_fd, uint64_t cookie,
	struct cul_attachment *out, bool *linking);

/*
 * The sentence for a failure that is not of the place: no rights, no descriptors, no memory, a
 * kernel without cookies, a program that does not fit. False, and `err` untouched, for all others.
 */
bool cul_attach_explain_common(const char *what, int code, bool linking, struct cul_error *err);

#endif
