/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "report/stream.h"

enum { COMMAND_COLUMN = 12, EXAMPLE_INDENT = 2, WIDTH_MOST = 100 };

static void detect(struct cul_style *style, FILE *out)
{
	int fd = fileno(out);

	cul_style_detect(style, fd);
	if (style->width > WIDTH_MOST)
		style->width = WIDTH_MOST;
}

static int show(struct cul_lines *lines, FILE *out)
{
	struct cul_error err = {0};
	int r = cul_stream_write(out, &lines->text);

	cul_lines_free(lines);
	if (r == 0 || r == -EPIPE)
		return CUL_EXIT_OK;
	cul_fail(&err, r, "writing the help: %s", cul_strerror(r));
	return cul_cmd_fail(&cul_cmd_help, &err);
}

static void blank(struct cul_lines *lines)
{
	cul_str_add(&lines->text, "\n");
}

static void paragraph(struct cul_lines *lines, const char *text)
{
	cul_lines_begin(lines, 0, 0);
	cul_lines_words(lines, CUL_INK_PLAIN, text);
	cul_lines_end(lines);
}

static void paragraphs(struct cul_lines *lines, const char *text)
{
	while (text && *text) {
		cul_autostr struct cul_str one = {0};
		const char *end = strstr(text, "\n\n");

		cul_str_addn(&one, text, end ? (size_t)(end - text) : strlen(text));
		paragraph(lines, cul_str_text(&one));
		blank(lines);
		text = end ? end + 2 : NULL;
	}
}

static void examples(struct cul_lines *lines, const struct cul_example *e, bool all)
{
	cul_autocell struct cul_cell cell = {0};

	for (; e && e->line; e++) {
		if (e->more && !all)
			continue;
		cul_lines_begin(lines, EXAMPLE_INDENT, EXAMPLE_INDENT);
		cul_cell_addf(&cell, lines->style, CUL_INK_CODE, "culprit %s", e->line);
		cul_lines_cell(lines, &cell, 0);
		cul_lines_end(lines);
		cul_lines_begin(lines, 3 * EXAMPLE_INDENT, 3 * EXAMPLE_INDENT);
		cul_lines_words(lines, CUL_INK_DIM, e->what);
		cul_lines_end(lines);
	}
}

int cul_cmd_show_overview(const struct cul_command *const *all, FILE *out)
{
	cul_autocell struct cul_cell cell = {0};
	struct cul_style style;
	struct cul_lines lines = {.style = &style};

	detect(&style, out);
	paragraph(&lines,
		"culprit names the culprit on a live Linux machine: the code, the process, "
		"the values and the stack.");
	blank(&lines);
	for (size_t i = 0; all[i]; i++)
		examples(&lines, all[i]->examples, false);
	blank(&lines);
	for (size_t i = 0; all[i]; i++) {
		cul_lines_begin(&lines, EXAMPLE_INDENT, COMMAND_COLUMN);
		cul_cell_add(&cell, &style, CUL_INK_CODE, all[i]->name);
		cul_lines_cell(&lines, &cell, 0);
		cul_lines_pad(&lines, COMMAND_COLUMN);
		cul_lines_words(&lines, CUL_INK_PLAIN, all[i]->summary);
		cul_lines_end(&lines);
	}
	blank(&lines);
	paragraph(&lines, "culprit help COMMAND tells the rest. Exit status: 0 it ran, 1 it could "
			  "not, 2 bad usage, 3 guilty.");
	return show(&lines, out);
}

int cul_cmd_show_help(const struct cul_command *command, FILE *out)
{
	cul_autostr struct cul_str usage = {0};
	struct cul_style style;
	struct cul_lines lines = {.style = &style};

	detect(&style, out);
	cul_str_addf(&usage, "usage: culprit %s %s", command->name, command->synopsis);
	paragraph(&lines, cul_str_text(&usage));
	blank(&lines);
	paragraphs(&lines, command->about);
	cul_options_help(&lines, command->options);
	if (command->examples) {
		blank(&lines);
		examples(&lines, command->examples, true);
	}
	return show(&lines, out);
}

static const struct cul_option help_options[] = {CUL_OPTIONS_TAIL};

static int run(const struct cul_command *const *all, char **argv)
{
	const struct cul_command *about = NULL;
	struct cul_options_reader reader;
	struct cul_error err = {0};
	const char *value;
	int id;

	cul_options_start(&reader, help_options, argv);
	while ((id = cul_options_next(&reader, &value, &err)) != CUL_OPTIONS_END) {
		if (id < 0)
			return cul_cmd_usage(&cul_cmd_help, "%s", err.text);
		if (id == CUL_OPTION_HELP)
			return cul_cmd_show_help(&cul_cmd_help, stdout);
		if (about)
			return cul_cmd_usage(&cul_cmd_help, "one command at a time");
		about = cul_cmd_find(all, value);
		if (!about)
			return cul_cmd_unknown(all, value);
	}
	return about ? cul_cmd_show_help(about, stdout) : cul_cmd_show_overview(all, stdout);
}

const struct cul_command cul_cmd_help = {
	.name = "help",
	.summary = "this screen, or help on a command",
	.synopsis = "[COMMAND]",
	.about = "Shows what there is, or all about one command.",
	.options = help_options,
	.run = run,
};
