/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of the watch: a sink that remembers what it was told, and what a
 * run must leave as it was.
 */
#ifndef CUL_TEST_RECORD_H
#define CUL_TEST_RECORD_H

#include <stdbool.h>

#include "../support/files.h"
#include "report/model.h"

enum { RECORD_HITS = 16, RECORD_WRITERS = 8 };

struct record_hit {
	char old[32], new[32], function[64];
	uint64_t ns, same_stack_as, number;
	size_t n_frames;
	bool violation;
};

struct record_writer {
	char function[64], min[32], max[32], last[32];
	uint64_t ip, hits, unchanged, first_ns, last_ns;
	size_t n_processes;
	int busiest;
	bool guilty;
};

struct record {
	struct cul_sink sink;
	unsigned armed, hits, behind, writers, losses; /* how often each was told */
	struct record_hit hit[RECORD_HITS];
	struct record_writer writer[RECORD_WRITERS];
	uint64_t behind_from, behind_to; /* of the last one */
	struct cul_watch_loss loss;
	char gap[256];    /* the last one */
	const char *busy; /* what takes its time now, as record_progress() heard; NULL */
	bool talked_over; /* the sink was told something meanwhile */
	unsigned namings; /* how often code was named */
	int fail;         /* what the operation after `fail_after` further ones returns */
	int fail_after;
};

void record_init(struct record *r);

/* For the options of a run; `data` is the record. */
void record_progress(void *data, const char *what, size_t done, size_t of);

/* Debug registers that this thread can still get. */
unsigned free_registers(void);

#endif
