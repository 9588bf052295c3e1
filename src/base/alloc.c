/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static long calls_left = -1; /* set by tests alone */

static bool refused(void)
{
	if (calls_left < 0)
		return false;
	if (calls_left == 0)
		return true;
	calls_left--;
	return false;
}

void cul_alloc_fail_after(long after)
{
	calls_left = after;
}

void *cul_calloc(size_t count, size_t size)
{
	return refused() ? NULL : calloc(count, size);
}

void *cul_realloc(void *p, size_t size)
{
	return refused() ? NULL : realloc(p, size);
}

void *cul_realloc_array(void *p, size_t n, size_t size)
{
	size_t bytes;

	return refused() || __builtin_mul_overflow(n, size, &bytes) ? NULL : realloc(p, bytes);
}

char *cul_strdup(const char *s)
{
	return refused() ? NULL : strdup(s);
}

char *cul_strndup(const char *s, size_t n)
{
	return refused() ? NULL : strndup(s, n);
}
