/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One hardware breakpoint as a perf event: on a CPU (everything that runs
 * there) or on a thread and what it creates. The kernel frees the debug
 * register when the descriptor is closed, however we end.
 */
#ifndef CUL_TRACE_BREAKPOINT_H
#define CUL_TRACE_BREAKPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch/arch.h"
#include "base/error.h"

struct cul_breakpoint {
	uint64_t addr;
	unsigned len; /* 1, 2, 4, 8; ignored for EXECUTE */
	enum cul_access_kind access;
	pid_t tid; /* -1: everything on `cpu` */
	int cpu;   /* -1: wherever `tid` runs */
	bool inherit;
	bool sigtrap;   /* the thread gets SIGTRAP (TRAP_PERF) at the access: kernel 5.13 */
	bool user_only; /* leave out the kernel's own accesses: all that an unprivileged user may
			   ask */
};

/*
 * Opens it disabled, with BPF program `prog_fd` attached (-1: counting only). The descriptor, or a
 * negative errno with a sentence that names the way out: -ENOSPC (no free register), -EINVAL
 * (address the kernel refuses), -EACCES/-EPERM (capability), -ESRCH (thread gone), -ENODEV.
 */
int cul_breakpoint_open(const struct cul_breakpoint *bp, int prog_fd, struct cul_error *err);

/* Moves an open event to another address, length or access, in the same debug register. */
int cul_breakpoint_move(int fd, const struct cul_breakpoint *to, struct cul_error *err);

#endif
