/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/command.h"

#include <errno.h>

#include "doctor/doctor.h"

enum option_id { OPT_JSON = 1, OPT_OUTPUT };

static const struct cul_option doctor_options[] = {
	{OPT_JSON, "json", 0, NULL, "one JSON object a line"},
	{OPT_OUTPUT, "output", 'o', "FILE", "record to FILE as well, as JSON lines"},
	CUL_OPTIONS_TAIL,
};

static int examine(bool json, const char *path)
{
	struct cul_error err = {0};
	struct cul_output output;
	int r = cul_output_open(&output, json ? CUL_OUTPUT_JSON : CUL_OUTPUT_TEXT, path, &err);

	if (r < 0)
		return cul_cmd_fail(&cul_cmd_doctor, &err);
	r = cul_doctor_run(output.sink, &err);
	cul_output_close(&output, &err);
	return r < 0 && r != -EPIPE ? cul_cmd_fail(&cul_cmd_doctor, &err) : CUL_EXIT_OK;
}

static int run(const struct cul_command *const *all, char **argv)
{
	struct cul_options_reader reader;
	struct cul_error err = {0};
	const char *value, *path = NULL;
	bool json = false;
	int id;

	cul_options_start(&reader, doctor_options, argv);
	while ((id = cul_options_next(&reader, &value, &err)) != CUL_OPTIONS_END) {
		if (id < 0)
			return cul_cmd_usage(&cul_cmd_doctor, "%s", err.text);
		if (id == CUL_OPTION_HELP)
			return cul_cmd_show_help(&cul_cmd_doctor, stdout);
		if (id == CUL_OPTIONS_OPERAND)
			return cul_cmd_usage(&cul_cmd_doctor, "'%s' is too much", value);
		if (id == OPT_JSON)
			json = true;
		else
			path = value;
	}
	if (reader.command)
		return cul_cmd_usage(&cul_cmd_doctor, "it runs no command");
	return examine(json, path);
}

static const struct cul_example doctor_examples[] = {
	{"doctor", "what this machine can do, and for each \"no\" why"},
	{0},
};

const struct cul_command cul_cmd_doctor = {
	.name = "doctor",
	.summary = "what this machine can do, and for each \"no\" why",
	.synopsis = "[OPTIONS]",
	.about = "Tries all that culprit needs, on culprit itself, and says for each thing that "
		 "does "
		 "not work which kernel option, capability or file is missing and what to do.",
	.options = doctor_options,
	.examples = doctor_examples,
	.run = run,
};
