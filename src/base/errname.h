/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of error numbers: those of errno(3), and those that are the kernel's
 * own and do not reach user space as a rule (include/linux/errno.h).
 */
#ifndef CUL_BASE_ERRNAME_H
#define CUL_BASE_ERRNAME_H

const char *cul_errname(int number);      /* "ENOENT" of 2; NULL: none is so called */
int cul_errname_number(const char *name); /* 2 of "ENOENT"; 0: no such name */

#endif
