/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/vec.h"
#include "sym/btf.h"
#include "sym/kernel_files.h"

/* One module, or vmlinux, with what describes it. Opened once; absence is remembered. */
struct part {
	char *name;
	struct cul_btf *btf;
	struct cul_objfile *file;
	bool btf_tried, file_tried;
};

struct cul_kernel {
	const char *const *debug_paths;
	struct cul_kallsyms *syms;
	struct cul_mem *mem;
	CUL_VEC(struct part *) parts; /* vmlinux first */
	uint64_t percpu_table;        /* address of __per_cpu_offset, 0: not looked up */
};

static void free_part(struct part *p)
{
	cul_objfile_free(p->file);
	cul_btf_free(p->btf);
	free(p->name);
	free(p);
}

void cul_kernel_free(struct cul_kernel *k)
{
	if (!k)
		return;
	/* A module's BTF stands on vmlinux's: last in, first out. */
	while (k->parts.len)
		free_part(k->parts.data[--k->parts.len]);
	free(k->parts.data);
	cul_kallsyms_free(k->syms);
	cul_mem_free(k->mem);
	free(k);
}

int cul_kernel_open(const char *const *debug_paths, struct cul_kernel **out, struct cul_error *err)
{
	struct cul_kernel *k = cul_calloc(1, sizeof(*k));
	int r;

	if (!k)
		return cul_fail(err, -ENOMEM, "out of memory");
	k->debug_paths = debug_paths;
	r = cul_kallsyms_open(NULL, NULL, &k->syms, err);
	if (r) {
		cul_kernel_free(k);
		return r;
	}
	*out = k;
	return 0;
}

static struct part *find_part(struct cul_kernel *k, const char *name)
{
	struct part *p, **slot;

	for (size_t i = 0; i < k->parts.len; i++)
		if (!strcmp(k->parts.data[i]->name, name))
			return k->parts.data[i];
	if (strcmp(name, "vmlinux") && !k->parts.len && !find_part(k, "vmlinux"))
		return NULL;
	p = cul_calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->name = cul_strdup(name);
	slot = p->name ? cul_vec_push(&k->parts) : NULL;
	if (!slot) {
		free_part(p);
		return NULL;
	}
	*slot = p;
	return p;
}

static struct cul_btf *part_btf(struct cul_kernel *k, struct part *p)
{
	struct cul_btf *base = NULL;
	char path[128];

	if (p->btf_tried)
		return p->btf;
	p->btf_tried = true;
	if (p != k->parts.data[0]) {
		base = part_btf(k, k->parts.data[0]);
		if (!base)
			return NULL;
	}
	if (snprintf(path, sizeof(path), "/sys/kernel/btf/%s", p->name) >= (int)sizeof(path))
		return NULL;
	if (cul_btf_open(path, base, &p->btf, NULL))
		p->btf = NULL;
	return p->btf;
}

static struct cul_objfile *part_file(struct cul_kernel *k, struct part *p)
{
	struct cul_ksym text;

	if (p->file_tried)
		return p->file;
	p->file_tried = true;
	if (p != k->parts.data[0])
		p->file = cul_kernel_module_file(p->name, k->debug_paths);
	else if (!cul_kallsyms_find(k->syms, "vmlinux", "_text", &text, NULL, NULL))
		p->file = cul_kernel_vmlinux_file(text.addr, k->debug_paths);
	return p->file;
}

static const struct cul_type *variable_type(struct cul_kernel *k, const struct cul_ksym *sym)
{
	struct part *p = find_part(k, sym->module);
	const struct cul_type *type = NULL;
	struct cul_variable var;
	struct cul_btf *btf;
	struct cul_objfile *file;

	if (!p)
		return NULL;
	btf = part_btf(k, p);
	if (btf)
		type = cul_btf_var(btf, sym->name);
	if (type)
		return type;
	file = part_file(k, p);
	if (file && !cul_objfile_variable(file, NULL, sym->name, &var, NULL))
		return var.type;
	return NULL;
}

int cul_kernel_symbol(struct cul_kernel *k, const char *module, const char *name,
	struct cul_kernel_symbol *out, struct cul_error *err)
{
	struct cul_kernel_symbol found = {0};
	int r;

	r = cul_kallsyms_find(k->syms, module, name, &found.sym, NULL, err);
	if (r)
		return r;
	found.is_function = strchr("tTwW", found.sym.kind) && !found.sym.percpu;
	if (!found.is_function)
		found.type = variable_type(k, &found.sym);
	*out = found;
	return 0;
}

static const struct cul_type *type_in_btf(struct cul_btf *btf, enum cul_kind kind, const char *name)
{
	switch (kind) {
	case CUL_KIND_STRUCT:
		return cul_btf_find(btf, CUL_BTF_STRUCT, name);
	case CUL_KIND_UNION:
		return cul_btf_find(btf, CUL_BTF_UNION, name);
	case CUL_KIND_ENUM:
		return cul_btf_find(btf, CUL_BTF_ENUM, name);
	default:
		return cul_btf_find(btf, CUL_BTF_TYPEDEF_OR_BASE, name);
	}
}

/* vmlinux first, then the parts that a name of this run has touched. */
const struct cul_type *cul_kernel_type(struct cul_kernel *k, enum cul_kind kind, const char *name)
{
	if (!find_part(k, "vmlinux"))
		return NULL;
	for (size_t i = 0; i < k->parts.len; i++) {
		struct cul_btf *btf = part_btf(k, k->parts.data[i]);
		const struct cul_type *type = btf ? type_in_btf(btf, kind, name) : NULL;

		if (type)
			return type;
	}
	for (size_t i = 0; i < k->parts.len; i++) {
		struct cul_objfile *file = part_file(k, k->parts.data[i]);
		const struct cul_type *type = NULL;

		if (file)
			type = kind == CUL_KIND_VOID ? cul_objfile_typedef(file, name)
						     : cul_objfile_type(file, kind, name);
		if (type)
			return type;
	}
	return NULL;
}

int cul_kernel_enumerator(
	struct cul_kernel *k, const char *name, const struct cul_type **type, int64_t *value)
{
	if (!find_part(k, "vmlinux"))
		return -ENOMEM;
	for (size_t i = 0; i < k->parts.len; i++) {
		struct cul_btf *btf = part_btf(k, k->parts.data[i]);

		if (btf && !cul_btf_enumerator(btf, name, type, value))
			return 0;
	}
	for (size_t i = 1; i < k->parts.len; i++) {
		struct cul_objfile *file = part_file(k, k->parts.data[i]);

		if (file && !cul_objfile_enumerator(file, name, type, value))
			return 0;
	}
	return -ENOENT;
}

void cul_kernel_where(struct cul_kernel *k, uint64_t addr, struct cul_where *out)
{
	struct cul_where where = {.addr = addr};
	struct cul_objfile *file;
	struct cul_ksym sym;
	struct part *p;

	*out = where;
	if (cul_kallsyms_at(k->syms, addr, &sym))
		return;
	out->function = sym.name;
	out->offset = addr - sym.addr;
	out->module = sym.module;
	p = find_part(k, sym.module);
	file = p ? part_file(k, p) : NULL;
	if (file && cul_objfile_line(file, addr, &out->file, &out->line))
		out->file = NULL;
}

int cul_kernel_function(struct cul_kernel *k, uint64_t addr, struct cul_ksym *out)
{
	return cul_kallsyms_at(k->syms, addr, out);
}

struct cul_mem *cul_kernel_mem(struct cul_kernel *k, struct cul_error *err)
{
	if (!k->mem && cul_mem_kernel(&k->mem, err))
		return NULL;
	return k->mem;
}

int cul_kernel_percpu_offset(struct cul_kernel *k, int cpu, uint64_t *offset, struct cul_error *err)
{
	struct cul_mem *mem = cul_kernel_mem(k, err);
	struct cul_ksym sym;
	int r;

	if (!mem)
		return err ? err->code : -EIO;
	if (!k->percpu_table) {
		r = cul_kallsyms_find(k->syms, "vmlinux", "__per_cpu_offset", &sym, NULL, NULL);
		if (r)
			return cul_fail(err, r,
				"the kernel lists no __per_cpu_offset (a kernel without "
				"KALLSYMS_ALL), so "
				"per-CPU variables cannot be placed");
		k->percpu_table = sym.addr;
	}
	r = cul_mem_read(mem, k->percpu_table + 8 * (uint64_t)cpu, offset, sizeof(*offset));
	return r ? cul_fail(err, r, "reading __per_cpu_offset[%d]: %s", cpu, cul_strerror(r)) : 0;
}
