/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Members of structs and unions, parameters of functions, enumerators. */
#include "sym/dwarf_priv.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

bool cul_dwarf_members_signed_form(Dwarf_Attribute *attr)
{
	unsigned form = dwarf_whatform(attr);

	return form == DW_FORM_sdata || form == DW_FORM_implicit_const;
}

/* Bytes from the start of the struct: a constant, or DW_OP_plus_uconst. */
static bool member_location(Dwarf_Die *die, uint64_t *bytes)
{
	Dwarf_Attribute mem;
	Dwarf_Op *ops;
	Dwarf_Word number;
	size_t n;

	*bytes = 0;
	if (!dwarf_attr(die, DW_AT_data_member_location, &mem))
		return true;
	if (dwarf_formudata(&mem, &number) == 0) {
		*bytes = number;
		return true;
	}
	if (dwarf_getlocation(&mem, &ops, &n) != 0 || n != 1 || ops[0].atom != DW_OP_plus_uconst)
		return false; /* a virtual base */
	*bytes = ops[0].number;
	return true;
}

/*
 * Where a bit field starts. DWARF 4 and later count from the start of the struct
 * (DW_AT_data_bit_offset); DWARF 2 counts from the most significant bit of a storage unit
 * (DW_AT_bit_offset; DWARF 3, section 5.6.6).
 */
static bool bit_position(
	struct cul_objfile *o, Dwarf_Die *die, struct cul_member *m, uint64_t bytes)
{
	uint64_t bits, storage;
	int64_t from_low;

	if (dwarf_number(die, DW_AT_data_bit_offset, &bits)) {
		m->bit_offset = bits;
		return bits <= INT64_MAX && bytes == 0;
	}
	m->bit_offset = bytes * 8;
	if (!m->bit_size || !dwarf_hasattr(die, DW_AT_bit_offset))
		return true;
	if (!dwarf_number(die, DW_AT_bit_offset, &bits))
		return false;
	if (!dwarf_number(die, DW_AT_byte_size, &storage))
		storage = m->type ? m->type->size : 0;
	if (storage == 0 || storage > 16 || bits > INT32_MAX)
		return false;
	from_low = o->big_endian ? (int64_t)bits
				 : (int64_t)(storage * 8 - m->bit_size) - (int64_t)bits;
	return !__builtin_add_overflow(m->bit_offset, from_low, &m->bit_offset) &&
	       m->bit_offset <= INT64_MAX;
}

/* Inside the struct, and not wider than its type. */
static bool fits(const struct cul_member *m, const struct cul_type *parent)
{
	uint64_t bits = m->bit_size, end;

	if (!bits)
		bits = m->type ? m->type->size * 8 : 0;
	else if (m->type && bits > m->type->size * 8)
		return false;
	return !__builtin_add_overflow(m->bit_offset, bits, &end) && end <= parent->size * 8;
}

/* False when it is no member of its own (static) or not understood. */
static bool read_member(
	struct cul_objfile *o, Dwarf_Die *die, const struct cul_type *parent, struct cul_member *m)
{
	const char *name = dwarf_diename(die);
	uint64_t bytes, bit_size = 0;

	if (dwarf_flag(die, DW_AT_external) || dwarf_flag(die, DW_AT_declaration))
		return false; /* a static member of C++ */
	if (dwarf_tag(die) == DW_TAG_inheritance)
		name = NULL; /* a base class: its members are found like those of an unnamed struct
			      */
	m->name = name ? name : "";
	m->type = cul_dwarf_type_of(o, die);
	if (m->type && m->type->kind == CUL_KIND_VOID)
		m->type = NULL;
	if (dwarf_hasattr(die, DW_AT_bit_size) &&
		(!dwarf_number(die, DW_AT_bit_size, &bit_size) || bit_size == 0 || bit_size > 128))
		return false;
	m->bit_size = (uint32_t)bit_size;
	return member_location(die, &bytes) && bytes <= INT64_MAX / 8 &&
	       bit_position(o, die, m, bytes) && fits(m, parent);
}

static int out_of_memory(struct cul_objfile *o, const struct cul_type *t, struct cul_error *err)
{
	return cul_fail(err, -ENOMEM, "%s: out of memory for the members of %s", o->name,
		t->name ? t->name : "an unnamed type");
}

/* Moves a finished list into the arena. `*to` stays untouched when memory is out. */
static bool keep(struct cul_objfile *o, const void *list, size_t size, void *to)
{
	void *copy = cul_arena_alloc(&o->arena, size ? size : 1);

	if (!copy)
		return false;
	if (size)
		memcpy(copy, list, size);
	memcpy(to, &copy, sizeof(copy));
	return true;
}

struct members {
	struct cul_member *data;
	size_t len, cap;
};

static void free_members(struct members *v)
{
	free(v->data);
}

static int keep_members(
	struct cul_objfile *o, struct dwarf_type *t, const struct members *v, struct cul_error *err)
{
	if (!keep(o, v->data, v->len * sizeof(*v->data), &t->type.members))
		return out_of_memory(o, &t->type, err);
	t->type.n_members = v->len;
	return 0;
}

/* Of a struct, a union. */
static int fill_members(struct cul_objfile *o, struct dwarf_type *t, struct cul_error *err)
{
	cul_cleanup(free_members) struct members v = {0};
	Dwarf_Die die;

	for (bool more = dwarf_child(&t->definition, &die) == 0; more; more = dwarf_next(&die)) {
		int tag = dwarf_tag(&die);
		struct cul_member m = {0}, *slot;

		if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) ||
			!read_member(o, &die, &t->type, &m))
			continue;
		slot = cul_vec_push(&v);
		if (!slot)
			return out_of_memory(o, &t->type, err);
		*slot = m;
	}
	return keep_members(o, t, &v, err);
}

/* Rust: what is larger than two words. See sym/signature.c. */
static bool is_by_address(
	struct cul_objfile *o, const struct dwarf_type *func, const struct cul_type *t)
{
	if (func->type.called == CUL_CALLED_AS_RUST)
		return t->size > 2 * sizeof(uint64_t);
	return cul_dwarf_by_address(o, t);
}

/* As it is passed: some objects by their address. False: out of memory. */
static bool read_parameter(
	struct cul_objfile *o, const struct dwarf_type *func, Dwarf_Die *die, struct cul_member *m)
{
	m->name = dwarf_diename(die) ?: "";
	m->type = cul_dwarf_type_of(o, die);
	if (!m->type || !is_by_address(o, func, m->type))
		return true;
	m->type = cul_dwarf_address_of(o, m->type);
	return m->type != NULL;
}

/* A pack of C++ (f(T... rest)) has its parameters below it. */
static int fill_parameters_of(struct cul_objfile *o, struct dwarf_type *t, Dwarf_Die *parent,
	struct members *v, struct cul_error *err)
{
	Dwarf_Die die;
	int r = 0;

	for (bool more = dwarf_child(parent, &die) == 0; !r && more; more = dwarf_next(&die)) {
		int tag = dwarf_tag(&die);
		struct cul_member *slot;

		if (tag == DW_TAG_unspecified_parameters)
			t->type.is_variadic = true;
		if (tag == DW_TAG_GNU_formal_parameter_pack && parent == &t->definition)
			r = fill_parameters_of(o, t, &die, v, err);
		/* Go calls its results so. */
		if (tag != DW_TAG_formal_parameter || dwarf_flag(&die, DW_AT_variable_parameter))
			continue;
		slot = cul_vec_push(v);
		if (!slot || !read_parameter(o, t, &die, slot))
			return out_of_memory(o, &t->type, err);
	}
	return r;
}

static int fill_parameters(struct cul_objfile *o, struct dwarf_type *t, struct cul_error *err)
{
	cul_cleanup(free_members) struct members v = {0};
	const struct cul_type *ret = cul_dwarf_type_of(o, &t->die);
	int r = fill_parameters_of(o, t, &t->definition, &v, err);

	if (r)
		return r;
	t->type.ret_by_address = ret && is_by_address(o, t, ret);
	return keep_members(o, t, &v, err);
}

static int64_t extend(int64_t value, const struct cul_type *t)
{
	unsigned spare = t->size && t->size < 8 ? 64 - (unsigned)t->size * 8 : 0;

	value = (int64_t)((uint64_t)value << spare);
	return t->is_signed ? value >> spare : (int64_t)((uint64_t)value >> spare);
}

static bool read_enumerator(Dwarf_Die *die, const struct cul_type *t, struct cul_enumerator *e)
{
	Dwarf_Attribute mem;
	Dwarf_Sword value;
	Dwarf_Word word;

	e->name = dwarf_diename(die);
	if (dwarf_tag(die) != DW_TAG_enumerator || !e->name ||
		!dwarf_attr(die, DW_AT_const_value, &mem))
		return false;
	if (!cul_dwarf_members_signed_form(&mem)) {
		if (dwarf_formudata(&mem, &word) != 0)
			return false;
		value = (Dwarf_Sword)word;
	} else if (dwarf_formsdata(&mem, &value) != 0) {
		return false;
	}
	e->value = extend(value, t);
	return true;
}

static int fill_enumerators(struct cul_objfile *o, struct dwarf_type *t, struct cul_error *err)
{
	CUL_VEC(struct cul_enumerator) v = {0};
	cul_autofree void *owner = NULL;
	Dwarf_Die die;

	for (bool more = dwarf_child(&t->definition, &die) == 0; more; more = dwarf_next(&die)) {
		struct cul_enumerator e, *slot;

		if (!read_enumerator(&die, &t->type, &e))
			continue;
		slot = cul_vec_push(&v);
		owner = v.data;
		if (!slot)
			return out_of_memory(o, &t->type, err);
		*slot = e;
	}
	if (!keep(o, v.data, v.len * sizeof(*v.data), &t->type.enumerators))
		return out_of_memory(o, &t->type, err);
	t->type.n_members = v.len;
	return 0;
}

/* A type that this unit only declares: takes over the definition of another unit. */
static int complete(struct cul_objfile *o, struct dwarf_type *t, struct cul_error *err)
{
	const struct cul_type *whole;
	Dwarf_Die die;

	if (!dwarf_flag(&t->die, DW_AT_declaration))
		return 0;
	if (cul_dwarf_find_tag(o, dwarf_tag(&t->die), t->type.name, &die) != 0)
		return cul_fail(err, -ENODATA, "%s: no unit has the definition of \"%s\"", o->name,
			t->type.name ? t->type.name : "(unnamed)");
	whole = cul_dwarf_type(o, &die);
	if (!whole)
		return cul_fail(err, -ENODATA, "%s: the definition of \"%s\" cannot be read",
			o->name, t->type.name);
	t->type.size = whole->size;
	t->type.is_signed = whole->is_signed;
	t->definition = ((const struct dwarf_type *)whole)->die;
	return 0;
}

int cul_dwarf_members_fill(
	struct cul_type_provider *p, struct cul_type *type, struct cul_error *err)
{
	struct cul_objfile *o = (struct cul_objfile *)p;
	struct dwarf_type *t = (struct dwarf_type *)type;
	int ret = 0;

	if (type->filled_members)
		return 0;
	if (type->kind == CUL_KIND_STRUCT || type->kind == CUL_KIND_UNION ||
		type->kind == CUL_KIND_ENUM)
		ret = complete(o, t, err);
	if (ret == 0 && type->kind == CUL_KIND_ENUM)
		ret = fill_enumerators(o, t, err);
	else if (ret == 0 && (type->kind == CUL_KIND_STRUCT || type->kind == CUL_KIND_UNION))
		ret = fill_members(o, t, err);
	else if (ret == 0 && type->kind == CUL_KIND_FUNC)
		ret = fill_parameters(o, t, err);
	if (ret == 0)
		type->filled_members = true;
	return ret;
}
