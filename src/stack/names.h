/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of the places where frames are. Each address is looked up once, however many threads are
 * there.
 */
#ifndef CUL_STACK_NAMES_H
#define CUL_STACK_NAMES_H

#include "sym/process.h"
#include "unwind/unwind.h"

struct cul_stack_names;

/* What code belongs to: functions inlined there before the one that has it. */
struct cul_stack_place {
	const struct cul_where *where;
	size_t n;             /* 1 at least */
	const char *build_id; /* where there is no function; NULL */
};

/* `syms` and what is behind `code` are kept by the caller; NULL: there are no names. */
int cul_stack_names_new(struct cul_process_syms *syms, const struct cul_code_space *code,
	struct cul_stack_names **out);
void cul_stack_names_free(struct cul_stack_names *names); /* accepts NULL */

/*
 * What is at `pc`. `lookup` is an address inside the call. All of it lives as long as `names`, its
 * strings as long as `syms` and `code`. -ENOMEM.
 */
int cul_stack_names_at(
	struct cul_stack_names *names, uint64_t pc, uint64_t lookup, struct cul_stack_place *out);

#endif
