/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C types as the program sees them, whether they were read from BTF or DWARF.
 *
 * A `struct cul_type` is a node of a graph that its *provider* (sym/btf.c,
 * sym/dwarf_types.c, sym/ctypes.c) owns and frees as a whole; users borrow
 * nodes and never write to them. Nodes are made when somebody asks: following
 * `to` or the members of a struct goes through cul_type_to() and
 * cul_type_members(), which let the provider read what it has not read yet.
 * Type graphs are cyclic (struct list_head); never walk one without a bound.
 *
 * const, volatile, restrict and typedefs are stripped: a node is what the type
 * is. It is made anew for each typedef that it is reached by, whose name it
 * carries as `alias`: for the eye only. The same holds for an unnamed struct's
 * `name`.
 */
#ifndef CUL_SYM_TYPE_H
#define CUL_SYM_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

enum cul_kind {
	CUL_KIND_VOID,
	CUL_KIND_INT,  /* size 1..16, is_signed */
	CUL_KIND_CHAR, /* as INT of one byte; "char" itself is printed as a character */
	CUL_KIND_BOOL,
	CUL_KIND_FLOAT, /* 4, 8 or 16 bytes */
	CUL_KIND_ENUM,
	CUL_KIND_PTR,   /* size 4 or 8 */
	CUL_KIND_ARRAY, /* count elements of `to` */
	CUL_KIND_STRUCT,
	CUL_KIND_UNION,
	CUL_KIND_FUNC, /* a function; `to` is what it returns (void: KIND_VOID) */
};

/* How a function finds its arguments. */
enum cul_called {
	CUL_CALLED_AS_C,
	CUL_CALLED_AS_RUST,
	CUL_CALLED_OTHERWISE, /* in a way that is not written down */
};

struct cul_type;

struct cul_member {
	const char *name; /* "" for an unnamed struct or union, and for a parameter without name */
	const struct cul_type *type; /* NULL when the provider cannot describe it */
	uint64_t bit_offset;         /* from the start of the struct; 0 for parameters */
	uint32_t bit_size;           /* 0: not a bit field */
};

struct cul_enumerator {
	const char *name;
	int64_t value; /* as stored in an enum of that size, sign-extended when the enum is signed
			*/
};

struct cul_type_provider;

/*
 * What a provider can be asked. Each fills the node in place, once, and returns 0 or a negative
 * errno with `err` set.
 */
struct cul_type_ops {
	int (*fill_to)(struct cul_type_provider *p, struct cul_type *t, struct cul_error *err);
	int (*fill_members)(struct cul_type_provider *p, struct cul_type *t, struct cul_error *err);
};

/* The first member of each provider's own struct. */
struct cul_type_provider {
	const struct cul_type_ops *ops; /* NULL: every node is complete as made */
};

struct cul_type {
	enum cul_kind kind;
	bool is_signed; /* INT, CHAR, ENUM */
	bool filled_to; /* `to` is valid */
	bool filled_members;
	bool is_variadic; /* FUNC, once filled: "..." follows the parameters */
	/* FUNC, once filled: an object of C++ that comes back where the caller has room for it */
	bool ret_by_address;
	enum cul_called called; /* FUNC */
	const char *name;       /* tag, base type or typedef name; NULL when it has none */
	/* The typedef of the declaration ("u64", "atomic_t"); NULL: none. Printed in its place. */
	const char *alias;
	uint64_t size;  /* bytes; 0 for VOID and FUNC, and when incomplete (cul_type_fill may
			   complete it) */
	uint64_t count; /* ARRAY: elements; 0 for a flexible array */
	struct cul_type_provider *provider;
	uint64_t id; /* the provider's own: BTF id, DWARF offset */
	/* Through the accessors below: */
	const struct cul_type *to;
	union {
		struct cul_member *members;         /* STRUCT, UNION; FUNC: parameters */
		struct cul_enumerator *enumerators; /* ENUM */
	};
	size_t n_members;
};

/* The target of a PTR, element of an ARRAY, result of a FUNC. Never NULL on success. */
int cul_type_to(const struct cul_type *t, const struct cul_type **to, struct cul_error *err);

/* Makes members/enumerators/parameters and n_members of `t` valid. */
int cul_type_fill(const struct cul_type *t, struct cul_error *err);

/*
 * Finds a member by name, descending into unnamed structs and unions. `out->bit_offset` counts
 * from the start of `t`. -ENOENT with the nearest names in `err`; -ENOTDIR when `t` has no members.
 */
int cul_type_member(
	const struct cul_type *t, const char *name, struct cul_member *out, struct cul_error *err);

/*
 * Where a member of a member is, in bytes: "arch.num_orcs". -ENOENT, -ENOTDIR as above; a bit field
 * is -ENOENT.
 */
struct cul_extent {
	uint64_t at, size;
};
int cul_type_extent(
	const struct cul_type *t, const char *path, struct cul_extent *out, struct cul_error *err);

/* INT, CHAR, BOOL, ENUM of 1, 2, 4 or 8 bytes: no __int128, no odd size from hostile bytes. */
bool cul_type_is_integer(const struct cul_type *t);
bool cul_type_is_scalar(
	const struct cul_type *t); /* fits a register: integer, PTR, FLOAT but long double */

/* Appends the type in C notation: "struct task_struct *", "int [4]", "enum foo". */
void cul_type_print(struct cul_str *out, const struct cul_type *t);

/*
 * The basic C types, which need no debug information: int, unsigned long, u8..u64, s8..s64, __u8,
 * uint8_t, size_t, bool, char, ... and pointers and arrays made of other types by expressions.
 * `word` is the size of long and of a pointer in the target: 4 or 8.
 */
struct cul_ctypes;

int cul_ctypes_new(unsigned word, struct cul_ctypes **out);
void cul_ctypes_free(struct cul_ctypes *c);
unsigned cul_ctypes_word(const struct cul_ctypes *c);
const struct cul_type *cul_ctypes_find(
	struct cul_ctypes *c, const char *name); /* NULL: not basic */
/* The integer of 1, 2, 4 or 8 bytes; NULL for another size. */
const struct cul_type *cul_ctypes_int(struct cul_ctypes *c, unsigned size, bool is_signed);
/* One node for each type: equal types are equal pointers. NULL when out of memory. */
const struct cul_type *cul_ctypes_pointer(struct cul_ctypes *c, const struct cul_type *to);
const struct cul_type *cul_ctypes_array(
	struct cul_ctypes *c, const struct cul_type *element, uint64_t count);

#endif
