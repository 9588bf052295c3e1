/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inlined copies of a kernel function, by the DWARF of vmlinux and of modules. */
#include <errno.h>
#include <string.h>

#include "sym/sites_kernel.h"

static const char TOO_MUCH[] =
	"so much debug information mentions the name that not all of its inlined copies were found";

static int add_copy(void *data, const struct cul_inlined_copy *copy)
{
	struct ksites *ks = data;
	const struct cul_inlined_copy *kept;
	struct cul_ksym sym;
	struct ksite *c;

	if (cul_kallsyms_at(ks->k->syms, copy->addr, &sym))
		return 0;
	kept = cul_sites_keep_copy(ks->out, copy);
	c = cul_vec_push(&ks->list);
	if (!c || !kept)
		return -ENOMEM;
	c->sym = sym;
	c->offset = copy->addr - sym.addr;
	c->copy = kept;
	return 0;
}

static int in_part(struct ksites *ks, const char *module)
{
	struct kernel_part *p = cul_kernel_part(ks->k, module);
	struct cul_objfile *file;
	int r;

	if (!p)
		return -ENOMEM;
	file = cul_kernel_part_file(ks->k, p);
	if (!file || !cul_objfile_has_dwarf(file))
		return 0;
	r = cul_objfile_inlined(file, ks->spec->name, add_copy, ks, NULL);
	if (r == -E2BIG)
		return cul_sites_refuse(&ks->found, p->name, p->name, TOO_MUCH);
	return r == -ENOMEM ? r : 0;
}

/* Whether an earlier symbol of the list is of the same module. */
static bool done_before(const struct ksites *ks, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (!strcmp(ks->list.data[j].sym.module, ks->list.data[i].sym.module))
			return true;
	return false;
}

int cul_ksites_inlined(struct ksites *ks)
{
	const char *module = ks->spec->module ? ks->spec->module : "vmlinux";
	const struct cul_kmodule *m = cul_kallsyms_module(ks->k->syms, module);
	size_t n = ks->list.len;
	int r = 0;

	if (strchr(ks->spec->name, '.')) /* a clone by its own name */
		return 0;
	for (size_t i = 0; !r && i < n; i++)
		if (!done_before(ks, i) && strcmp(ks->list.data[i].sym.module, "vmlinux") != 0 &&
			cul_kallsyms_module(ks->k->syms, ks->list.data[i].sym.module))
			r = in_part(ks, ks->list.data[i].sym.module);
	if (r || (ks->spec->module && n))
		return r;
	if (m)
		return in_part(ks, m->name);
	return strcmp(module, "vmlinux") ? 0 : in_part(ks, "vmlinux");
}
