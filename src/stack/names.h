/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of the places where frames are. Each address is looked up once, however many threads are
 * there.
 */
#ifndef CUL_STACK_NAMES_H
#define CUL_STACK_NAMES_H

#include "report/model_stack.h"
#include "sym/process.h"

struct cul_stack_names;

/* `syms` is kept by the caller; NULL: there are no names. */
int cul_stack_names_new(struct cul_process_syms *syms, struct cul_stack_names **out);
void cul_stack_names_free(struct cul_stack_names *names); /* accepts NULL */

/*
 * What is at `pc`: `where` and `build_id` of `*out`. `lookup` is an address inside the call.
 * Strings live as long as `names` and its `syms`. -ENOMEM.
 */
int cul_stack_names_at(struct cul_stack_names *names, uint64_t pc, uint64_t lookup,
	struct cul_stack_frame_shown *out);

#endif
