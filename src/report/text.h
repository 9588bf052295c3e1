/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sink that writes for people: the culprit first, its evidence after.
 */
#ifndef CUL_REPORT_TEXT_H
#define CUL_REPORT_TEXT_H

#include <stdio.h>

#include "report/model.h"
#include "report/style.h"

/*
 * A sink that writes text to `out`, which stays the caller's and outlives the
 * sink. NULL when out of memory. Freed with cul_sink_free().
 */
struct cul_sink *cul_text_sink_new(FILE *out, const struct cul_style *style);

#endif
