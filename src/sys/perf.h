/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf_event_open(2) and the ioctls on its descriptors. Tests make them fail
 * through sys/fault.h.
 */
#ifndef CUL_SYS_PERF_H
#define CUL_SYS_PERF_H

#include <stdint.h>
#include <sys/types.h>

#include <linux/perf_event.h>

/* A descriptor (close-on-exec) or a negative errno. */
int cul_sys_perf_event_open(const struct perf_event_attr *attr, pid_t pid, int cpu);

/* 0 or a negative errno. */
int cul_sys_perf_enable(int fd);
int cul_sys_perf_disable(int fd);
int cul_sys_perf_set_bpf(int fd, int prog_fd);
/* Moves a breakpoint event in place: its debug register stays its own (kernel 4.17). */
int cul_sys_perf_modify(int fd, const struct perf_event_attr *attr);

/* Read format TOTAL_TIME_ENABLED | TOTAL_TIME_RUNNING. */
struct cul_perf_count {
	uint64_t value;
	uint64_t enabled_ns, running_ns;
};

int cul_sys_perf_read(int fd, struct cul_perf_count *out);

#endif
