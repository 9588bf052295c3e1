/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One sink in front of two: what a case reports goes to both.
 */
#ifndef CUL_REPORT_TEE_H
#define CUL_REPORT_TEE_H

#include "report/model.h"

/*
 * Takes both sinks, which are freed with it (or at once when this fails). NULL
 * when out of memory or when one of them is NULL. The second is told even when
 * the first failed, as when a reader left while a recording goes on; the
 * result is the first failure.
 */
struct cul_sink *cul_tee_sink_new(struct cul_sink *first, struct cul_sink *second);

#endif
