/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stops of processes, each made by a thread of its own that ends then, as stack/live.c does it; and
 * what /proc says of threads meanwhile.
 */
#ifndef CUL_TESTS_UNIT_STACK_LOOK_H
#define CUL_TESTS_UNIT_STACK_LOOK_H

#include "stack/stop.h"
#include "victims.h"

struct tids {
	pid_t tid[4096];
	size_t n;
};

void list_threads(pid_t pid, struct tids *out);
void await_state(pid_t pid, pid_t tid, char state);

/* One stop, and what is done while it lasts. */
struct look {
	pid_t pid;
	void (*meanwhile)(struct look *l);
	long fail_alloc; /* after so many; -1: none */
	int ret;
	struct cul_stop stop;
	struct cul_error err;
	uint64_t took_ns;
	char problem[128]; /* cmocka's assertions are for the main thread */
};

/* Faults of sys/fault.h end with it. */
struct look look(pid_t pid, void (*meanwhile)(struct look *l));
struct look look_failing(pid_t pid, long fail_alloc, void (*meanwhile)(struct look *l));

struct cul_stop_thread *of(struct look *l, pid_t tid);
size_t in_state(const struct look *l, enum cul_stop_state state);

/*
 * For `meanwhile`: /proc says so too. Each thread there is stands still, unless it is one that is
 * told to have ended, or not to have stopped.
 */
void all_stand_still(struct look *l);
/* Nobody traces any thread of it. */
void assert_let_go(pid_t pid);

#endif
