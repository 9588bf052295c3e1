// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the benchmarks of `watch` watch: one variable, stored to on command.
 * Without a watch a store takes nanoseconds, with one it takes a trap: the
 * program itself tells when it became watched, the same for every tool.
 *
 * Commands on stdin, an answer on stdout for each:
 *   armed      bursts of stores until each store of one takes a trap: "armed NS" (CLOCK_MONOTONIC)
 *   run COUNT  that many stores: "ran WALL_NS CPU_NS STORES", STORES since the start
 *   end of file: ends
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	BURST = 4,
	TRAP_NS = 600, /* less than a trap anywhere, more than a store and two clock readings */
	BETWEEN_US = 100,
	GIVE_UP_S = 60,
};

volatile int bench_target;

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

__attribute__((noinline)) static void store(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		bench_target++;
}

/* The start of the burst, or 0 when one of its stores did not trap. */
static uint64_t watched_burst(void)
{
	uint64_t start = 0, before;

	for (int i = 0; i < BURST; i++) {
		before = now_ns(CLOCK_MONOTONIC);
		store(1);
		if (now_ns(CLOCK_MONOTONIC) - before < TRAP_NS)
			return 0;
		if (!start)
			start = before;
	}
	return start;
}

static void wait_until_armed(void)
{
	uint64_t end = now_ns(CLOCK_MONOTONIC) + GIVE_UP_S * 1000000000ull, armed;

	while (!(armed = watched_burst()) && now_ns(CLOCK_MONOTONIC) < end)
		usleep(BETWEEN_US);
	printf("armed %lu\n", (unsigned long)armed);
}

static void run(uint64_t count)
{
	uint64_t wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);

	store(count);
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	wall = now_ns(CLOCK_MONOTONIC) - wall;
	printf("ran %lu %lu %d\n", (unsigned long)wall, (unsigned long)cpu, bench_target);
}

int main(void)
{
	char line[64];

	printf("target %d 0x%lx\n", getpid(), (unsigned long)&bench_target);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "run ", 4))
			run(strtoull(line + 4, NULL, 10));
		else
			wait_until_armed();
		fflush(stdout);
	}
	return 0;
}
