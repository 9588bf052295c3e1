/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sink that writes for programs: one JSON object a line, each with a
 * "type". docs/json.md describes them, docs/schema/ has them as JSON Schema.
 */
#ifndef CUL_REPORT_JSON_H
#define CUL_REPORT_JSON_H

#include <stdio.h>

#include "report/model.h"

/*
 * A sink that writes to `out`, which stays the caller's and outlives the sink.
 * NULL when out of memory. Freed with cul_sink_free().
 */
struct cul_sink *cul_json_sink_new(FILE *out);

#endif
