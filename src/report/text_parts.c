/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sentences, labels, stacks and durations: what the texts of several cases have in common. */
#include "report/text_parts.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

const char *cul_text_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

uint64_t cul_text_without(uint64_t n, const uint64_t *parts, size_t n_parts)
{
	for (size_t i = 0; i < n_parts; i++)
		n -= parts[i] < n ? parts[i] : n;
	return n;
}

/* Three digits that count, and the unit that makes them few. */
static const char *three_digits(char *buf, size_t size, uint64_t ns, const char **unit)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	uint64_t scale = 1;
	size_t i = 0;

	for (; i + 1 < sizeof(units) / sizeof(units[0]); i++, scale *= 1000) {
		/* what would be rounded to 1000 belongs to the next unit */
		if (ns < scale * 1000 - (scale > 1 ? scale / 2 : 0))
			break;
	}
	*unit = units[i];
	if (scale == 1 || ns >= 100 * scale - scale / 20)
		snprintf(buf, size, "%" PRIu64, (ns + scale / 2) / scale);
	else if (ns >= 10 * scale - scale / 200)
		snprintf(buf, size, "%" PRIu64 ".%" PRIu64, (ns + scale / 20) / scale,
			(ns + scale / 20) % scale / (scale / 10));
	else
		snprintf(buf, size, "%" PRIu64 ".%02" PRIu64, (ns + scale / 200) / scale,
			(ns + scale / 200) % scale / (scale / 100));
	return buf;
}

const char *cul_text_duration(char buf[CUL_TEXT_TIME], uint64_t ns)
{
	const char *unit;
	size_t n = strlen(three_digits(buf, CUL_TEXT_TIME, ns, &unit));

	snprintf(buf + n, CUL_TEXT_TIME - n, " %s", unit);
	return buf;
}

const char *cul_text_bound(char buf[CUL_TEXT_TIME], uint64_t ns)
{
	const char *unit;
	size_t n = strlen(three_digits(buf, CUL_TEXT_TIME, ns, &unit));

	if (strchr(buf, '.')) {
		while (buf[n - 1] == '0')
			n--;
		n -= buf[n - 1] == '.';
	}
	snprintf(buf + n, CUL_TEXT_TIME - n, "%s", unit);
	return buf;
}

static void say(struct cul_text_sink *t, enum cul_ink ink, const char *fmt, va_list ap)
{
	cul_autostr struct cul_str s = {0};

	cul_str_addv(&s, fmt, ap);
	cul_lines_words(&t->lines, ink, cul_str_text(&s));
	t->lines.text.failed |= s.failed;
}

void cul_text_say(struct cul_text_sink *t, enum cul_ink ink, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(t, ink, fmt, ap);
	va_end(ap);
}

void cul_text_item(struct cul_text_sink *t, const char *fmt, ...)
{
	va_list ap;

	cul_lines_begin(&t->lines, 2, 4);
	cul_lines_words(&t->lines, CUL_INK_WARNING, "-");
	va_start(ap, fmt);
	say(t, CUL_INK_PLAIN, fmt, ap);
	va_end(ap);
	cul_lines_end(&t->lines);
}

void cul_text_label(struct cul_text_sink *t, unsigned indent, const char *label)
{
	cul_lines_begin(&t->lines, indent, indent + CUL_TEXT_LABEL);
	cul_cell_add(&t->cell, &t->style, CUL_INK_DIM, label);
	cul_lines_cell(&t->lines, &t->cell, 0);
	cul_lines_pad(&t->lines, indent + CUL_TEXT_LABEL);
}

static void add_frame(struct cul_text_sink *t, const struct cul_shown_frame *f)
{
	const struct cul_where *w = &f->where;
	struct cul_cell *c = &t->cell;

	if (f->method && !strcmp(f->method, "scan"))
		cul_cell_add(c, &t->style, CUL_INK_WARNING, "?");
	if (w->function)
		cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "%s+0x%" PRIx64, w->function, w->offset);
	else
		cul_text_where(c, &t->style, w);
	cul_lines_cell(&t->lines, c, 2);
}

static void add_frames(struct cul_text_sink *t, unsigned indent,
	const struct cul_shown_frame *frames, size_t n, bool user, const char *label)
{
	bool begun = false;

	for (size_t i = 0; i < n; i++) {
		if (frames[i].user != user)
			continue;
		if (!begun)
			cul_text_label(t, indent, label);
		begun = true;
		add_frame(t, &frames[i]);
	}
	if (begun)
		cul_lines_end(&t->lines);
}

void cul_text_stack(struct cul_text_sink *t, unsigned indent, const struct cul_shown_frame *frames,
	size_t n, uint64_t same_as)
{
	if (same_as) {
		cul_text_label(t, indent, "stack");
		cul_cell_addf(&t->cell, &t->style, CUL_INK_DIM, "as in #%" PRIu64, same_as);
		cul_lines_cell(&t->lines, &t->cell, 0);
		cul_lines_end(&t->lines);
		return;
	}
	add_frames(t, indent, frames, n, false, "stack");
	add_frames(t, indent, frames, n, true, "user");
}

void cul_text_note(struct cul_text_sink *t, const char *note)
{
	if (!note)
		return;
	cul_lines_begin(&t->lines, 2, 8);
	cul_lines_words(&t->lines, CUL_INK_WARNING, "note:");
	cul_lines_words(&t->lines, CUL_INK_PLAIN, note);
	cul_lines_end(&t->lines);
}

void cul_text_end(struct cul_text_sink *t, enum cul_end end, int status)
{
	cul_lines_begin(&t->lines, 0, 2);
	if (end == CUL_END_PROCESS)
		cul_text_say(t, CUL_INK_PLAIN, "the process ended");
	else if (end == CUL_END_COMMAND && status >= 0 && WIFSIGNALED(status))
		cul_text_say(t, CUL_INK_WARNING, "the command was killed by SIG%s",
			sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
	else if (end == CUL_END_COMMAND && status >= 0 && WEXITSTATUS(status))
		cul_text_say(
			t, CUL_INK_PLAIN, "the command ended with status %d", WEXITSTATUS(status));
	else
		return;
	cul_lines_end(&t->lines);
}
