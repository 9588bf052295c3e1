/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The code of a live process for the unwinder: its mapped files, and the vDSO as it is in memory.
 */
#ifndef CUL_UNWIND_PROCESS_H
#define CUL_UNWIND_PROCESS_H

#include "sym/process.h"
#include "unwind/unwind.h"

struct cul_unwind_process;

/* `syms` and `mem` are kept by the caller. -ENOMEM. */
int cul_unwind_process_new(
	struct cul_process_syms *syms, struct cul_mem *mem, struct cul_unwind_process **out);
void cul_unwind_process_free(struct cul_unwind_process *p);

/* For cul_unwinder_new; valid as long as `p`. */
struct cul_code_space cul_unwind_process_space(struct cul_unwind_process *p);

#endif
