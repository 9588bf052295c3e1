/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A place in code, named as well as it can be.
 */
#ifndef CUL_SYM_WHERE_H
#define CUL_SYM_WHERE_H

#include <stdint.h>

/* Strings are borrowed from the symbol tables and live as long as they do. */
struct cul_where {
	uint64_t addr;
	const char *function; /* NULL: no symbol covers it */
	uint64_t offset;      /* into the function, or into the module when there is no function */
	const char *module;   /* "vmlinux", a module's or file's base name; NULL: unknown */
	const char *file;     /* NULL: no line information found */
	int line;
};

#endif
