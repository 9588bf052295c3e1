/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of options that several commands have. Each reads one, and says what
 * is wrong with it and what to write instead. All return 0 with the output
 * filled, or CUL_EXIT_USAGE with the output untouched. `option`: its name
 * without dashes.
 */
#ifndef CUL_CMD_VALUES_H
#define CUL_CMD_VALUES_H

#include <stdint.h>
#include <sys/types.h>

#include "cmd/command.h"

/* Says "--option value: wanted". CUL_EXIT_USAGE. */
int cul_value_bad(const struct cul_command *command, const char *option, const char *value,
	const char *wanted);

int cul_value_pid(const struct cul_command *command, const char *value, pid_t *pid);

/* A file or directory that is there. It is CUL_EXIT_FAILED when it is not. */
int cul_value_path(const struct cul_command *command, const char *option, const char *value);

/* More than nothing, in nanoseconds. */
int cul_value_duration(
	const struct cul_command *command, const char *option, const char *value, uint64_t *ns);

/* From 1 to `most`; `what` they are: "hits". */
int cul_value_number(const struct cul_command *command, const char *option, const char *value,
	const char *what, uint64_t most, uint64_t *number);

/* --stack: bits of enum cul_value_stack_side. */
enum cul_value_stack_side {
	CUL_VALUE_STACK_NONE,
	CUL_VALUE_STACK_KERNEL,
	CUL_VALUE_STACK_USER,
	CUL_VALUE_STACK_BOTH,
};
int cul_value_stack(const struct cul_command *command, const char *value, unsigned *sides);

/*
 * "MIN,MAX,STEP": MIN below MAX, STEP more than nothing, at most `most` steps from one to the
 * other.
 */
struct cul_value_steps {
	int64_t min, max, step;
};
int cul_value_steps(const struct cul_command *command, const char *option, const char *value,
	unsigned most, struct cul_value_steps *out);

#endif
