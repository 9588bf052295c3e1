/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sites in a process: symbols of its files, types by DWARF. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/nearest.h"
#include "base/str.h"
#include "mem/mem.h"
#include "sym/demangle.h"
#include "sym/entry.h"
#include "sym/sites_priv.h"

enum { SHOWN = 4 };

static const char UNRESOLVED[] =
	"chosen among several when the program is loaded (an ifunc), and which one was not found; "
	"name it: functions of a CPU's kind end in _avx2, _evex, _sse2 and the like";
static const char TOO_MUCH[] =
	"so much debug information mentions the name that not all of its inlined copies were found";
static const char NO_CODE[] = "not in a part of the file that is mapped as code";

/* A symbol on its way to become a site. */
struct psite {
	struct cul_objfile *file;
	struct cul_elf_symbol sym;
	uint64_t addr;      /* of an ifunc: what was chosen, */
	const char *chosen; /* and its name; else NULL */
	uint64_t offset;
	const struct cul_inlined_copy *copy; /* of what was asked for, begins there; else NULL */
	enum sites_form form;
	int rank;
};

struct psites {
	struct cul_process_syms *p;
	const struct sites_spec *spec;
	struct cul_sites *out;
	struct cul_mem *mem; /* opened for the first ifunc */
	CUL_VEC(struct psite) list;
	struct sites_found found;
};

static void psites_free(struct psites *ps)
{
	free(ps->list.data);
	cul_sites_found_free(&ps->found);
	cul_mem_free(ps->mem);
}

static const char *base_name(const struct cul_objfile *o)
{
	const char *name = cul_objfile_name(o), *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

static int by_address(const void *a, const void *b)
{
	const struct psite *x = a, *y = b;
	uint64_t p = x->addr + x->offset, q = y->addr + y->offset;

	if (p != q)
		return p < q ? -1 : 1;
	return y->rank - x->rank;
}

/*
 * What the loader has put where calls of the ifunc go through, when that is code of the same file:
 * before the file was relocated it is none. A stripped library has no symbol for it.
 */
static bool resolve(struct psites *ps, struct psite *c)
{
	struct cul_elf_symbol target;
	uint64_t slot, addr;

	if (cul_objfile_ifunc_slot(c->file, c->sym.addr, &slot))
		return false;
	if (!ps->mem && cul_mem_process(cul_process_pid(ps->p), &ps->mem, NULL))
		return false;
	if (cul_mem_read(ps->mem, slot, &addr, sizeof(addr)) || addr == c->sym.addr ||
		cul_process_object_at(ps->p, addr, NULL) != c->file)
		return false;
	c->chosen = c->sym.name;
	if (!cul_objfile_symbol_at(c->file, addr, &target)) {
		if (target.addr == addr && (!target.is_function || target.is_ifunc))
			return false;
		if (target.addr == addr)
			c->chosen = target.name;
	}
	c->addr = addr;
	return true;
}

static int rank_of(const struct sites_spec *s, const struct psite *c)
{
	return (!s->is_pattern && !strcmp(c->sym.name, s->name) ? 8 : 0) +
	       (c->form == SITES_PLAIN ? 4 : 0) + (c->sym.is_global ? 2 : 0) +
	       (c->sym.name[0] != '_' ? 1 : 0);
}

static int collect(struct psites *ps, struct cul_objfile *file)
{
	struct cul_elf_symbol sym;
	size_t cursor = 0;

	while (cul_objfile_next_symbol(file, &cursor, &sym)) {
		struct psite *c;

		if (!sym.is_function || (!cul_sites_spec_names(ps->spec, sym.name) &&
						!cul_sites_names_source(ps->spec, file, sym.name)))
			continue;
		c = cul_vec_push(&ps->list);
		if (!c)
			return -ENOMEM;
		*c = (struct psite){.file = file, .sym = sym, .addr = sym.addr};
		cul_sites_base(sym.name, &c->form);
		c->rank = rank_of(ps->spec, c);
	}
	return 0;
}

/* The executable's, or else the libraries'. */
static int collect_all(struct psites *ps, struct cul_error *err)
{
	struct cul_objfile *file;
	size_t cursor = 0;
	int r;

	if (ps->spec->module) {
		r = cul_process_object(ps->p, ps->spec->module, &file, err);
		if (r)
			return r;
		r = collect(ps, file);
		return r ? cul_fail(err, r, "'%s': out of memory", ps->spec->text) : 0;
	}
	while (cul_process_next_object(ps->p, &cursor, &file)) {
		r = file ? collect(ps, file) : 0;
		if (r)
			return cul_fail(err, r, "'%s': out of memory", ps->spec->text);
		if (cursor == 1 && ps->list.len)
			break;
	}
	return 0;
}

/* Several names of one address are one function. */
static void unite(struct psites *ps)
{
	struct psite *c = ps->list.data;
	size_t n = 0;

	if (ps->list.len)
		qsort(c, ps->list.len, sizeof(*c), by_address);
	for (size_t i = 0; i < ps->list.len; i++)
		if (!n || c[n - 1].addr + c[n - 1].offset != c[i].addr + c[i].offset)
			c[n++] = c[i];
	ps->list.len = n;
}

/* Resolvers become what they have chosen, or are refused. */
static int settle_ifuncs(struct psites *ps)
{
	size_t n = 0;

	for (size_t i = 0; i < ps->list.len; i++) {
		struct psite *c = &ps->list.data[i];

		if (c->sym.is_ifunc && !resolve(ps, c)) {
			if (cul_sites_refuse(
				    &ps->found, c->sym.name, base_name(c->file), UNRESOLVED))
				return -ENOMEM;
			continue;
		}
		ps->list.data[n++] = *c;
	}
	ps->list.len = n;
	unite(ps);
	return 0;
}

static enum cul_site_kind kind_of(const struct psite *c)
{
	if (c->copy)
		return CUL_SITE_INLINED;
	if (c->offset)
		return CUL_SITE_INSIDE;
	return c->form == SITES_PLAIN ? CUL_SITE_FUNCTION : CUL_SITE_CLONE;
}

static bool is_go(struct cul_objfile *file)
{
	return cul_objfile_has_section(file, ".gopclntab") ||
	       cul_objfile_has_section(file, ".data.rel.ro.gopclntab");
}

/* Of a function that is not called as C's are, or not any more. */
static const struct cul_entry_places *entry_of(
	struct psites *ps, const struct psite *c, const struct cul_type *type)
{
	bool is_clone = kind_of(c) == CUL_SITE_CLONE;
	struct cul_entry_places *entry;

	if (!is_clone && type->called == CUL_CALLED_AS_C)
		return NULL;
	entry = cul_arena_alloc(&ps->out->arena, sizeof(*entry));
	if (!entry || cul_objfile_entry_places(c->file, c->addr, entry))
		return NULL;
	entry->is_changed = is_clone;
	return entry;
}

static int add_site(struct psites *ps, const struct psite *c, enum cul_site_kind kind,
	const char *name, const struct cul_type *type)
{
	uint64_t addr = c->addr + c->offset, offset;
	const char *module = base_name(c->file);
	struct cul_site *s;

	if (cul_objfile_offset(c->file, addr, &offset))
		return cul_sites_refuse(&ps->found, c->sym.name, module, NO_CODE);
	s = cul_vec_push(&ps->found.sites);
	if (!s || !name)
		return -ENOMEM;
	*s = (struct cul_site){
		.kind = kind,
		.addr = addr,
		.name = name,
		.symbol = c->chosen ? c->chosen : c->sym.name,
		.offset = c->offset,
		.module = module,
		.type = c->copy ? c->copy->type : type,
		.copy = c->copy,
		.path = cul_objfile_path(c->file),
		.file_offset = offset,
		.moves_stack = is_go(c->file),
		.entry = type ? entry_of(ps, c, type) : NULL,
	};
	return 0;
}

/* As in the source: "ns::f". NULL: out of memory. */
static const char *source_name(struct psites *ps, const struct psite *c)
{
	const char *raw = c->sym.name, *shown = cul_objfile_shown(c->file, raw);
	size_t len;

	if (c->copy)
		return cul_arena_strdup(&ps->out->arena, ps->spec->name);
	if (shown == raw)
		return cul_sites_base_name(ps->out, raw);
	shown = cul_sites_bare(shown, &len);
	return cul_arena_strndup(&ps->out->arena, shown, len);
}

static int by_source_name(const void *a, const void *b)
{
	const struct cul_site *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Functions of one name have their parameters with it. */
static int tell_overloads_apart(struct psites *ps)
{
	struct cul_site *s = ps->found.sites.data;
	size_t n = ps->found.sites.len, end;

	if (n)
		qsort(s, n, sizeof(*s), by_source_name);
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && !strcmp(s[end].name, s[i].name);)
			end++;
		for (size_t j = i; end - i > 1 && j < end; j++) {
			cul_autostr struct cul_str text = {0};

			if (s[j].kind != CUL_SITE_FUNCTION || !cul_demangle(s[j].symbol, &text))
				continue;
			s[j].name = cul_arena_strdup(&ps->out->arena, cul_str_text(&text));
			if (!s[j].name)
				return -ENOMEM;
		}
	}
	return 0;
}

static int make_sites(struct psites *ps)
{
	int r = settle_ifuncs(ps);

	for (size_t i = 0; !r && i < ps->list.len; i++) {
		const struct psite *c = &ps->list.data[i];
		const struct cul_type *type = NULL;

		if (!c->offset && !c->copy && cul_objfile_function(c->file, c->addr, &type, NULL))
			type = NULL;
		r = add_site(ps, c, kind_of(c), source_name(ps, c), type);
	}
	return r ? r : tell_overloads_apart(ps);
}

static int finish(struct psites *ps, struct cul_error *err)
{
	int r = make_sites(ps);

	if (r)
		return cul_fail(err, r, "'%s': %s", ps->spec->text, cul_strerror(r));
	return cul_sites_add(ps->out, &ps->found, ps->spec, err);
}

/* Inlined copies */

struct copies {
	struct psites *ps;
	struct cul_objfile *file;
};

static int add_copy(void *data, const struct cul_inlined_copy *copy)
{
	const struct copies *copies = data;
	const struct cul_inlined_copy *kept;
	struct cul_elf_symbol sym;
	struct psite *c;

	if (cul_objfile_symbol_at(copies->file, copy->addr, &sym))
		return 0;
	kept = cul_sites_keep_copy(copies->ps->out, copy);
	c = cul_vec_push(&copies->ps->list);
	if (!c || !kept)
		return -ENOMEM;
	sym.is_ifunc = false;
	*c = (struct psite){.file = copies->file,
		.sym = sym,
		.addr = sym.addr,
		.offset = copy->addr - sym.addr,
		.copy = kept};
	return 0;
}

static int inlined_in(struct psites *ps, struct cul_objfile *file)
{
	struct copies copies = {ps, file};
	int r;

	if (!cul_objfile_has_dwarf(file))
		return 0;
	r = cul_objfile_inlined(file, ps->spec->name, add_copy, &copies, NULL);
	if (r == -E2BIG)
		return cul_sites_refuse(&ps->found, base_name(file), base_name(file), TOO_MUCH);
	return r == -ENOMEM ? r : 0;
}

/* In the files where the function was found; when it was in none, in all. */
static int collect_inlined(struct psites *ps)
{
	struct cul_objfile *file, *only = NULL;
	size_t n = ps->list.len, cursor = 0;
	int r = 0;

	if (strchr(ps->spec->name, '.')) /* a clone by its own name */
		return 0;
	if (ps->spec->module && cul_process_object(ps->p, ps->spec->module, &only, NULL))
		return 0;
	while (!r && cul_process_next_object(ps->p, &cursor, &file)) {
		bool wanted = !n;

		for (size_t i = 0; i < n; i++)
			wanted = wanted || ps->list.data[i].file == file;
		if (file && wanted && (!only || file == only))
			r = inlined_in(ps, file);
	}
	return r;
}

/* func+off, 0xADDR */

static int fail_several(const struct psites *ps, struct cul_error *err)
{
	cul_autostr struct cul_str list = {0};

	for (size_t i = 0; i < ps->list.len && i < SHOWN; i++) {
		const struct psite *c = &ps->list.data[i];

		cul_str_addf(&list, "%s%s [%s] at 0x%" PRIx64, i ? ", " : "", c->sym.name,
			base_name(c->file), c->addr);
	}
	return cul_fail(err, -ENOTUNIQ,
		"'%s': %zu functions are meant: %s%s; write the symbol's whole name, LIBRARY:FUNC+"
		"OFFSET, or the address",
		ps->spec->text, ps->list.len, cul_str_text(&list),
		ps->list.len > SHOWN ? ", ..." : "");
}

/* The one function of that name; clones only where it has no other. */
static int set_offset(struct psites *ps, struct cul_error *err)
{
	struct psite *c = ps->list.data;
	size_t n = 0;

	for (size_t i = 0; i < ps->list.len; i++)
		n += !strcmp(c[i].sym.name, ps->spec->name);
	for (size_t i = 0, to = 0; n && i < ps->list.len; i++)
		if (!strcmp(c[i].sym.name, ps->spec->name))
			c[to++] = c[i];
	if (n)
		ps->list.len = n;
	if (ps->list.len != 1)
		return fail_several(ps, err);
	if (c->sym.is_ifunc)
		return cul_fail(err, -EADDRNOTAVAIL, "%s [%s] cannot be probed: %s", c->sym.name,
			base_name(c->file), UNRESOLVED);
	if (c->sym.size && ps->spec->offset >= c->sym.size)
		return cul_fail(err, -ERANGE, "'%s': %s is %" PRIu64 " bytes long", ps->spec->text,
			c->sym.name, c->sym.size);
	c->offset = ps->spec->offset;
	return 0;
}

static int at_address(struct psites *ps, struct cul_error *err)
{
	uint64_t addr = ps->spec->addr;
	struct cul_objfile *file = cul_process_object_at(ps->p, addr, err);
	struct psite *c;

	if (!file)
		return err ? err->code : -ENOENT;
	c = cul_vec_push(&ps->list);
	if (!c)
		return cul_fail(err, -ENOMEM, "'%s': out of memory", ps->spec->text);
	*c = (struct psite){.file = file, .addr = addr};
	if (!cul_objfile_symbol_at(file, addr, &c->sym)) {
		c->addr = c->sym.addr;
		c->offset = addr - c->sym.addr;
		c->sym.is_ifunc = false; /* the resolver itself is meant */
		cul_sites_base(c->sym.name, &c->form);
		return finish(ps, err);
	}
	/* Stripped: an address is all that can be said of it. */
	c->sym.name = cul_arena_strdup(&ps->out->arena, ps->spec->text);
	if (!c->sym.name)
		return cul_fail(err, -ENOMEM, "'%s': out of memory", ps->spec->text);
	return finish(ps, err);
}

/* What is not there */

/* Of C++ a function's own name is near, too: "dep" is that of "Acc::dep(int)". */
static void offer(struct cul_nearest *near, const struct sites_spec *s, struct cul_objfile *file,
	const char *raw)
{
	const char *shown = raw;

	if (s->in_source || strstr(raw, s->name))
		shown = cul_objfile_shown(file, raw);
	cul_nearest_offer(near, shown);
}

static int fail_unknown(struct psites *ps, struct cul_error *err)
{
	const struct sites_spec *s = ps->spec;
	struct cul_objfile *file, *only = NULL;
	struct cul_elf_symbol sym;
	struct cul_nearest near;
	size_t cursor = 0;
	char text[256];

	if (!err)
		return -ENOENT;
	if (s->module && cul_process_object(ps->p, s->module, &only, NULL))
		only = NULL;
	cul_nearest_init(&near, s->name);
	while (!s->is_pattern && cul_process_next_object(ps->p, &cursor, &file)) {
		size_t at = 0;

		if (!file || (only && file != only))
			continue;
		while (cul_objfile_next_symbol(file, &at, &sym))
			if (sym.is_function)
				offer(&near, s, file, sym.name);
	}
	return cul_fail(err, -ENOENT, "process %d%s%s: no function %s '%s'%s",
		(int)cul_process_pid(ps->p), only ? ", " : "", only ? base_name(only) : "",
		s->is_pattern ? "matches" : "is named", s->name,
		s->is_pattern ? "" : cul_nearest_text(&near, text, sizeof(text)));
}

static int by_name(struct psites *ps, struct cul_error *err)
{
	int r = collect_all(ps, err);

	if (r)
		return r;
	unite(ps);
	if (!ps->spec->has_offset && !ps->spec->is_pattern && collect_inlined(ps))
		return cul_fail(err, -ENOMEM, "'%s': out of memory", ps->spec->text);
	if (!ps->list.len && !ps->found.refused.len)
		return fail_unknown(ps, err);
	r = ps->spec->has_offset ? set_offset(ps, err) : 0;
	return r ? r : finish(ps, err);
}

int cul_sites_process(
	struct cul_process_syms *p, const char *text, struct cul_sites *out, struct cul_error *err)
{
	cul_cleanup(cul_sites_spec_free) struct sites_spec spec = {0};
	cul_cleanup(psites_free) struct psites ps = {.p = p, .spec = &spec, .out = out};
	int r = cul_sites_spec_parse(text, &spec, err);

	if (r)
		return r;
	return spec.name ? by_name(&ps, err) : at_address(&ps, err);
}
