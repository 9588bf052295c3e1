/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/vec.h"

#include <string.h>

#include "base/alloc.h"

void *cul_vec_grow(void **data, size_t *len, size_t *cap, size_t size)
{
	char *slot;

	if (*len == *cap) {
		size_t more = *cap ? *cap * 2 : 8;
		void *bigger = cul_realloc_array(*data, more, size);

		if (!bigger)
			return NULL;
		*data = bigger;
		*cap = more;
	}
	slot = (char *)*data + *len * size;
	memset(slot, 0, size);
	(*len)++;
	return slot;
}
