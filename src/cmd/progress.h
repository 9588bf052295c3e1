/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line on the terminal that says what takes so long, written over and over:
 * of what takes more than two seconds, by a thread of its own, since what takes
 * long may be one system call. Nothing when stderr is no terminal.
 */
#ifndef CUL_CMD_PROGRESS_H
#define CUL_CMD_PROGRESS_H

#include <stddef.h>

struct cul_progress;

/* NULL: nothing will be told. */
struct cul_progress *cul_progress_start(void);
/* The line is taken away. Accepts NULL. */
void cul_progress_end(struct cul_progress *p);

/*
 * `what` is being done, `done` of `of` places or things; `of` 0: nobody knows. `what` NULL: nothing
 * that takes long. `what` is a constant: it is kept.
 */
void cul_progress_tell(void *progress, const char *what, size_t done, size_t of);

#endif
