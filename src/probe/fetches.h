/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts copies from memory into a recipe, as few as will do. They share its
 * room: what finds none is not fetched.
 */
#ifndef CUL_PROBE_FETCHES_H
#define CUL_PROBE_FETCHES_H

#include "bpf/probe.h"
#include "probe/familiar.h"
#include "sym/type.h"

/* Bytes of a fetch: those of a member. fetch -1: none. */
struct cul_fetched_piece {
	int fetch;
	uint16_t offset, size; /* from its first byte */
};

/* Returns the fetch's number; -1: no more room. `f.pos` is chosen here. */
int cul_fetches_add(struct cul_probe_recipe *r, struct cul_probe_fetch f);

/*
 * Adds what is needed for a member of `t`, which `base` points to (its source or through, offset,
 * at_return and add are taken). Neighbours are fetched together. False: there is no such member, or
 * no room for it.
 */
bool cul_fetches_piece(struct cul_probe_recipe *r, struct cul_probe_fetch base,
	const struct cul_type *t, const struct cul_familiar_piece *piece,
	struct cul_fetched_piece *out);

#endif
