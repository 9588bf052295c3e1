/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an inlined copy has its parameters: a part of sym/objfile.h, by DWARF. */
#ifndef CUL_SYM_DWARF_PLACES_H
#define CUL_SYM_DWARF_PLACES_H

#include "sym/dwarf_priv.h"

/* Of `copy`, inlined into `function`, at `pc` (linked). */
void cul_dwarf_places(struct cul_objfile *o, Dwarf_Die *function, Dwarf_Die *copy, uint64_t pc,
	struct cul_inlined_copy *out);

#endif
