/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pieces of text that several reports are made of, and the text sink itself.
 * Inside src/report only.
 */
#ifndef CUL_REPORT_TEXT_PARTS_H
#define CUL_REPORT_TEXT_PARTS_H

#include "report/layout.h"
#include "report/text.h"

enum { CUL_TEXT_TIME = 32 };

struct cul_text_sink {
	struct cul_sink sink;
	FILE *out;
	struct cul_style style;
	struct cul_lines lines;
	struct cul_cell cell; /* empty between two calls of cul_lines_cell() */
	/* of what is watched, for the ledger and for telling targets apart */
	unsigned n_targets;
	bool all_proved;
	struct cul_watch_armed armed; /* the first; its strings are not kept */
	char *target;                 /* the first */
};

/* "put_twice+0x1c [victim]"; "0x401136 [a.out+0x1136]" where no symbol covers the address. */
void cul_text_where(
	struct cul_cell *cell, const struct cul_style *style, const struct cul_where *where);

/* "tests/kmod/refs.c:88", shortened from the left to `room` columns: ".../refs.c:88". */
void cul_text_line(struct cul_cell *cell, const struct cul_style *style,
	const struct cul_where *where, unsigned room);

/* "lock decl 0x8(%rdi)", "... (likely)", or that it was not found. */
void cul_text_insn(struct cul_cell *cell, const struct cul_style *style,
	const struct cul_insn *insn, enum cul_access_kind access);

/* "bash (812)", "worker (812/815)" for a thread that is not the first of its process. */
void cul_text_process(
	struct cul_cell *cell, const struct cul_style *style, const char *comm, int pid, int tid);

/* Seconds with six decimals. Returns `buf`. */
const char *cul_text_time(char buf[CUL_TEXT_TIME], uint64_t ns);

/* "writes", "reads and writes", "executions" */
const char *cul_text_access(enum cul_access_kind access);

/* Writes out and empties the lines that have been made. 0 or a negative errno. */
int cul_text_flush(struct cul_text_sink *t);

int cul_text_watch_armed(struct cul_sink *s, const struct cul_watch_armed *armed);
int cul_text_watch_hit(struct cul_sink *s, const struct cul_watch_hit *hit);
int cul_text_watch_behind(struct cul_sink *s, const struct cul_watch_behind *behind);
int cul_text_watch_writers(struct cul_sink *s, const struct cul_watch_writer *w, size_t n);
int cul_text_watch_loss(struct cul_sink *s, const struct cul_watch_loss *loss);
int cul_text_doctor(struct cul_sink *s, const struct cul_doctor_report *report);

#endif
