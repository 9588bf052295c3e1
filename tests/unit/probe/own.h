/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of the stages of a run: types built by hand, and a run on sites of
 * functions of these types, with nothing loaded or attached. Aborts when that
 * cannot be had.
 */
#ifndef CUL_TEST_PROBE_OWN_H
#define CUL_TEST_PROBE_OWN_H

#include "probe/run.h"
#include "record.h"
#include "sym/btf.h"

/*
 *	int plain(int n, char *name, struct pair *p, struct file *f, struct dentry *d, struct
 *filename *fn) char *many(struct big *, 16 of them) double odd(double x, struct gone *g, void *v,
 *int (*h)(int), struct self s, unsigned char *bytes) void pass(struct pair p, enum kind k, struct
 *deep *d) struct pair *tree(struct deep *d)
 */
enum { OWN_PLAIN, OWN_MANY, OWN_ODD, OWN_PASS, OWN_TREE, OWN_FUNCTIONS };

struct pair_bytes { /* struct pair */
	int64_t a;
	uint64_t text;
};

struct own {
	struct cul_btf *btf;
	struct cul_probe_options options;
	struct record record;
	bool bare[OWN_FUNCTIONS];
	struct cul_probe_run run; /* a site for each function, planned with `want` */
};

const struct cul_type *own_type(struct own *own, unsigned function);
void own_start(struct own *own, const struct cul_plan_want *want);
void own_end(struct own *own);

#endif
