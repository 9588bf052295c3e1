/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of a run as text: the verdict, and what was lost or not covered. */
#include "report/text_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static void say(struct cul_text_sink *t, enum cul_ink ink, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds a sentence, wrapped, to the line that was begun. */
static void say(struct cul_text_sink *t, enum cul_ink ink, const char *fmt, ...)
{
	cul_autostr struct cul_str s = {0};
	va_list ap;

	va_start(ap, fmt);
	cul_str_addv(&s, fmt, ap);
	va_end(ap);
	cul_lines_words(&t->lines, ink, cul_str_text(&s));
	t->lines.text.failed |= s.failed;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* What is left of `n` without `parts`: counters of a running kernel need not add up. */
static uint64_t without(uint64_t n, const uint64_t *parts, size_t n_parts)
{
	for (size_t i = 0; i < n_parts; i++)
		n -= parts[i] < n ? parts[i] : n;
	return n;
}

/* Hits that the program never saw, and not for being busy. */
static uint64_t unexplained(const struct cul_watch_loss *l)
{
	return without(l->hits, (const uint64_t[]){l->seen, l->busy}, 2);
}

/* Hits whose details should have come and did not. */
static uint64_t undetailed(const struct cul_watch_loss *l)
{
	return without(l->seen, (const uint64_t[]){l->detailed, l->filtered, l->dropped}, 3);
}

static bool is_clean(const struct cul_watch_loss *l)
{
	return !l->dropped && !l->busy && !l->unattributed && !l->unreadable && !l->disarmed &&
	       !l->n_gaps && !unexplained(l) && !undetailed(l);
}

static void begin_item(struct cul_text_sink *t)
{
	cul_lines_begin(&t->lines, 2, 4);
	say(t, CUL_INK_WARNING, "-");
}

static void item(struct cul_text_sink *t, uint64_t n, const char *fmt)
{
	cul_autostr struct cul_str s = {0};

	if (!n)
		return;
	cul_str_addf(&s, "%" PRIu64 " hit%s %s", n, plural(n), fmt);
	begin_item(t);
	say(t, CUL_INK_PLAIN, "%s", cul_str_text(&s));
	cul_lines_end(&t->lines);
}

static void add_items(struct cul_text_sink *t, const struct cul_watch_loss *l)
{
	if (l->disarmed) {
		begin_item(t);
		say(t, CUL_INK_PLAIN,
			"disarmed after %" PRIu64
			" hits a second on one CPU, to spare the machine: "
			"not watching since; --max-rate N allows more, --max-rate none any number",
			l->max_rate);
		cul_lines_end(&t->lines);
	}
	item(t, l->dropped, "counted, but not shown: the ring of details was full");
	item(t, undetailed(l), "counted, but not shown: their details did not arrive");
	item(t, l->busy, "counted only: another BPF program was running on that CPU");
	item(t, l->unattributed, "counted, but not by writer: the table of writers was full");
	item(t, l->unreadable, "seen, but the value could not be read");
	item(t, unexplained(l), "reported by the debug registers, but not seen by the program");
	for (size_t i = 0; i < l->n_gaps; i++) {
		begin_item(t);
		say(t, CUL_INK_PLAIN, "%s", l->gaps[i]);
		cul_lines_end(&t->lines);
	}
}

static void add_counts(struct cul_text_sink *t, const struct cul_watch_loss *l)
{
	uint64_t filtered =
		l->expect ? 0 : l->filtered; /* those that kept to it: the verdict tells */

	say(t, CUL_INK_PLAIN, "%" PRIu64 " hit%s, %" PRIu64 " seen", l->hits, plural(l->hits),
		l->seen);
	if (filtered && l->unchanged)
		say(t, CUL_INK_PLAIN, "(%" PRIu64 " filtered, %" PRIu64 " unchanged)", filtered,
			l->unchanged);
	else if (filtered || l->unchanged)
		say(t, CUL_INK_PLAIN, "(%" PRIu64 " %s)", filtered ? filtered : l->unchanged,
			filtered ? "filtered" : "unchanged");
	if (l->behind)
		say(t, CUL_INK_WARNING, "(and %" PRIu64 " change%s behind the CPU's back)",
			l->behind, plural(l->behind));
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
	say(t, CUL_INK_PLAIN, "%s watched for %" PRIu64 ".%" PRIu64 " s",
		t->n_targets == 1 ? "was" : "were", l->ran_ns / 1000000000,
		l->ran_ns % 1000000000 / 100000000);
	if (a->pid)
		say(t, CUL_INK_PLAIN, "in process %d,", a->pid);
	else
		say(t, CUL_INK_PLAIN, "on %u of %u CPUs,", a->n_cpus, a->n_cpus_online);
}

static void add_no_hit(struct cul_text_sink *t, const struct cul_watch_loss *l)
{
	enum cul_access_kind access = t->armed.access;
	const char *verb = access == CUL_ACCESS_EXECUTE      ? "executed"
			   : access == CUL_ACCESS_READ_WRITE ? "touched"
							     : "wrote";

	cul_lines_begin(&t->lines, 0, 2);
	if (!is_clean(l) || !t->all_proved) {
		say(t, CUL_INK_WARNING, "no hit, which proves little:");
		add_watched(t, l);
		if (!t->all_proved)
			say(t, CUL_INK_WARNING, "and NOT proved live");
		else
			say(t, CUL_INK_WARNING, "with gaps");
	} else {
		say(t, CUL_INK_PLAIN, "no hit:");
		add_watched(t, l);
		if (l->behind)
			say(t, CUL_INK_WARNING,
				"proved live, and changed %" PRIu64 " time%s with no store seen",
				l->behind, plural(l->behind));
		else
			say(t, CUL_INK_PLAIN, "proved live, and nobody %s %s", verb,
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
		say(t, CUL_INK_GUILTY, "guilty:");
	else if (is_clean(l))
		say(t, CUL_INK_GOOD, "not guilty:");
	else
		say(t, CUL_INK_WARNING, "no guilt seen:");
	cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, l->expect);
	cul_lines_cell(&t->lines, &t->cell, 1);
	if (l->violations)
		say(t, CUL_INK_PLAIN, "was broken by %" PRIu64 " of %" PRIu64 " hit%s",
			l->violations, l->seen, plural(l->seen));
	else
		say(t, CUL_INK_PLAIN, "held at each of the %" PRIu64 " hits seen", l->seen);
	cul_lines_end(&t->lines);
}

static void add_end(struct cul_text_sink *t, const struct cul_watch_loss *l)
{
	int status = l->command_status;

	cul_lines_begin(&t->lines, 0, 2);
	if (l->end == CUL_END_PROCESS)
		say(t, CUL_INK_PLAIN, "the process ended");
	else if (l->end == CUL_END_COMMAND && status >= 0 && WIFSIGNALED(status))
		say(t, CUL_INK_WARNING, "the command was killed by SIG%s",
			sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
	else if (l->end == CUL_END_COMMAND && status >= 0 && WEXITSTATUS(status))
		say(t, CUL_INK_PLAIN, "the command ended with status %d", WEXITSTATUS(status));
	else
		return;
	cul_lines_end(&t->lines);
}

int cul_text_watch_loss(struct cul_sink *s, const struct cul_watch_loss *l)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;
	bool clean = is_clean(l);

	add_end(t, l);
	if (l->hits)
		add_verdict(t, l);
	else
		add_no_hit(t, l);
	if (clean && l->hits) {
		cul_lines_begin(&t->lines, 0, 2);
		say(t, CUL_INK_GOOD, "nothing was lost:");
		add_counts(t, l);
		cul_lines_end(&t->lines);
	} else if (!clean) {
		cul_lines_begin(&t->lines, 0, 2);
		say(t, CUL_INK_WARNING, "lost or not covered:");
		add_counts(t, l);
		cul_lines_end(&t->lines);
		add_items(t, l);
	}
	return cul_text_flush(t);
}
