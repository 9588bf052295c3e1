/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unit-stack-victim (victim.c) as a process of the test's: its threads take a step when told. */
#ifndef CUL_TESTS_UNIT_STACK_VICTIMS_H
#define CUL_TESTS_UNIT_STACK_VICTIMS_H

#include <stdbool.h>
#include <sys/types.h>

enum { THREADS = 4, PATIENCE_MS = 20000 };

struct victim {
	pid_t pid;
	int to, from; /* its standard input and output */
};

/* `how`: as victim.c says, or NULL. */
void victim_start(struct victim *v, const char *how);
/* Whether it says something, in time. */
bool victim_says(const struct victim *v);
/* Whether every thread of it takes a step. */
bool victim_goes_on(const struct victim *v);
/* Closes its input, which ends it. Whether it exited by itself. */
bool victim_ends(const struct victim *v);

#endif
