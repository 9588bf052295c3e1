/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing array of any element type:
 *
 *	struct { struct foo *data; size_t len, cap; } foos = {0};
 *	struct foo *f = cul_vec_push(&foos);	(NULL when out of memory)
 *
 * The owner frees `data`. A new element is zeroed.
 */
#ifndef CUL_BASE_VEC_H
#define CUL_BASE_VEC_H

#include <stddef.h>
#include <stdint.h>

#define CUL_VEC(type)                                                                              \
	struct {                                                                                   \
		type *data;                                                                        \
		size_t len, cap;                                                                   \
	}

/* Room for one more element of `size` bytes; returns the new, zeroed element or NULL. */
void *cul_vec_grow(void **data, size_t *len, size_t *cap, size_t size);

#define cul_vec_push(v)                                                                            \
	((__typeof__((v)->data))cul_vec_grow(                                                      \
		(void **)&(v)->data, &(v)->len, &(v)->cap, sizeof(*(v)->data)))

#endif
