/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/values.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cul_value_bad(const struct cul_command *command, const char *option, const char *value,
	const char *wanted)
{
	return cul_cmd_usage(command, "--%s %s: %s", option, value, wanted);
}

int cul_value_pid(const struct cul_command *command, const char *value, pid_t *pid)
{
	uint64_t n;

	if (cul_parse_u64(value, &n) < 0 || n == 0 || n > INT_MAX)
		return cul_value_bad(command, "pid", value, "not a process number");
	*pid = (pid_t)n;
	return 0;
}

int cul_value_path(const struct cul_command *command, const char *option, const char *value)
{
	struct cul_error err = {0};

	if (!access(value, R_OK))
		return 0;
	cul_fail(&err, -errno, "--%s %s: %s", option, value, cul_strerror(errno));
	return cul_cmd_fail(command, &err);
}

int cul_value_duration(
	const struct cul_command *command, const char *option, const char *value, uint64_t *ns)
{
	uint64_t n;

	if (cul_parse_duration(value, &n) < 0 || n == 0)
		return cul_value_bad(command, option, value,
			"not a duration with its unit; write 10s, 250ms, 5m");
	*ns = n;
	return 0;
}

int cul_value_number(const struct cul_command *command, const char *option, const char *value,
	const char *what, uint64_t most, uint64_t *number)
{
	uint64_t n;

	if (cul_parse_u64(value, &n) < 0 || n == 0)
		return cul_cmd_usage(command, "--%s %s: not a number of %s", option, value, what);
	if (n > most)
		return cul_cmd_usage(
			command, "--%s %s: at most %" PRIu64 " %s", option, value, most, what);
	*number = n;
	return 0;
}

int cul_value_stack(const struct cul_command *command, const char *value, unsigned *sides)
{
	static const char *const names[] = {[CUL_VALUE_STACK_NONE] = "none",
		[CUL_VALUE_STACK_KERNEL] = "kernel",
		[CUL_VALUE_STACK_USER] = "user",
		[CUL_VALUE_STACK_BOTH] = "both",
		NULL};
	const char *near = cul_options_nearest(value, names);

	for (unsigned i = 0; names[i]; i++) {
		if (strcmp(names[i], value) != 0)
			continue;
		*sides = i;
		return 0;
	}
	if (near)
		return cul_cmd_usage(command, "--stack %s: did you mean %s?", value, near);
	return cul_value_bad(command, "stack", value, "it is one of none, kernel, user, both");
}

/* A number and the comma or the end behind it. */
static bool read_step(const char **text, char end, int64_t *out)
{
	char *rest;
	long long n;

	errno = 0;
	n = strtoll(*text, &rest, 0);
	if (rest == *text || errno || *rest != end)
		return false;
	*text = rest + (end != '\0');
	*out = n;
	return true;
}

int cul_value_steps(const struct cul_command *command, const char *option, const char *value,
	unsigned most, struct cul_value_steps *out)
{
	struct cul_value_steps s;
	const char *text = value;

	if (!read_step(&text, ',', &s.min) || !read_step(&text, ',', &s.max) ||
		!read_step(&text, '\0', &s.step))
		return cul_value_bad(command, option, value,
			"write MIN,MAX,STEP, three numbers such as 0,100,10");
	if (s.step <= 0 || s.max <= s.min)
		return cul_value_bad(command, option, value,
			s.step <= 0 ? "STEP is the width of a bar, more than 0"
				    : "MIN,MAX,STEP: MIN must be less than MAX");
	if (((uint64_t)s.max - (uint64_t)s.min - 1) / (uint64_t)s.step >= most)
		return cul_cmd_usage(command, "--%s %s: at most %u bars; a wider STEP makes fewer",
			option, value, most);
	*out = s;
	return 0;
}
