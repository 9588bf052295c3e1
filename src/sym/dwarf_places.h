/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an inlined copy has its parameters: a part of sym/objfile.h, by DWARF. */
#ifndef CUL_SYM_DWARF_PLACES_H
#define CUL_SYM_DWARF_PLACES_H

#include "sym/dwarf_priv.h"
#include "sym/entry.h"

/*
 * Of `function` itself at its first instruction, `pc` (linked): in the order of the type's
 * parameters, as far as the words that a probe finds there have them; CUL_ARG_UNKNOWN: the debug
 * information does not tell, or in another way. False: of none.
 */
bool cul_dwarf_entry_places(struct cul_objfile *o, Dwarf_Die *function, uint64_t pc,
	const struct cul_type *type, struct cul_entry_places *out);

/* Of `copy`, inlined into `function`, at `pc` (linked). */
void cul_dwarf_places(struct cul_objfile *o, Dwarf_Die *function, Dwarf_Die *copy, uint64_t pc,
	struct cul_inlined_copy *out);

#endif
