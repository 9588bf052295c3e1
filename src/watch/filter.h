/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --if and --expect as one small BPF program: it reads the hit in the making,
 * and goes on to the emitting program when the hit is wanted. Hits it ends
 * cost no ring traffic.
 */
#ifndef CUL_WATCH_FILTER_H
#define CUL_WATCH_FILTER_H

#include <stdbool.h>

#include "base/error.h"
#include "expr/expr.h"
#include "watch/target.h"

struct cul_watch_filter {
	const struct cul_watch_target *target; /* types of `old` and `new` */
	struct cul_scope *scope;
	bool execute;              /* nothing is written: there is no `old` and no `new` */
	const char *condition;     /* wanted when true; NULL: always */
	const char *expect;        /* wanted when false; NULL: no invariant */
	int heres_fd, programs_fd; /* maps of the program: by CPU, and what to go on with */
};

/*
 * A program's descriptor, or a negative errno with the place in the expression in `err`.
 * `expect_uses_old`: whether the invariant speaks of the value before; `none`: no hit is wanted,
 * whatever it is, as with --if 0.
 */
int cul_watch_filter_load(
	const struct cul_watch_filter *f, bool *expect_uses_old, bool *none, struct cul_error *err);

/* The names of a filter, in the order of their inputs. */
enum cul_watch_input {
	CUL_IN_OLD,
	CUL_IN_NEW,
	CUL_IN_CPU,
	CUL_IN_PID,
	CUL_IN_TID,
	CUL_IN_COMM,
	CUL_IN_COUNT
};

#endif
