/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/kprobe_blacklist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "sys/file.h"

enum { MAX_SIZE = 16 << 20 };

struct range {
	uint64_t start, end;
};

struct cul_kprobe_blacklist {
	CUL_VEC(struct range) ranges; /* by start; the end is the largest of those up to here */
};

void cul_kprobe_blacklist_free(struct cul_kprobe_blacklist *b)
{
	if (!b)
		return;
	free(b->ranges.data);
	free(b);
}

static void cleanup(struct cul_kprobe_blacklist **b)
{
	cul_kprobe_blacklist_free(*b);
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* "0xffffffff81000010-0xffffffff81000020\tname" (kernel/kprobes.c, kprobe_blacklist_seq_show) */
static bool parse_line(const char *line, struct range *out)
{
	char *end;

	out->start = strtoull(line, &end, 16);
	if (end == line || *end != '-')
		return false;
	line = end + 1;
	out->end = strtoull(line, &end, 16);
	return end != line && out->end > out->start;
}

int cul_kprobe_blacklist_parse(const char *text, size_t size, struct cul_kprobe_blacklist **out)
{
	cul_cleanup(cleanup) struct cul_kprobe_blacklist *b = cul_calloc(1, sizeof(*b));
	cul_autofree char *copy = cul_calloc(1, size + 1);
	uint64_t end = 0;
	char *save = NULL;

	if (!b || !copy)
		return -ENOMEM;
	if (size)
		memcpy(copy, text, size);
	for (char *p = strtok_r(copy, "\n", &save); p; p = strtok_r(NULL, "\n", &save)) {
		struct range range, *slot;

		if (!parse_line(p, &range))
			continue;
		slot = cul_vec_push(&b->ranges);
		if (!slot)
			return -ENOMEM;
		*slot = range;
	}
	if (b->ranges.len)
		qsort(b->ranges.data, b->ranges.len, sizeof(*b->ranges.data), by_start);
	for (size_t i = 0; i < b->ranges.len; i++) {
		if (b->ranges.data[i].end < end)
			b->ranges.data[i].end = end;
		end = b->ranges.data[i].end;
	}
	*out = cul_take(b);
	return 0;
}

int cul_kprobe_blacklist_open(const char *path, struct cul_kprobe_blacklist **out)
{
	cul_autofree char *text = NULL;
	size_t size;
	int r;

	r = cul_sys_read_file(
		path ? path : "/sys/kernel/debug/kprobes/blacklist", MAX_SIZE, &text, &size);
	return r ? r : cul_kprobe_blacklist_parse(text, size, out);
}

bool cul_kprobe_blacklist_has(const struct cul_kprobe_blacklist *b, uint64_t addr)
{
	size_t low = 0, high = b ? b->ranges.len : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (b->ranges.data[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low && addr < b->ranges.data[low - 1].end;
}
