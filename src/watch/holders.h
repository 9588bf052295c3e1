/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may hold debug registers: processes with perf events open, and those
 * that trace others (gdb's hardware watchpoints). The kernel does not tell
 * which of them are breakpoints, so that this is a list to look at.
 */
#ifndef CUL_WATCH_HOLDERS_H
#define CUL_WATCH_HOLDERS_H

#include "base/str.h"

/* Appends "perf (812), gdb (77)"; nothing when nobody is seen. Bounded. */
void cul_watch_holders(struct cul_str *out);

#endif
