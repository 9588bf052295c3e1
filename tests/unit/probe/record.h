/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of the probe: a sink that remembers what it was told. */
#ifndef CUL_TEST_PROBE_RECORD_H
#define CUL_TEST_PROBE_RECORD_H

#include <stdbool.h>

#include "../support/files.h"
#include "report/model.h"

enum { RECORD_CALLS = 16, RECORD_ARGS = 6, RECORD_GROUPS = 8 };

struct record_call {
	char function[64], comm[32], ret[64], error[32];
	char arg[RECORD_ARGS][320], after[RECORD_ARGS][64], why[RECORD_ARGS][32];
	size_t n_args, n_frames, n_regs;
	uint64_t number, ns, dur_ns, same_stack_as;
	enum cul_probe_place place;
	bool returned;
};

struct record_group {
	char by[64], why[32];
	uint64_t calls, errors;
	size_t n_frames;
};

struct record {
	struct cul_sink sink;
	unsigned attached, calls, rates, groups, histograms, functions, losses; /* times told */
	struct record_call call[RECORD_CALLS];
	struct record_group group[RECORD_GROUPS];
	size_t n_groups, n_sites, n_refused, n_functions, n_silent, n_bars;
	char method[32], signature[256];    /* the first; of one function */
	struct cul_probe_function function; /* the first */
	uint64_t bars_count;
	struct cul_probe_histogram histogram; /* the last */
	struct cul_probe_loss loss;
	const char *busy; /* what takes its time now, as record_progress() heard; NULL */
	bool talked_over; /* the sink was told something meanwhile */
	unsigned namings; /* how often code was named */
	int fail;         /* what the operation after `fail_after` further ones returns */
	int fail_after;
};

void record_init(struct record *r);

/* For the options of a run; `data` is the record. */
void record_progress(void *data, const char *what, size_t done, size_t of);

#endif
