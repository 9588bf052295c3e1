/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compressed debug sections, inflated faster than libdw does it. Behind sym/objfile.h only. */
#ifndef CUL_SYM_OBJFILE_INFLATE_H
#define CUL_SYM_OBJFILE_INFLATE_H

#include <libelf.h>
#include <stdbool.h>

struct inflated;

/*
 * Whether the compressed sections of `elf` are together no larger, inflated, than debug information
 * of that size ever is: libdw inflates them all at once, and 100 KB may be said to be 100 MB.
 */
bool cul_objfile_is_inflatable(Elf *elf);

/* Of a file that is mapped privately. Freed after the Elf and its Dwarf; NULL: nothing was done. */
struct inflated *cul_objfile_inflate(Elf *elf);
void cul_objfile_inflated_free(struct inflated *all); /* accepts NULL */

#endif
