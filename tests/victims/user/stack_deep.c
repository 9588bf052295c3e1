// SPDX-License-Identifier: GPL-2.0-or-later
/* main, run, alpha, beta, gamma_, guilty: the stack of each store, with frame pointers. */
#include <stdio.h>

#include "books.h"

int deep;
static int64_t deep_shadow;
BOOK(guilty, deep, 'd', "mov-reg", deep_shadow);

static VICTIM int guilty(int64_t value)
{
	GUILTY(guilty, st_reg(deep, value));
	book_store(&book_guilty, (int)value);
	return (int)value;
}

/* Each does something after its call, so that none of the calls becomes a jump. */
static VICTIM int gamma_(int64_t value)
{
	return guilty(value) + 1;
}

static VICTIM int beta(int64_t value)
{
	return gamma_(value) + 1;
}

static VICTIM int alpha(int64_t value)
{
	return beta(value) + 1;
}

/* value deep, and then the store */
static VICTIM int recurse(int64_t depth, int64_t value)
{
	return depth > 0 ? recurse(depth - 1, value) + 1 : alpha(value) + 1;
}

static int64_t depth;

static VICTIM void run(int64_t value)
{
	recurse(depth, value);
	asm volatile("");
}

int main(int argc, char **argv)
{
	static const struct victim_fault faults[] = {{"run", run}, {0}};
	struct victim victim;

	victim_options(&victim, argc, argv, 3);
	depth = victim.has_arg ? victim.arg : 0;
	victim.has_arg = false;
	if (depth < 0 || depth > 10000)
		return 2;
	victim_wait(&victim);
	victim_run(&victim, faults);
	book_print(&book_guilty);
	printf("books stack frames=guilty,gamma_,beta,alpha,recurse*%d,run,victim_run,main\n",
		(int)depth + 1);
	return victim_end(&victim);
}
