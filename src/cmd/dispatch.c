/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/command.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "report/escape.h"
#include "sys/cut.h"

enum { COMMANDS_MOST = 32 };

const struct cul_command *cul_cmd_find(const struct cul_command *const *all, const char *name)
{
	while (*all && strcmp((*all)->name, name) != 0)
		all++;
	return *all;
}

/* Foreign bytes may be in `text`; carets under an expression stay in their lines. */
static void complain(const struct cul_command *command, const char *text, const char *hint)
{
	cul_autostr struct cul_str line = {0};
	size_t n = command ? strlen(command->name) : 0;

	cul_str_add(&line, "culprit: ");
	if (command && (strncmp(text, command->name, n) != 0 || text[n] != ':'))
		cul_str_addf(&line, "%s: ", command->name);
	cul_escape_lines(&line, text);
	cul_str_add(&line, hint);
	fprintf(stderr, "%s\n", line.failed ? "culprit: out of memory" : line.s);
}

int cul_cmd_fail(const struct cul_command *command, const struct cul_error *err)
{
	complain(command, *err->text ? err->text : cul_strerror(err->code), "");
	return err->usage ? CUL_EXIT_USAGE : CUL_EXIT_FAILED;
}

int cul_cmd_usage(const struct cul_command *command, const char *fmt, ...)
{
	cul_autostr struct cul_str text = {0}, hint = {0};
	va_list ap;

	va_start(ap, fmt);
	cul_str_addv(&text, fmt, ap);
	va_end(ap);
	cul_str_addf(&hint, " (see: culprit help%s%s)", command ? " " : "",
		command ? command->name : "");
	complain(command, cul_str_text(&text), cul_str_text(&hint));
	return CUL_EXIT_USAGE;
}

int cul_cmd_unknown(const struct cul_command *const *all, const char *name)
{
	const char *names[COMMANDS_MOST + 1] = {0};
	const char *near;

	for (size_t i = 0; all[i] && i < COMMANDS_MOST; i++)
		names[i] = all[i]->name;
	near = cul_options_nearest(name, names);
	if (near)
		return cul_cmd_usage(NULL, "unknown command '%s'; did you mean %s?", name, near);
	return cul_cmd_usage(NULL, "unknown command '%s'", name);
}

/* What was shown is out already, and may be wrong: that is no success. */
static int checked(const struct cul_command *command, int status)
{
	const char *file = cul_sys_cut_file();
	cul_autostr struct cul_str text = {0};

	if (!file || status == CUL_EXIT_FAILED)
		return status;
	cul_str_addf(&text,
		"%s: was cut short, or the disk failed, while it was read: names and frames from "
		"it may be wrong; run it again",
		file);
	complain(command, cul_str_text(&text), "");
	return status == CUL_EXIT_OK ? CUL_EXIT_FAILED : status;
}

static void nothing(int signal)
{
}

/*
 * A standard descriptor that was closed for us is not to be that of the next file we open, which
 * our words would then go to. Reading from or writing to what stands there instead fails; commands
 * that we start find it closed.
 */
static void keep_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_PATH | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* Writes fail instead of ending us. A handler and not SIG_IGN: children inherit the default. */
static void survive_writes(void)
{
	const struct sigaction ignore = {.sa_handler = nothing, .sa_flags = SA_RESTART};

	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL); /* ulimit -f */
}

int cul_cmd_main(const struct cul_command *const *all, char **argv)
{
	const struct cul_command *command;
	const char *name = argv[0] ? argv[1] : NULL;

	keep_standard_descriptors();
	survive_writes();
	if (!name) {
		cul_cmd_show_overview(all, stderr);
		return CUL_EXIT_USAGE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	else if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		name = "version";
	else if (*name == '-')
		return cul_cmd_usage(NULL, "a command comes first, not '%s'", name);
	command = cul_cmd_find(all, name);
	if (!command)
		return cul_cmd_unknown(all, name);
	cul_sys_cut_guard();
	return checked(command, command->run(all, argv + 2));
}
