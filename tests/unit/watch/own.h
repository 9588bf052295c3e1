/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of the stages of a run: one on our own process, with `own_cell` as its target. */
#ifndef CUL_TEST_OWN_H
#define CUL_TEST_OWN_H

#include "record.h"
#include "watch/run.h"

extern int64_t own_cell;

struct own {
	struct cul_watch_options options;
	struct record record;
	struct cul_watch_run run;
	bool loaded;
};

/* Resolves the target; loads the program where that is permitted (`loaded`). */
void own_start(struct own *own);
void own_end(struct own *own);

#endif
