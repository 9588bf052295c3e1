/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What commands that take many options and run for a while do alike. */
#include <errno.h>

#include "base/alloc.h"
#include "cmd/command.h"

const char **cul_cmd_list(const struct cul_command *command, char **argv)
{
	struct cul_error err = {0};
	const char **list;
	size_t n = 1;

	while (argv[n - 1])
		n++;
	list = cul_calloc(n, sizeof(*list));
	if (!list) {
		cul_fail(&err, -ENOMEM, "%s", cul_strerror(ENOMEM));
		cul_cmd_fail(command, &err);
	}
	return list;
}

int cul_cmd_parse(const struct cul_command *command, char **argv,
	int (*set)(void *request, int id, const char *value), void *request, char *const **rest)
{
	struct cul_options_reader reader;
	struct cul_error err = {0};
	const char *value;
	int id, status;

	cul_options_start(&reader, command->options, argv);
	while ((id = cul_options_next(&reader, &value, &err)) != CUL_OPTIONS_END) {
		status = id < 0 ? cul_cmd_usage(command, "%s", err.text) : set(request, id, value);
		if (status)
			return status;
	}
	*rest = reader.command;
	return 0;
}

int cul_cmd_begin(const struct cul_command *command, int *stop_fd, enum cul_output_format format,
	const char *path, struct cul_output *output)
{
	struct cul_error err = {0};

	if (cul_stop_install(stop_fd, &err) < 0 || cul_output_open(output, format, path, &err) < 0)
		return cul_cmd_fail(command, &err);
	return 0;
}
