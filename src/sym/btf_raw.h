/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records of a BTF section as they are in the file: numbered, checked to
 * lie within the section, and found by name. What they mean is btf_types.c's.
 * Internal to sym/btf*.c.
 *
 * Split BTF goes on where its base ends, in type numbers and in string
 * offsets: every look-up by number or offset goes to the one that has it.
 */
#ifndef CUL_SYM_BTF_RAW_H
#define CUL_SYM_BTF_RAW_H

#include <linux/btf.h>

#include "base/arena.h"
#include "sym/btf.h"

enum { CUL_BTF_RAW_MEMO = 64 };

struct cul_btf {
	struct cul_type_provider provider;
	struct cul_btf *base; /* borrowed */

	void *owned;  /* to be freed */
	void *mapped; /* to be unmapped */
	size_t mapped_size;

	const uint8_t *types;
	uint32_t types_len;
	const char *strings; /* the last byte is NUL */
	uint32_t strings_len;
	uint32_t strings_start; /* the offset that strings[0] has: 0 without a base */

	uint32_t *offsets; /* in `types`, of type first_id + i */
	uint32_t first_id; /* 1 without a base */
	uint32_t n;
	bool enums_marked; /* some enum says that it is signed: the others are not */

	/* Of btf_types.c: */
	struct cul_arena arena;
	struct cul_type **nodes; /* of type first_id + i, NULL until asked for */
	struct cul_type void_type;
	unsigned word; /* bytes of a pointer; 0: not looked up yet */

	struct { /* the last finds, by hash of the name */
		uint32_t id, kinds;
	} memo[CUL_BTF_RAW_MEMO];
};

/* Sets types, strings and offsets from the bytes of a file. */
int cul_btf_raw_load(struct cul_btf *btf, const void *data, size_t size, struct cul_error *err);

/* The BTF that type `id` is in: `btf` or its base. NULL when there is no such type. Not for 0. */
struct cul_btf *cul_btf_raw_owner(struct cul_btf *btf, uint32_t id);
const struct btf_type *cul_btf_raw_type(struct cul_btf *btf, uint32_t id);
const char *cul_btf_raw_string(const struct cul_btf *btf, uint32_t offset); /* NULL: no such */

/*
 * The first type of one of `kinds` (a mask of 1 << BTF_KIND_*) with that name and a number not
 * below `from`, in `btf` itself. 0 when there is none.
 */
uint32_t cul_btf_raw_find(struct cul_btf *btf, uint32_t kinds, const char *name, uint32_t from);

#endif
