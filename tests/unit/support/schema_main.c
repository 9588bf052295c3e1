/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema-check SCHEMA < LINES: each line is one JSON value that obeys the schema, or status 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "schema.h"

static int check_line(struct json_object *schema, const char *line, unsigned number)
{
	cul_autostr struct cul_str why = {0};
	enum json_tokener_error error;
	struct json_object *value = json_tokener_parse_verbose(line, &error);
	int bad = 0;

	if (error != json_tokener_success) {
		fprintf(stderr, "line %u: %s\n", number, json_tokener_error_desc(error));
		bad = 1;
	} else if (!schema_check(schema, schema, value, &why)) {
		fprintf(stderr, "line %u: %s\n", number, cul_str_text(&why));
		bad = 1;
	}
	json_object_put(value);
	return bad;
}

int main(int argc, char **argv)
{
	struct json_object *schema = argc == 2 ? json_object_from_file(argv[1]) : NULL;
	cul_autofree char *line = NULL;
	size_t cap = 0;
	unsigned number = 0;
	int bad = 0;

	if (!schema) {
		fprintf(stderr, "usage: schema-check SCHEMA < LINES\n");
		return 2;
	}
	while (getline(&line, &cap, stdin) >= 0)
		bad |= check_line(schema, line, ++number);
	json_object_put(schema);
	if (!number)
		fprintf(stderr, "schema-check: no line to check\n");
	return bad || !number;
}
