/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scope-bound ownership: `cul_autofree char *s = NULL;` frees at the end of
 * the scope, `cul_take(s)` hands the value on and leaves NULL behind.
 * Variables so marked are initialised where they are declared.
 */
#ifndef CUL_BASE_CLEANUP_H
#define CUL_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cul_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cul_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cul_cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define cul_cleanup(f) __attribute__((cleanup(f)))
#define cul_autofree   cul_cleanup(cul_cleanup_free)
#define cul_autoclose  cul_cleanup(cul_cleanup_close)
#define cul_autofclose cul_cleanup(cul_cleanup_fclose)

#define cul_take(p)                                                                                \
	({                                                                                         \
		__typeof__(p) cul_taken_ = (p);                                                    \
		(p) = NULL;                                                                        \
		cul_taken_;                                                                        \
	})

static inline int cul_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
