/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The allocation calls of the whole program, so that a unit test can make the
 * n-th of them fail. Memory is released with free().
 */
#ifndef CUL_BASE_ALLOC_H
#define CUL_BASE_ALLOC_H

#include <stddef.h>

void *cul_calloc(size_t count, size_t size);             /* NULL when out of memory */
void *cul_realloc(void *p, size_t size);                 /* as realloc */
void *cul_realloc_array(void *p, size_t n, size_t size); /* as reallocarray: NULL on overflow */
char *cul_strdup(const char *s);
char *cul_strndup(const char *s, size_t n);

/* Tests only: the call after `after` further calls fails, and each one from then on. -1: none. */
void cul_alloc_fail_after(long after);

#endif
