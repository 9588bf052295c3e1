/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sites in the kernel: symbols of kallsyms, what forbids to probe them, types by
 * BTF (sites_types.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/nearest.h"
#include "base/str.h"
#include "sym/sites_kernel.h"

enum { SHOWN = 4 };

static const char INIT[] = "code of the start-up, which is freed once the kernel runs";
static const char BLACKLISTED[] = "on the kprobes' blacklist";
static const char GENERATED[] = "code that was made at run time (BPF programs, trampolines)";
static const char INLINE_HINT[] =
	"; one that is inlined everywhere is found by DWARF: --debug VMLINUX, or MODULE:FUNC";
static const char NOTRACE[] = "notrace: ftrace does not know it";

static bool is_function(const struct cul_ksym *sym)
{
	return !sym->percpu && strchr("tTwW", sym->kind);
}

static int by_symbol(const void *a, const void *b)
{
	const struct ksite *x = a, *y = b;
	int order = strcmp(x->sym.name, y->sym.name);

	if (order)
		return order;
	return x->sym.addr < y->sym.addr ? -1 : x->sym.addr > y->sym.addr;
}

static int by_address(const void *a, const void *b)
{
	const struct ksite *x = a, *y = b;

	if (x->sym.addr != y->sym.addr)
		return x->sym.addr < y->sym.addr ? -1 : 1;
	return y->rank - x->rank;
}

/* All symbols that the spec names, of whatever module and kind: they make each other ambiguous. */
static int collect(struct ksites *ks)
{
	const struct cul_kallsyms_prefix prefix = {ks->spec->name, ks->spec->literal};
	struct cul_ksym sym;
	size_t cursor = 0;

	while (cul_kallsyms_next_of(ks->k->syms, &prefix, &cursor, &sym)) {
		struct ksite *c;

		if (!cul_sites_spec_names(ks->spec, sym.name))
			continue;
		c = cul_vec_push(&ks->list);
		if (!c)
			return -ENOMEM;
		c->sym = sym;
		cul_sites_base(sym.name, &c->form);
	}
	return 0;
}

/* The kernel finds a function of BTF by its name: one that others bear as well it may miss. */
static void mark_ambiguous(struct ksites *ks)
{
	struct ksite *c = ks->list.data;
	size_t end;

	for (size_t i = 0; i < ks->list.len; i = end) {
		bool same_place = true;

		for (end = i; end < ks->list.len && !strcmp(c[end].sym.name, c[i].sym.name); end++)
			same_place = same_place && c[end].sym.addr == c[i].sym.addr;
		for (size_t j = i; j < end && !same_place; j++)
			c[j].ambiguous = true;
	}
}

bool cul_ksites_same_module(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b)))
			return false;
	return *a == *b;
}

/* Of the names at one address: the one that was asked for, one that is no mere mark or wrapper. */
static int rank_of(const struct sites_spec *s, const struct ksite *c)
{
	const char *name = c->sym.name;

	return (s->name && !s->is_pattern && !strcmp(name, s->name) ? 8 : 0) +
	       (c->form == SITES_PLAIN ? 4 : 0) + (strncmp(name, "__pi_", 5) != 0 ? 2 : 0) +
	       (name[0] != '_' ? 1 : 0);
}

/* Leaves functions of the wanted module, one for each address, by address. */
static void narrow(struct ksites *ks)
{
	struct ksite *c = ks->list.data;
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < ks->list.len; i++) {
		if (!is_function(&c[i].sym) ||
			(ks->spec->module &&
				!cul_ksites_same_module(c[i].sym.module, ks->spec->module)))
			continue;
		c[i].rank = rank_of(ks->spec, &c[i]);
		c[n++] = c[i];
	}
	if (n)
		qsort(c, n, sizeof(*c), by_address);
	for (size_t i = 0; i < n; i++) {
		if (kept && c[kept - 1].sym.addr == c[i].sym.addr)
			continue;
		c[kept++] = c[i];
	}
	ks->list.len = kept;
}

/* Refusals */

static const struct cul_kprobe_blacklist *blacklist(struct cul_kernel *k)
{
	if (!k->blacklist_tried && cul_kprobe_blacklist_open(k->blacklist_path, &k->blacklist))
		k->blacklist = NULL;
	k->blacklist_tried = true;
	return k->blacklist;
}

/* Looked up once: a symbol by name is a walk over all. */
static void find_init(struct cul_kernel *k)
{
	uint64_t start, end;

	if (k->init_tried)
		return;
	k->init_tried = true;
	if (cul_kallsyms_mark(k->syms, "_sinittext", &start) ||
		cul_kallsyms_mark(k->syms, "_einittext", &end))
		return;
	k->init_start = start;
	k->init_end = end;
}

static bool is_generated(struct ksites *ks, const char *module)
{
	if (!strcmp(module, "vmlinux"))
		return false;
	if (ks->last_module && !strcmp(ks->last_module, module))
		return ks->last_generated;
	ks->last_module = module;
	ks->last_generated = !cul_kallsyms_module(ks->k->syms, module);
	return ks->last_generated;
}

/* Moves what must not be probed to `refused`. */
static int refuse(struct ksites *ks)
{
	const struct cul_kprobe_blacklist *b = blacklist(ks->k);
	size_t n = 0;

	find_init(ks->k);
	for (size_t i = 0; i < ks->list.len; i++) {
		const struct ksite *c = &ks->list.data[i];
		uint64_t addr = c->sym.addr + c->offset;
		const char *why = NULL;

		if (addr >= ks->k->init_start && addr < ks->k->init_end)
			why = INIT;
		else if (is_generated(ks, c->sym.module))
			why = GENERATED;
		else if (cul_kprobe_blacklist_has(b, addr))
			why = BLACKLISTED;
		else if (c->notrace)
			why = NOTRACE;
		if (why && cul_sites_refuse(&ks->found, c->sym.name, c->sym.module, why))
			return -ENOMEM;
		if (!why)
			ks->list.data[n++] = *c;
	}
	ks->list.len = n;
	return 0;
}

/* Sites */

static enum cul_site_kind kind_of(const struct ksite *c)
{
	if (c->copy)
		return CUL_SITE_INLINED;
	if (c->offset)
		return CUL_SITE_INSIDE;
	return c->form == SITES_PLAIN ? CUL_SITE_FUNCTION : CUL_SITE_CLONE;
}

static int make_sites(struct ksites *ks)
{
	for (size_t i = 0; i < ks->list.len; i++) {
		const struct ksite *c = &ks->list.data[i];
		struct cul_site *s = cul_vec_push(&ks->found.sites);

		if (!s)
			return -ENOMEM;
		*s = (struct cul_site){
			.kind = kind_of(c),
			.addr = c->sym.addr + c->offset,
			.name = c->copy ? cul_arena_strdup(&ks->out->arena, ks->spec->name)
					: cul_sites_base_name(ks->out, c->sym.name),
			.symbol = c->sym.name,
			.offset = c->offset,
			.module = c->sym.module,
			.type = c->copy     ? c->copy->type
				: c->offset ? NULL
					    : c->type,
			.copy = c->copy,
			.btf_id = kind_of(c) == CUL_SITE_FUNCTION && !c->ambiguous ? c->btf_id : 0,
			.traceable = !c->offset && !c->copy && !c->uncertain,
		};
		if (!s->name)
			return -ENOMEM;
	}
	return 0;
}

static int finish(struct ksites *ks, struct cul_error *err)
{
	int r = refuse(ks), too_many = 0;

	if (!r)
		too_many = cul_sites_count(ks->out, ks->list.len, ks->spec, err);
	if (too_many)
		return too_many;
	if (!r && ks->list.len)
		r = cul_ksites_types(ks);
	if (!r)
		r = make_sites(ks);
	if (r)
		return cul_fail(err, r, "'%s': %s", ks->spec->text, cul_strerror(r));
	return cul_sites_add(ks->out, &ks->found, ks->spec, err);
}

/* func+off, 0xADDR */

static int fail_several(const struct ksites *ks, struct cul_error *err)
{
	cul_autostr struct cul_str list = {0};

	for (size_t i = 0; i < ks->list.len && i < SHOWN; i++) {
		const struct cul_ksym *sym = &ks->list.data[i].sym;

		cul_str_addf(&list, "%s%s [%s] at 0x%" PRIx64, i ? ", " : "", sym->name,
			sym->module, sym->addr);
	}
	return cul_fail(err, -ENOTUNIQ,
		"'%s': %zu functions are meant: %s%s; write the symbol's whole name, MODULE:FUNC+"
		"OFFSET, or the address",
		ks->spec->text, ks->list.len, cul_str_text(&list),
		ks->list.len > SHOWN ? ", ..." : "");
}

/* The one function of that name; clones only where it has no other. */
static int one_function(struct ksites *ks, struct cul_error *err)
{
	struct ksite *c = ks->list.data;
	size_t n = 0;

	for (size_t i = 0; i < ks->list.len; i++)
		n += !strcmp(c[i].sym.name, ks->spec->name);
	for (size_t i = 0, to = 0; n && i < ks->list.len; i++)
		if (!strcmp(c[i].sym.name, ks->spec->name))
			c[to++] = c[i];
	if (n)
		ks->list.len = n;
	return ks->list.len == 1 ? 0 : fail_several(ks, err);
}

static int set_offset(struct ksites *ks, struct cul_error *err)
{
	struct ksite *c = ks->list.data;
	struct cul_ksym sym;
	int r = one_function(ks, err);

	if (r)
		return r;
	c->offset = ks->spec->offset;
	if (cul_kallsyms_at(ks->k->syms, c->sym.addr + c->offset, &sym) || sym.addr != c->sym.addr)
		return cul_fail(
			err, -ERANGE, "'%s': %s is not that long", ks->spec->text, c->sym.name);
	return 0;
}

static int at_address(struct ksites *ks, struct cul_error *err)
{
	struct ksite *c;
	struct cul_ksym sym;

	if (cul_kallsyms_at(ks->k->syms, ks->spec->addr, &sym) || !is_function(&sym))
		return cul_fail(
			err, -ENOENT, "'%s': no function of the kernel is there", ks->spec->text);
	c = cul_vec_push(&ks->list);
	if (!c)
		return cul_fail(err, -ENOMEM, "'%s': out of memory", ks->spec->text);
	c->sym = sym;
	c->offset = ks->spec->addr - sym.addr;
	c->ambiguous = true; /* not looked for; the address is what counts */
	cul_sites_base(sym.name, &c->form);
	return finish(ks, err);
}

/* What is not there */

static int fail_name(struct ksites *ks, struct cul_error *err)
{
	const struct sites_spec *s = ks->spec;
	struct cul_nearest near;
	struct cul_ksym sym;
	size_t cursor = 0;
	char text[256];

	if (!err)
		return -ENOENT;
	cul_nearest_init(&near, s->name);
	while (cul_kallsyms_next(ks->k->syms, &cursor, &sym))
		if (is_function(&sym) && !strchr(sym.name, '.') &&
			(!s->module || cul_ksites_same_module(sym.module, s->module)))
			cul_nearest_offer(&near, sym.name);
	return cul_fail(err, -ENOENT, "%s%s has no function '%s'%s%s", s->module ? "" : "the ",
		s->module ? s->module : "kernel", s->name,
		cul_nearest_text(&near, text, sizeof(text)),
		near.n || s->in_source ? "" : INLINE_HINT);
}

static int fail_unknown(struct ksites *ks, struct cul_error *err)
{
	const struct sites_spec *s = ks->spec;
	struct cul_ksym sym;

	if (s->module && !cul_ksites_module_known(ks))
		/* for its words on modules */
		return cul_kallsyms_find(ks->k->syms, s->module, s->name, &sym, NULL, err);
	if (s->is_pattern)
		return cul_fail(err, -ENOENT, "no function of %s%s matches '%s'",
			s->module ? "" : "the ", s->module ? s->module : "kernel", s->name);
	if (!cul_kallsyms_find(ks->k->syms, s->module, s->name, &sym, NULL, NULL))
		return cul_fail(err, -ENOENT,
			"'%s' is data, no function; who uses it is what `culprit watch %s` tells",
			s->text, s->text);
	if (cul_ksites_in_btf(ks, s->name))
		return cul_fail(err, -ENOENT,
			"'%s' has no code of its own: the compiler has inlined it everywhere; the "
			"DWARF of vmlinux tells where: --debug FILE",
			s->text);
	return fail_name(ks, err);
}

static void ksites_free(struct ksites *ks)
{
	free(ks->list.data);
	cul_sites_found_free(&ks->found);
}

/* From a name: symbols, then what they are. */
static int by_name(struct ksites *ks, struct cul_error *err)
{
	int r = collect(ks);

	if (r)
		return cul_fail(err, r, "'%s': out of memory", ks->spec->text);
	if (ks->list.len)
		qsort(ks->list.data, ks->list.len, sizeof(*ks->list.data), by_symbol);
	mark_ambiguous(ks);
	narrow(ks);
	if (!ks->spec->has_offset && !ks->spec->is_pattern) {
		r = cul_ksites_inlined(ks);
		if (r)
			return cul_fail(err, r, "'%s': %s", ks->spec->text, cul_strerror(r));
	}
	if (!ks->list.len && !ks->found.refused.len)
		return fail_unknown(ks, err);
	if (ks->spec->has_offset)
		r = set_offset(ks, err);
	else if (ks->spec->is_pattern)
		r = cul_ksites_traceable(ks, err);
	return r ? r : finish(ks, err);
}

void cul_sites_gather(struct cul_kernel *k, const char *const *specs, size_t n)
{
	cul_autofree struct cul_kallsyms_prefix *prefixes = cul_calloc(n, sizeof(*prefixes));
	cul_autofree struct sites_spec *parsed = cul_calloc(n, sizeof(*parsed));
	struct kernel_part *p = cul_kernel_part(k, "vmlinux");
	struct cul_btf *btf = p ? cul_kernel_part_btf(k, p) : NULL;
	size_t good = 0;

	if (!prefixes || !parsed || !btf)
		return;
	while (good < n && !cul_sites_spec_parse(specs[good], &parsed[good], NULL) &&
		parsed[good].name) {
		prefixes[good] =
			(struct cul_kallsyms_prefix){parsed[good].name, parsed[good].literal};
		good++;
	}
	if (good == n)
		cul_kallsyms_gather(k->syms, prefixes, n, btf);
	for (size_t i = 0; i < n; i++)
		cul_sites_spec_free(&parsed[i]);
}

int cul_sites_kernel(
	struct cul_kernel *k, const char *text, struct cul_sites *out, struct cul_error *err)
{
	cul_cleanup(cul_sites_spec_free) struct sites_spec spec = {0};
	cul_cleanup(ksites_free) struct ksites ks = {.k = k, .spec = &spec, .out = out};
	int r = cul_sites_spec_parse(text, &spec, err);

	if (r)
		return r;
	return spec.name ? by_name(&ks, err) : at_address(&ks, err);
}
