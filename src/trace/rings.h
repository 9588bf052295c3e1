/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ring buffers from the kernel, one a CPU, read as one stream in the order of
 * time. A ring of its own for each CPU, because a program that runs in an NMI
 * or a debug exception may not wait for another CPU's turn at a shared one
 * (and since 6.15 could freeze it).
 */
#ifndef CUL_TRACE_RINGS_H
#define CUL_TRACE_RINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "trace/cpus.h"

struct cul_rings;

/* A record, valid during the call. A negative result ends the reading and is passed on. */
typedef int cul_rings_fn(void *data, const void *record, size_t size);

/* How large one CPU's ring should be: a power of two of whole pages. */
size_t cul_rings_size(unsigned n_cpus);

/*
 * Makes a ring of `bytes` for each CPU of `cpus`, and puts them into the array of maps
 * `outer_fd`, indexed by CPU. `time_offset`: where a record has its 64-bit time of
 * CLOCK_MONOTONIC, in nanoseconds.
 */
int cul_rings_new(int outer_fd, const struct cul_cpus *cpus, size_t bytes, size_t time_offset,
	cul_rings_fn *fn, void *data, struct cul_rings **out, struct cul_error *err);
void cul_rings_free(struct cul_rings *r);

/* Readable when a ring is more than half full. */
int cul_rings_fd(struct cul_rings *r);

/*
 * Reads what is there and hands on, in order of time, what is older than a moment that covers
 * records still being written; `flush`: hands on everything, when nothing is written any more.
 * 0, what `fn` returned, or -ENOMEM: the records of this reading are lost then.
 */
int cul_rings_read(struct cul_rings *r, bool flush);

#endif
