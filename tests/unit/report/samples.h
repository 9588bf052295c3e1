/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixed runs as a case would report them, for the tests of the sinks.
 */
#ifndef TESTS_REPORT_SAMPLES_H
#define TESTS_REPORT_SAMPLES_H

#include "report/model.h"

struct sample {
	const char *name; /* of its files under tests/golden */
	const char *schema;
	int (*play)(struct cul_sink *s);
};

extern const struct sample samples[];
extern const size_t n_samples;
extern const struct sample samples_probe[];
extern const size_t n_samples_probe;
extern const struct sample samples_stack[];
extern const size_t n_samples_stack;

#endif
