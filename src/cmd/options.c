/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_MOST = 64, HELP_COLUMN = 24 };

void cul_options_start(
	struct cul_options_reader *reader, const struct cul_option *table, char **argv)
{
	*reader = (struct cul_options_reader){.table = table, .next = argv};
}

const char *cul_options_nearest(const char *typed, const char *const *names)
{
	unsigned limit = (unsigned)strlen(typed) / 3 + 1, best = limit + 1;
	const char *found = NULL;

	for (; *names; names++) {
		unsigned d = cul_edit_distance(typed, *names, limit);
		size_t n = strlen(typed);

		/* a beginning is nearer than any typing error */
		if (n >= 2 && !strncmp(typed, *names, n))
			d = 1;
		if (d < best) {
			best = d;
			found = *names;
		}
	}
	return found;
}

static int unknown(const struct cul_option *table, const char *typed, struct cul_error *err)
{
	const char *names[NAMES_MOST + 1] = {0};
	const char *near;
	size_t n = 0;

	for (; table->name && n < NAMES_MOST; table++)
		if (table->help)
			names[n++] = table->name;
	near = cul_options_nearest(typed, names);
	if (near)
		return cul_fail(
			err, -EINVAL, "unknown option '--%s'; did you mean --%s?", typed, near);
	return cul_fail(err, -EINVAL, "unknown option '--%s'", typed);
}

static bool is_digits(const char *word)
{
	return word && *word && !word[strspn(word, "0123456789")];
}

/* The value of an option whose own argument has ended: it is the next one. */
static int take_value(struct cul_options_reader *r, const struct cul_option *o, const char **value,
	struct cul_error *err)
{
	if (o->optional && !is_digits(*r->next))
		return o->id;
	if (!*r->next)
		return cul_fail(
			err, -EINVAL, "--%s needs a value: --%s %s", o->name, o->name, o->arg);
	*value = *r->next++;
	return o->id;
}

static int read_long(
	struct cul_options_reader *r, const char *typed, const char **value, struct cul_error *err)
{
	size_t n = strcspn(typed, "=");
	const struct cul_option *o = r->table;
	char name[64];

	while (o->name && (strlen(o->name) != n || strncmp(o->name, typed, n) != 0))
		o++;
	if (!o->name) {
		snprintf(name, sizeof(name), "%.*s", (int)n, typed);
		return unknown(r->table, name, err);
	}
	if (typed[n] == '=') {
		if (!o->arg)
			return cul_fail(err, -EINVAL, "--%s takes no value", o->name);
		*value = typed + n + 1;
		return o->id;
	}
	return o->arg ? take_value(r, o, value, err) : o->id;
}

static int read_letter(struct cul_options_reader *r, const char **value, struct cul_error *err)
{
	const struct cul_option *o = r->table;
	char letter = *r->cluster++;

	if (!*r->cluster) {
		r->cluster = NULL;
		r->next++;
	}
	while (o->name && o->letter != letter)
		o++;
	if (!o->name)
		return cul_fail(err, -EINVAL, "unknown option '-%c'", letter);
	if (!o->arg)
		return o->id;
	if (!r->cluster)
		return take_value(r, o, value, err);
	if (o->optional && *r->cluster != '=' && !is_digits(r->cluster))
		return o->id; /* other letters */
	*value = r->cluster + (*r->cluster == '=');
	r->cluster = NULL;
	r->next++;
	return o->id;
}

int cul_options_next(struct cul_options_reader *reader, const char **value, struct cul_error *err)
{
	const char *word;

	*value = NULL;
	if (reader->cluster)
		return read_letter(reader, value, err);
	word = *reader->next;
	if (!word)
		return CUL_OPTIONS_END;
	if (!strcmp(word, "--")) {
		reader->command = reader->next + 1;
		while (*reader->next)
			reader->next++;
		return CUL_OPTIONS_END;
	}
	if (word[0] == '-' && word[1] && word[1] != '-') {
		reader->cluster = word + 1;
		return read_letter(reader, value, err);
	}
	reader->next++;
	if (word[0] == '-' && word[1] == '-')
		return read_long(reader, word + 2, value, err);
	*value = word;
	return CUL_OPTIONS_OPERAND;
}

static void add_option(struct cul_lines *lines, const struct cul_option *o)
{
	cul_autocell struct cul_cell cell = {0};

	cul_lines_begin(lines, 2, HELP_COLUMN);
	if (o->letter)
		cul_cell_addf(&cell, lines->style, CUL_INK_CODE, "-%c, ", o->letter);
	cul_cell_addf(&cell, lines->style, CUL_INK_CODE, "--%s", o->name);
	if (o->arg)
		cul_cell_addf(
			&cell, lines->style, CUL_INK_PLAIN, o->optional ? " [%s]" : " %s", o->arg);
	cul_lines_cell(lines, &cell, 0);
	if (lines->column + 2 > HELP_COLUMN) {
		cul_lines_end(lines);
		cul_lines_begin(lines, 0, HELP_COLUMN);
	}
	cul_lines_pad(lines, HELP_COLUMN);
	cul_lines_words(lines, CUL_INK_PLAIN, o->help);
	cul_lines_end(lines);
}

void cul_options_help(struct cul_lines *lines, const struct cul_option *table)
{
	for (; table->name; table++)
		if (table->help)
			add_option(lines, table);
}
