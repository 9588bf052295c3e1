/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --inject: what a function shall return in place of being called, and whether
 * the kernel allows it.
 */
#ifndef CUL_PROBE_INJECT_H
#define CUL_PROBE_INJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "sym/sites.h"

struct cul_inject {
	int64_t ret;
	uint64_t every; /* 1: each call */
};

/* "-EIO", "-5", "0x10", "-ENOMEM,EVERY 3" */
int cul_inject_parse(const char *text, struct cul_inject *out, struct cul_error *err);

/* Whether the kernel lets programs do that at all: tried. -ENOTSUP with what it lacks. */
int cul_inject_allowed(struct cul_error *err);

/* -ENOTSUP when the kernel has no such list or the function is not in it. */
int cul_inject_check(const struct cul_site *site, struct cul_error *err);
/* The same of the list's text, for tests. */
bool cul_inject_listed(const char *list, const char *symbol);

#endif
