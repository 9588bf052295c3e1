/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of C++ and Rust as they are in the source, by libiberty's demangler. A name is chosen by
 * who made the file, and a hundred bytes may stand for a text of gigabytes, or take years. So one
 * of more than 1024 bytes stays as it is, as does one that stands for more than 65,536 parts or a
 * text of more than 16 KiB.
 */
#ifndef CUL_SYM_DEMANGLE_H
#define CUL_SYM_DEMANGLE_H

#include <stdbool.h>

#include "base/str.h"

/*
 * Adds the name to `out`, with parameters and template arguments: "ns::list<int>::push(int
 * const&)".
 * "@plt" and what compilers add to clones stay: "f(int) [clone .cold]". False, and nothing added,
 * when it is not mangled or too much.
 */
bool cul_demangle(const char *name, struct cul_str *out);

#endif
