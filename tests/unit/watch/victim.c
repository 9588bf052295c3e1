/* SPDX-License-Identifier: GPL-2.0-or-later */
/* victim N: writes 1 to N to `level`, and ends with status 7. */
#include <stdlib.h>

int level;

static __attribute__((noinline)) void write_level(int value)
{
	*(volatile int *)&level = value;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 3;

	for (int i = 1; i <= n; i++)
		write_level(i);
	return 7;
}
