// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * witness ADDR LEN w|rw|x CMD...: how often does a debug register see ADDR while CMD runs? Counted
 * by the kernel's own breakpoint events on every CPU, without culprit: another witness for the
 * books. ADDR is in the kernel. Prints `witness hits=N cpu0=N cpu1=N ...`. For guests; needs root.
 */
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CPUS 64

static int open_on(int cpu, uint64_t addr, uint64_t len, uint32_t type)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.type = PERF_TYPE_BREAKPOINT;
	attr.bp_type = type;
	attr.bp_addr = addr;
	attr.bp_len = type == HW_BREAKPOINT_X ? sizeof(long) : len;
	attr.sample_period = 1;
	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static uint32_t type_of(const char *word)
{
	if (!strcmp(word, "w"))
		return HW_BREAKPOINT_W;
	if (!strcmp(word, "rw"))
		return HW_BREAKPOINT_RW;
	if (!strcmp(word, "x"))
		return HW_BREAKPOINT_X;
	fprintf(stderr, "witness: w, rw or x, not %s\n", word);
	exit(2);
}

static int run(char **argv)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	uint64_t hits[MAX_CPUS], total = 0;
	int fds[MAX_CPUS];
	int cpu, status, cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);

	if (argc < 5 || cpus > MAX_CPUS) {
		fprintf(stderr, "usage: witness ADDR LEN w|rw|x CMD...\n");
		return 2;
	}
	for (cpu = 0; cpu < cpus; cpu++) {
		fds[cpu] = open_on(cpu, strtoull(argv[1], NULL, 0), strtoull(argv[2], NULL, 0),
			type_of(argv[3]));
		if (fds[cpu] < 0) {
			fprintf(stderr, "witness: CPU %d: %s\n", cpu, strerror(errno));
			return 1;
		}
	}
	status = run(argv + 4);
	for (cpu = 0; cpu < cpus; cpu++) {
		if (read(fds[cpu], &hits[cpu], sizeof(hits[cpu])) != sizeof(hits[cpu]))
			return 1;
		total += hits[cpu];
	}
	printf("witness hits=%llu", (unsigned long long)total);
	for (cpu = 0; cpu < cpus; cpu++)
		printf(" cpu%d=%llu", cpu, (unsigned long long)hits[cpu]);
	printf("\n");
	return status;
}
