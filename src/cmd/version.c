/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/command.h"

static const struct cul_option version_options[] = {CUL_OPTIONS_TAIL};

static int run(const struct cul_command *const *all, char **argv)
{
	struct cul_options_reader reader;
	struct cul_error err = {0};
	const char *value;
	int id;

	cul_options_start(&reader, version_options, argv);
	id = cul_options_next(&reader, &value, &err);
	if (id < 0)
		return cul_cmd_usage(&cul_cmd_version, "%s", err.text);
	if (id == CUL_OPTION_HELP)
		return cul_cmd_show_help(&cul_cmd_version, stdout);
	if (id != CUL_OPTIONS_END)
		return cul_cmd_usage(&cul_cmd_version, "'%s' is too much", value);
	printf("culprit %s\n", CUL_VERSION);
	return fflush(stdout) == 0 ? CUL_EXIT_OK : CUL_EXIT_FAILED;
}

const struct cul_command cul_cmd_version = {
	.name = "version",
	.summary = "which culprit this is",
	.synopsis = "",
	.about = "Prints the version.",
	.options = version_options,
	.run = run,
};
