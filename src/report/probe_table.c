/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts of a probe run as text: functions, groups of calls, calls per second. */
#include "report/text_parts.h"

#include <inttypes.h>
#include <string.h>

enum {
	NAME_MOST = 40, /* longer names push their row to the right */
	RATES_NAMED = 8,
};

struct column {
	const char *title;
	unsigned end; /* where its numbers end; 0: not in this table */
};

enum { CALLS, RETURNS, ERRORS, MATCHED, MISSED, MEAN, MAX, N_COLUMNS };

struct field {
	char text[CUL_TEXT_TIME];
};

static void add_name(struct cul_cell *c, const struct cul_style *style, enum cul_ink ink,
	const char *function, const char *module)
{
	cul_cell_add(c, style, ink, function ? function : "?");
	if (module && strcmp(module, "vmlinux") != 0)
		cul_cell_addf(c, style, CUL_INK_PLAIN, " [%s]", module);
}

/* Text whose last column is `end`. */
static void put_right(struct cul_text_sink *t, enum cul_ink ink, unsigned end, const char *text)
{
	unsigned n = (unsigned)strlen(text);

	cul_lines_pad(&t->lines, end > n ? end - n : 0);
	cul_cell_add(&t->cell, &t->style, ink, text);
	cul_lines_cell(&t->lines, &t->cell, 0);
}

static struct field field_of(const struct cul_probe_function *f, int column)
{
	struct field field = {""};
	uint64_t numbers[N_COLUMNS] = {[CALLS] = f->calls,
		[RETURNS] = f->returns,
		[ERRORS] = f->errors,
		[MATCHED] = f->matched,
		[MISSED] = f->missed + f->missed_returns};

	if ((column == RETURNS || column == ERRORS) && !f->returns_known)
		return field;
	if (column < MEAN)
		snprintf(field.text, sizeof(field.text), "%" PRIu64, numbers[column]);
	else if (f->timed && column == MAX)
		cul_text_duration(field.text, f->max_ns);
	else if (f->timed)
		cul_text_duration(field.text, f->sum_ns / f->timed);
	return field;
}

/* Columns that would say nothing are left out. */
static bool is_wanted(const struct cul_probe_function *f, size_t n, int column)
{
	for (size_t i = 0; i < n; i++) {
		if (column == CALLS || (column == RETURNS && f[i].returns_known) ||
			(column == ERRORS && f[i].returns_known) ||
			(column == MATCHED && f[i].filtered) ||
			(column == MISSED && (f[i].missed || f[i].missed_returns)) ||
			(column >= MEAN && f[i].timed))
			return true;
	}
	return false;
}

static void measure(struct cul_text_sink *t, const struct cul_probe_function *f, size_t n,
	struct column columns[N_COLUMNS])
{
	static const char *const titles[N_COLUMNS] = {
		"calls", "returns", "errors", "matched", "missed", "mean", "max"};
	unsigned end = (unsigned)strlen("functions");

	for (size_t i = 0; i < n; i++) {
		add_name(&t->cell, &t->style, CUL_INK_CODE, f[i].function, f[i].module);
		if (t->cell.columns + 2 > end && t->cell.columns <= NAME_MOST)
			end = t->cell.columns + 2;
		cul_cell_reset(&t->cell);
	}
	for (int c = 0; c < N_COLUMNS; c++) {
		unsigned width = (unsigned)strlen(titles[c]);

		columns[c] = (struct column){.title = titles[c]};
		if (!is_wanted(f, n, c))
			continue;
		for (size_t i = 0; i < n; i++) {
			unsigned own = (unsigned)strlen(field_of(&f[i], c).text);

			width = own > width ? own : width;
		}
		columns[c].end = end += 2 + width;
	}
}

static void add_row(struct cul_text_sink *t, const struct cul_probe_function *f,
	const struct column columns[N_COLUMNS], bool wide)
{
	cul_lines_begin(&t->lines, 2, 4);
	add_name(&t->cell, &t->style, CUL_INK_CODE, f->function, f->module);
	cul_lines_cell(&t->lines, &t->cell, 0);
	for (int c = 0; c < N_COLUMNS; c++) {
		struct field field = field_of(f, c);

		if (!columns[c].end || !*field.text)
			continue;
		if (wide) {
			put_right(t, CUL_INK_PLAIN, columns[c].end, field.text);
		} else if (c == CALLS || strcmp(field.text, "0") != 0) {
			cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, "%s %s", columns[c].title,
				field.text);
			cul_lines_cell(&t->lines, &t->cell, 2);
		}
	}
	cul_lines_end(&t->lines);
}

static void add_heading(struct cul_text_sink *t, const struct column columns[N_COLUMNS], bool wide)
{
	cul_lines_begin(&t->lines, 0, 0);
	cul_cell_add(&t->cell, &t->style, CUL_INK_HEADING, "functions");
	cul_lines_cell(&t->lines, &t->cell, 0);
	for (int c = 0; wide && c < N_COLUMNS; c++)
		if (columns[c].end)
			put_right(t, CUL_INK_HEADING, columns[c].end, columns[c].title);
	cul_lines_end(&t->lines);
}

int cul_text_probe_functions(
	struct cul_sink *s, const struct cul_probe_function *f, size_t n, size_t n_silent)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;
	size_t shown = n < CUL_TEXT_ROWS_MOST ? n : CUL_TEXT_ROWS_MOST;
	struct column columns[N_COLUMNS];
	unsigned right = 0;
	uint64_t rest = 0;

	if (n == 0)
		return 0; /* the ledger tells */
	measure(t, f, shown, columns);
	for (int c = 0; c < N_COLUMNS; c++)
		right = columns[c].end ? columns[c].end : right;
	cul_str_add(&t->lines.text, "\n");
	add_heading(t, columns, right <= t->style.width);
	for (size_t i = 0; i < shown; i++)
		add_row(t, &f[i], columns, right <= t->style.width);
	for (size_t i = shown; i < n; i++)
		rest += f[i].calls;
	if (n > shown || n_silent)
		cul_lines_begin(&t->lines, 2, 4);
	if (n > shown)
		cul_text_say(t, CUL_INK_DIM,
			"and %zu more with %" PRIu64 " call%s in all (--json tells each)%s",
			n - shown, rest, cul_text_plural(rest), n_silent ? ";" : "");
	if (n_silent)
		cul_text_say(t, CUL_INK_DIM, "%zu %s not called", n_silent,
			n_silent == 1 ? "was" : "were");
	if (n > shown || n_silent)
		cul_lines_end(&t->lines);
	return cul_text_flush(t);
}

/* "12 errors, mean 3.1 us, max 22 us" */
static void add_group_times(struct cul_text_sink *t, const struct cul_probe_group *g)
{
	char buf[CUL_TEXT_TIME];

	if (g->errors) {
		cul_cell_addf(&t->cell, &t->style, CUL_INK_WARNING, "%" PRIu64 " error%s",
			g->errors, cul_text_plural(g->errors));
		cul_lines_cell(&t->lines, &t->cell, 3);
	}
	if (g->timed && g->calls) {
		cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, "mean %s",
			cul_text_duration(buf, g->sum_ns / g->calls));
		cul_lines_cell(&t->lines, &t->cell, 3);
		cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, "max %s",
			cul_text_duration(buf, g->max_ns));
		cul_lines_cell(&t->lines, &t->cell, 2);
	}
}

static void add_group(struct cul_text_sink *t, const struct cul_probe_group *g, uint64_t all,
	unsigned digits, bool named)
{
	unsigned gap = 2;
	uint64_t share = all ? (uint64_t)((double)g->calls * 1000 / (double)all + 0.5) : 0;

	cul_lines_begin(&t->lines, 0, digits + 12);
	cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN,
		"%*" PRIu64 "  %3" PRIu64 ".%" PRIu64 "%%", (int)digits, g->calls, share / 10,
		share % 10);
	cul_lines_cell(&t->lines, &t->cell, 0);
	if (named) {
		add_name(&t->cell, &t->style, CUL_INK_CODE, g->function, g->module);
		cul_lines_cell(&t->lines, &t->cell, 3);
	}
	gap = named ? 2 : 3;
	for (size_t i = 0; i < g->n_by; i++) {
		cul_text_arg(t, &g->by[i], &gap);
		cul_lines_cell(&t->lines, &t->cell, gap);
		gap = 2;
	}
	if (g->pid) {
		cul_text_process(&t->cell, &t->style, g->comm, g->pid, g->pid);
		cul_lines_cell(&t->lines, &t->cell, gap);
	}
	add_group_times(t, g);
	cul_lines_end(&t->lines);
	cul_text_stack(t, 4, g->frames, g->n_frames, 0);
}

int cul_text_probe_groups(struct cul_sink *s, const struct cul_probe_group *g, size_t n)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;
	size_t shown = n < CUL_TEXT_ROWS_MOST ? n : CUL_TEXT_ROWS_MOST;
	uint64_t all = 0, rest = 0;
	unsigned digits = 5;

	t->probe.counted = true;
	for (size_t i = 0; i < n; i++) {
		all += g[i].calls;
		rest += i < shown ? 0 : g[i].calls;
	}
	if (n == 0)
		return 0;
	digits = (unsigned)snprintf(NULL, 0, "%*" PRIu64, (int)digits, g[0].calls);
	cul_str_add(&t->lines.text, "\n");
	cul_lines_begin(&t->lines, 0, 0);
	put_right(t, CUL_INK_HEADING, digits, "calls");
	put_right(t, CUL_INK_HEADING, digits + 8, "share");
	cul_lines_end(&t->lines);
	for (size_t i = 0; i < shown; i++)
		add_group(t, &g[i], all, digits, t->probe.n_functions != 1 || !g[i].n_by);
	if (n > shown) {
		cul_lines_begin(&t->lines, 2, 4);
		cul_text_say(t, CUL_INK_DIM,
			"and %zu more group%s with %" PRIu64 " call%s in all (--json tells each)",
			n - shown, cul_text_plural(n - shown), rest, cul_text_plural(rest));
		cul_lines_end(&t->lines);
	}
	return cul_text_flush(t);
}

/* Calls in a second, from calls in a span. */
static uint64_t a_second(uint64_t calls, uint64_t span_ns)
{
	return span_ns ? (uint64_t)((double)calls * 1e9 / (double)span_ns + 0.5) : calls;
}

/* Whether rate i is among the first RATES_NAMED by calls. */
static bool is_among_first(const struct cul_probe_rate *rates, size_t n, size_t i)
{
	size_t before = 0;

	for (size_t k = 0; k < n; k++)
		before += rates[k].calls > rates[i].calls ||
			  (rates[k].calls == rates[i].calls && k < i);
	return before < RATES_NAMED;
}

int cul_text_probe_rate(struct cul_sink *s, const struct cul_probe_rate *rates, size_t n)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;
	char time[CUL_TEXT_TIME];
	uint64_t calls = 0, errors = 0;

	t->probe.counted = true;
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		calls += rates[i].calls;
		errors += rates[i].errors;
	}
	cul_lines_begin(&t->lines, 0, 4);
	cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, "%13s  %8" PRIu64 " calls/s",
		cul_text_time(time, rates[0].ns), a_second(calls, rates[0].span_ns));
	cul_lines_cell(&t->lines, &t->cell, 0);
	if (errors) {
		cul_cell_addf(&t->cell, &t->style, CUL_INK_WARNING, "%" PRIu64 " errors/s",
			a_second(errors, rates[0].span_ns));
		cul_lines_cell(&t->lines, &t->cell, 2);
	}
	for (size_t i = 0; i < n; i++) {
		if (!is_among_first(rates, n, i))
			continue;
		add_name(&t->cell, &t->style, CUL_INK_CODE, rates[i].function, rates[i].module);
		if (n > 1)
			cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, " %" PRIu64,
				a_second(rates[i].calls, rates[i].span_ns));
		cul_lines_cell(&t->lines, &t->cell, 2);
	}
	if (n > RATES_NAMED) {
		cul_cell_addf(&t->cell, &t->style, CUL_INK_DIM, "+%zu", n - RATES_NAMED);
		cul_lines_cell(&t->lines, &t->cell, 2);
	}
	cul_lines_end(&t->lines);
	return cul_text_flush(t);
}
