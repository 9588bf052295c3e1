/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/kallsyms_index.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"

/*
 * The kernel's own per-CPU symbols lie in [__per_cpu_start, __per_cpu_end): from 0 on x86_64 before
 * Linux 6.15 (kind A, scripts/kallsyms.c --absolute-percpu), within the image elsewhere.
 *
 * Those of a module are printed as kind 'a' ('A' when exported) on every architecture
 * (kernel/module/kallsyms.c, elf_type: SHN_ABS or in .data..percpu), with the module's per-CPU
 * pointer as address: just above __per_cpu_end in the reserved chunk where there is one, anywhere
 * in a dynamic chunk otherwise. The other absolute symbols of modules are the checksums that
 * kernels before 5.19 kept as __crc_NAME.
 */
bool cul_kallsyms_index_percpu(
	const struct cul_kallsyms_text *text, const struct cul_kallsyms_line *line, uint64_t addr)
{
	if (line->module)
		return (line->kind | 32) == 'a' && strncmp(line->name, "__crc_", 6) != 0;
	return text->has_percpu && addr >= text->percpu_start && addr < text->percpu_end;
}

/* Per-CPU symbols that do not lie in the image, and the mark behind those that start at 0. */
static bool is_offset(
	const struct cul_kallsyms_text *text, const struct cul_kallsyms_line *line, uint64_t addr)
{
	if (line->module)
		return cul_kallsyms_index_percpu(text, line, addr);
	return text->has_percpu && text->percpu_start == 0 && addr <= text->percpu_end;
}

static int compare(const void *a, const void *b)
{
	const struct cul_kallsyms_entry *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->pos < y->pos ? -1 : x->pos > y->pos;
}

/* The kernel's own part comes sorted (scripts/kallsyms.c): only what follows needs work. */
static int sort(struct cul_kallsyms_entry **entries, size_t n)
{
	cul_autofree struct cul_kallsyms_entry *merged = NULL;
	struct cul_kallsyms_entry *e = *entries;
	size_t sorted = n > 0, a, b;

	while (sorted < n && compare(&e[sorted - 1], &e[sorted]) < 0)
		sorted++;
	if (sorted == n)
		return 0;
	qsort(e + sorted, n - sorted, sizeof(*e), compare);
	merged = cul_realloc_array(NULL, n, sizeof(*e));
	if (!merged)
		return -ENOMEM;
	a = 0;
	b = sorted;
	for (size_t i = 0; i < n; i++) {
		bool first = b == n || (a < sorted && compare(&e[a], &e[b]) < 0);

		merged[i] = first ? e[a++] : e[b++];
	}
	free(e);
	*entries = cul_take(merged);
	return 0;
}

int cul_kallsyms_index_build(const struct cul_kallsyms_text *text, struct cul_kallsyms_index *out)
{
	/* A line has a digit, two blanks, a kind and an end at least; most have 32 bytes or more.
	 */
	size_t cap = text->size / 32 + 16, n = 0, pos = 0, start = 0;
	cul_autofree struct cul_kallsyms_entry *entries = NULL;
	struct cul_kallsyms_line line;
	int ret;

	entries = cul_realloc_array(NULL, cap, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	while (cul_kallsyms_text_next(text, &pos, &line)) {
		uint64_t addr = cul_kallsyms_text_addr(&line);

		start = (size_t)(line.start - text->buf);
		if (is_offset(text, &line, addr))
			continue;
		if (n == cap) {
			void *bigger = cul_realloc_array(entries, cap *= 2, sizeof(*entries));

			if (!bigger)
				return -ENOMEM;
			entries = bigger;
		}
		entries[n].addr = addr;
		entries[n].pos = (uint32_t)start;
		n++;
	}
	ret = sort(&entries, n);
	if (ret < 0)
		return ret;
	out->entries = cul_take(entries);
	out->n = n;
	return 0;
}

void cul_kallsyms_index_free(struct cul_kallsyms_index *index)
{
	free(index->entries);
	memset(index, 0, sizeof(*index));
}

size_t cul_kallsyms_index_upto(const struct cul_kallsyms_index *index, uint64_t addr)
{
	size_t low = 0, high = index->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->entries[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
