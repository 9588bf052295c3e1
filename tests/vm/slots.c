// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * slots: how many debug registers of each online CPU are free, found by taking them all: prints
 * `cpu0=4 cpu1=4`. slots hold CPU...: takes them all on the named CPUs, prints `held N`, and gives
 * them back at the end of its stdin. For guests; needs root.
 */
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 8

static uint64_t cell;

/* On memory of this process, where the kernel does not write: it never fires. */
static int take(int cpu)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.type = PERF_TYPE_BREAKPOINT;
	attr.bp_type = HW_BREAKPOINT_W;
	attr.bp_addr = (uintptr_t)&cell;
	attr.bp_len = HW_BREAKPOINT_LEN_8;
	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/* The number taken on that CPU; -1 when it ended by another error than "no more". */
static int take_all(int cpu, int fds[MOST])
{
	int n = 0;

	while (n < MOST && (fds[n] = take(cpu)) >= 0)
		n++;
	return n == MOST || errno == ENOSPC ? n : -1;
}

static int hold(char **cpus)
{
	int fds[MOST], n, sum = 0;
	char byte;

	for (; *cpus; cpus++) {
		n = take_all(atoi(*cpus), fds);
		if (n < 0) {
			perror("slots: hold");
			return 1;
		}
		sum += n;
	}
	printf("held %d\n", sum);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_CONF), fds[MOST];

	if (argc > 2 && !strcmp(argv[1], "hold"))
		return hold(argv + 2);
	for (int cpu = 0; cpu < cpus; cpu++) {
		int n = take_all(cpu, fds);

		if (n < 0 && errno == ENODEV)
			continue;
		if (n < 0) {
			perror("slots");
			return 1;
		}
		printf("%scpu%d=%d", cpu ? " " : "", cpu, n);
		while (n > 0)
			close(fds[--n]);
	}
	printf("\n");
	return 0;
}
