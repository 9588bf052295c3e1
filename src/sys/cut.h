/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that somebody cuts short while they are mapped here: what is read behind the new end, or
 * cannot be read from the disk, raises SIGBUS. A page of zeros is put there instead, and the file
 * remembered: what was made of it may be wrong.
 *
 * Not here: a file whose bytes change while it is read.
 */
#ifndef CUL_SYS_CUT_H
#define CUL_SYS_CUT_H

/* From now on, in all threads; children lose it when they execute another program. */
void cul_sys_cut_guard(void);
/* The path of the first such file as /proc/self/maps has it; NULL: there was none. */
const char *cul_sys_cut_file(void);

#endif
