/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest's kernel log says: whether the kernel complained, and its last lines for a reader.
 */
#ifndef VM_LOG_H
#define VM_LOG_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#define LOG_ALLOW_MAX 32

/* Complaints that the caller expects: extended regular expressions, matched against a line. */
struct log_rules {
	regex_t allow[LOG_ALLOW_MAX];
	size_t allow_count;
};

/* Prints the reason and returns -1 when the pattern is no extended regular expression, or one too
 * many. */
int log_allow(struct log_rules *rules, const char *pattern);

/* Prints the complaints that no rule allows on stderr; returns whether there were any. */
bool log_complains(const char *path, const struct log_rules *rules);

/* Prints the last lines on stderr, nothing when there are none; since the command's start if asked.
 */
void log_tail(const char *path, bool since_start, size_t lines);

bool log_has(const char *path, const char *text);

/* 0, or -1 with errno. */
int log_copy(const char *from, const char *to);

#endif
