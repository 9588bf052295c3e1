/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files that read DWARF, sym/dwarf_*.c, share; beside them only sym/objfile*.c.
 */
#ifndef CUL_SYM_DWARF_PRIV_H
#define CUL_SYM_DWARF_PRIV_H

#include "sym/objfile_priv.h"

/* dwarf_units.c */
int cul_dwarf_units(struct cul_objfile *o, struct cul_error *err);
/* The unit's DIE; false when it is malformed. */
bool cul_dwarf_units_die(struct cul_objfile *o, size_t unit, Dwarf_Die *die);
/*
 * Calls `visit` for each unit that may mention `name` (NULL: for each) until it returns other than
 * 0, and returns that. A negative errno when units cannot be read. With `addr` (run time; else
 * NULL) only units that contain DW_OP_addr of it: clang's DWARF 5 has such addresses elsewhere.
 */
int cul_dwarf_units_naming(struct cul_objfile *o, const char *name, const uint64_t *addr,
	int (*visit)(struct cul_objfile *o, Dwarf_Die *unit, void *data), void *data,
	struct cul_error *err);
/* The namespaces around a DIE, the innermost first. */
struct dwarf_scope {
	const struct dwarf_scope *up;
	const char *name; /* NULL: unnamed */
};

/*
 * Calls `visit` for the children of `unit` and of its namespaces until it returns other than 0,
 * and returns that.
 */
int cul_dwarf_units_children(struct cul_objfile *o, Dwarf_Die *unit,
	int (*visit)(
		struct cul_objfile *o, Dwarf_Die *die, const struct dwarf_scope *in, void *data),
	void *data);
/* Whether `die` in these namespaces is what the user calls `wanted`: "x", "space::x". */
bool cul_dwarf_units_is(Dwarf_Die *die, const struct dwarf_scope *in, const char *wanted);
bool cul_dwarf_units_split(struct cul_objfile *o); /* any unit keeps its DIEs in a .dwo file */

/* dwarf_lines.c: the unit whose code `addr` (linked) is in. -ENOENT, -ENODATA, -ENOMEM. */
int cul_dwarf_lines_unit(struct cul_objfile *o, uint64_t addr, size_t *unit);
/* A source file's name relative to the directory of the build when it lies below. */
const char *cul_dwarf_lines_shorten(const char *path, Dwarf_Die *unit);

/* dwarf_split.c: the unit's DIE in its .dwo, where it has one and that can be had. */
void cul_dwarf_split_die(struct cul_objfile *o, Dwarf_Die *die);

/* dwarf_inlines.c */
void cul_dwarf_inlines_free(struct cul_objfile *o);

/* dwarf_types.c. A NULL DIE stands for void. NULL: out of memory or a type C does not have. */
const struct cul_type *cul_dwarf_type(struct cul_objfile *o, Dwarf_Die *die);
/* The type that attribute DW_AT_type of `die` refers to; void when it has none. */
const struct cul_type *cul_dwarf_type_of(struct cul_objfile *o, Dwarf_Die *die);
void cul_dwarf_types_free(struct cul_objfile *o);
extern const struct cul_type_ops cul_dwarf_type_ops;

/* dwarf_classes.c: whether functions get and return a value of that type by its address. */
bool cul_dwarf_by_address(struct cul_objfile *o, const struct cul_type *t);
/* A pointer to it, as such a function gets. NULL: out of memory. */
const struct cul_type *cul_dwarf_address_of(struct cul_objfile *o, const struct cul_type *t);

/* dwarf_members.c */
int cul_dwarf_members_fill(
	struct cul_type_provider *p, struct cul_type *type, struct cul_error *err);
bool cul_dwarf_members_signed_form(Dwarf_Attribute *attr); /* a constant that may be negative */

/* dwarf_names.c. A complete struct, union or enum by tag. 0 or -ENOENT. */
int cul_dwarf_find_tag(struct cul_objfile *o, int tag, const char *name, Dwarf_Die *out);

/* The next sibling; DW_AT_sibling of a hostile file might lead backwards for ever. */
static inline bool dwarf_next(Dwarf_Die *die)
{
	void *before = die->addr;

	return dwarf_siblingof(die, die) == 0 && die->addr > before;
}

static inline bool dwarf_flag(Dwarf_Die *die, unsigned attr)
{
	Dwarf_Attribute mem;
	bool flag = false;

	return dwarf_attr(die, attr, &mem) && dwarf_formflag(&mem, &flag) == 0 && flag;
}

static inline bool dwarf_number(Dwarf_Die *die, unsigned attr, uint64_t *value)
{
	Dwarf_Attribute mem;
	Dwarf_Word word;

	if (!dwarf_attr(die, attr, &mem) || dwarf_formudata(&mem, &word) != 0)
		return false;
	*value = word;
	return true;
}

#endif
