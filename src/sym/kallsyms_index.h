/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lines of a kallsyms text in the order of their addresses, for the
 * question which symbol covers an address. Per-CPU symbols are in it where they
 * have a place in the image, as bounds of what lies around them; not those of
 * modules, and not those that start at 0.
 */
#ifndef CUL_SYM_KALLSYMS_INDEX_H
#define CUL_SYM_KALLSYMS_INDEX_H

#include "sym/kallsyms_text.h"

struct cul_kallsyms_index {
	struct cul_kallsyms_entry {
		uint64_t addr;
		uint32_t pos; /* of the line in the text */
	} * entries;
	size_t n;
};

/* Whether a symbol is a per-CPU one (the rules are at the function). */
bool cul_kallsyms_index_percpu(
	const struct cul_kallsyms_text *text, const struct cul_kallsyms_line *line, uint64_t addr);

int cul_kallsyms_index_build(const struct cul_kallsyms_text *text, struct cul_kallsyms_index *out);
void cul_kallsyms_index_free(struct cul_kallsyms_index *index);

/* The number of entries with an address not above `addr`. */
size_t cul_kallsyms_index_upto(const struct cul_kallsyms_index *index, uint64_t addr);

#endif
