/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds what ARM's unwind tables say of an address; arch/arm/exidx.c knows what it means. */
#include "unwind/priv.h"

#include <errno.h>

#include "arch/arm/exidx.h"

static int read_word(struct cul_unwinder *u, uint64_t addr, uint32_t *word)
{
	uint8_t b[4];

	if (addr > UINT32_MAX - 3 || cul_unwind_read_code(u, addr, b, sizeof(b)) != 0)
		return -ENOENT;
	*word = u->arch->big_endian ? (uint32_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3]
				    : (uint32_t)b[3] << 24 | b[2] << 16 | b[1] << 8 | b[0];
	return 0;
}

static int function_of(struct cul_unwinder *u, uint64_t entry, uint32_t *start)
{
	uint32_t word;

	if (read_word(u, entry, &word) != 0)
		return -ENOENT;
	*start = cul_exidx_prel31(word, (uint32_t)entry);
	return 0;
}

/* The last entry whose function does not begin behind the address; they are in order. */
static int find_entry(
	struct cul_unwinder *u, uint64_t index, uint64_t size, uint64_t lookup, uint64_t *entry)
{
	uint64_t low = 0, high = size / CUL_EXIDX_ENTRY;
	uint32_t start;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (function_of(u, index + middle * CUL_EXIDX_ENTRY, &start) != 0)
			return -ENOENT;
		if (start <= lookup)
			low = middle + 1;
		else
			high = middle;
	}
	*entry = index + (low - 1) * CUL_EXIDX_ENTRY;
	return low ? 0 : -ENOENT;
}

/* The instructions of an entry of .ARM.extab. */
static int read_table(struct cul_unwinder *u, uint32_t table, uint8_t *code)
{
	uint32_t words[CUL_EXIDX_MAX_CODE / 4 + 1];
	size_t want = 1, have = 0;

	for (;;) {
		int ret;

		for (; have < want && have < sizeof(words) / sizeof(words[0]); have++) {
			if (read_word(u, table + 4 * have, &words[have]) != 0)
				return -ENOENT;
		}
		ret = cul_exidx_code(words, have, code, &want);
		if (ret != -E2BIG || have == sizeof(words) / sizeof(words[0]))
			return ret;
	}
}

int cul_unwind_exidx(
	struct cul_unwinder *u, struct cul_objfile *file, uint64_t lookup, struct cul_rules *out)
{
	uint8_t code[CUL_EXIDX_MAX_CODE];
	uint64_t index, size, entry;
	uint32_t word, table;
	size_t want;
	int n;

	if (!u->facts->has_exidx || cul_objfile_exidx(file, &index, &size) != 0 ||
		find_entry(u, index, size, lookup, &entry) != 0 ||
		read_word(u, entry + 4, &word) != 0)
		return -ENOENT;
	switch (cul_exidx_kind(word, (uint32_t)entry + 4, &table)) {
	case CUL_EXIDX_INLINE:
		n = cul_exidx_code(&word, 1, code, &want);
		break;
	case CUL_EXIDX_TABLE:
		n = read_table(u, table, code);
		break;
	default:
		return -ENOENT; /* that it refuses does not say that nobody called it */
	}
	return n < 0 || cul_exidx_rules(code, (size_t)n, out) != 0 ? -ENOENT : 0;
}
