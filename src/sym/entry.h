/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a function has its parameters when it is entered, by its debug
 * information: for functions that the compiler has changed (clones) and
 * languages whose convention is not known. A part of sym/objfile.h.
 */
#ifndef CUL_SYM_ENTRY_H
#define CUL_SYM_ENTRY_H

#include "arch/arch.h"
#include "sym/objfile.h"

enum { CUL_ENTRY_MOST = 16 };

struct cul_entry_places {
	struct cul_arg_place places[CUL_ENTRY_MOST]; /* UNKNOWN: it does not tell */
	size_t n;
	bool is_changed; /* no convention tells what it leaves open */
};

/* Of the function whose first instruction is at `addr`. -ENOENT: nothing is known. */
int cul_objfile_entry_places(struct cul_objfile *o, uint64_t addr, struct cul_entry_places *out);

#endif
