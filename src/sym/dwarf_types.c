/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DWARF DIEs as struct cul_type. A node is made when it is asked for and holds
 * what its own DIE says; what it leads to follows through the two callbacks.
 * Depths, sizes and offsets of the file are checked here.
 */
#include "sym/dwarf_priv.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
	MAX_DEPTH = 32,   /* arrays of arrays, typedefs of arrays */
	MAX_ALIASES = 64, /* typedefs and qualifiers of one type */
	MAX_DIMENSIONS = 16,
};

static struct cul_objfile *file_of(struct cul_type_provider *p)
{
	return (struct cul_objfile *)p;
}

/* The table of nodes made so far */

static size_t hash_of(const void *addr, const char *alias, unsigned dimension)
{
	uint64_t h = (uintptr_t)addr * 0x9e3779b97f4a7c15ULL;

	h = (h ^ (uintptr_t)alias ^ dimension) * 0xff51afd7ed558ccdULL;
	return (size_t)(h ^ h >> 32);
}

static struct dwarf_type **slot_of(
	struct cul_objfile *o, const void *addr, const char *alias, unsigned dimension)
{
	size_t i = hash_of(addr, alias, dimension);

	for (;; i++) {
		struct dwarf_type **slot = &o->types[i & (o->cap_types - 1)];

		if (!*slot || ((*slot)->die.addr == addr && (*slot)->type.alias == alias &&
				      (*slot)->dimension == dimension))
			return slot;
	}
}

static bool make_room(struct cul_objfile *o)
{
	size_t old_cap = o->cap_types;
	struct dwarf_type **old = o->types, **fresh;

	if (o->n_types + 1 <= old_cap / 2)
		return true;
	fresh = cul_calloc(old_cap ? old_cap * 2 : 256, sizeof(struct dwarf_type *));
	if (!fresh)
		return false;
	o->types = fresh;
	o->cap_types = old_cap ? old_cap * 2 : 256;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i])
			*slot_of(o, old[i]->die.addr, old[i]->type.alias, old[i]->dimension) =
				old[i];
	free(old);
	return true;
}

void cul_dwarf_types_free(struct cul_objfile *o)
{
	free(o->types);
	o->types = NULL;
	o->n_types = o->cap_types = 0;
}

/* Making a node */

static bool is_alias(int tag)
{
	switch (tag) {
	case DW_TAG_typedef:
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
	case DW_TAG_packed_type:
	case DW_TAG_shared_type:
	case DW_TAG_immutable_type:
	case DW_TAG_template_alias:
		return true;
	default:
		return false;
	}
}

/* The typedefs on the way to a type: nearest to it, and the one that was written. NULL: none. */
struct typedefs {
	const char *inner, *outer;
};

/*
 * Follows typedefs and qualifiers, and a declaration that names a type unit. Leaves `die->addr`
 * NULL for void.
 */
static bool strip(Dwarf_Die *die, struct typedefs *on_way)
{
	Dwarf_Attribute mem;
	Dwarf_Die next;

	for (unsigned i = 0; i < MAX_ALIASES; i++) {
		if (dwarf_attr(die, DW_AT_signature, &mem)) {
			if (!dwarf_formref_die(&mem, &next))
				return true; /* it stays a declaration */
			*die = next;
			continue;
		}
		if (!is_alias(dwarf_tag(die)))
			return true;
		if (dwarf_tag(die) == DW_TAG_typedef) {
			on_way->inner = dwarf_diename(die);
			if (!on_way->outer)
				on_way->outer = on_way->inner;
		}
		if (!dwarf_attr(die, DW_AT_type, &mem)) {
			memset(die, 0, sizeof(*die));
			return true;
		}
		if (!dwarf_formref_die(&mem, &next))
			return false;
		*die = next;
	}
	return false;
}

static uint64_t address_size(Dwarf_Die *die)
{
	uint8_t size = 0;

	return dwarf_cu_info(die->cu, NULL, NULL, NULL, NULL, NULL, &size, NULL) == 0 ? size : 0;
}

static bool make_base(struct dwarf_type *t)
{
	uint64_t encoding, size = 0;

	if (!dwarf_number(&t->die, DW_AT_encoding, &encoding) ||
		!dwarf_number(&t->die, DW_AT_byte_size, &size) || size > 16)
		return false;
	t->type.size = size;
	if (!size) { /* Rust's () */
		t->type.kind = CUL_KIND_STRUCT;
		return true;
	}
	switch (encoding) {
	case DW_ATE_boolean:
		t->type.kind = CUL_KIND_BOOL;
		return size <= 8;
	case DW_ATE_float:
		t->type.kind = CUL_KIND_FLOAT;
		return true;
	case DW_ATE_signed_char:
	case DW_ATE_unsigned_char:
		t->type.kind = size == 1 ? CUL_KIND_CHAR : CUL_KIND_INT;
		t->type.is_signed = encoding == DW_ATE_signed_char;
		return true;
	case DW_ATE_UTF:
	case DW_ATE_unsigned:
	case DW_ATE_address:
		t->type.kind = CUL_KIND_INT;
		return true;
	case DW_ATE_signed:
		t->type.kind = CUL_KIND_INT;
		t->type.is_signed = true;
		return true;
	default: /* complex, decimal, fixed point */
		return false;
	}
}

/* Without a type of its own an enum is signed when one of its values is negative. */
static bool enum_is_signed(Dwarf_Die *die)
{
	Dwarf_Attribute mem;
	Dwarf_Sword value;
	Dwarf_Die one;
	uint64_t encoding;

	if (dwarf_number(die, DW_AT_encoding, &encoding))
		return encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
	if (dwarf_formref_die(dwarf_attr(die, DW_AT_type, &mem), &one)) {
		struct typedefs on_way = {0};

		return strip(&one, &on_way) && one.addr &&
		       dwarf_number(&one, DW_AT_encoding, &encoding) &&
		       (encoding == DW_ATE_signed || encoding == DW_ATE_signed_char);
	}
	if (dwarf_child(die, &one) != 0)
		return false;
	do {
		if (dwarf_attr(&one, DW_AT_const_value, &mem) &&
			cul_dwarf_members_signed_form(&mem) && dwarf_formsdata(&mem, &value) == 0 &&
			value < 0)
			return true;
	} while (dwarf_next(&one));
	return false;
}

static bool make_enum(struct cul_objfile *o, struct dwarf_type *t)
{
	t->type.kind = CUL_KIND_ENUM;
	if (!dwarf_number(&t->die, DW_AT_byte_size, &t->type.size)) {
		const struct cul_type *base = cul_dwarf_type_of(o, &t->die);

		t->type.size = base ? base->size : 0;
	}
	t->type.is_signed = enum_is_signed(&t->die);
	return t->type.size <= 16;
}

static bool make_compound(struct dwarf_type *t, enum cul_kind kind)
{
	uint64_t size = 0;

	t->type.kind = kind;
	if (!dwarf_flag(&t->die, DW_AT_declaration))
		dwarf_number(&t->die, DW_AT_byte_size, &size);
	t->type.size = size;
	return size <= INT64_MAX / 8; /* offsets of bits must fit */
}

/* Elements of one dimension; 0 for a flexible or variable one. */
static uint64_t count_of(Dwarf_Die *range)
{
	uint64_t count, upper, lower = 0;

	if (dwarf_number(range, DW_AT_count, &count))
		return count;
	if (!dwarf_number(range, DW_AT_upper_bound, &upper))
		return 0;
	dwarf_number(range, DW_AT_lower_bound, &lower);
	/* gcc writes [0] with an upper bound of -1, in a form of its choice. */
	if (upper < lower || upper == UINT32_MAX || upper - lower == UINT64_MAX)
		return 0;
	return upper - lower + 1;
}

/* Number of dimensions, and the count of the n-th. */
static unsigned dimensions(Dwarf_Die *array, unsigned nth, uint64_t *count)
{
	unsigned n = 0;
	Dwarf_Die die;

	*count = 0;
	if (dwarf_child(array, &die) != 0)
		return 0;
	do {
		if (dwarf_tag(&die) != DW_TAG_subrange_type)
			continue;
		if (n == nth)
			*count = count_of(&die);
		n++;
	} while (n < MAX_DIMENSIONS && dwarf_next(&die));
	return n;
}

static const struct cul_type *make(
	struct cul_objfile *o, Dwarf_Die *die, const struct typedefs *on_way, unsigned dimension);

static bool make_array(struct cul_objfile *o, struct dwarf_type *t)
{
	uint64_t count;
	unsigned n = dimensions(&t->die, t->dimension, &count);
	const struct typedefs none = {0};
	const struct cul_type *element;

	if (dwarf_hasattr(&t->die, DW_AT_byte_stride) || dwarf_hasattr(&t->die, DW_AT_bit_stride))
		return false;
	element = t->dimension + 1 < n ? make(o, &t->die, &none, t->dimension + 1)
				       : cul_dwarf_type_of(o, &t->die);
	if (!element || element->kind == CUL_KIND_VOID)
		return false;
	t->type.kind = CUL_KIND_ARRAY;
	t->type.count = count;
	t->type.to = element;
	t->type.filled_to = true;
	return !__builtin_mul_overflow(count, element->size, &t->type.size) &&
	       t->type.size <= INT64_MAX / 8;
}

/* LLVM marks what it calls in a way of its own (DW_CC_nocall). */
static enum cul_called how_called(Dwarf_Die *func)
{
	uint64_t convention;
	Dwarf_Die unit;

	if (dwarf_number(func, DW_AT_calling_convention, &convention) && convention == DW_CC_nocall)
		return CUL_CALLED_OTHERWISE;
	switch (dwarf_diecu(func, &unit, NULL, NULL) ? dwarf_srclang(&unit) : -1) {
	case DW_LANG_Rust:
		return CUL_CALLED_AS_RUST;
	case DW_LANG_D:
	case DW_LANG_Go:
	case DW_LANG_Haskell:
	case DW_LANG_OCaml:
	case DW_LANG_Swift:
		return CUL_CALLED_OTHERWISE;
	default:
		return CUL_CALLED_AS_C;
	}
}

/* std::nullptr_t is a type without a value, which is passed like a pointer. */
static bool make_unspecified(struct dwarf_type *t)
{
	const char *name = dwarf_diename(&t->die);

	t->type.kind = name && strstr(name, "nullptr") ? CUL_KIND_PTR : CUL_KIND_VOID;
	t->type.size = t->type.kind == CUL_KIND_PTR ? address_size(&t->die) : 0;
	return true;
}

static bool make_node(struct cul_objfile *o, struct dwarf_type *t)
{
	switch (dwarf_tag(&t->die)) {
	case DW_TAG_base_type:
		return make_base(t);
	case DW_TAG_unspecified_type:
		return make_unspecified(t);
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		t->type.kind = CUL_KIND_PTR;
		if (!dwarf_number(&t->die, DW_AT_byte_size, &t->type.size))
			t->type.size = address_size(&t->die);
		return t->type.size == 4 || t->type.size == 8;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return make_compound(t, CUL_KIND_STRUCT);
	case DW_TAG_union_type:
		return make_compound(t, CUL_KIND_UNION);
	case DW_TAG_enumeration_type:
		return make_enum(o, t);
	case DW_TAG_array_type:
		return make_array(o, t);
	case DW_TAG_subroutine_type:
	case DW_TAG_subprogram:
		t->type.kind = CUL_KIND_FUNC;
		t->type.called = how_called(&t->die);
		return true;
	default:
		return false;
	}
}

/*
 * Of a stripped DIE, by the typedefs that led to it. NULL when it is none of C's types or memory is
 * out.
 */
static const struct cul_type *make(
	struct cul_objfile *o, Dwarf_Die *die, const struct typedefs *on_way, unsigned dimension)
{
	const char *name = die->addr ? dwarf_diename(die) : NULL;
	const char *alias = die->addr ? on_way->outer : NULL;
	struct dwarf_type *t, **slot;
	bool good;

	if (o->type_depth >= MAX_DEPTH || !make_room(o))
		return NULL;
	slot = slot_of(o, die->addr, alias, dimension);
	if (*slot)
		return &(*slot)->type;
	t = cul_arena_alloc(&o->arena, sizeof(*t));
	if (!t)
		return NULL;
	t->die = t->definition = *die;
	t->dimension = dimension;
	t->type.alias = alias;
	t->type.provider = &o->provider;
	t->type.id = die->addr ? dwarf_dieoffset(die) : 0;
	o->type_depth++;
	good = die->addr ? make_node(o, t) : true;
	o->type_depth--;
	if (!good || !make_room(o))
		return NULL;
	if (die->addr && t->type.kind != CUL_KIND_ARRAY && t->type.kind != CUL_KIND_PTR &&
		t->type.kind != CUL_KIND_FUNC)
		t->type.name = name ? name : on_way->inner;
	*slot_of(o, die->addr, alias, dimension) = t;
	o->n_types++;
	return &t->type;
}

const struct cul_type *cul_dwarf_type(struct cul_objfile *o, Dwarf_Die *die)
{
	struct typedefs on_way = {0};
	Dwarf_Die stripped = {0};

	if (die) {
		stripped = *die;
		if (!strip(&stripped, &on_way))
			return NULL;
	}
	return make(o, &stripped, &on_way, 0);
}

const struct cul_type *cul_dwarf_type_of(struct cul_objfile *o, Dwarf_Die *die)
{
	Dwarf_Attribute mem;
	Dwarf_Die type;

	if (!dwarf_attr_integrate(die, DW_AT_type, &mem))
		return cul_dwarf_type(o, NULL);
	return dwarf_formref_die(&mem, &type) ? cul_dwarf_type(o, &type) : NULL;
}

static int fill_to(struct cul_type_provider *p, struct cul_type *type, struct cul_error *err)
{
	struct dwarf_type *t = (struct dwarf_type *)type;
	const struct cul_type *to;

	if (type->filled_to)
		return 0;
	to = t->die.addr ? cul_dwarf_type_of(file_of(p), &t->die) : NULL;
	if (!to)
		return cul_fail(err, -ENOTSUP,
			"%s: what the type at DWARF offset 0x%llx refers to cannot be described in "
			"C",
			file_of(p)->name, (unsigned long long)type->id);
	type->to = to;
	type->filled_to = true;
	return 0;
}

const struct cul_type_ops cul_dwarf_type_ops = {
	.fill_to = fill_to,
	.fill_members = cul_dwarf_members_fill,
};
