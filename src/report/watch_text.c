/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/text_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { HIT_INDENT = 4, GUILTY_INDENT = 2 };

/* "(code at 0x401136):", and where the user gave a number "(bump+0x4, code at 0x40113a):". */
static void add_code(struct cul_text_sink *t, const struct cul_watch_armed *a)
{
	const struct cul_where *w = a->code;
	struct cul_cell *c = &t->cell;

	cul_cell_add(c, &t->style, CUL_INK_PLAIN, "(");
	if (w && w->function && !strstr(a->target, w->function)) {
		cul_text_where(c, &t->style, w);
		cul_cell_add(c, &t->style, CUL_INK_PLAIN, ",");
		cul_lines_cell(&t->lines, c, 1);
	}
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "code at 0x%" PRIx64 "):", a->addr);
	cul_lines_cell(&t->lines, c, 1);
}

static void add_shape(struct cul_text_sink *t, const struct cul_watch_armed *a)
{
	struct cul_cell *c = &t->cell;

	if (a->access == CUL_ACCESS_EXECUTE) {
		add_code(t, a);
		return;
	}
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "(%s,", a->type ? a->type : "bytes");
	cul_lines_cell(&t->lines, c, 1);
	if (a->bit_size) {
		cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "bits %u..%u of", a->bit_offset,
			a->bit_offset + a->bit_size - 1);
		cul_lines_cell(&t->lines, c, 1);
	}
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "%" PRIu64 " byte%s at 0x%" PRIx64 "%s", a->size,
		a->size == 1 ? "" : "s", a->addr, a->value.text ? "," : "):");
	cul_lines_cell(&t->lines, c, 1);
	if (a->value.text) {
		cul_cell_add(c, &t->style, CUL_INK_PLAIN, "now ");
		cul_cell_add(c, &t->style, CUL_INK_VALUE, a->value.text);
		cul_cell_add(c, &t->style, CUL_INK_PLAIN, "):");
		cul_lines_cell(&t->lines, c, 1);
	}
}

/* "on 2 of 2 CPUs" without its "on"; for a process, what stands in their place. */
static void coverage(char *buf, size_t size, const struct cul_watch_armed *a)
{
	if (a->pid)
		snprintf(buf, size, "%u thread%s", a->n_threads, a->n_threads == 1 ? "" : "s");
	else
		snprintf(buf, size, "%u of %u CPUs", a->n_cpus, a->n_cpus_online);
}

static bool fully_proved(const struct cul_watch_armed *a)
{
	return a->proved_cpus && (a->pid || a->proved_cpus >= a->n_cpus);
}

static void add_coverage(struct cul_text_sink *t, const struct cul_watch_armed *a)
{
	struct cul_cell *c = &t->cell;
	char covered[64];

	coverage(covered, sizeof(covered), a);
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "%s,", cul_text_access(a->access));
	cul_lines_cell(&t->lines, c, 1);
	if (a->pid) {
		cul_text_process(c, &t->style, a->process, a->pid, a->pid);
		cul_cell_add(c, &t->style, CUL_INK_PLAIN, ",");
		cul_lines_cell(&t->lines, c, 1);
	}
	if (a->is_percpu)
		cul_cell_add(c, &t->style, CUL_INK_PLAIN, "each CPU its own copy,");
	else if (a->percpu_copy >= 0)
		cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "the copy of CPU %d,", a->percpu_copy);
	cul_lines_cell(&t->lines, c, 1);
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "%s,", covered);
	cul_lines_cell(&t->lines, c, 1);
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "%u of %u slots,", a->slots, a->slots_per_cpu);
	cul_lines_cell(&t->lines, c, 1);
	if (fully_proved(a))
		cul_cell_add(c, &t->style, CUL_INK_GOOD, "proved live");
	else if (a->proved_cpus)
		cul_cell_addf(c, &t->style, CUL_INK_WARNING, "proved live on %u of %u CPUs only",
			a->proved_cpus, a->n_cpus);
	else
		cul_cell_add(c, &t->style, CUL_INK_WARNING, "NOT proved live");
	cul_lines_cell(&t->lines, c, 1);
}

int cul_text_watch_armed(struct cul_sink *s, const struct cul_watch_armed *a)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;

	if (t->n_targets == 0) {
		t->target = cul_strdup(a->target);
		if (!t->target)
			return -ENOMEM;
		t->armed = *a;
		t->all_proved = true;
	}
	t->n_targets++;
	t->all_proved &= fully_proved(a);
	cul_lines_begin(&t->lines, 0, GUILTY_INDENT);
	cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, "watching %s", a->target);
	cul_lines_cell(&t->lines, &t->cell, 0);
	add_shape(t, a);
	add_coverage(t, a);
	cul_lines_end(&t->lines);
	cul_text_note(t, a->note);
	return cul_text_flush(t);
}

static const char *shown(const struct cul_shown *v)
{
	return v->text ? v->text : "?";
}

static void add_change(struct cul_text_sink *t, const struct cul_watch_hit *h)
{
	struct cul_cell *c = &t->cell;

	if (h->access == CUL_ACCESS_EXECUTE) {
		cul_cell_add(c, &t->style, CUL_INK_VALUE, "executed");
	} else if (h->access == CUL_ACCESS_READ) {
		cul_cell_addf(c, &t->style, CUL_INK_VALUE, "read %s", shown(&h->new));
	} else {
		cul_cell_addf(
			c, &t->style, CUL_INK_VALUE, "%s -> %s", shown(&h->old), shown(&h->new));
		if (!h->old_certain && h->old.text)
			cul_cell_add(c, &t->style, CUL_INK_WARNING, " (old uncertain)");
		if (h->neighbour)
			cul_cell_add(
				c, &t->style, CUL_INK_DIM, " (unchanged, a neighbour changed)");
		else if (h->unchanged)
			cul_cell_add(c, &t->style, CUL_INK_DIM, " (unchanged)");
	}
}

static void add_by(struct cul_text_sink *t, unsigned indent, const struct cul_watch_hit *h)
{
	unsigned left = indent + CUL_TEXT_LABEL;

	cul_text_label(t, indent, h->access == CUL_ACCESS_EXECUTE ? "at" : "by");
	cul_text_where(&t->cell, &t->style, &h->store);
	cul_lines_cell(&t->lines, &t->cell, 2);
	cul_text_line(
		&t->cell, &t->style, &h->store, t->style.width > left ? t->style.width - left : 0);
	cul_lines_cell(&t->lines, &t->cell, 2);
	cul_text_insn(&t->cell, &t->style, h->insn, h->access);
	cul_lines_cell(&t->lines, &t->cell, 3);
	cul_lines_end(&t->lines);
}

static void add_guilty(struct cul_text_sink *t, const struct cul_watch_hit *h)
{
	struct cul_cell *c = &t->cell;
	char time[CUL_TEXT_TIME];

	cul_str_add(&t->lines.text, "\n");
	cul_lines_begin(&t->lines, 0, GUILTY_INDENT);
	cul_cell_add(c, &t->style, CUL_INK_GUILTY, "guilty:");
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, " %s", h->target);
	cul_lines_cell(&t->lines, c, 0);
	cul_cell_add(c, &t->style, CUL_INK_PLAIN,
		h->access == CUL_ACCESS_EXECUTE || h->access == CUL_ACCESS_READ ? "was " : "went ");
	add_change(t, h);
	cul_cell_add(c, &t->style, CUL_INK_PLAIN, ",");
	cul_lines_cell(&t->lines, c, 1);
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "%s s in", cul_text_time(time, h->ns));
	cul_lines_cell(&t->lines, c, 1);
	if (h->number > 1) { /* the first needs no number to be found again */
		cul_cell_addf(c, &t->style, CUL_INK_DIM, "#%" PRIu64, h->number);
		cul_lines_cell(&t->lines, c, 2);
	}
	cul_lines_end(&t->lines);
	add_by(t, GUILTY_INDENT, h);
	cul_text_label(t, GUILTY_INDENT, "in");
	cul_text_process(c, &t->style, h->comm, h->pid, h->tid);
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, " on CPU %d", h->cpu);
	cul_lines_cell(&t->lines, c, 0);
	cul_lines_end(&t->lines);
	cul_text_stack(t, GUILTY_INDENT, h->frames, h->n_frames, h->same_stack_as);
	if (h->expect) {
		cul_text_label(t, GUILTY_INDENT, "broke");
		cul_cell_add(c, &t->style, CUL_INK_PLAIN, h->expect);
		cul_lines_cell(&t->lines, c, 0);
		cul_lines_end(&t->lines);
	}
}

static void add_hit(struct cul_text_sink *t, const struct cul_watch_hit *h)
{
	struct cul_cell *c = &t->cell;
	char time[CUL_TEXT_TIME];

	cul_lines_begin(&t->lines, 0, HIT_INDENT);
	cul_cell_addf(c, &t->style, CUL_INK_DIM, "#%-2" PRIu64, h->number);
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, " %s", cul_text_time(time, h->ns));
	cul_lines_cell(&t->lines, c, 0);
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "CPU %d", h->cpu);
	cul_lines_cell(&t->lines, c, 2);
	cul_text_process(c, &t->style, h->comm, h->pid, h->tid);
	cul_lines_cell(&t->lines, c, 2);
	if (t->n_targets > 1) {
		cul_cell_add(c, &t->style, CUL_INK_PLAIN, h->target);
		cul_lines_cell(&t->lines, c, 2);
	}
	add_change(t, h);
	cul_lines_cell(&t->lines, c, 2);
	cul_lines_end(&t->lines);
	add_by(t, HIT_INDENT, h);
	cul_text_stack(t, HIT_INDENT, h->frames, h->n_frames, h->same_stack_as);
}

int cul_text_watch_hit(struct cul_sink *s, const struct cul_watch_hit *hit)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;

	if (hit->violation)
		add_guilty(t, hit);
	else
		add_hit(t, hit);
	return cul_text_flush(t);
}

int cul_text_watch_behind(struct cul_sink *s, const struct cul_watch_behind *b)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;
	struct cul_cell *c = &t->cell;
	char from[CUL_TEXT_TIME], to[CUL_TEXT_TIME];

	cul_lines_begin(&t->lines, 0, HIT_INDENT);
	cul_cell_add(c, &t->style, CUL_INK_WARNING, "behind the CPU's back:");
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, " %s", b->target);
	if (b->copy >= 0)
		cul_cell_addf(c, &t->style, CUL_INK_PLAIN, " (copy of CPU %d)", b->copy);
	cul_lines_cell(&t->lines, c, 0);
	cul_cell_add(c, &t->style, CUL_INK_PLAIN, "went ");
	cul_cell_addf(c, &t->style, CUL_INK_VALUE, "%s -> %s", shown(&b->old), shown(&b->new));
	cul_lines_cell(&t->lines, c, 1);
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "between %s and %s s",
		cul_text_time(from, b->from_ns), cul_text_time(to, b->to_ns));
	cul_lines_cell(&t->lines, c, 1);
	cul_lines_words(&t->lines, CUL_INK_PLAIN,
		"with no store seen: DMA, another mapping of the memory, or a CPU not covered");
	cul_lines_end(&t->lines);
	return cul_text_flush(t);
}
