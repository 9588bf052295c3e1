/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compressed debug sections, inflated faster than libdw does it. Behind sym/objfile.h only. */
#ifndef CUL_SYM_OBJFILE_INFLATE_H
#define CUL_SYM_OBJFILE_INFLATE_H

#include <elfutils/libdw.h>
#include <libelf.h>
#include <stdbool.h>

struct inflated;

/* DWARF to be read by libdw, which unpacks all of it at once. NULL: cannot be, or is too much. */
Dwarf *cul_objfile_dwarf_begin(Elf *elf);
/* Whether it would take far more memory than debug information that was written by a compiler. */
bool cul_objfile_inflates_far(Elf *elf);

/* Of a file that is mapped privately. Freed after the Elf and its Dwarf; NULL: nothing was done. */
struct inflated *cul_objfile_inflate(Elf *elf);
void cul_objfile_inflated_free(struct inflated *all); /* accepts NULL */

#endif
