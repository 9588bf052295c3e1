/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes from outside on their way out: process names, paths, symbols and
 * strings found in memory may hold anything, a terminal's escape sequences
 * too. Nothing foreign reaches a terminal or a JSON line but through here.
 */
#ifndef CUL_REPORT_ESCAPE_H
#define CUL_REPORT_ESCAPE_H

#include <stdbool.h>

#include "base/str.h"

/*
 * Adds `s` so that it is one line of visible UTF-8: control characters (C0,
 * DEL, C1), line separators and the marks that turn the writing direction
 * become \n, \t, \xNN or \u{N}; bytes that are not UTF-8 become \xNN. A
 * backslash stays as it is. Returns the columns it takes, one a code point.
 */
unsigned cul_escape_text(struct cul_str *out, const char *s);

/* Printable ASCII only: nothing here would change it. */
bool cul_escape_is_plain(const char *s);

/* The same, but line feeds and tabs stay: for messages that show a caret under an expression. */
void cul_escape_lines(struct cul_str *out, const char *s);

/* Adds `s` as valid UTF-8, for a JSON string: bytes that are not UTF-8 become \xNN. */
void cul_escape_utf8(struct cul_str *out, const char *s);

/*
 * Adds a serialized JSON text in which what cul_escape_text() would not let
 * through is written as \uNNNN. Such characters stand in strings only.
 */
void cul_escape_json(struct cul_str *out, const char *json);

#endif
