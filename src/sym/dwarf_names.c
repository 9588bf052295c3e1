/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types by tag or name, and enumerators by name. */
#include "sym/dwarf_priv.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

struct search {
	const char *name;
	int tag, tag2; /* either */
	bool found;
	Dwarf_Die die;
};

static int visit_type(
	struct cul_objfile *o, Dwarf_Die *die, const struct dwarf_scope *in, void *data)
{
	struct search *s = data;
	int tag = dwarf_tag(die);

	if ((tag != s->tag && tag != s->tag2) || dwarf_flag(die, DW_AT_declaration) ||
		!cul_dwarf_units_is(die, in, s->name))
		return 0;
	s->die = *die;
	s->found = true;
	return 1;
}

static int visit_unit(struct cul_objfile *o, Dwarf_Die *unit, void *data)
{
	return cul_dwarf_units_children(o, unit, visit_type, data);
}

int cul_dwarf_find_tag(struct cul_objfile *o, int tag, const char *name, Dwarf_Die *out)
{
	struct search s = {.name = name, .tag = tag, .tag2 = tag};

	if (tag == DW_TAG_structure_type)
		s.tag2 = DW_TAG_class_type;
	if (tag == DW_TAG_class_type)
		s.tag2 = DW_TAG_structure_type;
	if (!name || cul_dwarf_units_naming(o, name, NULL, visit_unit, &s, NULL) < 0 || !s.found)
		return -ENOENT;
	*out = s.die;
	return 0;
}

static int tag_of(enum cul_kind kind)
{
	switch (kind) {
	case CUL_KIND_STRUCT:
		return DW_TAG_structure_type;
	case CUL_KIND_UNION:
		return DW_TAG_union_type;
	case CUL_KIND_ENUM:
		return DW_TAG_enumeration_type;
	case CUL_KIND_INT:
	case CUL_KIND_CHAR:
	case CUL_KIND_BOOL:
	case CUL_KIND_FLOAT:
		return DW_TAG_base_type;
	default:
		return DW_TAG_invalid;
	}
}

const struct cul_type *cul_objfile_type(struct cul_objfile *o, enum cul_kind kind, const char *name)
{
	int tag = tag_of(kind);
	const struct cul_type *t;
	Dwarf_Die die;

	if (tag == DW_TAG_invalid || cul_dwarf_find_tag(o, tag, name, &die) != 0)
		return NULL;
	t = cul_dwarf_type(o, &die);
	return t && t->kind == kind ? t : NULL;
}

const struct cul_type *cul_objfile_typedef(struct cul_objfile *o, const char *name)
{
	Dwarf_Die die;

	return cul_dwarf_find_tag(o, DW_TAG_typedef, name, &die) == 0 ? cul_dwarf_type(o, &die)
								      : NULL;
}

static int visit_enum(
	struct cul_objfile *o, Dwarf_Die *die, const struct dwarf_scope *in, void *data)
{
	struct search *s = data;
	Dwarf_Die one;

	if (dwarf_tag(die) != DW_TAG_enumeration_type || dwarf_child(die, &one) != 0)
		return 0;
	do {
		if (dwarf_tag(&one) == DW_TAG_enumerator && cul_dwarf_units_is(&one, in, s->name)) {
			s->die = *die;
			s->found = true;
			return 1;
		}
	} while (dwarf_next(&one));
	return 0;
}

static int visit_unit_enums(struct cul_objfile *o, Dwarf_Die *unit, void *data)
{
	return cul_dwarf_units_children(o, unit, visit_enum, data);
}

int cul_objfile_enumerator(
	struct cul_objfile *o, const char *name, const struct cul_type **type, int64_t *value)
{
	struct search s = {.name = name};
	const struct cul_type *t;

	if (cul_dwarf_units_naming(o, name, NULL, visit_unit_enums, &s, NULL) < 0 || !s.found)
		return -ENOENT;
	t = cul_dwarf_type(o, &s.die);
	if (!t || t->kind != CUL_KIND_ENUM || cul_type_fill(t, NULL) != 0)
		return -ENOENT;
	for (size_t i = 0; i < t->n_members; i++)
		if (strcmp(t->enumerators[i].name, name) == 0) {
			*type = t;
			*value = t->enumerators[i].value;
			return 0;
		}
	return -ENOENT;
}
