/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of a run as text: the verdict, and what was lost or not covered. */
#include "report/text_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Hits that the program never saw, and not for being busy. */
static uint64_t unexplained(const struct cul_watch_loss *l)
{
	return cul_text_without(l->hits, (const uint64_t[]){l->seen, l->busy}, 2);
}

/* Hits whose details should have come and did not. */
static uint64_t undetailed(const struct cul_watch_loss *l)
{
	return cul_text_without(
		l->seen, (const uint64_t[]){l->detailed, l->filtered, l->dropped}, 3);
}

static bool is_clean(const struct cul_watch_loss *l)
{
	return !l->dropped && !l->busy && !l->unattributed && !l->unreadable && !l->disarmed &&
	       !l->n_gaps && !unexplained(l) && !undetailed(l);
}

static void item(struct cul_text_sink *t, uint64_t n, const char *what)
{
	if (n)
		cul_text_item(t, "%" PRIu64 " hit%s %s", n, cul_text_plural(n), what);
}

static void add_items(struct cul_text_sink *t, const struct cul_watch_loss *l)
{
	if (l->disarmed)
		cul_text_item(t,
			"disarmed after %" PRIu64
			" hit%s a second on one CPU, to spare the machine: "
			"not watching since; --max-rate N allows more, --max-rate none any number",
			l->max_rate, cul_text_plural(l->max_rate));
	item(t, l->dropped, "counted, but not shown: the ring of details was full");
	item(t, undetailed(l), "counted, but not shown: their details did not arrive");
	item(t, l->busy, "counted only: another BPF program was running on that CPU");
	item(t, l->unattributed, "counted, but not by writer: the table of writers was full");
	item(t, l->unreadable, "seen, but the value could not be read");
	item(t, unexplained(l), "reported by the debug registers, but not seen by the program");
	for (size_t i = 0; i < l->n_gaps; i++)
		cul_text_item(t, "%s", l->gaps[i]);
}

static void add_counts(struct cul_text_sink *t, const struct cul_watch_loss *l)
{
	uint64_t filtered =
		l->expect ? 0 : l->filtered; /* those that kept to it: the verdict tells */

	cul_text_say(t, CUL_INK_PLAIN, "%" PRIu64 " hit%s, %" PRIu64 " seen", l->hits,
		cul_text_plural(l->hits), l->seen);
	if (filtered && l->unchanged)
		cul_text_say(t, CUL_INK_PLAIN, "(%" PRIu64 " filtered, %" PRIu64 " unchanged)",
			filtered, l->unchanged);
	else if (filtered || l->unchanged)
		cul_text_say(t, CUL_INK_PLAIN, "(%" PRIu64 " %s)",
			filtered ? filtered : l->unchanged, filtered ? "filtered" : "unchanged");
	if (l->behind)
		cul_text_say(t, CUL_INK_WARNING, "(and %" PRIu64 " change%s behind the CPU's back)",
			l->behind, cul_text_plural(l->behind));
}

/* "was watched for 10.0 s on 2 of 2 CPUs," */
static void add_watched(struct cul_text_sink *t, const struct cul_watch_loss *l)
{
	const struct cul_watch_armed *a = &t->armed;

	if (t->n_targets == 1)
		cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, t->target);
	else
		cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, "%u targets", t->n_targets);
	cul_lines_cell(&t->lines, &t->cell, 1);
	cul_text_say(t, CUL_INK_PLAIN, "%s watched for %" PRIu64 ".%" PRIu64 " s",
		t->n_targets == 1 ? "was" : "were", l->ran_ns / 1000000000,
		l->ran_ns % 1000000000 / 100000000);
	if (a->pid)
		cul_text_say(t, CUL_INK_PLAIN, "in process %d,", a->pid);
	else
		cul_text_say(t, CUL_INK_PLAIN, "on %u of %u CPUs,", a->n_cpus, a->n_cpus_online);
}

static void add_no_hit(struct cul_text_sink *t, const struct cul_watch_loss *l)
{
	enum cul_access_kind access = t->armed.access;
	const char *verb = access == CUL_ACCESS_EXECUTE      ? "executed"
			   : access == CUL_ACCESS_READ_WRITE ? "touched"
							     : "wrote";

	cul_lines_begin(&t->lines, 0, 2);
	if (!is_clean(l) || !t->all_proved) {
		cul_text_say(t, CUL_INK_WARNING, "no hit, which proves little:");
		add_watched(t, l);
		if (!t->all_proved)
			cul_text_say(t, CUL_INK_WARNING, "and NOT proved live");
		else
			cul_text_say(t, CUL_INK_WARNING, "with gaps");
	} else {
		cul_text_say(t, CUL_INK_PLAIN, "no hit:");
		add_watched(t, l);
		if (l->behind)
			cul_text_say(t, CUL_INK_WARNING,
				"proved live, and changed %" PRIu64 " time%s with no store seen",
				l->behind, cul_text_plural(l->behind));
		else
			cul_text_say(t, CUL_INK_PLAIN, "proved live, and nobody %s %s", verb,
				t->n_targets == 1 ? "it" : "any of them");
	}
	cul_lines_end(&t->lines);
}

static void add_verdict(struct cul_text_sink *t, const struct cul_watch_loss *l)
{
	if (!l->expect || l->end == CUL_END_VIOLATION)
		return; /* the violation itself was the verdict */
	cul_lines_begin(&t->lines, 0, 2);
	if (l->violations)
		cul_text_say(t, CUL_INK_GUILTY, "guilty:");
	else if (is_clean(l))
		cul_text_say(t, CUL_INK_GOOD, "not guilty:");
	else
		cul_text_say(t, CUL_INK_WARNING, "no guilt seen:");
	cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, l->expect);
	cul_lines_cell(&t->lines, &t->cell, 1);
	if (l->violations)
		cul_text_say(t, CUL_INK_PLAIN, "was broken by %" PRIu64 " of %" PRIu64 " hit%s",
			l->violations, l->seen, cul_text_plural(l->seen));
	else
		cul_text_say(
			t, CUL_INK_PLAIN, "held at each of the %" PRIu64 " hits seen", l->seen);
	cul_lines_end(&t->lines);
}

int cul_text_watch_loss(struct cul_sink *s, const struct cul_watch_loss *l)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;
	bool clean = is_clean(l);

	cul_text_end(t, l->end, l->command_status);
	if (l->hits)
		add_verdict(t, l);
	else
		add_no_hit(t, l);
	if (clean && l->hits) {
		cul_lines_begin(&t->lines, 0, 2);
		cul_text_say(t, CUL_INK_GOOD, "nothing was lost:");
		add_counts(t, l);
		cul_lines_end(&t->lines);
	} else if (!clean) {
		cul_lines_begin(&t->lines, 0, 2);
		cul_text_say(t, CUL_INK_WARNING, "lost or not covered:");
		add_counts(t, l);
		cul_lines_end(&t->lines);
		add_items(t, l);
	}
	return cul_text_flush(t);
}
