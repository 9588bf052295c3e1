/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Variables by name: where they are and of which type. */
#include "sym/dwarf_priv.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

struct hit {
	Dwarf_Die die;
	const char *unit;     /* its source file */
	const char *function; /* of a static inside a function, else NULL */
	uint64_t addr;
	bool is_tls, is_global;
};

enum { MAX_HITS = 32, MAX_NESTING = 64 };

struct search {
	const char *name, *file;
	/* Of "f(int)::n": "f::n", and the symbols that are called so in the source. */
	struct cul_str path;
	struct objfile_source symbols;
	bool by_unit;         /* `file` is that of a unit, not of an included header */
	uint64_t alias_addr;  /* by address instead of name */
	bool stop;            /* at the first definition */
	bool lto;             /* read the units that link-time optimisation made */
	const char *unit;     /* being read */
	const char *function; /* being read */
	struct hit hits[MAX_HITS];
	size_t n;
	/* Seen: a mere declaration; a definition without a place; one in an unloaded section */
	bool declared, placeless, unloaded;
	Dwarf_Die description; /* of the first two */
	const char *local_of;  /* seen: one on the stack of that function */
};

static bool file_matches(const char *path, const char *wanted)
{
	size_t len, want = strlen(wanted);

	if (!path)
		return false;
	len = strlen(path);
	return len >= want && strcmp(path + len - want, wanted) == 0 &&
	       (len == want || path[len - want - 1] == '/');
}

/* The constant that the first operation pushes. */
static bool operand(Dwarf_Attribute *location, Dwarf_Op *op, uint64_t *value)
{
	Dwarf_Attribute mem;
	Dwarf_Addr addr;

	switch (op->atom) {
	case DW_OP_addr:
	case DW_OP_const4u:
	case DW_OP_const8u:
	case DW_OP_constu:
		*value = op->number;
		return true;
	case DW_OP_addrx:
	case DW_OP_constx:
	case DW_OP_GNU_addr_index:
	case DW_OP_GNU_const_index:
		if (dwarf_getlocation_attr(location, op, &mem) != 0 ||
			dwarf_formaddr(&mem, &addr) != 0)
			return false;
		*value = addr;
		return true;
	default:
		return false;
	}
}

/* A fixed place in memory, which is all that a global variable has. Linked address. */
static bool location_of(Dwarf_Die *die, uint64_t *addr, bool *is_tls)
{
	Dwarf_Attribute mem;
	Dwarf_Op *ops;
	size_t n;

	if (!dwarf_attr(die, DW_AT_location, &mem) || dwarf_getlocation(&mem, &ops, &n) != 0)
		return false;
	if (n < 1 || n > 2 || !operand(&mem, &ops[0], addr))
		return false;
	*is_tls = n == 2 && (ops[1].atom == DW_OP_form_tls_address ||
				    ops[1].atom == DW_OP_GNU_push_tls_address);
	if (n == 2 && ops[1].atom == DW_OP_plus_uconst)
		*addr += ops[1].number;
	else if (n == 2 && !*is_tls)
		return false;
	return *is_tls || ops[0].atom == DW_OP_addr || ops[0].atom == DW_OP_addrx ||
	       ops[0].atom == DW_OP_GNU_addr_index;
}

static bool is_external(Dwarf_Die *die)
{
	Dwarf_Attribute mem;
	bool flag = false;

	return dwarf_attr_integrate(die, DW_AT_external, &mem) &&
	       dwarf_formflag(&mem, &flag) == 0 && flag;
}

static void add_hit(struct cul_objfile *o, struct search *s, Dwarf_Die *die, const char *unit)
{
	struct hit hit = {.die = *die, .unit = unit, .function = s->function};

	if (!location_of(die, &hit.addr, &hit.is_tls)) {
		s->description = *die;
		if (s->function && dwarf_hasattr(die, DW_AT_location))
			s->local_of = s->function;
		if (dwarf_flag(die, DW_AT_declaration))
			s->declared = true;
		else
			s->placeless = true;
		return;
	}
	if (cul_objfile_unloaded(o, hit.addr)) {
		s->unloaded = true;
		return;
	}
	if (!hit.is_tls)
		hit.addr = cul_objfile_runtime(o, hit.addr);
	hit.is_global = is_external(die);
	for (size_t i = 0; i < s->n; i++)
		if (s->hits[i].addr == hit.addr && s->hits[i].is_tls == hit.is_tls)
			return; /* one variable, described twice (C++ inline, inlined function) */
	if (s->n < MAX_HITS)
		s->hits[s->n++] = hit;
}

/*
 * The unit in which the variable got its name: link-time optimisation puts places into units of
 * its own, with references to the units of the source files.
 */
static const char *unit_of(struct search *s, Dwarf_Die *die)
{
	Dwarf_Attribute mem;
	Dwarf_Die unit;

	if (!dwarf_attr_integrate(die, DW_AT_name, &mem) || mem.cu == die->cu ||
		!dwarf_cu_die(mem.cu, &unit, NULL, NULL, NULL, NULL, NULL, NULL))
		return s->unit;
	return dwarf_diename(&unit);
}

/* By its place, of the names of C++ and Rust that symbols have; else by what it is in. */
static bool is_wanted(
	struct cul_objfile *o, const struct search *s, Dwarf_Die *die, const struct dwarf_scope *in)
{
	uint64_t addr;
	bool is_tls;

	if (!s->symbols.n || !location_of(die, &addr, &is_tls))
		return cul_dwarf_units_is(die, in, cul_str_text(&s->path));
	if (!cul_dwarf_units_is(die, NULL, cul_objfile_last_part(s->name)))
		return false;
	if (!is_tls)
		addr = cul_objfile_runtime(o, addr);
	for (size_t i = 0; i < s->symbols.n; i++)
		if (s->symbols.found[i].addr == addr && s->symbols.found[i].is_tls == is_tls)
			return true;
	return false;
}

static int visit_variable(
	struct cul_objfile *o, Dwarf_Die *die, const struct dwarf_scope *in, void *data)
{
	struct search *s = data;
	const char *unit;

	if (dwarf_tag(die) != DW_TAG_variable || !is_wanted(o, s, die, in))
		return 0;
	unit = unit_of(s, die);
	if (s->file && !file_matches(unit, s->file) &&
		(s->by_unit || !file_matches(dwarf_decl_file(die), s->file)))
		return 0;
	add_hit(o, s, die, unit);
	return s->stop && s->n ? 1 : 0;
}

/* Sets the unit; false when it is not to be read in this pass. */
static bool enter_unit(struct search *s, Dwarf_Die *unit)
{
	bool made_by_lto;

	s->unit = dwarf_diename(unit);
	made_by_lto = s->unit && strcmp(s->unit, "<artificial>") == 0;
	if (s->lto)
		return made_by_lto;
	return !s->file || !s->by_unit || made_by_lto || file_matches(s->unit, s->file);
}

static int visit_unit(struct cul_objfile *o, Dwarf_Die *unit, void *data)
{
	struct search *s = data;

	return enter_unit(s, unit) ? cul_dwarf_units_children(o, unit, visit_variable, s) : 0;
}

/* Statics inside functions: a definition in any block of one. */
static void search_block(struct cul_objfile *o, Dwarf_Die *block, const struct dwarf_scope *in,
	struct search *s, unsigned depth)
{
	Dwarf_Die die;

	if (depth > MAX_NESTING || dwarf_child(block, &die) != 0)
		return;
	do {
		switch (dwarf_tag(&die)) {
		case DW_TAG_variable:
			if (!dwarf_flag(&die, DW_AT_declaration))
				visit_variable(o, &die, in, s);
			break;
		case DW_TAG_lexical_block:
		case DW_TAG_inlined_subroutine:
		case DW_TAG_subprogram:
			search_block(o, &die, in, s, depth + 1);
			break;
		}
	} while (dwarf_next(&die));
}

static int visit_function(
	struct cul_objfile *o, Dwarf_Die *die, const struct dwarf_scope *in, void *data)
{
	struct search *s = data;
	Dwarf_Attribute mem;

	if (dwarf_tag(die) != DW_TAG_subprogram)
		return 0;
	s->function = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_name, &mem));
	search_block(o, die, &(struct dwarf_scope){.up = in, .name = s->function}, s, 0);
	s->function = NULL;
	return 0;
}

/* Another name of the same place: "environ" is described as "__environ". */
static int visit_alias(
	struct cul_objfile *o, Dwarf_Die *die, const struct dwarf_scope *in, void *data)
{
	struct search *s = data;
	uint64_t addr;
	bool is_tls;

	if (dwarf_tag(die) != DW_TAG_variable || !location_of(die, &addr, &is_tls) || is_tls ||
		cul_objfile_runtime(o, addr) != s->alias_addr)
		return 0;
	add_hit(o, s, die, s->unit);
	return s->n ? 1 : 0;
}

static int visit_unit_aliases(struct cul_objfile *o, Dwarf_Die *unit, void *data)
{
	struct search *s = data;

	s->unit = dwarf_diename(unit);
	return cul_dwarf_units_children(o, unit, visit_alias, s);
}

static int visit_unit_functions(struct cul_objfile *o, Dwarf_Die *unit, void *data)
{
	struct search *s = data;

	return enter_unit(s, unit) ? cul_dwarf_units_children(o, unit, visit_function, s) : 0;
}

/* Then its file does not tell which is meant. */
static bool in_one_unit(const struct search *s)
{
	for (size_t i = 1; i < s->n; i++)
		if (!s->hits[0].unit || !s->hits[i].unit ||
			strcmp(s->hits[0].unit, s->hits[i].unit))
			return false;
	return true;
}

static int not_unique(struct cul_objfile *o, const struct search *s, struct cul_error *err)
{
	cul_autostr struct cul_str where = {0};

	for (size_t i = 0; i < s->n && i < 8; i++) {
		const struct hit *h = &s->hits[i];

		cul_str_addf(&where, "%s%s", i ? ", " : "", h->unit ? h->unit : "?");
		if (h->function)
			cul_str_addf(&where, " (in %s)", h->function);
	}
	if (s->n > 8)
		cul_str_add(&where, ", ...");
	if (in_one_unit(s) && s->symbols.n > 1)
		return cul_objfile_several(o, s->name, &s->symbols, err);
	return cul_fail(err, -ENOTUNIQ,
		"%s: \"%s\" is a static of several files; write FILE:%s: %s", o->name, s->name,
		s->name, cul_str_text(&where));
}

/* Neither DWARF nor the symbol table has data of that name, and a function has it. */
static bool is_function(struct cul_objfile *o, const struct search *s)
{
	struct cul_elf_symbol sym;

	return !s->file && cul_objfile_symbol_data(o, s->name, &sym) == 0 &&
	       cul_objfile_symbol(o, s->name, &sym, NULL) == 0 && sym.is_function;
}

static int not_found(struct cul_objfile *o, const struct search *s, struct cul_error *err)
{
	struct cul_elf_symbol sym;
	const char *in = s->file ? s->file : "";

	if (is_function(o, s))
		return cul_fail(
			err, -ENOENT, "%s: \"%s\" is a function, not a variable", o->name, s->name);
	if (s->local_of)
		return cul_fail(err, -ENOENT,
			"%s: \"%s\" is a local variable of %s(): each call has its own, on the "
			"stack or "
			"in a register; what is on a stack can be watched by its address "
			"(0xADDR:SIZE)",
			o->name, s->name, s->local_of);
	if (s->placeless)
		return cul_fail(err, -ENOENT,
			"%s: \"%s\" has no place in memory: the compiler has optimised it away",
			o->name, s->name);
	if (s->unloaded)
		return cul_fail(err, -ENOENT,
			"%s: \"%s\" is in a section that is not loaded (init data are freed after "
			"start-up)",
			o->name, s->name);
	if (!s->file && cul_objfile_named(o, s->name, false, &sym, NULL) == 0 && !sym.is_function)
		return cul_fail(err, -ENODATA,
			"%s: \"%s\" is in the symbol table, but its type is not in the debug "
			"information%s",
			o->name, s->name,
			cul_dwarf_units_split(o) ? ", which is in .dwo files (-gsplit-dwarf): "
						   "they are not read"
						 : "; give its size or a type");
	cul_fail(err, -ENOENT, "%s: has no variable \"%s%s%s\"", o->name, in, s->file ? ":" : "",
		s->name);
	cul_objfile_nearest(o, s->name, err);
	return -ENOENT;
}

/* One definition: the only one, or the only one of external linkage. */
static const struct hit *choose(const struct search *s)
{
	const struct hit *global = NULL;

	for (size_t i = 0; i < s->n; i++) {
		if (global && s->hits[i].is_global)
			return NULL;
		if (s->hits[i].is_global)
			global = &s->hits[i];
	}
	return global ? global : s->n == 1 ? &s->hits[0] : NULL;
}

static int give(struct cul_objfile *o, Dwarf_Die *die, uint64_t addr, bool is_tls,
	struct cul_variable *out, struct cul_error *err)
{
	Dwarf_Attribute mem;
	Dwarf_Die type;
	const struct cul_type *t = NULL;

	if (dwarf_formref_die(dwarf_attr_integrate(die, DW_AT_type, &mem), &type))
		t = cul_dwarf_type(o, &type);
	if (!t)
		return cul_fail(err, -ENODATA, "%s: the type of \"%s\" cannot be read from DWARF",
			o->name, dwarf_diename(die));
	*out = (struct cul_variable){.type = t, .addr = addr, .is_tls = is_tls};
	return 0;
}

static bool alias_fits(struct cul_objfile *o, struct search *s, uint64_t size)
{
	const struct cul_type *type = s->n ? cul_dwarf_type_of(o, &s->hits[0].die) : NULL;

	return type && (!size || type->size == size);
}

static void start_again(struct search *s)
{
	*s = (struct search){.name = s->name, .path = s->path};
}

/*
 * When the symbol table leaves no doubt which is meant, its address leads to the unit; there it
 * may have another name.
 */
static bool search_by_symbol(struct cul_objfile *o, struct search *s)
{
	struct cul_elf_symbol sym;

	if (s->file || s->symbols.n || cul_objfile_symbol_data(o, s->name, &sym) != 1 || sym.is_tls)
		return false;
	s->stop = true;
	cul_dwarf_units_naming(o, s->name, &sym.addr, visit_unit, s, NULL);
	if (s->n == 1 && s->hits[0].addr == sym.addr)
		return true;
	start_again(s);
	s->alias_addr = sym.addr;
	cul_dwarf_units_naming(o, s->name, &sym.addr, visit_unit_aliases, s, NULL);
	if (alias_fits(o, s, sym.size))
		return true;
	start_again(s);
	return false;
}

/* The units that mention the name; when these have no place for it, those of the link-time pass. */
static int search_units(struct cul_objfile *o, struct search *s,
	int (*visit)(struct cul_objfile *o, Dwarf_Die *unit, void *data), struct cul_error *err)
{
	int ret = cul_dwarf_units_naming(o, s->name, NULL, visit, s, err);

	if (ret != 0 || s->n != 0 || !s->placeless)
		return ret;
	s->lto = true;
	ret = cul_dwarf_units_naming(o, NULL, NULL, visit, s, err);
	s->lto = false;
	return ret;
}

/* At the top level of units, then in functions. */
static int search(struct cul_objfile *o, struct search *s, struct cul_error *err)
{
	int ret = cul_dwarf_units(o, err);

	if (ret != 0 || search_by_symbol(o, s) || is_function(o, s))
		return ret;
	s->by_unit = s->file != NULL;
	ret = search_units(o, s, visit_unit, err);
	if (ret == 0 && s->n == 0 && s->by_unit) {
		s->by_unit = false;
		ret = search_units(o, s, visit_unit, err);
	}
	if (ret == 0 && s->n == 0 && !s->declared)
		ret = search_units(o, s, visit_unit_functions, err);
	return ret;
}

/* The one symbol of a variable that is described without its place. */
static bool only_symbol(struct cul_objfile *o, const struct search *s, struct cul_elf_symbol *sym)
{
	if (s->symbols.n == 1)
		*sym = s->symbols.found[0];
	return s->symbols.n == 1 || cul_objfile_symbol_data(o, s->name, sym) == 1;
}

static int find(
	struct cul_objfile *o, struct search *s, struct cul_variable *out, struct cul_error *err)
{
	struct cul_elf_symbol sym;
	const struct hit *hit;
	int ret;

	cul_objfile_reduce(s->name, CUL_SOURCE_PATH, &s->path);
	if (s->path.failed)
		return cul_fail(err, -ENOMEM, "%s: out of memory", o->name);
	cul_objfile_source(o, s->name, false, &s->symbols);
	ret = search(o, s, err);
	if (ret != 0)
		return ret;
	if (s->n == 0 && (s->declared || s->placeless) && only_symbol(o, s, &sym))
		return give(o, &s->description, sym.addr, sym.is_tls, out, err);
	if (s->n == 0)
		return not_found(o, s, err);
	hit = choose(s);
	if (!hit)
		return not_unique(o, s, err);
	return give(o, &((struct hit *)hit)->die, hit->addr, hit->is_tls, out, err);
}

int cul_objfile_variable(struct cul_objfile *o, const char *file, const char *name,
	struct cul_variable *out, struct cul_error *err)
{
	struct search s = {.name = name, .file = file};
	int ret = find(o, &s, out, err);

	cul_str_free(&s.path);
	return ret;
}
