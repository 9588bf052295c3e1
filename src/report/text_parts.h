/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pieces of text that several reports are made of, and the text sink itself.
 * Inside src/report only.
 */
#ifndef CUL_REPORT_TEXT_PARTS_H
#define CUL_REPORT_TEXT_PARTS_H

#include "base/vec.h"
#include "report/layout.h"
#include "report/text.h"

enum { CUL_TEXT_TIME = 48, CUL_TEXT_LABEL = 7, CUL_TEXT_ROWS_MOST = 50 };

/* What the ledger of a probe needs of its beginning and of what was shown since. */
struct cul_text_probe {
	char *spec, *only_cpus; /* NULL: all */
	size_t n_functions, n_sites;
	bool returns;
	int pid, only_pid;
	bool counted; /* the view counts calls and shows none */
};

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
	struct cul_text_probe probe;
	int stack_pid;           /* whose stacks these are; 0: several processes' */
	CUL_VEC(char *) unnamed; /* files of frames without a name, with their build ids */
};

/* A function's name, shortened when it is long. */
void cul_text_name(struct cul_cell *cell, const struct cul_style *style, const char *name);
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

/* "812 ns", "12.3 us", "4.05 s": three digits that count. Returns `buf`. */
const char *cul_text_duration(char buf[CUL_TEXT_TIME], uint64_t ns);
/* The same without the blank and without zeros at the end: "1us". */
const char *cul_text_bound(char buf[CUL_TEXT_TIME], uint64_t ns);

/* "" for one, "s" for any other number. */
const char *cul_text_plural(uint64_t n);

/* What is left of `n` without `parts`: counters of a running kernel need not add up. */
uint64_t cul_text_without(uint64_t n, const uint64_t *parts, size_t n_parts);

/* Adds a sentence, wrapped, to the line that was begun. */
void cul_text_say(struct cul_text_sink *t, enum cul_ink ink, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A line of its own: "  - sentence", for what was lost. */
void cul_text_item(struct cul_text_sink *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Begins a line with a label; what follows lines up behind it. */
void cul_text_label(struct cul_text_sink *t, unsigned indent, const char *label);

/* Lines of kernel and of user frames, or "as in #n". */
void cul_text_stack(struct cul_text_sink *t, unsigned indent, const struct cul_shown_frame *frames,
	size_t n, uint64_t same_as);

/* "  note: ..."; nothing for NULL. */
void cul_text_note(struct cul_text_sink *t, const char *note);

/* That the process or the command ended by itself, in a line; nothing for other ends. */
void cul_text_end(struct cul_text_sink *t, enum cul_end end, int status);

/* "name=value", with what it is after the call, into the cell; wide values in several cells. */
void cul_text_arg(struct cul_text_sink *t, const struct cul_probe_arg *arg, unsigned *gap);

/* "writes", "reads and writes", "executions" */
const char *cul_text_access(enum cul_access_kind access);

/* Writes out and empties the lines that have been made. 0 or a negative errno. */
int cul_text_flush(struct cul_text_sink *t);

int cul_text_watch_armed(struct cul_sink *s, const struct cul_watch_armed *armed);
int cul_text_watch_hit(struct cul_sink *s, const struct cul_watch_hit *hit);
int cul_text_watch_behind(struct cul_sink *s, const struct cul_watch_behind *behind);
int cul_text_watch_writers(struct cul_sink *s, const struct cul_watch_writer *w, size_t n);
int cul_text_watch_loss(struct cul_sink *s, const struct cul_watch_loss *loss);
/* "on CPUs 0-3", where they were chosen. */
void cul_text_probe_cpus(struct cul_text_sink *t);
int cul_text_probe_attached(struct cul_sink *s, const struct cul_probe_attached *a);
int cul_text_probe_call(struct cul_sink *s, const struct cul_probe_call *call);
int cul_text_probe_rate(struct cul_sink *s, const struct cul_probe_rate *rates, size_t n);
int cul_text_probe_groups(struct cul_sink *s, const struct cul_probe_group *groups, size_t n);
int cul_text_probe_histogram(struct cul_sink *s, const struct cul_probe_histogram *h);
int cul_text_probe_functions(
	struct cul_sink *s, const struct cul_probe_function *f, size_t n, size_t n_silent);
int cul_text_probe_loss(struct cul_sink *s, const struct cul_probe_loss *loss);
int cul_text_stack_about(struct cul_sink *s, const struct cul_stack_about *about);
int cul_text_stack_threads(struct cul_sink *s, const struct cul_stack_threads *threads);
int cul_text_stack_summary(struct cul_sink *s, const struct cul_stack_summary *summary);
int cul_text_doctor(struct cul_sink *s, const struct cul_doctor_report *report);

#endif
