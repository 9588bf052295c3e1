/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/command.h"

#include <errno.h>

#include "report/stream.h"

static const struct cul_option version_options[] = {CUL_OPTIONS_TAIL};

static int run(const struct cul_command *const *all, char **argv)
{
	cul_autostr struct cul_str text = {0};
	struct cul_options_reader reader;
	struct cul_error err = {0};
	const char *value;
	int id, r;

	cul_options_start(&reader, version_options, argv);
	id = cul_options_next(&reader, &value, &err);
	if (id < 0)
		return cul_cmd_usage(&cul_cmd_version, "%s", err.text);
	if (id == CUL_OPTION_HELP)
		return cul_cmd_show_help(&cul_cmd_version, stdout);
	if (id != CUL_OPTIONS_END)
		return cul_cmd_usage(&cul_cmd_version, "'%s' is too much", value);
	cul_str_addf(&text, "culprit %s\n", CUL_VERSION);
	r = cul_stream_write(stdout, &text);
	if (r == 0 || r == -EPIPE)
		return CUL_EXIT_OK;
	cul_fail(&err, r, "writing the version: %s", cul_strerror(r));
	return cul_cmd_fail(&cul_cmd_version, &err);
}

const struct cul_command cul_cmd_version = {
	.name = "version",
	.summary = "which culprit this is",
	.synopsis = "",
	.about = "Prints the version.",
	.options = version_options,
	.run = run,
};
