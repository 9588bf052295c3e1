/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Did you mean": keeps the few names that are most like the one a user wrote.
 * Names are borrowed; nothing is allocated. Costs nothing until a look-up has
 * failed, and then some 50 ns a name offered.
 */
#ifndef CUL_BASE_NEAREST_H
#define CUL_BASE_NEAREST_H

#include <stddef.h>

enum { CUL_NEAREST_MAX = 5 };

struct cul_nearest {
	const char *wanted;
	size_t wanted_len;
	unsigned max_distance;
	size_t n;
	struct {
		const char *name;
		unsigned score; /* less is nearer */
	} best[CUL_NEAREST_MAX];
};

/* `wanted` stays the caller's. */
void cul_nearest_init(struct cul_nearest *near, const char *wanted);
void cul_nearest_offer(struct cul_nearest *near, const char *name);

/* Writes "; nearest: a, b, c" into `buf`, or "" when nothing came near. Returns `buf`. */
const char *cul_nearest_text(const struct cul_nearest *near, char *buf, size_t size);

#endif
