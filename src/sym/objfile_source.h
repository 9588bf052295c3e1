/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbols of a file by the names that C++ and Rust have for them. */
#ifndef CUL_SYM_OBJFILE_SOURCE_H
#define CUL_SYM_OBJFILE_SOURCE_H

#include <stdbool.h>

#include "base/error.h"
#include "sym/objfile.h"

/*
 * cul_objfile_symbol(), and when none has that name the one, of functions or of the others, that
 * has it in the source: "bank::total", "Acc::count", "f(int)::n". Parameters, template arguments
 * and anonymous namespaces need not be written. -ENOTUNIQ with the whole names.
 */
int cul_objfile_named(struct cul_objfile *o, const char *name, bool function,
	struct cul_elf_symbol *out, struct cul_error *err);

#endif
