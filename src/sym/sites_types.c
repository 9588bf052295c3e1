/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of the kernel's functions: by BTF, all names in one pass over each part of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sym/ksym_iter.h"
#include "sym/sites_kernel.h"

/* Without BTF: so many are sought in DWARF, which takes milliseconds for each. */
enum { BY_DWARF = 64 };

struct named {
	const char *module;
	const char *name; /* in the source */
	size_t len;
	struct ksite *site;
};

static int compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t n = a_len < b_len ? a_len : b_len;
	int order = memcmp(a, b, n);

	return order ? order : a_len < b_len ? -1 : a_len > b_len;
}

static int compare(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = strcmp(x->module, y->module);

	return order ? order : compare_names(x->name, x->len, y->name, y->len);
}

static void set(struct cul_btf *btf, struct ksite *site, uint32_t id)
{
	if (site->type)
		return;
	site->btf_id = id;
	site->type = cul_btf_func_type(btf, id);
}

/* `n` names of one module. */
static void from_btf(struct cul_btf *btf, struct named *names, size_t n, const char *prefix)
{
	uint32_t cursor = 0, id;
	size_t literal = strlen(prefix);
	const char *name;

	while (cul_btf_next_func(btf, &cursor, &id, &name)) {
		struct named key = {.module = names[0].module, .name = name};
		struct named *hit;

		if (strncmp(name, prefix, literal) != 0)
			continue;
		key.len = strlen(name);
		hit = bsearch(&key, names, n, sizeof(*names), compare);
		if (!hit)
			continue;
		while (hit > names && !compare(hit - 1, &key))
			hit--;
		for (; hit < names + n && !compare(hit, &key); hit++)
			set(btf, hit->site, id);
	}
}

static struct cul_btf *btf_of(struct cul_kernel *k, const char *module)
{
	struct kernel_part *p = cul_kernel_part(k, module);

	return p ? cul_kernel_part_btf(k, p) : NULL;
}

/* What all names begin with: from_btf() need not look at others. */
static char *common_prefix(const struct named *names, size_t n)
{
	size_t len = names[0].len;

	for (size_t i = 1; i < n; i++) {
		size_t same = 0;

		while (same < len && same < names[i].len &&
			names[i].name[same] == names[0].name[same])
			same++;
		len = same;
	}
	return cul_strndup(names[0].name, len);
}

/* Sets types and ids by `n` names. */
static int by_names(struct ksites *ks, struct named *names, size_t n)
{
	size_t end;

	qsort(names, n, sizeof(*names), compare);
	for (size_t i = 0; i < n; i = end) {
		struct cul_btf *btf = btf_of(ks->k, names[i].module);
		cul_autofree char *prefix = NULL;

		for (end = i; end < n && !strcmp(names[end].module, names[i].module);)
			end++;
		prefix = common_prefix(&names[i], end - i);
		if (!prefix)
			return -ENOMEM;
		if (btf)
			from_btf(btf, &names[i], end - i, prefix);
	}
	return 0;
}

static struct named name_of(struct ksite *site, const char *symbol)
{
	enum sites_form form;

	return (struct named){site->sym.module, symbol, cul_sites_base(symbol, &form), site};
}

static bool is_untyped(const struct ksite *site)
{
	return !site->type && !site->copy && !site->offset;
}

/* A clone has one name. */
static bool may_have_alias(const struct ksite *site)
{
	return is_untyped(site) && site->form == SITES_PLAIN;
}

static int by_address(const void *a, const void *b)
{
	const struct ksite *x = a, *y = b;

	return x->sym.addr < y->sym.addr ? -1 : x->sym.addr > y->sym.addr;
}

/* The one at that address that is untyped; the list is by address. */
static struct ksite *untyped_at(struct ksites *ks, uint64_t addr)
{
	size_t low = 0, high = ks->list.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ks->list.data[middle].sym.addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < ks->list.len && ks->list.data[low].sym.addr == addr; low++)
		if (may_have_alias(&ks->list.data[low]))
			return &ks->list.data[low];
	return NULL;
}

static void free_syms(struct cul_kallsyms **k)
{
	cul_kallsyms_free(*k);
}

/* The symbols at the addresses of a few of them, without the whole table. NULL: take that. */
static struct cul_kallsyms *some_at(struct ksites *ks)
{
	struct cul_btf *btf = btf_of(ks->k, "vmlinux");
	struct cul_kallsyms *some;
	struct cul_ksym_iter it = {0};
	cul_autofree char *text = NULL;
	size_t size;
	int r = !btf || cul_kallsyms_is_read(ks->k->syms);

	for (size_t i = 0; !r && i < ks->list.len; i++)
		if (may_have_alias(&ks->list.data[i]))
			r = cul_ksym_iter_addr(&it, ks->list.data[i].sym.addr);
	if (r || cul_ksym_iter_run(&it, btf, &text, &size))
		return NULL;
	return cul_kallsyms_parse_map(text, size, &some, NULL) ? NULL : some;
}

/*
 * BTF may know a function by another name of the same address (a system call's entries). Its id is
 * no use: it leads to a symbol that was not looked at.
 */
static int by_aliases(struct ksites *ks)
{
	cul_cleanup(free_syms) struct cul_kallsyms *some = some_at(ks);
	CUL_VEC(struct named) names = {0};
	cul_autofree void *owner = NULL;
	struct cul_ksym sym;
	size_t cursor = 0;
	int r;

	while (cul_kallsyms_next(some ? some : ks->k->syms, &cursor, &sym)) {
		struct ksite *site = sym.percpu ? NULL : untyped_at(ks, sym.addr);
		struct named *slot;

		if (!site || !strcmp(sym.name, site->sym.name))
			continue;
		slot = cul_vec_push(&names);
		owner = names.data;
		if (!slot)
			return -ENOMEM;
		*slot = name_of(site, sym.name);
	}
	if (!names.len)
		return 0;
	r = by_names(ks, names.data, names.len);
	for (size_t i = 0; i < names.len; i++)
		names.data[i].site->btf_id = 0;
	return r;
}

/*
 * A module that was built without BTF has DWARF, when it was built here. Not for the few functions
 * of a pattern that BTF leaves out: the DWARF of a whole kernel takes a second to open.
 */
static void by_dwarf(struct ksites *ks)
{
	size_t left = BY_DWARF;

	for (size_t i = 0; i < ks->list.len && left; i++) {
		struct ksite *site = &ks->list.data[i];
		struct kernel_part *p;
		struct cul_objfile *file;

		if (!is_untyped(site) || (ks->spec->is_pattern && btf_of(ks->k, site->sym.module)))
			continue;
		p = cul_kernel_part(ks->k, site->sym.module);
		file = p ? cul_kernel_part_file(ks->k, p) : NULL;
		if (!file || cul_objfile_function(file, site->sym.addr, &site->type, NULL))
			site->type = NULL;
		left--;
	}
}

int cul_ksites_types(struct ksites *ks)
{
	size_t n = ks->list.len, untyped = 0, aliased = 0;
	cul_autofree struct named *names = cul_calloc(n, sizeof(*names));
	int r;

	if (!names)
		return -ENOMEM;
	qsort(ks->list.data, n, sizeof(*ks->list.data), by_address);
	for (size_t i = 0; i < n; i++)
		names[i] = name_of(&ks->list.data[i], ks->list.data[i].sym.name);
	r = by_names(ks, names, n);
	for (size_t i = 0; i < n; i++) {
		untyped += is_untyped(&ks->list.data[i]);
		aliased += may_have_alias(&ks->list.data[i]);
	}
	if (!r && aliased)
		r = by_aliases(ks);
	if (!r && untyped)
		by_dwarf(ks);
	return r;
}

bool cul_ksites_in_btf(struct ksites *ks, const char *name)
{
	const char *module = ks->spec->module ? ks->spec->module : "vmlinux";
	struct cul_btf *btf = btf_of(ks->k, module);

	return btf && cul_btf_func_id(btf, name);
}

bool cul_ksites_module_known(struct ksites *ks)
{
	const char *module = ks->spec->module;

	return !strcmp(module, "vmlinux") || cul_kallsyms_module(ks->k->syms, module);
}
