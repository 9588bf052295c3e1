/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of CPUs: which are online, which the user named.
 */
#ifndef CUL_TRACE_CPUS_H
#define CUL_TRACE_CPUS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { CUL_MAX_CPUS = 4096 };

struct cul_cpus {
	unsigned long bits[CUL_MAX_CPUS / (8 * sizeof(unsigned long))];
};

bool cul_cpus_has(const struct cul_cpus *set, int cpu);
void cul_cpus_add(struct cul_cpus *set, int cpu);
unsigned cul_cpus_count(const struct cul_cpus *set);
unsigned cul_cpus_rank(const struct cul_cpus *set, int cpu); /* how many are below `cpu` */
int cul_cpus_next(const struct cul_cpus *set, int after);    /* smallest above `after`; -1: none */

/* "0-3,8": as in /sys/devices/system/cpu. -EINVAL with the place, -ERANGE beyond CUL_MAX_CPUS. */
int cul_cpus_parse(const char *list, struct cul_cpus *out, struct cul_error *err);

/* What a user wrote after --cpu: the same, and all of them online (-ENODEV). Wrong is bad usage. */
int cul_cpus_named(const char *list, struct cul_cpus *out, struct cul_error *err);

/* /sys/devices/system/cpu/online and .../possible (how large per-CPU maps are). */
int cul_cpus_online(struct cul_cpus *out, struct cul_error *err);
int cul_cpus_possible(struct cul_cpus *out, struct cul_error *err);

#define cul_for_each_cpu(cpu, set)                                                                 \
	for (int cpu = cul_cpus_next(set, -1); cpu >= 0; cpu = cul_cpus_next(set, cpu))

#endif
