// SPDX-License-Identifier: GPL-2.0-or-later
/* crowd: three thousand instructions store to `cell`, one after the other, twice each. */
#include <stdio.h>

int cell;

static __attribute__((noinline)) void add(void)
{
	__asm__ volatile(".rept 3000\n\tincl %0\n\t.endr" : "+m"(cell));
}

int main(void)
{
	add();
	add();
	printf("%d\n", cell);
	return 0;
}
