/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions: their type by the address of their first instruction, and where
 * copies of them were inlined. A concrete function may say little itself and
 * refer to an abstract one (DW_AT_abstract_origin), which has the parameters as
 * they are in the source. DWARF 5, sections 3.3.8.
 */
#include "sym/dwarf_places.h"
#include "sym/dwarf_priv.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_NESTING = 64,
	MAX_ORIGINS = 8,    /* of one function */
	MAX_ADDED = 4,      /* its first parameters */
	MAX_DIES = 1 << 22, /* looked at in one search */
};

/* The DIE that has the parameters; itself when it refers to none. */
static void follow_origin(Dwarf_Die *die)
{
	Dwarf_Attribute mem;
	Dwarf_Die origin;

	for (unsigned i = 0; i < MAX_ORIGINS; i++) {
		if (!dwarf_attr(die, DW_AT_abstract_origin, &mem) ||
			!dwarf_formref_die(&mem, &origin))
			return;
		*die = origin;
	}
}

/*
 * Whether it has parameters that gcc adds to constructors and destructors of classes with virtual
 * bases (__in_chrg, __vtt_parm): of each of the copies that it makes of them, only its own DIE
 * tells which of them it has.
 */
static bool has_added(Dwarf_Die *die)
{
	Dwarf_Die param;
	unsigned seen = 0;

	if (dwarf_child(die, &param) != 0)
		return false;
	do {
		const char *name = dwarf_diename(&param);

		if (dwarf_tag(&param) == DW_TAG_formal_parameter && name &&
			dwarf_flag(&param, DW_AT_artificial) && !strncmp(name, "__", 2))
			return true;
	} while (dwarf_next(&param) && ++seen < MAX_ADDED);
	return false;
}

static bool is_assembler(Dwarf_Die *die)
{
	Dwarf_Die unit;

	return dwarf_diecu(die, &unit, NULL, NULL) &&
	       dwarf_srclang(&unit) == DW_LANG_Mips_Assembler;
}

/* The address at which it is entered; linked. DW_AT_entry_pc may count from the lowest one. */
static bool entry_of(Dwarf_Die *die, uint64_t *entry)
{
	Dwarf_Addr base, start, end, addr;
	Dwarf_Attribute mem;
	Dwarf_Word offset;

	if (dwarf_attr(die, DW_AT_entry_pc, &mem)) {
		if (dwarf_formaddr(&mem, &addr) == 0) {
			*entry = addr;
			return true;
		}
		if (dwarf_formudata(&mem, &offset) == 0 && dwarf_lowpc(die, &addr) == 0) {
			*entry = addr + offset;
			return true;
		}
	}
	if (dwarf_hasattr(die, DW_AT_low_pc) && dwarf_lowpc(die, &addr) == 0) {
		*entry = addr;
		return true;
	}
	if (dwarf_ranges(die, 0, &base, &start, &end) <= 0 || start >= end)
		return false;
	*entry = start;
	return true;
}

/* Types */

static int add_function(
	struct cul_objfile *o, Dwarf_Die *die, const struct dwarf_scope *in, void *data)
{
	struct dwarf_function *f;
	uint64_t entry;

	if (dwarf_tag(die) != DW_TAG_subprogram || !entry_of(die, &entry))
		return 0;
	f = cul_vec_push(&o->functions);
	if (!f)
		return -ENOMEM;
	*f = (struct dwarf_function){.entry = entry, .die = *die};
	return 0;
}

static int by_entry(const void *a, const void *b)
{
	const struct dwarf_function *x = a, *y = b;

	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

/* The functions of one unit, of which many are asked for in a row. */
static int index_unit(struct cul_objfile *o, size_t unit)
{
	Dwarf_Die die;
	int ret;

	if (o->functions_of == unit + 1)
		return 0;
	o->functions_of = 0;
	o->functions.len = 0;
	if (!cul_dwarf_units_die(o, unit, &die))
		return -ENOENT;
	ret = cul_dwarf_units_children(o, &die, add_function, NULL);
	if (ret != 0)
		return ret;
	if (o->functions.len)
		qsort(o->functions.data, o->functions.len, sizeof(*o->functions.data), by_entry);
	o->functions_of = unit + 1;
	return 0;
}

/* The DIE of the function that begins at `addr`. */
static int find_function(
	struct cul_objfile *o, uint64_t addr, struct dwarf_function **out, struct cul_error *err)
{
	struct dwarf_function key = {.entry = cul_objfile_linked(o, addr)}, *found = NULL;
	size_t unit;
	int ret = cul_objfile_debug(o, err);

	if (ret != 0)
		return ret;
	ret = cul_dwarf_lines_unit(o, key.entry, &unit);
	if (ret == 0)
		ret = index_unit(o, unit);
	if (ret == 0 && o->functions.len)
		found = bsearch(&key, o->functions.data, o->functions.len, sizeof(key), by_entry);
	if (ret == -ENOMEM)
		return cul_fail(err, ret, "%s: out of memory", o->name);
	if (!found)
		return cul_fail(err, -ENOENT,
			"%s: the debug information has no function that begins at 0x%llx", o->name,
			(unsigned long long)addr);
	*out = found;
	return 0;
}

/* What tells its type: itself, or what it refers to. */
static const struct cul_type *type_of(struct cul_objfile *o, Dwarf_Die *function)
{
	Dwarf_Die die = *function;

	follow_origin(&die);
	return cul_dwarf_type(o, has_added(&die) ? function : &die);
}

int cul_objfile_function(
	struct cul_objfile *o, uint64_t addr, const struct cul_type **type, struct cul_error *err)
{
	struct dwarf_function *found;
	const struct cul_type *t;
	int ret = find_function(o, addr, &found, err);

	if (ret != 0)
		return ret;
	if (is_assembler(&found->die))
		return cul_fail(err, -ENODATA,
			"%s: the function at 0x%llx is written in assembler, which tells no types",
			o->name, (unsigned long long)addr);
	t = type_of(o, &found->die);
	if (!t || t->kind != CUL_KIND_FUNC)
		return cul_fail(err, -ENODATA,
			"%s: the type of the function at 0x%llx cannot be read from DWARF", o->name,
			(unsigned long long)addr);
	*type = t;
	return 0;
}

int cul_objfile_entry_places(struct cul_objfile *o, uint64_t addr, struct cul_entry_places *out)
{
	struct dwarf_function *found;
	const struct cul_type *t;
	int ret = find_function(o, addr, &found, NULL);

	if (ret != 0)
		return ret;
	t = type_of(o, &found->die);
	if (!t || t->kind != CUL_KIND_FUNC || cul_type_fill(t, NULL))
		return -ENOENT;
	return cul_dwarf_entry_places(o, &found->die, found->entry, t, out) ? 0 : -ENOENT;
}

/* Inlined copies */

struct inlined {
	const char *name;
	Dwarf_Off origin; /* of the copy that was looked at last, */
	bool is_it;       /* and whether it is of this name */
	unsigned seen;
	Dwarf_Die function; /* that it is inlined into */
	int (*visit)(void *data, const struct cul_inlined_copy *copy);
	void *data;
};

/* Whether the copy is of the function asked for. */
static bool is_copy(struct inlined *s, Dwarf_Die *die)
{
	Dwarf_Attribute mem;
	Dwarf_Die origin;
	const char *name;

	if (!dwarf_attr(die, DW_AT_abstract_origin, &mem) || !dwarf_formref_die(&mem, &origin))
		return false;
	if (dwarf_dieoffset(&origin) == s->origin)
		return s->is_it;
	name = dwarf_diename(&origin);
	s->origin = dwarf_dieoffset(&origin);
	s->is_it = name && strcmp(name, s->name) == 0;
	return s->is_it;
}

static int give_copy(struct cul_objfile *o, struct inlined *s, Dwarf_Die *die)
{
	struct cul_inlined_copy copy = {0};
	Dwarf_Die origin = *die;
	uint64_t entry;

	/* Code the linker dropped stays behind at 0. */
	if (!entry_of(die, &entry) || entry <= 1 || cul_objfile_unloaded(o, entry))
		return 0;
	copy.addr = cul_objfile_runtime(o, entry);
	follow_origin(&origin);
	copy.type = cul_dwarf_type(o, &origin);
	if (copy.type && copy.type->kind != CUL_KIND_FUNC)
		copy.type = NULL;
	cul_dwarf_places(o, &s->function, die, entry, &copy);
	return s->visit(s->data, &copy);
}

/*
 * `inside`: of the function itself or of a copy. gcc splits a function and inlines the part that it
 * split off back: that is no call of it.
 */
static int search_block(
	struct cul_objfile *o, Dwarf_Die *block, struct inlined *s, bool inside, unsigned depth)
{
	Dwarf_Die die;
	int ret = 0;

	if (depth > MAX_NESTING || dwarf_child(block, &die) != 0)
		return 0;
	do {
		int tag = dwarf_tag(&die);
		bool copy = tag == DW_TAG_inlined_subroutine && is_copy(s, &die);

		if (++s->seen > MAX_DIES)
			return -E2BIG;
		if (copy && !inside)
			ret = give_copy(o, s, &die);
		if (tag == DW_TAG_subprogram)
			s->function = die;
		if (ret == 0 && (tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
					tag == DW_TAG_subprogram))
			ret = search_block(o, &die, s, inside || copy, depth + 1);
		if (ret != 0)
			return ret;
	} while (dwarf_next(&die));
	return 0;
}

static int visit_function(
	struct cul_objfile *o, Dwarf_Die *die, const struct dwarf_scope *in, void *data)
{
	struct inlined *s = data;
	const char *name = dwarf_tag(die) == DW_TAG_subprogram ? dwarf_diename(die) : NULL;

	s->function = *die;
	return name ? search_block(o, die, s, strcmp(name, s->name) == 0, 0) : 0;
}

static int visit_unit(struct cul_objfile *o, Dwarf_Die *unit, void *data)
{
	struct inlined *s = data;

	s->origin = 0;
	s->is_it = false;
	return cul_dwarf_units_children(o, unit, visit_function, s);
}

int cul_objfile_inlined(struct cul_objfile *o, const char *name,
	int (*visit)(void *data, const struct cul_inlined_copy *copy), void *data,
	struct cul_error *err)
{
	struct inlined s = {.name = name, .visit = visit, .data = data};
	int ret = cul_dwarf_units_naming(o, name, NULL, visit_unit, &s, err);

	if (ret == -E2BIG)
		return cul_fail(err, ret,
			"%s: too much debug information mentions \"%s\" to find all inlined copies",
			o->name, name);
	return ret;
}
