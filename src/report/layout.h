/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of text made of cells. A cell is a piece that is never broken; a line
 * that grows wider than the style allows goes on in the next one, indented.
 * Nothing is cut off: who looks at a narrow terminal needs the evidence too.
 *
 * Allocation failures stick (see base/str.h) and come out at the end, in
 * `lines.text.failed`.
 */
#ifndef CUL_REPORT_LAYOUT_H
#define CUL_REPORT_LAYOUT_H

#include "base/str.h"
#include "report/style.h"

struct cul_cell {
	struct cul_str text; /* with escape sequences for its inks */
	unsigned columns;    /* that it takes */
};

/* Adds text to a cell. What comes in is foreign: it is escaped. */
void cul_cell_add(
	struct cul_cell *cell, const struct cul_style *style, enum cul_ink ink, const char *text);
void cul_cell_addf(struct cul_cell *cell, const struct cul_style *style, enum cul_ink ink,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void cul_cell_reset(struct cul_cell *cell);
void cul_cell_free(struct cul_cell *cell);

#define cul_autocell __attribute__((cleanup(cul_cell_free)))

struct cul_lines {
	struct cul_str text;
	const struct cul_style *style;
	unsigned column; /* where the next cell would begin without a gap */
	unsigned indent; /* of the lines a wrapped line goes on in */
	bool empty;      /* nothing but indentation stands in this line yet */
};

/* Begins a line at column `start`; its continuations begin at column `indent`. */
void cul_lines_begin(struct cul_lines *lines, unsigned start, unsigned indent);

/* Adds a cell after `gap` spaces, in a new line when it does not fit. Empties the cell. */
void cul_lines_cell(struct cul_lines *lines, struct cul_cell *cell, unsigned gap);

/* Fills up with spaces to `column`; at least one when the line is already there. */
void cul_lines_pad(struct cul_lines *lines, unsigned column);

/* Adds the words of `text` one by one, each a cell. */
void cul_lines_words(struct cul_lines *lines, enum cul_ink ink, const char *text);

void cul_lines_end(struct cul_lines *lines);
void cul_lines_free(struct cul_lines *lines);

#endif
