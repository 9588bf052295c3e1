/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks JSON values against the part of JSON Schema (draft 07) that
 * docs/schema uses: type, enum, required, properties, additionalProperties
 * (false), items, pattern, minimum, oneOf, $ref into #/definitions. A keyword it does not
 * know makes it fail, so that a schema cannot promise what is not checked.
 */
#ifndef TESTS_SUPPORT_SCHEMA_H
#define TESTS_SUPPORT_SCHEMA_H

#include <json-c/json.h>
#include <stdbool.h>

#include "base/str.h"

/* True when `value` is what `schema` says; otherwise `why` names the place and the reason. */
bool schema_check(struct json_object *root, struct json_object *schema, struct json_object *value,
	struct cul_str *why);

#endif
