/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program of any architecture that dies below its C library. It says where a function of the
 * library is, and what the dynamic linker has in its list: each entry's own address, where the file
 * was put, its name.
 */
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

static volatile int counted;

#ifdef LIBRARY /* the crash is in one of its own */
void crash(void);
#else
__attribute__((noinline)) static void crash(void)
{
	abort();
}
#endif

__attribute__((noinline)) static int compare(const void *a, const void *b)
{
	if (counted++ == 0)
		crash();
	return *(const int *)a - *(const int *)b;
}

__attribute__((noinline)) static void sort(int *numbers, size_t n)
{
	qsort(numbers, n, sizeof(*numbers), compare);
	counted++;
}

int main(void)
{
	int numbers[] = {3, 1, 2};

	printf("qsort %lx\n", (unsigned long)&qsort);
	printf("debug %lx\n", (unsigned long)&_r_debug);
	for (const struct link_map *l = _r_debug.r_map; l; l = l->l_next)
		printf("link %lx %lx %s\n", (unsigned long)l, (unsigned long)l->l_addr, l->l_name);
	fflush(stdout);
	sort(numbers, 3);
	return counted;
}
