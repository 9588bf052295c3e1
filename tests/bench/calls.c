// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the benchmarks of `probe` probe: a kernel function, do_prlimit(), that one cheap system call
 * calls once. It makes the call on command and times itself, the same for every tool.
 *
 * Commands on stdin, an answer on stdout:
 *   run COUNT  that many calls: "ran WALL_NS CPU_NS CALLS", CALLS since the start
 *   end of file: ends
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t run(uint64_t count, uint64_t before)
{
	uint64_t wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
	struct rlimit limit;

	/* Not the C library's: it may ask for something else. */
	for (uint64_t i = 0; i < count; i++)
		syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	wall = now_ns(CLOCK_MONOTONIC) - wall;
	printf("ran %lu %lu %lu\n", (unsigned long)wall, (unsigned long)cpu,
		(unsigned long)(before + count));
	return before + count;
}

int main(void)
{
	uint64_t calls = 0;
	char line[64];

	printf("target %d 0\n", getpid());
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "run ", 4))
			calls = run(strtoull(line + 4, NULL, 10), calls);
		fflush(stdout);
	}
	return 0;
}
