/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command-line options as a table: what is parsed, what help shows, what the
 * man page and the shell completion must name, all from one list.
 *
 * "--name VALUE", "--name=VALUE", "-n VALUE", "-nVALUE", flags in a cluster;
 * a number that may be left out ("--count", "--count 5"): the next word is taken
 * only when it is all digits. Operands may stand between options. "--" ends both: the rest is a
 * command. Names are not abbreviated, so that a new option breaks no script.
 */
#ifndef CUL_CMD_OPTIONS_H
#define CUL_CMD_OPTIONS_H

#include "base/error.h"
#include "base/str.h"
#include "report/layout.h"

struct cul_option {
	int id;           /* from 1, the command's own */
	const char *name; /* without dashes; NULL ends a table */
	char letter;      /* 0: none */
	const char *arg;  /* what it takes: "DURATION"; NULL: a flag */
	const char *help; /* NULL: understood, but not offered */
	bool optional;    /* what it takes is a number and may be left out */
};

enum { CUL_OPTIONS_END = 0, CUL_OPTIONS_OPERAND = 1 << 16, CUL_OPTION_HELP };

/* Each command's table ends with these. */
#define CUL_OPTIONS_TAIL                                                                           \
	{CUL_OPTION_HELP, "help", 'h', NULL, "show this help"},                                    \
	{                                                                                          \
		0                                                                                  \
	}

struct cul_options_reader {
	const struct cul_option *table;
	char **next;         /* into a NULL-terminated argv */
	const char *cluster; /* letters left of "-abc"; NULL: none */
	char **command;      /* what follows "--"; NULL: there was none */
};

/* Starts at the argument after the command's name. */
void cul_options_start(
	struct cul_options_reader *reader, const struct cul_option *table, char **argv);

/*
 * The next option's id with its value in `*value` (NULL for a flag, and for a number that was left
 * out), CUL_OPTIONS_OPERAND with the operand in `*value`, CUL_OPTIONS_END, or -EINVAL with the
 * reason and the nearest name.
 */
int cul_options_next(struct cul_options_reader *reader, const char **value, struct cul_error *err);

/* The table as rows of help. */
void cul_options_help(struct cul_lines *lines, const struct cul_option *table);

/*
 * The one of `names` (NULL-terminated) that `typed` was probably meant to be; NULL when none is
 * near.
 */
const char *cul_options_nearest(const char *typed, const char *const *names);

#endif
