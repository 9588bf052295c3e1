/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a run could not see, a sentence each, for its ledger.
 */
#ifndef CUL_TRACE_GAPS_H
#define CUL_TRACE_GAPS_H

#include "base/vec.h"

struct cul_gaps {
	CUL_VEC(char *) texts; /* owned */
};

/* Out of memory: the sentence is lost, not the run. */
void cul_gaps_add(struct cul_gaps *gaps, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Of tasks that have no number in our PID namespace. */
void cul_gaps_add_outsiders(struct cul_gaps *gaps);
void cul_gaps_free(struct cul_gaps *gaps);

#endif
