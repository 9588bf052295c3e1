/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structs that are best told by a few of their members: a task by its name and
 * number, a socket by its addresses. Which members are read, and how they are
 * written; where they are is asked of the types.
 */
#ifndef CUL_PROBE_FAMILIAR_H
#define CUL_PROBE_FAMILIAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "sym/type.h"

enum { CUL_FAMILIAR_PIECES = 12, CUL_FAMILIAR_TEXT = 64 };

struct cul_familiar_piece {
	/* "a.b", "a->b"; "a->": what the pointer `a` points to; "": the struct itself */
	const char *path;
	uint16_t size; /* of a text, and where the type does not tell */
	bool text;     /* up to its NUL */
	bool optional; /* not every kernel has it */
};

/* The bytes of each piece; NULL: they could not be read. */
struct cul_familiar_bytes {
	const uint8_t *bytes[CUL_FAMILIAR_PIECES];
	size_t size[CUL_FAMILIAR_PIECES];
};

struct cul_familiar {
	const char *tag;
	bool anywhere; /* in processes too, not in the kernel alone */
	struct cul_familiar_piece pieces[CUL_FAMILIAR_PIECES];
	/* False: this is none, whatever its type says. */
	bool (*print)(const struct cul_familiar_bytes *b, struct cul_str *out);
};

/* NULL: nothing is known of structs of this name. */
const struct cul_familiar *cul_familiar_find(const struct cul_type *t, bool user);

#endif
