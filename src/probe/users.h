/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of user frames where the kernel's functions are probed: of whoever
 * called them. Processes are opened when a frame of theirs is seen, and kept;
 * one that has ended by then has addresses only.
 */
#ifndef CUL_PROBE_USERS_H
#define CUL_PROBE_USERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "expr/scope.h"

enum {
	CUL_USERS_MOST = 64,  /* opened in a run */
	CUL_USERS_LOOKS = 32, /* at one process's mappings again */
};

struct cul_user {
	pid_t pid;
	struct cul_scope *scope; /* NULL: could not be read */
	char comm[16];
	unsigned looks;
	bool stale; /* an address lay in no file that was mapped when it was looked at */
};

struct cul_users {
	struct cul_user users[CUL_USERS_MOST];
	size_t n;
	const char *const *debug_paths;
	bool refused; /* one was too many */
};

/*
 * Before frames of a process are named. `comm`: of the call, by which it is seen to have become
 * another program; "": not known. What was named before in that process may be gone.
 */
void cul_users_open(struct cul_users *users, pid_t pid, const char *comm);
/* `comm` stands for a module that is not known; it has to live as long as `out`. */
void cul_users_where(
	struct cul_users *users, pid_t pid, const char *comm, uint64_t addr, struct cul_where *out);
/* "": not known. */
const char *cul_users_comm(const struct cul_users *users, pid_t pid);
void cul_users_free(struct cul_users *users);

#endif
