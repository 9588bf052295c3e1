/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks that were shown already: one that comes again is told by the number of
 * the record that had it first.
 */
#ifndef CUL_TRACE_SEEN_H
#define CUL_TRACE_SEEN_H

#include <stddef.h>
#include <stdint.h>

struct cul_seen {
	void *tree;
	size_t n;
};

/*
 * Frames are known by a number of 64 bits made of them. Two stacks that have the same would be one
 * here: by chance in one of 10^10 runs that remember as many as they may.
 *
 * The number under which these frames were seen before; 0 when they are new, and remembered now as
 * `number` (as long as there is memory, and not too many are).
 */
uint64_t cul_seen_at(struct cul_seen *seen, const uint64_t *frames, size_t n, uint64_t number);
void cul_seen_free(struct cul_seen *seen);

#endif
