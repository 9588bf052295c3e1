/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a command is, and what all commands share: how they fail, where their
 * output goes, how they are told to stop. This is the only layer that prints.
 *
 * Exit statuses are a contract: 0 it ran and ended as asked, 1 it could not,
 * 2 bad usage, 3 the verdict that was asked for is "guilty".
 */
#ifndef CUL_CMD_COMMAND_H
#define CUL_CMD_COMMAND_H

#include <stdio.h>

#include "base/error.h"
#include "cmd/options.h"
#include "report/model.h"

enum { CUL_EXIT_OK, CUL_EXIT_FAILED, CUL_EXIT_USAGE, CUL_EXIT_GUILTY };

struct cul_example {
	const char *line; /* without "culprit "; NULL ends a list */
	const char *what;
	bool more; /* not on the first screen, which is to stay one screen */
};

struct cul_command {
	const char *name;
	const char *summary;  /* a few words for the list of commands */
	const char *synopsis; /* what follows "culprit name" */
	const char *about;    /* paragraphs for its own help, split by empty lines */
	const struct cul_option *options;
	const struct cul_example *examples; /* NULL: none */
	/* `all`: the table of commands, NULL-terminated; `argv`: what follows the name. An exit
	 * status. */
	int (*run)(const struct cul_command *const *all, char **argv);
};

extern const struct cul_command cul_cmd_watch;
extern const struct cul_command cul_cmd_probe;
extern const struct cul_command cul_cmd_stack;
extern const struct cul_command cul_cmd_doctor;
extern const struct cul_command cul_cmd_help;
extern const struct cul_command cul_cmd_version;

/* main() without its table: finds the command and runs it. */
int cul_cmd_main(const struct cul_command *const *all, char **argv);

/* By name; NULL when there is none. */
const struct cul_command *cul_cmd_find(const struct cul_command *const *all, const char *name);
/* Says that there is no such command and which is near; CUL_EXIT_USAGE. */
int cul_cmd_unknown(const struct cul_command *const *all, const char *name);

/* Help on one command, or the first screen, to `out`. CUL_EXIT_OK, or CUL_EXIT_FAILED. */
int cul_cmd_show_help(const struct cul_command *command, FILE *out);
int cul_cmd_show_overview(const struct cul_command *const *all, FILE *out);

/* "culprit: name: text" on standard error. CUL_EXIT_FAILED, or CUL_EXIT_USAGE as `err` says. */
int cul_cmd_fail(const struct cul_command *command, const struct cul_error *err);
/* The same with where to find help. CUL_EXIT_USAGE. */
int cul_cmd_usage(const struct cul_command *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

enum cul_output_format { CUL_OUTPUT_TEXT, CUL_OUTPUT_JSON, CUL_OUTPUT_FOLDED };

/*
 * Reads `argv` by the command's table; `set` takes each option and operand and returns 0 or an exit
 * status. `*rest`: what follows "--", or NULL. 0, or an exit status after the reason was said.
 */
int cul_cmd_parse(const struct cul_command *command, char **argv,
	int (*set)(void *request, int id, const char *value), void *request, char *const **rest);
/* Room for a NULL-terminated list of any of `argv`, all NULL; the caller's. NULL: said. */
const char **cul_cmd_list(const struct cul_command *command, char **argv);

/* Where results go: in such a form to standard output, as JSON lines to a file as well. */
struct cul_output {
	struct cul_sink *sink;
	FILE *file; /* NULL: no recording */
	const char *path;
};

int cul_output_open(struct cul_output *output, enum cul_output_format format, const char *path,
	struct cul_error *err);
/* `err`: what ended the run, or NULL; the name of the recording comes before it, if that failed. */
void cul_output_close(struct cul_output *output, struct cul_error *err);

/*
 * From here on the first SIGINT, SIGTERM or SIGHUP makes `*fd` readable and a second one kills as
 * ever. Children that exec are not affected. Once a process; the descriptor is never closed.
 */
int cul_stop_install(int *fd, struct cul_error *err);

/*
 * Both, for a command that runs for a while. 0, and `output` is the caller's to close; or an exit
 * status after the reason was said.
 */
int cul_cmd_begin(const struct cul_command *command, int *stop_fd, enum cul_output_format format,
	const char *path, struct cul_output *output);

#endif
