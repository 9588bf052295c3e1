/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of writers, as text. */
#include "report/text_parts.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

enum {
	NAME_MOST = 32,    /* longer names push their row to the right */
	VALUES_MOST = 24,  /* likewise */
	PROCESSES_MOST = 3 /* named; the others are counted */
};

struct columns {
	unsigned name, hits, first, last, values, where;
	unsigned right; /* how far the places reach */
};

static void add_values(
	struct cul_cell *c, const struct cul_style *style, const struct cul_watch_writer *w)
{
	const char *min = w->min.text, *max = w->max.text;

	if (w->access == CUL_ACCESS_EXECUTE)
		return;
	if (min && max && strcmp(min, max) != 0)
		cul_cell_addf(c, style, CUL_INK_VALUE, "%s..%s", min, max);
	else if (min || w->last.text)
		cul_cell_add(c, style, CUL_INK_VALUE, min ? min : w->last.text);
}

static void add_name(
	struct cul_cell *c, const struct cul_style *style, const struct cul_watch_writer *w)
{
	enum cul_ink ink = w->guilty ? CUL_INK_GUILTY : CUL_INK_CODE;

	if (w->where.function)
		cul_cell_add(c, style, ink, w->where.function);
	else
		cul_cell_addf(c, style, ink, "0x%" PRIx64, w->where.addr);
}

static void add_spot(
	struct cul_cell *c, const struct cul_style *style, const struct cul_watch_writer *w)
{
	cul_text_where(c, style, &w->where);
	if (w->insn && w->insn->certainty == CUL_LIKELY)
		cul_cell_add(c, style, CUL_INK_WARNING, " (likely)");
}

static void widen(unsigned *width, unsigned columns, unsigned most)
{
	if (columns > most)
		columns = most;
	if (columns > *width)
		*width = columns;
}

static unsigned digits(const char *fmt, uint64_t v)
{
	char time[CUL_TEXT_TIME];

	return (unsigned)(fmt ? snprintf(NULL, 0, fmt, v) : (int)strlen(cul_text_time(time, v)));
}

static void measure(struct cul_text_sink *t, const struct cul_watch_writer *w, size_t n,
	const char *title, struct columns *col)
{
	cul_autocell struct cul_cell c = {0};
	unsigned name, values = sizeof("values") - 1;
	unsigned place = sizeof("where") - 1;
	unsigned hits = sizeof("hits") - 1, first = sizeof("first") - 1, last = sizeof("last") - 1;

	name = (unsigned)strlen(title) > 2 ? (unsigned)strlen(title) - 2 : 0;
	for (size_t i = 0; i < n; i++) {
		add_name(&c, &t->style, &w[i]);
		widen(&name, c.columns, NAME_MOST);
		cul_cell_reset(&c);
		add_values(&c, &t->style, &w[i]);
		widen(&values, c.columns, VALUES_MOST);
		cul_cell_reset(&c);
		add_spot(&c, &t->style, &w[i]);
		widen(&place, c.columns, UINT_MAX);
		cul_cell_reset(&c);
		widen(&hits, digits("%" PRIu64, w[i].hits), 20);
		widen(&first, digits(NULL, w[i].first_ns), 20);
		widen(&last, digits(NULL, w[i].last_ns), 20);
	}
	col->name = 2;
	col->hits = col->name + name + 2 + hits; /* of its last digit */
	col->first = col->hits + 2;
	col->last = col->first + first + 2;
	col->values = col->last + last + 2;
	col->where = col->values + values + 2;
	col->right = col->where + place;
}

static void put(struct cul_text_sink *t, enum cul_ink ink, unsigned column, const char *text)
{
	cul_lines_pad(&t->lines, column);
	cul_cell_add(&t->cell, &t->style, ink, text);
	cul_lines_cell(&t->lines, &t->cell, 0);
}

/* `column` is where the number ends. */
static void put_hits(struct cul_text_sink *t, enum cul_ink ink, unsigned column, const char *text)
{
	unsigned n = (unsigned)strlen(text);

	put(t, ink, column > n ? column - n : 0, text);
}

static void add_heading(
	struct cul_text_sink *t, const char *title, const struct columns *col, bool where)
{
	cul_lines_begin(&t->lines, 0, 0);
	cul_cell_add(&t->cell, &t->style, CUL_INK_HEADING, title);
	cul_lines_cell(&t->lines, &t->cell, 0);
	put_hits(t, CUL_INK_HEADING, col->hits, "hits");
	put(t, CUL_INK_HEADING, col->first, "first");
	put(t, CUL_INK_HEADING, col->last, "last");
	put(t, CUL_INK_HEADING, col->values, "values");
	if (where)
		put(t, CUL_INK_HEADING, col->where, "where");
	cul_lines_end(&t->lines);
}

static void add_processes(struct cul_text_sink *t, const struct cul_watch_writer *w)
{
	struct cul_cell *c = &t->cell;
	size_t named = w->n_processes < PROCESSES_MOST ? w->n_processes : PROCESSES_MOST;

	for (size_t i = 0; i < named; i++) {
		const struct cul_watch_process *p = &w->processes[i];

		if (i == 0)
			cul_cell_add(c, &t->style, CUL_INK_DIM, "in ");
		cul_text_process(c, &t->style, p->comm, p->pid, p->pid);
		if (i + 1 < named)
			cul_cell_add(c, &t->style, CUL_INK_PLAIN, ",");
		else if (named < w->n_processes)
			cul_cell_addf(c, &t->style, CUL_INK_PLAIN, " +%zu", w->n_processes - named);
		cul_lines_cell(&t->lines, c, i == 0 ? 2 : 1);
	}
}

/* What stands behind the columns, or below them. */
static void add_place(struct cul_text_sink *t, const struct cul_watch_writer *w)
{
	struct cul_cell *c = &t->cell;
	const char *slash = w->where.file ? strrchr(w->where.file, '/') : NULL;
	struct cul_where short_where = w->where;

	if (slash)
		short_where.file = slash + 1;
	add_spot(c, &t->style, w);
	cul_lines_cell(&t->lines, c, 0);
	cul_text_line(c, &t->style, &short_where, 0);
	cul_lines_cell(&t->lines, c, 1);
	add_processes(t, w);
	if (w->access == CUL_ACCESS_READ) {
		cul_cell_add(c, &t->style, CUL_INK_DIM, "loads only");
		cul_lines_cell(&t->lines, c, 2);
	}
	if (w->unchanged > w->neighbour) {
		cul_cell_addf(c, &t->style, CUL_INK_DIM, "%" PRIu64 " unchanged",
			w->unchanged - w->neighbour);
		cul_lines_cell(&t->lines, c, 2);
	}
	if (w->neighbour) {
		cul_cell_addf(c, &t->style, CUL_INK_DIM, "%" PRIu64 " changed a neighbour only",
			w->neighbour);
		cul_lines_cell(&t->lines, c, 2);
	}
}

static void add_row(struct cul_text_sink *t, const struct cul_watch_writer *w,
	const struct columns *col, bool where)
{
	char buf[CUL_TEXT_TIME];

	cul_lines_begin(&t->lines, col->name, where ? col->where : col->name + 2);
	add_name(&t->cell, &t->style, w);
	cul_lines_cell(&t->lines, &t->cell, 0);
	snprintf(buf, sizeof(buf), "%" PRIu64, w->hits);
	put_hits(t, CUL_INK_PLAIN, col->hits, buf);
	put(t, CUL_INK_PLAIN, col->first, cul_text_time(buf, w->first_ns));
	put(t, CUL_INK_PLAIN, col->last, cul_text_time(buf, w->last_ns));
	cul_lines_pad(&t->lines, col->values);
	add_values(&t->cell, &t->style, w);
	cul_lines_cell(&t->lines, &t->cell, 0);
	if (where) {
		cul_lines_pad(&t->lines, col->where);
	} else {
		cul_lines_end(&t->lines);
		cul_lines_begin(&t->lines, col->name + 2, col->name + 2);
	}
	add_place(t, w);
	cul_lines_end(&t->lines);
}

static const char *title_of(const struct cul_text_sink *t)
{
	switch (t->armed.access) {
	case CUL_ACCESS_EXECUTE:
		return "executed";
	case CUL_ACCESS_READ_WRITE:
		return "users";
	default:
		return "writers";
	}
}

/* How many of the writers belong to the first one's target. */
static size_t of_one_target(const struct cul_watch_writer *w, size_t n)
{
	size_t i = 1;

	while (i < n && !strcmp(w[i].target, w[0].target))
		i++;
	return i;
}

static void add_table(
	struct cul_text_sink *t, const struct cul_watch_writer *w, size_t n, bool where)
{
	struct columns col;

	if (t->n_targets > 1) {
		cul_lines_begin(&t->lines, 0, 2);
		cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, "%s:", w->target);
		cul_lines_cell(&t->lines, &t->cell, 0);
		cul_lines_end(&t->lines);
	}
	measure(t, w, n, title_of(t), &col);
	add_heading(t, title_of(t), &col, where);
	for (size_t i = 0; i < n; i++)
		add_row(t, &w[i], &col, where);
}

int cul_text_watch_writers(struct cul_sink *s, const struct cul_watch_writer *w, size_t n)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;
	bool where = true; /* in every table or in none */
	struct columns col;

	for (size_t i = 0, k; i < n; i += k) {
		k = of_one_target(w + i, n - i);
		measure(t, w + i, k, title_of(t), &col);
		where &= col.right <= t->style.width;
	}
	if (n)
		cul_str_add(&t->lines.text, "\n");
	for (size_t i = 0, k; i < n; i += k) {
		k = of_one_target(w + i, n - i);
		add_table(t, w + i, k, where);
	}
	return cul_text_flush(t);
}
