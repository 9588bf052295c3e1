/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How text may look where it goes: colours and width. Colours are named by
 * what they mean; a sink never writes an escape sequence itself.
 */
#ifndef CUL_REPORT_STYLE_H
#define CUL_REPORT_STYLE_H

#include <stdbool.h>

enum cul_ink {
	CUL_INK_PLAIN,
	CUL_INK_GUILTY,  /* the verdict */
	CUL_INK_CODE,    /* the function that did it */
	CUL_INK_VALUE,   /* old -> new */
	CUL_INK_HEADING, /* of a table */
	CUL_INK_DIM,     /* row labels, and evidence for a second look */
	CUL_INK_WARNING, /* what was lost, what is uncertain */
	CUL_INK_GOOD,
};

struct cul_style {
	bool colour;
	unsigned width; /* columns */
};

/*
 * The style for a descriptor: colours on a terminal only, unless NO_COLOR is
 * set and not empty or TERM is "dumb"; the terminal's width, else COLUMNS,
 * else 80.
 */
void cul_style_detect(struct cul_style *style, int fd);

/* The sequences that begin and end an ink; "" without colours. */
const char *cul_style_on(const struct cul_style *style, enum cul_ink ink);
const char *cul_style_off(const struct cul_style *style, enum cul_ink ink);

#endif
