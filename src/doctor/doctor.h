/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `culprit doctor`: what this machine can do for culprit, found by trying each
 * thing, and for each "no" the kernel option, capability or file it lacks.
 *
 * All that is tried is taken back at once, and tried on culprit itself: a
 * thread of its own, a variable of its own, a child of its own.
 */
#ifndef CUL_DOCTOR_DOCTOR_H
#define CUL_DOCTOR_DOCTOR_H

#include "base/error.h"
#include "report/model.h"

/* Tries everything and reports it. 0; a negative errno when it could not even report. */
int cul_doctor_run(struct cul_sink *sink, struct cul_error *err);

#endif
