/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>

#include "cmd/command.h"

static const struct cul_command *const commands[] = {
	&cul_cmd_watch,
	&cul_cmd_probe,
	&cul_cmd_stack,
	&cul_cmd_doctor,
	&cul_cmd_help,
	&cul_cmd_version,
	NULL,
};

int main(int argc, char **argv)
{
	return cul_cmd_main(commands, argv);
}
