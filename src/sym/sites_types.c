/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of the kernel's functions: by BTF, all names in one pass over each part of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sym/sites_kernel.h"

/* Without BTF: so many are sought in DWARF, which takes milliseconds for each. */
enum { BY_DWARF = 16 };

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
	if (site->btf_id)
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

int cul_ksites_types(struct ksites *ks)
{
	size_t n = ks->list.len, end;
	cul_autofree struct named *names = cul_calloc(n, sizeof(*names));

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct ksite *site = &ks->list.data[i];
		enum sites_form form;

		names[i] = (struct named){site->sym.module, site->sym.name,
			cul_sites_base(site->sym.name, &form), site};
	}
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
