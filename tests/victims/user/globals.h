/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two files of the program globals: each has a static variable named hidden. */
#ifndef VICTIM_GLOBALS_H
#define VICTIM_GLOBALS_H

#include "books.h"

void hide_there(int64_t value); /* globals_other.c:hidden = value */
extern struct book book_hide_there;

#endif
