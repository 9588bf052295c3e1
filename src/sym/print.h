/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A value from its bytes, as a C programmer would write it.
 */
#ifndef CUL_SYM_PRINT_H
#define CUL_SYM_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "sym/type.h"
#include "sym/where.h"

struct cul_print_value;

/* What else is known around a value. All zero: nothing. */
struct cul_print_names {
	/* Names a pointer's target; false when no symbol covers it. NULL: never. */
	bool (*name)(void *data, uint64_t addr, struct cul_where *out);
	/*
	 * Appends what a pointer within the value points to, in its place; it may print values
	 * itself. False: the pointer is printed. NULL: never.
	 */
	bool (*follow)(void *data, const struct cul_print_value *pointer, struct cul_str *out);
	void *data;
	/*
	 * For a line among many: of a struct with more than CUL_PRINT_LONG members those that are
	 * zero are left out, and after CUL_PRINT_BRIEF characters nothing more is begun.
	 */
	bool brief;
	bool addresses; /* also where the type is a number: cul_print_is_address() */
};

enum { CUL_PRINT_LONG = 8, CUL_PRINT_BRIEF = 160 };

/* The bytes of a value and which of their bits are meant. */
struct cul_print_value {
	const struct cul_type
		*type;        /* NULL or VOID: unsigned number of 1, 2, 4, 8 bytes, else hex */
	const uint8_t *bytes; /* little endian */
	size_t size;
	uint32_t bit_offset, bit_size; /* bit_size 0: all of it */
	const char *called;            /* its name, or the expression it is of; NULL */
};

/*
 * Appends the value: 12, -1, true, 'a', 1.5, RUNNING (enumerators by name, READ|WRITE
 * when they are single bits), 0xffff... (init_task+0x8), "text", {refs = 1, flags = 3}. Bounded in
 * depth and length. No byte beyond `size` is read, whatever the type says.
 */
void cul_print_value(struct cul_str *out, const struct cul_print_value *value,
	const struct cul_print_names *names);

/* Whether that text is a plain decimal integer. */
bool cul_print_is_number(const struct cul_type *type, size_t size);

/*
 * Whether it is an `unsigned long`, by no other name, that holds an address: it is called so
 * ("addr", "vm_start", "regs->ip"), or that is where the kernel's are, and no error's number.
 */
bool cul_print_is_address(const struct cul_print_value *value);

/* The integer in at most 8 bytes, isolated and extended by its type. */
uint64_t cul_print_bits(const struct cul_print_value *value);

#endif
