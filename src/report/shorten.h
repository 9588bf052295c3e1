/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Long names of C++ and Rust, for people: programs get them whole. */
#ifndef CUL_REPORT_SHORTEN_H
#define CUL_REPORT_SHORTEN_H

#include "base/str.h"

enum { CUL_NAME_MOST = 72 }; /* bytes of a function's name in text */

/*
 * Adds `name` in at most `max` bytes where that can be done: parameters become "(...)", then
 * template arguments "<...>", then the beginning "...".
 */
void cul_shorten_name(struct cul_str *out, const char *name, size_t max);

#endif
