// SPDX-License-Identifier: GPL-2.0-or-later
/* million [--wait] COUNT: COUNT (1000000) stores in a tight loop, which is timed. */
#include <stdio.h>
#include <time.h>

#include "books.h"

int million;
static int64_t million_shadow;
BOOK(write_million, million, 'd', "mov-reg", million_shadow);

static VICTIM void write_million(uint64_t count)
{
	uint64_t i;

	book_write_million.func = __func__;
	book_write_million.line = __LINE__ + 2;
	for (i = 1; i <= count; i++)
		st_reg(million, i);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
	struct victim victim;
	uint64_t start, ns, count;

	victim_options(&victim, argc, argv, 1000000);
	count = victim.count;
	victim_wait(&victim);
	start = now_ns();
	write_million(count);
	ns = now_ns() - start;
	book_stores(&book_write_million, count, 0, (int64_t)count - 1, (int64_t)count);
	book_print(&book_write_million);
	printf("books loop loop_ns=%lu stores=%lu\n", (unsigned long)ns, (unsigned long)count);
	return victim_end(&victim);
}
