/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every option is in its man page and in the shell completion, and nothing else is. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "cmd/command.h"

static const struct {
	const struct cul_command *command;
	const char *man;
} pages[] = {
	{&cul_cmd_watch, "docs/man/culprit-watch.1"},
	{&cul_cmd_probe, "docs/man/culprit-probe.1"},
	{&cul_cmd_stack, "docs/man/culprit-stack.1"},
	{&cul_cmd_doctor, "docs/man/culprit.1"},
	{&cul_cmd_help, "docs/man/culprit.1"},
	{&cul_cmd_version, "docs/man/culprit.1"},
};

enum { N_PAGES = sizeof(pages) / sizeof(pages[0]) };

static char *slurp(const char *name)
{
	cul_autostr struct cul_str path = {0}, text = {0};
	cul_autofclose FILE *f = NULL;
	char buf[4096];
	size_t n;

	cul_str_addf(&path, "%s/%s", SOURCE_ROOT, name);
	f = fopen(path.s, "r");
	if (!f)
		fail_msg("%s cannot be opened", path.s);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		cul_str_addn(&text, buf, n);
	return cul_take(text.s);
}

/* Whether `word` stands in `text` and does not go on. */
static bool has_word(const char *text, const char *word)
{
	for (const char *p = text; (p = strstr(p, word)); p++) {
		char after = p[strlen(word)];

		if (!strchr("abcdefghijklmnopqrstuvwxyz-", after) || !after)
			return true;
	}
	return false;
}

/* In mdoc: ".Fl p , -pid Ar pid", ".Fl -json" */
static void test_man(void **state)
{
	for (size_t i = 0; i < N_PAGES; i++) {
		cul_autofree char *man = slurp(pages[i].man);

		for (const struct cul_option *o = pages[i].command->options; o->name; o++) {
			cul_autostr struct cul_str with = {0}, without = {0};

			if (!o->help)
				continue;
			cul_str_addf(&without, "Fl -%s", o->name);
			cul_str_addf(&with, "Fl %c , -%s", o->letter ? o->letter : '-', o->name);
			if (!has_word(man, o->letter ? with.s : without.s))
				fail_msg("%s does not describe --%s", pages[i].man, o->name);
		}
		if (!strstr(man, pages[i].command->name))
			fail_msg("%s does not name %s", pages[i].man, pages[i].command->name);
	}
}

/* The line "	watch) options="--write ..." ;;" names all options in the table's order. */
static void test_completion(void **state)
{
	cul_autofree char *script = slurp("completions/culprit.bash");

	for (size_t i = 0; i < N_PAGES; i++) {
		const struct cul_command *c = pages[i].command;
		cul_autostr struct cul_str line = {0};

		cul_str_addf(&line, "\t%s) options=\"", c->name);
		if (c == &cul_cmd_help)
			cul_str_add(&line, "$commands ");
		for (const struct cul_option *o = c->options; o->name; o++)
			if (o->help)
				cul_str_addf(&line, "--%s ", o->name);
		line.s[line.len - 1] = '"';
		cul_str_add(&line, " ;;\n");
		if (!strstr(script, line.s))
			fail_msg("completions/culprit.bash lacks:\n%s", line.s);
	}
}

/* A page of a command's own describes no option that there is not. */
static void no_more(const struct cul_command *command, const char *page)
{
	cul_autofree char *man = slurp(page);
	char *next;

	for (char *line = strtok_r(man, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		const struct cul_option *o = command->options;
		char name[64];

		if (sscanf(line, ".It Fl -%63[a-z-]", name) != 1 &&
			sscanf(line, ".It Fl %*c , -%63[a-z-]", name) != 1)
			continue;
		while (o->name && strcmp(o->name, name) != 0)
			o++;
		if (!o->name)
			fail_msg("%s describes --%s, which there is not", page, name);
	}
}

static void test_no_more(void **state)
{
	no_more(&cul_cmd_watch, "docs/man/culprit-watch.1");
	no_more(&cul_cmd_probe, "docs/man/culprit-probe.1");
	no_more(&cul_cmd_stack, "docs/man/culprit-stack.1");
}

/* The line "	local commands="watch ..."" names all commands that have a page here. */
static void test_commands(void **state)
{
	cul_autofree char *script = slurp("completions/culprit.bash");
	cul_autostr struct cul_str line = {0};

	cul_str_add(&line, "local commands=\"");
	for (size_t i = 0; i < N_PAGES; i++)
		cul_str_addf(&line, "%s%s", pages[i].command->name, i + 1 < N_PAGES ? " " : "\"\n");
	if (!strstr(script, line.s))
		fail_msg("completions/culprit.bash lacks:\n%s", line.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_man),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_no_more),
		cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
