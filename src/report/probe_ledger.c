/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of a probe run as text: what was lost, missed or not covered. */
#include "report/text_parts.h"

#include <inttypes.h>

enum { SLOW_DETACH_NS = 500000000 };

/* Calls that should have been shown one by one and were not. */
static uint64_t undetailed(const struct cul_text_sink *t, const struct cul_probe_loss *l)
{
	if (t->probe.counted || l->end == CUL_END_COUNT)
		return 0;
	return cul_text_without(
		l->matched, (const uint64_t[]){l->shown, l->dropped, l->ungrouped}, 3);
}

/* Nothing that is known was lost. */
static bool is_clean(const struct cul_text_sink *t, const struct cul_probe_loss *l)
{
	return !l->dropped && !l->ungrouped && !l->unread && !l->lone && !l->missed &&
	       !l->missed_returns && !l->recursion && !l->n_gaps && !undetailed(t, l);
}

static void item(struct cul_text_sink *t, uint64_t n, const char *noun, const char *what)
{
	if (n)
		cul_text_item(t, "%" PRIu64 " %s%s %s", n, noun, cul_text_plural(n), what);
}

static void add_items(struct cul_text_sink *t, const struct cul_probe_loss *l)
{
	item(t, l->dropped, "call", "counted, but not shown: the ring of details was full");
	item(t, undetailed(t, l), "call", "counted, but not shown: their details did not arrive");
	item(t, l->ungrouped, "call",
		"counted, but in no group: the table of groups was full (or a string made to look "
		"like another); --if keeps some out, and --by with fewer values makes fewer "
		"groups");
	item(t, l->unread, "call",
		"counted apart: a value of --by or --hist could not be read, as behind a NULL");
	item(t, l->lone, "call",
		"counted, but not followed to the return: too many were under way at once");
	item(t, l->missed, "call",
		"not seen: the probe was reached, and did not run (in another probe, or with no "
		"instance left for the return)");
	item(t, l->missed_returns, "return",
		"not seen: too many calls were under way at once; --maxactive N allows more");
	item(t, l->recursion, "run",
		"of a probe refused by the kernel: one was under way on that CPU already");
	for (size_t i = 0; i < l->n_gaps; i++)
		cul_text_item(t, "%s", l->gaps[i]);
	if (!l->misses_known)
		cul_text_item(t, "not known: %s",
			l->misses_unknown_for ? l->misses_unknown_for
					      : "how often a probe was reached and did not run, "
						"which this kernel does not count");
}

static void add_counts(struct cul_text_sink *t, const struct cul_probe_loss *l)
{
	char took[CUL_TEXT_TIME];

	cul_text_say(t, CUL_INK_PLAIN, "%" PRIu64 " call%s,", l->calls, cul_text_plural(l->calls));
	if (t->probe.counted)
		cul_text_say(t, CUL_INK_PLAIN, "%" PRIu64 " counted",
			cul_text_without(l->matched, &l->ungrouped, 1));
	else
		cul_text_say(t, CUL_INK_PLAIN, "%" PRIu64 " shown", l->shown);
	if (l->filtered && l->unreturned)
		cul_text_say(t, CUL_INK_PLAIN,
			"(%" PRIu64 " filtered, %" PRIu64 " had not returned)", l->filtered,
			l->unreturned);
	else if (l->filtered || l->unreturned)
		cul_text_say(t, CUL_INK_PLAIN, "(%" PRIu64 " %s)",
			l->filtered ? l->filtered : l->unreturned,
			l->filtered ? "filtered" : "had not returned");
	if (l->injecting)
		cul_text_say(t, CUL_INK_WARNING, "(%" PRIu64 " overridden)", l->injected);
	if (l->own)
		cul_text_say(t, CUL_INK_PLAIN, "(and %" PRIu64 " by culprit itself)", l->own);
	if (l->detached_ns >= SLOW_DETACH_NS) {
		cul_str_add(&t->lines.text, ";");
		cul_text_say(t, CUL_INK_PLAIN, "detached in %s",
			cul_text_duration(took, l->detached_ns));
	}
}

/* "tcp_* was probed for 10.0 s at 318 sites," */
static void add_probed(struct cul_text_sink *t, const struct cul_probe_loss *l)
{
	const struct cul_text_probe *p = &t->probe;

	cul_text_say(t, CUL_INK_PLAIN, "%s", p->spec ? p->spec : "it");
	cul_text_say(t, CUL_INK_PLAIN, "%s probed for %" PRIu64 ".%" PRIu64 " s at %zu site%s",
		p->n_functions > 1 ? "were" : "was", l->ran_ns / 1000000000,
		l->ran_ns % 1000000000 / 100000000, p->n_sites, cul_text_plural(p->n_sites));
	if (p->pid)
		cul_text_say(t, CUL_INK_PLAIN, "in process %d", p->pid);
	cul_text_probe_cpus(t);
	cul_str_add(&t->lines.text, ",");
}

static void add_no_call(struct cul_text_sink *t, const struct cul_probe_loss *l)
{
	bool sure = is_clean(t, l) && l->misses_known;

	cul_lines_begin(&t->lines, 0, 2);
	cul_text_say(t, sure ? CUL_INK_PLAIN : CUL_INK_WARNING,
		sure ? "no call:" : "no call, which proves little:");
	add_probed(t, l);
	if (t->probe.only_pid)
		cul_text_say(
			t, CUL_INK_PLAIN, "and no call by process %d was seen", t->probe.only_pid);
	else
		cul_text_say(t, CUL_INK_PLAIN,
			sure ? "and nobody called %s" : "and no call of %s was seen",
			t->probe.n_functions > 1 ? "them" : "it");
	cul_lines_end(&t->lines);
}

int cul_text_probe_loss(struct cul_sink *s, const struct cul_probe_loss *l)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;
	bool clean = is_clean(t, l);

	cul_text_end(t, l->end, l->command_status);
	if (!l->calls)
		add_no_call(t, l);
	if (l->calls || !clean) {
		cul_lines_begin(&t->lines, 0, 2);
		if (!clean)
			cul_text_say(t, CUL_INK_WARNING, "lost or not covered:");
		else
			cul_text_say(t, CUL_INK_GOOD,
				l->misses_known ? "nothing was lost:"
						: "nothing that is known was lost:");
		if (l->calls)
			add_counts(t, l);
		cul_lines_end(&t->lines);
	}
	add_items(t, l);
	return cul_text_flush(t);
}
