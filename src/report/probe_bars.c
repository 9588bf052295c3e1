/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Histograms as text: a row a bar, in plain ASCII. */
#include "report/text_parts.h"

#include <inttypes.h>
#include <string.h>

enum { BAR_MOST = 60, BAR_LEAST = 8 };

static const char UNREAD[] = "unreadable";

struct label {
	char text[2 * CUL_TEXT_TIME];
};

/* "1us..2us"; of numbers, whose last one belongs to the bar: "4..7", "3", "< 0", ">= 64" */
static struct label label_of(const struct cul_probe_bar *bar, bool is_time)
{
	struct label label;
	char low[CUL_TEXT_TIME], high[CUL_TEXT_TIME];

	if (bar->low == INT64_MIN)
		snprintf(label.text, sizeof(label.text), "< %" PRId64, bar->high);
	else if (is_time && bar->low >= 0 && bar->high != INT64_MAX)
		snprintf(label.text, sizeof(label.text), "%s..%s",
			cul_text_bound(low, (uint64_t)bar->low),
			cul_text_bound(high, (uint64_t)bar->high));
	else if (is_time && bar->low >= 0)
		snprintf(label.text, sizeof(label.text), ">= %s",
			cul_text_bound(low, (uint64_t)bar->low));
	else if (bar->high == INT64_MAX)
		snprintf(label.text, sizeof(label.text), ">= %" PRId64, bar->low);
	else if (bar->high - 1 <= bar->low)
		snprintf(label.text, sizeof(label.text), "%" PRId64, bar->low);
	else
		snprintf(label.text, sizeof(label.text), "%" PRId64 "..%" PRId64, bar->low,
			bar->high - 1);
	return label;
}

/* "dur of tcp_sendmsg, comm="ssh": 812 calls, 1.02 us to 3.9 ms" */
static void add_title(struct cul_text_sink *t, const struct cul_probe_histogram *h)
{
	char low[CUL_TEXT_TIME], high[CUL_TEXT_TIME];
	unsigned gap = 1;

	cul_lines_begin(&t->lines, 0, 2);
	cul_text_say(t, CUL_INK_CODE, "%s", h->measure);
	if (h->function)
		cul_text_say(t, CUL_INK_PLAIN, "of %s", h->function);
	for (size_t i = 0; i < h->n_by; i++) {
		cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, i ? "and " : "with ");
		cul_text_arg(t, &h->by[i], &gap);
		cul_lines_cell(&t->lines, &t->cell, gap);
	}
	cul_str_add(&t->lines.text, ":");
	t->lines.column++;
	cul_text_say(t, CUL_INK_PLAIN, "%" PRIu64 " call%s", h->count, cul_text_plural(h->count));
	if (!h->count) {
		cul_lines_end(&t->lines);
		return;
	}
	cul_str_add(&t->lines.text, ",");
	if (h->is_time && h->min >= 0)
		cul_text_say(t, CUL_INK_PLAIN, "%s to %s", cul_text_duration(low, (uint64_t)h->min),
			cul_text_duration(high, (uint64_t)h->max));
	else
		cul_text_say(t, CUL_INK_PLAIN, "%" PRId64 " to %" PRId64, h->min, h->max);
	cul_lines_end(&t->lines);
}

static void add_bar(
	struct cul_text_sink *t, const struct cul_probe_bar *bar, uint64_t most, unsigned room)
{
	char marks[BAR_MOST + 1];
	double part = most ? (double)bar->count / (double)most : 0;
	unsigned n = (unsigned)(part * room + 0.5);

	memset(marks, '#', n);
	marks[n] = '\0';
	if (!n && bar->count)
		strcpy(marks, "."); /* less than half a mark, but not nothing */
	cul_cell_add(&t->cell, &t->style, CUL_INK_VALUE, marks);
	cul_lines_cell(&t->lines, &t->cell, 2);
}

static void add_unread(struct cul_text_sink *t, uint64_t n, unsigned labels, unsigned counts)
{
	if (!n)
		return;
	cul_lines_begin(&t->lines, 2, 2);
	cul_cell_addf(&t->cell, &t->style, CUL_INK_WARNING, "%*s  %*" PRIu64, (int)labels, UNREAD,
		(int)counts, n);
	cul_lines_cell(&t->lines, &t->cell, 0);
	cul_lines_end(&t->lines);
}

int cul_text_probe_histogram(struct cul_sink *s, const struct cul_probe_histogram *h)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;
	unsigned labels = h->unread ? sizeof(UNREAD) - 1 : 0, counts = 0, room, taken;
	uint64_t most = 0;

	t->probe.counted = true;
	cul_str_add(&t->lines.text, "\n");
	add_title(t, h);
	for (size_t i = 0; i < h->n_bars; i++) {
		unsigned n = (unsigned)strlen(label_of(&h->bars[i], h->is_time).text);

		labels = n > labels ? n : labels;
		most = h->bars[i].count > most ? h->bars[i].count : most;
	}
	counts = (unsigned)snprintf(NULL, 0, "%" PRIu64, most > h->unread ? most : h->unread);
	taken = 2 + labels + 2 + counts + 2;
	room = t->style.width > taken + BAR_LEAST ? t->style.width - taken : BAR_LEAST;
	room = room < BAR_MOST ? room : BAR_MOST;
	for (size_t i = 0; i < h->n_bars; i++) {
		cul_lines_begin(&t->lines, 2, 2);
		cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, "%*s  %*" PRIu64, (int)labels,
			label_of(&h->bars[i], h->is_time).text, (int)counts, h->bars[i].count);
		cul_lines_cell(&t->lines, &t->cell, 0);
		add_bar(t, &h->bars[i], most, room);
		cul_lines_end(&t->lines);
	}
	add_unread(t, h->unread, labels, counts);
	return cul_text_flush(t);
}
