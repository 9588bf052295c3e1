/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classes of C++ whose objects go by address between a function and its caller,
 * whatever their size: Itanium C++ ABI, section 1.1, "non-trivial for the
 * purposes of calls". clang writes it down (DW_AT_calling_convention); of gcc
 * the special member functions tell.
 */
#include <dwarf.h>
#include <string.h>

#include "sym/dwarf_priv.h"

enum {
	MAX_CHILDREN = 1 << 16, /* looked at for one class, with all that it is made of */
	MAX_DEPTH = 16
};

/* What the constructors that copy or move tell. */
struct special {
	unsigned copies, deleted;
	bool decided; /* one is not trivial */
};

/* "= default" where it is declared; elsewhere it is as if it were written out. */
static bool is_defaulted(Dwarf_Die *method)
{
	uint64_t how;

	return dwarf_number(method, DW_AT_defaulted, &how) && how == DW_DEFAULTED_in_class;
}

/* Whether the type is a reference to the class. */
static bool refers_to(Dwarf_Die *param, Dwarf_Die *class)
{
	Dwarf_Attribute mem;
	Dwarf_Die type;
	const char *name, *own = dwarf_diename(class);

	if (!dwarf_formref_die(dwarf_attr(param, DW_AT_type, &mem), &type) ||
		(dwarf_tag(&type) != DW_TAG_reference_type &&
			dwarf_tag(&type) != DW_TAG_rvalue_reference_type))
		return false;
	for (unsigned i = 0; i < MAX_DEPTH; i++) {
		if (!dwarf_formref_die(dwarf_attr(&type, DW_AT_type, &mem), &type))
			return false;
		if (dwarf_tag(&type) == DW_TAG_const_type ||
			dwarf_tag(&type) == DW_TAG_volatile_type)
			continue;
		name = dwarf_diename(&type);
		return type.addr == class->addr || (name && own && !strcmp(name, own));
	}
	return false;
}

/* X(X &), X(X const &), X(X &&): one parameter beside `this`. */
static bool copies(Dwarf_Die *method, Dwarf_Die *class)
{
	const char *name = dwarf_diename(method), *of = dwarf_diename(class);
	Dwarf_Die param, only = {0};
	unsigned n = 0;
	size_t len;

	if (!name || !of)
		return false;
	len = strcspn(of, "<");
	if (strlen(name) != len || strncmp(name, of, len) != 0 || dwarf_child(method, &param))
		return false;
	do {
		if (dwarf_tag(&param) != DW_TAG_formal_parameter ||
			dwarf_flag(&param, DW_AT_artificial))
			continue;
		only = param;
		n++;
	} while (dwarf_next(&param) && n < 2);
	return n == 1 && refers_to(&only, class);
}

static void look_at_method(Dwarf_Die *method, Dwarf_Die *class, struct special *s)
{
	const char *name = dwarf_diename(method);
	uint64_t virtual = 0;

	if (dwarf_number(method, DW_AT_virtuality, &virtual) && virtual)
		s->decided = true;
	else if (name && *name == '~')
		s->decided = !is_defaulted(method);
	else if (copies(method, class)) {
		s->copies++;
		s->deleted += dwarf_flag(method, DW_AT_deleted);
		s->decided = !is_defaulted(method) && !dwarf_flag(method, DW_AT_deleted);
	}
}

/* How far one has looked. */
struct looked {
	unsigned depth, children;
};

static bool part_by_address(struct cul_objfile *o, Dwarf_Die *member, struct looked *l);

/* The definition of a struct or union; false: there is none. */
static bool definition_of(const struct cul_type *t, Dwarf_Die *out)
{
	if ((t->kind != CUL_KIND_STRUCT && t->kind != CUL_KIND_UNION) || cul_type_fill(t, NULL))
		return false;
	*out = ((const struct dwarf_type *)t)->definition;
	return true;
}

static bool class_by_address(struct cul_objfile *o, Dwarf_Die *class, struct looked *l)
{
	struct special s = {0};
	uint64_t how;
	Dwarf_Die die;

	if (dwarf_number(class, DW_AT_calling_convention, &how) &&
		(how == DW_CC_pass_by_reference || how == DW_CC_pass_by_value))
		return how == DW_CC_pass_by_reference;
	for (bool more = dwarf_child(class, &die) == 0; more && ++l->children < MAX_CHILDREN;
		more = dwarf_next(&die)) {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_subprogram)
			look_at_method(&die, class, &s);
		else if (tag == DW_TAG_member || tag == DW_TAG_inheritance)
			s.decided = part_by_address(o, &die, l);
		if (s.decided)
			return true;
	}
	return s.copies && s.copies == s.deleted;
}

/* Of a member or a base. */
static bool part_by_address(struct cul_objfile *o, Dwarf_Die *member, struct looked *l)
{
	uint64_t virtual = 0;
	const struct cul_type *t;
	Dwarf_Die class;
	bool by;

	if (l->depth >= MAX_DEPTH || dwarf_flag(member, DW_AT_external) ||
		dwarf_flag(member, DW_AT_declaration))
		return false;
	if (dwarf_number(member, DW_AT_virtuality, &virtual) && virtual)
		return true;
	t = cul_dwarf_type_of(o, member);
	for (unsigned i = 0; t && t->kind == CUL_KIND_ARRAY && i < MAX_DEPTH; i++)
		if (cul_type_to(t, &t, NULL))
			return false;
	if (!t || !definition_of(t, &class))
		return false;
	l->depth++;
	by = class_by_address(o, &class, l);
	l->depth--;
	return by;
}

bool cul_dwarf_by_address(struct cul_objfile *o, const struct cul_type *t)
{
	struct looked l = {0};
	Dwarf_Die class;

	return definition_of(t, &class) && class_by_address(o, &class, &l);
}

const struct cul_type *cul_dwarf_address_of(struct cul_objfile *o, const struct cul_type *t)
{
	struct dwarf_type *p = cul_arena_alloc(&o->arena, sizeof(*p));

	if (!p)
		return NULL;
	p->type.kind = CUL_KIND_PTR;
	p->type.size = sizeof(uint64_t);
	p->type.provider = &o->provider;
	p->type.to = t;
	p->type.filled_to = true;
	return &p->type;
}
