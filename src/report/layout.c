/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/layout.h"

#include <string.h>

#include "report/escape.h"

void cul_cell_add(
	struct cul_cell *cell, const struct cul_style *style, enum cul_ink ink, const char *text)
{
	if (!*text)
		return;
	cul_str_add(&cell->text, cul_style_on(style, ink));
	cell->columns += cul_escape_text(&cell->text, text);
	cul_str_add(&cell->text, cul_style_off(style, ink));
}

void cul_cell_addf(struct cul_cell *cell, const struct cul_style *style, enum cul_ink ink,
	const char *fmt, ...)
{
	cul_autostr struct cul_str s = {0};
	va_list ap;

	va_start(ap, fmt);
	cul_str_addv(&s, fmt, ap);
	va_end(ap);
	cul_cell_add(cell, style, ink, cul_str_text(&s));
	cell->text.failed |= s.failed;
}

void cul_cell_reset(struct cul_cell *cell)
{
	cul_str_reset(&cell->text);
	cell->columns = 0;
}

void cul_cell_free(struct cul_cell *cell)
{
	cul_str_free(&cell->text);
	cell->columns = 0;
}

static void spaces(struct cul_lines *lines, unsigned n)
{
	static const char some[] = "                                ";

	lines->column += n;
	for (; n >= sizeof(some); n -= sizeof(some) - 1)
		cul_str_addn(&lines->text, some, sizeof(some) - 1);
	cul_str_addn(&lines->text, some, n);
}

void cul_lines_begin(struct cul_lines *lines, unsigned start, unsigned indent)
{
	lines->column = 0;
	lines->indent = indent;
	lines->empty = true;
	spaces(lines, start);
}

/* The spaces before a line break are taken back: no line ends in one. */
static void break_line(struct cul_lines *lines)
{
	struct cul_str *text = &lines->text;

	while (text->len && text->s[text->len - 1] == ' ')
		text->s[--text->len] = '\0';
	cul_str_add(text, "\n");
	lines->column = 0;
	lines->empty = true;
}

void cul_lines_cell(struct cul_lines *lines, struct cul_cell *cell, unsigned gap)
{
	if (cell->columns) {
		if (lines->empty) {
			gap = 0;
		} else if (lines->column + gap + cell->columns > lines->style->width) {
			break_line(lines);
			spaces(lines, lines->indent);
			gap = 0;
		}
		spaces(lines, gap);
		cul_str_add(&lines->text, cul_str_text(&cell->text));
		lines->column += cell->columns;
		lines->empty = false;
	}
	lines->text.failed |= cell->text.failed;
	cul_cell_reset(cell);
}

void cul_lines_pad(struct cul_lines *lines, unsigned column)
{
	spaces(lines, column > lines->column ? column - lines->column : 1);
	lines->empty = true;
}

void cul_lines_words(struct cul_lines *lines, enum cul_ink ink, const char *text)
{
	cul_autocell struct cul_cell cell = {0};
	cul_autostr struct cul_str word = {0};

	while (*text) {
		size_t n = strcspn(text, " ");

		cul_str_reset(&word);
		cul_str_addn(&word, text, n);
		cul_cell_add(&cell, lines->style, ink, cul_str_text(&word));
		cul_lines_cell(lines, &cell, 1);
		text += n;
		text += strspn(text, " ");
	}
}

void cul_lines_end(struct cul_lines *lines)
{
	break_line(lines);
}

void cul_lines_free(struct cul_lines *lines)
{
	cul_str_free(&lines->text);
}
