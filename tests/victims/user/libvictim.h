/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library with variables that are written from inside and from outside. */
#ifndef VICTIM_LIB_H
#define VICTIM_LIB_H

#include <stdint.h>

extern int lib_exported;

void lib_write_exported(int64_t value);
void lib_write_static(int64_t value);
/* Its own books, by a function given: the library knows of no other printing. */
const void *lib_books(int which); /* struct book, or NULL after the last */

#endif
