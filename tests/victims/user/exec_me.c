// SPDX-License-Identifier: GPL-2.0-or-later
/* exec_me [--wait] COUNT: a function to be executed, COUNT times, with (i, 2 * i). */
#include <stdio.h>

#include "books.h"

static uint64_t calls;
static int last_a, last_b, first_line;

static VICTIM int exec_me(int a, int b)
{
	first_line = __LINE__ - 2;
	calls++;
	last_a = a;
	last_b = b;
	return a + b;
}

static void call(int64_t value)
{
	exec_me((int)value, 2 * (int)value);
}

int main(int argc, char **argv)
{
	static const struct victim_fault faults[] = {{"exec_me", call}, {0}};
	struct victim victim;

	victim_options(&victim, argc, argv, 3);
	victim_wait(&victim);
	victim_run(&victim, faults);
	printf("books exec_me calls=%lu last_a=%d last_b=%d func=exec_me line=%d addr=%p\n",
		(unsigned long)calls, last_a, last_b, first_line, (void *)exec_me);
	return victim_end(&victim);
}
