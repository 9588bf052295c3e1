/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/cpus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { WORD_BITS = 8 * sizeof(unsigned long) };

bool cul_cpus_has(const struct cul_cpus *set, int cpu)
{
	return cpu >= 0 && cpu < CUL_MAX_CPUS &&
	       (set->bits[cpu / WORD_BITS] >> (cpu % WORD_BITS) & 1);
}

void cul_cpus_add(struct cul_cpus *set, int cpu)
{
	set->bits[cpu / WORD_BITS] |= 1UL << (cpu % WORD_BITS);
}

unsigned cul_cpus_count(const struct cul_cpus *set)
{
	unsigned n = 0;

	for (size_t i = 0; i < CUL_MAX_CPUS / WORD_BITS; i++)
		n += (unsigned)__builtin_popcountl(set->bits[i]);
	return n;
}

unsigned cul_cpus_rank(const struct cul_cpus *set, int cpu)
{
	unsigned n = 0;

	for (int other = 0; other < cpu; other++)
		n += cul_cpus_has(set, other);
	return n;
}

int cul_cpus_next(const struct cul_cpus *set, int after)
{
	for (int cpu = after + 1; cpu < CUL_MAX_CPUS; cpu++)
		if (cul_cpus_has(set, cpu))
			return cpu;
	return -1;
}

/* One CPU number at *s; advances *s past it. */
static int number(const char **s, int *out)
{
	char *end;
	unsigned long v;

	if (**s < '0' || **s > '9')
		return -EINVAL;
	v = strtoul(*s, &end, 10);
	if (v >= CUL_MAX_CPUS)
		return -ERANGE;
	*s = end;
	*out = (int)v;
	return 0;
}

int cul_cpus_parse(const char *list, struct cul_cpus *out, struct cul_error *err)
{
	struct cul_cpus set = {0};
	const char *s = list;
	int r;

	for (;;) {
		int first = 0, last = 0;

		r = number(&s, &first);
		last = first;
		if (!r && *s == '-') {
			s++;
			r = number(&s, &last);
		}
		if (!r && last < first)
			r = -EINVAL;
		if (r == -ERANGE)
			return cul_fail(err, r, "CPUs go up to %d", CUL_MAX_CPUS - 1);
		if (r)
			break;
		for (int cpu = first; cpu <= last; cpu++)
			cul_cpus_add(&set, cpu);
		if (*s != ',')
			break;
		s++;
	}
	if (r || (*s && *s != '\n'))
		return cul_fail(err, -EINVAL, "not a list of CPUs, such as 0-3,8");
	*out = set;
	return 0;
}

static int from_file(const char *path, struct cul_cpus *out, struct cul_error *err)
{
	cul_autofclose FILE *f = fopen(path, "re");
	char line[5 * CUL_MAX_CPUS + 1]; /* "0,2,4,...": a number and a comma for each */

	if (!f)
		return cul_fail(err, -errno, "%s: %s", path, cul_strerror(errno));
	if (!fgets(line, sizeof(line), f))
		return cul_fail(err, -EIO, "%s is empty", path);
	return cul_cpus_parse(line, out, err) ? cul_error_prefix(err, "%s", path) : 0;
}

int cul_cpus_online(struct cul_cpus *out, struct cul_error *err)
{
	return from_file("/sys/devices/system/cpu/online", out, err);
}

int cul_cpus_possible(struct cul_cpus *out, struct cul_error *err)
{
	return from_file("/sys/devices/system/cpu/possible", out, err);
}

int cul_cpus_named(const char *list, struct cul_cpus *out, struct cul_error *err)
{
	struct cul_cpus online, named;
	struct cul_error why = {0};
	int r = cul_cpus_parse(list, &named, &why);

	if (r)
		return cul_fail_usage(err, r, "--cpu %s: %s", list, why.text);
	r = cul_cpus_online(&online, err);
	if (r)
		return r;
	cul_for_each_cpu(cpu, &named)
	{
		if (!cul_cpus_has(&online, cpu))
			return cul_fail(err, -ENODEV, "--cpu %s: CPU %d is not online", list, cpu);
	}
	*out = named;
	return 0;
}
