/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the models of several cases are made of. As in report/model.h: borrowed
 * strings, times in nanoseconds.
 */
#ifndef CUL_REPORT_MODEL_PARTS_H
#define CUL_REPORT_MODEL_PARTS_H

#include <stdbool.h>

#include "sym/where.h"

/* One value, printed by its type. */
struct cul_shown {
	const char *text; /* NULL: not known */
	bool is_number;   /* text is a decimal integer, which JSON can carry as such */
};

struct cul_shown_frame {
	struct cul_where where;
	bool user;
	const char *method; /* how it was found: "regs", "orc", "fp" */
};

enum cul_end {
	CUL_END_SIGNAL,
	CUL_END_TIME,
	CUL_END_COUNT,
	CUL_END_COMMAND,
	CUL_END_PROCESS,
	CUL_END_VIOLATION,
	CUL_END_RATE
};

#endif
