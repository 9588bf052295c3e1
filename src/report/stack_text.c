/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks for people: who, then where, the innermost frame first. */
#include "report/text_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { INDENT = 2, PIECES_MOST = 12, UNNAMED_MOST = 64 };

static const char *state_word(char state)
{
	switch (state) {
	case 'R':
		return "running";
	case 'S':
		return "sleeping";
	case 'D':
		return "in uninterruptible sleep";
	case 'T':
		return "stopped";
	case 't':
		return "traced";
	case 'Z':
		return "a zombie";
	case 'X':
		return "dead";
	case 'I':
		return "idle";
	case 'P':
		return "parked";
	default:
		return NULL;
	}
}

static void add_signal(struct cul_text_sink *t, int signal, const char *name)
{
	const char *ours = sigabbrev_np(signal);

	if (name)
		cul_text_say(t, CUL_INK_GUILTY, "%s", name);
	else if (ours)
		cul_text_say(t, CUL_INK_GUILTY, "SIG%s", ours);
	else
		cul_text_say(t, CUL_INK_GUILTY, "signal %d", signal);
}

int cul_text_stack_about(struct cul_sink *s, const struct cul_stack_about *a)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;
	char time[CUL_TEXT_TIME];

	t->stack_pid = a->pid;
	cul_lines_begin(&t->lines, 0, INDENT);
	if (a->core) {
		cul_text_say(t, CUL_INK_PLAIN, "core of");
	}
	if (a->pid) {
		cul_text_process(&t->cell, &t->style, a->process, a->pid, a->pid);
		cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, ":");
	} else {
		cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, a->core ? "a process:" : "tasks:");
	}
	cul_lines_cell(&t->lines, &t->cell, 1);
	cul_text_say(t, CUL_INK_PLAIN, "%zu thread%s%s%s%s", a->n_threads,
		cul_text_plural(a->n_threads), a->arch ? ", " : "", a->arch ? a->arch : "",
		a->stopped_ns || a->signal ? "," : "");
	if (a->stopped_ns)
		cul_text_say(
			t, CUL_INK_PLAIN, "stopped for %s", cul_text_duration(time, a->stopped_ns));
	if (a->signal) {
		cul_text_say(t, CUL_INK_PLAIN, "ended by");
		add_signal(t, a->signal, a->signal_name);
	}
	if (a->reason)
		cul_text_say(t, CUL_INK_VALUE, "(%s)", a->reason);
	cul_lines_end(&t->lines);
	if (a->core && a->command) {
		cul_text_label(t, INDENT, "ran");
		cul_text_say(t, CUL_INK_PLAIN, "%s", a->command);
		cul_lines_end(&t->lines);
	}
	for (size_t i = 0; i < a->n_notes; i++)
		cul_text_note(t, a->notes[i]);
	return cul_text_flush(t);
}

static bool same_name(const struct cul_stack_thread *a, const struct cul_stack_thread *b)
{
	return a->pid == b->pid && !strcmp(a->name ? a->name : "?", b->name ? b->name : "?");
}

/* Threads in a row, by number, with one name: how many. */
static size_t row_of(const struct cul_stack_thread *t, size_t n)
{
	size_t i = 1;

	while (i < n && t[i].tid == t[i - 1].tid + 1 && same_name(&t[i], &t[0]))
		i++;
	return i;
}

/* "worker 813-822", and the process where there are several. */
static void add_row(struct cul_text_sink *t, const struct cul_stack_thread *th, size_t n)
{
	struct cul_cell *c = &t->cell;

	cul_cell_add(c, &t->style, CUL_INK_CODE, th->name && *th->name ? th->name : "?");
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, " %d", th->tid);
	if (n > 1)
		cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "-%d", th[n - 1].tid);
	if (!t->stack_pid && th->pid != th->tid)
		cul_cell_addf(c, &t->style, CUL_INK_PLAIN, " of %d", th->pid);
}

/* How all of them are; NULL: not alike. */
static const char *common_state(const struct cul_stack_threads *g)
{
	for (size_t i = 1; i < g->n_threads; i++) {
		if (g->threads[i].state != g->threads[0].state)
			return NULL;
	}
	return state_word(g->threads[0].state);
}

static void add_threads(struct cul_text_sink *t, const struct cul_stack_threads *g)
{
	const char *state = common_state(g);
	size_t done = 0;

	cul_str_add(&t->lines.text, "\n");
	cul_lines_begin(&t->lines, 0, 2 * INDENT);
	if (g->n_threads > 1)
		cul_text_say(t, CUL_INK_VALUE, "%zu threads:", g->n_threads);
	for (size_t pieces = 0; done < g->n_threads && pieces < PIECES_MOST; pieces++) {
		size_t n = row_of(g->threads + done, g->n_threads - done);

		add_row(t, g->threads + done, n);
		done += n;
		if (done < g->n_threads || state || g->threads[0].signal)
			cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, ",");
		cul_lines_cell(&t->lines, &t->cell, 1);
	}
	if (done < g->n_threads)
		cul_text_say(t, CUL_INK_PLAIN, "%zu more%s", g->n_threads - done, state ? "," : "");
	if (state)
		cul_text_say(t, CUL_INK_PLAIN, "%s", state);
	if (g->n_threads == 1 && g->threads[0].signal) {
		cul_text_say(t, CUL_INK_PLAIN, "%sgot", state ? "and " : "");
		add_signal(t, g->threads[0].signal, g->threads[0].signal_name);
	}
	cul_lines_end(&t->lines);
}

static void add_place(struct cul_text_sink *t, const struct cul_stack_frame_shown *f)
{
	struct cul_where where = f->where;
	unsigned left = INDENT + CUL_TEXT_LABEL;

	if (!f->user && where.module && !strcmp(where.module, "vmlinux"))
		where.module = NULL;
	if (f->certainty == CUL_LIKELY)
		cul_cell_add(&t->cell, &t->style, CUL_INK_WARNING, "? ");
	if (f->inlined && where.function)
		cul_text_name(&t->cell, &t->style, where.function);
	else
		cul_text_where(&t->cell, &t->style, &where);
	cul_lines_cell(&t->lines, &t->cell, 0);
	cul_text_line(
		&t->cell, &t->style, &where, t->style.width > left ? t->style.width - left : 0);
	cul_lines_cell(&t->lines, &t->cell, 2);
}

/* "x 11,412" */
static void add_times(
	struct cul_cell *c, const struct cul_style *style, const struct cul_stack_frame_shown *f)
{
	cul_autostr struct cul_str text = {0}, digits = {0};

	cul_str_addf(&digits, "%" PRIu64, f->times);
	for (size_t i = 0; i < digits.len; i++) {
		if (i && (digits.len - i) % 3 == 0)
			cul_str_add(&text, ",");
		cul_str_addn(&text, digits.s + i, 1);
	}
	cul_cell_addf(c, style, CUL_INK_VALUE, "x %s", cul_str_text(&text));
	if (f->period > 2)
		cul_cell_addf(c, style, CUL_INK_VALUE, ", with the %u frames below", f->period - 1);
	else if (f->period == 2)
		cul_cell_add(c, style, CUL_INK_VALUE, ", with the frame below");
	c->text.failed |= digits.failed || text.failed;
}

/* To be told once, at the end. */
static int keep_unnamed(struct cul_text_sink *t, const struct cul_stack_frame_shown *f)
{
	cul_autostr struct cul_str text = {0};
	char **entry;

	if (f->where.function || !f->build_id || t->unnamed.len == UNNAMED_MOST)
		return 0;
	cul_str_addf(
		&text, "%s: build id %s", f->where.module ? f->where.module : "?", f->build_id);
	for (size_t i = 0; i < t->unnamed.len; i++)
		if (strcmp(t->unnamed.data[i], cul_str_text(&text)) == 0)
			return 0;
	entry = text.failed ? NULL : cul_vec_push(&t->unnamed);
	if (!entry)
		return -ENOMEM;
	*entry = text.s;
	text = (struct cul_str){0};
	return 0;
}

static void add_frame(struct cul_text_sink *t, const struct cul_stack_frame_shown *f)
{
	struct cul_cell *c = &t->cell;

	add_place(t, f);
	if (f->inlined)
		cul_cell_add(c, &t->style, CUL_INK_DIM, "(inlined)");
	else if (f->signal)
		cul_cell_add(c, &t->style, CUL_INK_WARNING, "(signal handler called)");
	cul_lines_cell(&t->lines, c, 2);
	if (f->certainty == CUL_LIKELY && f->method)
		cul_cell_addf(c, &t->style, CUL_INK_WARNING, "(%s)", f->method);
	cul_lines_cell(&t->lines, c, 2);
	if (f->times > 1)
		add_times(c, &t->style, f);
	cul_lines_cell(&t->lines, c, 2);
}

static void add_frames(struct cul_text_sink *t, const struct cul_stack_threads *g)
{
	for (size_t i = 0; i < g->n_frames; i++) {
		const struct cul_stack_frame_shown *f = &g->frames[i];

		if (i == 0 || f->user != f[-1].user) {
			cul_text_label(t, INDENT, f->user ? "user" : "kernel");
			t->lines.indent += INDENT;
		} else {
			cul_lines_begin(
				&t->lines, INDENT + CUL_TEXT_LABEL, 2 * INDENT + CUL_TEXT_LABEL);
		}
		add_frame(t, f);
		cul_lines_end(&t->lines);
	}
}

static void add_word(struct cul_text_sink *t, const char *label, const char *text)
{
	if (!text)
		return;
	cul_lines_begin(&t->lines, INDENT, INDENT + CUL_TEXT_LABEL);
	cul_cell_add(&t->cell, &t->style, CUL_INK_WARNING, label);
	cul_lines_cell(&t->lines, &t->cell, 0);
	cul_lines_pad(&t->lines, INDENT + CUL_TEXT_LABEL);
	cul_lines_words(&t->lines, CUL_INK_PLAIN, text);
	cul_lines_end(&t->lines);
}

int cul_text_stack_threads(struct cul_sink *s, const struct cul_stack_threads *g)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;

	for (size_t i = 0; i < g->n_frames; i++)
		if (keep_unnamed(t, &g->frames[i]) != 0)
			return -ENOMEM;
	add_threads(t, g);
	add_frames(t, g);
	add_word(t, "ended", g->end);
	add_word(t, "lacks", g->missing);
	return cul_text_flush(t);
}

static void add_count(struct cul_text_sink *t, size_t n, const char *what)
{
	if (n)
		cul_text_item(t, "%zu thread%s %s", n, cul_text_plural(n), what);
}

int cul_text_stack_summary(struct cul_sink *s, const struct cul_stack_summary *m)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;
	bool clean = !m->n_truncated && !m->n_missing && !m->n_likely;

	cul_str_add(&t->lines.text, "\n");
	for (size_t i = 0; i < t->unnamed.len; i++) {
		cul_lines_begin(&t->lines, 0, INDENT);
		cul_text_say(t, CUL_INK_DIM, "unnamed code in %s", t->unnamed.data[i]);
		cul_lines_end(&t->lines);
	}
	cul_lines_begin(&t->lines, 0, INDENT);
	cul_text_say(t, clean ? CUL_INK_GOOD : CUL_INK_WARNING,
		clean ? "nothing is missing:" : "not all could be had:");
	cul_text_say(t, CUL_INK_PLAIN, "%zu thread%s, %zu stack%s, ", m->n_threads,
		cul_text_plural(m->n_threads), m->n_stacks, cul_text_plural(m->n_stacks));
	if (clean)
		cul_text_say(t, CUL_INK_PLAIN, "%s to the outermost frame",
			m->n_stacks == 1 ? "walked" : "each walked");
	else
		cul_text_say(t, CUL_INK_PLAIN, "%zu of the threads walked to the outermost frame",
			m->n_complete);
	cul_lines_end(&t->lines);
	add_count(t, m->n_truncated, "walked in part: see \"ended\" and \"lacks\"");
	add_count(t, m->n_missing, "without a stack: see \"lacks\"");
	add_count(t, m->n_likely, "with frames that may be wrong: marked \"?\"");
	return cul_text_flush(t);
}
