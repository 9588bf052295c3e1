/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "sym/kernel_files.h"
#include "sym/kernel_priv.h"

static void free_part(struct kernel_part *p)
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
	cul_arena_free(&k->names);
	cul_kprobe_blacklist_free(k->blacklist);
	cul_ftrace_list_free(k->ftrace);
	cul_system_map_free(k->map);
	cul_kallsyms_free(k->syms);
	cul_mem_free(k->mem);
	free(k);
}

int cul_kernel_open(const char *const *debug_paths, struct cul_kernel **out, struct cul_error *err)
{
	return cul_kernel_open_from(NULL, NULL, debug_paths, out, err);
}

int cul_kernel_open_from(const char *kallsyms, const char *modules, const char *const *debug_paths,
	struct cul_kernel **out, struct cul_error *err)
{
	struct cul_kernel *k = cul_calloc(1, sizeof(*k));
	int r;

	if (!k)
		return cul_fail(err, -ENOMEM, "out of memory");
	k->debug_paths = debug_paths;
	r = cul_kallsyms_open(kallsyms, modules, &k->syms, err);
	if (r) {
		cul_kernel_free(k);
		return r;
	}
	*out = k;
	return 0;
}

void cul_kernel_read_ahead(struct cul_kernel *k)
{
	cul_kallsyms_read_ahead(k->syms);
}

struct kernel_part *cul_kernel_part(struct cul_kernel *k, const char *name)
{
	struct kernel_part *p, **slot;

	for (size_t i = 0; i < k->parts.len; i++)
		if (!strcmp(k->parts.data[i]->name, name))
			return k->parts.data[i];
	if (strcmp(name, "vmlinux") && !k->parts.len && !cul_kernel_part(k, "vmlinux"))
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

struct cul_btf *cul_kernel_part_btf(struct cul_kernel *k, struct kernel_part *p)
{
	struct cul_btf *base = NULL;
	char path[128];

	if (p->btf_tried)
		return p->btf;
	p->btf_tried = true;
	if (p != k->parts.data[0]) {
		base = cul_kernel_part_btf(k, k->parts.data[0]);
		if (!base)
			return NULL;
	}
	if (snprintf(path, sizeof(path), "/sys/kernel/btf/%s", p->name) >= (int)sizeof(path))
		return NULL;
	if (cul_btf_open(path, base, &p->btf, NULL))
		p->btf = NULL;
	return p->btf;
}

struct cul_btf *cul_kernel_btf(struct cul_kernel *k)
{
	struct kernel_part *p = cul_kernel_part(k, "vmlinux");

	return p ? cul_kernel_part_btf(k, p) : NULL;
}

bool cul_kernel_has_btf(struct cul_kernel *k)
{
	return cul_kernel_btf(k) != NULL;
}

struct cul_objfile *cul_kernel_part_file(struct cul_kernel *k, struct kernel_part *p)
{
	uint64_t text;

	if (p->file_tried)
		return p->file;
	p->file_tried = true;
	if (p != k->parts.data[0])
		p->file = cul_kernel_module_file(p->name, k->debug_paths);
	else if (!cul_kallsyms_mark(k->syms, "_text", &text))
		p->file = cul_kernel_vmlinux_file(text, k->debug_paths);
	return p->file;
}

static enum cul_btf_find what_in_btf(enum cul_kind kind)
{
	switch (kind) {
	case CUL_KIND_STRUCT:
		return CUL_BTF_STRUCT;
	case CUL_KIND_UNION:
		return CUL_BTF_UNION;
	case CUL_KIND_ENUM:
		return CUL_BTF_ENUM;
	default:
		return CUL_BTF_TYPEDEF_OR_BASE;
	}
}

void cul_kernel_nearest_type(struct cul_kernel *k, enum cul_kind kind, struct cul_nearest *near)
{
	if (!cul_kernel_part(k, "vmlinux"))
		return;
	for (size_t i = 0; i < k->parts.len; i++) {
		struct cul_btf *btf = cul_kernel_part_btf(k, k->parts.data[i]);

		if (btf)
			cul_btf_nearest(btf, what_in_btf(kind), near);
	}
}

/* vmlinux first, then the parts that a name of this run has touched. */
const struct cul_type *cul_kernel_type(struct cul_kernel *k, enum cul_kind kind, const char *name)
{
	if (!cul_kernel_part(k, "vmlinux"))
		return NULL;
	for (size_t i = 0; i < k->parts.len; i++) {
		struct cul_btf *btf = cul_kernel_part_btf(k, k->parts.data[i]);
		const struct cul_type *type =
			btf ? cul_btf_find(btf, what_in_btf(kind), name) : NULL;

		if (type)
			return type;
	}
	for (size_t i = 0; i < k->parts.len; i++) {
		struct cul_objfile *file = cul_kernel_part_file(k, k->parts.data[i]);
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
	if (!cul_kernel_part(k, "vmlinux"))
		return -ENOMEM;
	for (size_t i = 0; i < k->parts.len; i++) {
		struct cul_btf *btf = cul_kernel_part_btf(k, k->parts.data[i]);

		if (btf && !cul_btf_enumerator(btf, name, type, value))
			return 0;
	}
	for (size_t i = 1; i < k->parts.len; i++) {
		struct cul_objfile *file = cul_kernel_part_file(k, k->parts.data[i]);

		if (file && !cul_objfile_enumerator(file, name, type, value))
			return 0;
	}
	return -ENOENT;
}

/* Data by the map, when one was needed before; it is not sought for this. */
static int symbol_at(struct cul_kernel *k, uint64_t addr, struct cul_ksym *out)
{
	int r = cul_kallsyms_at(k->syms, addr, out);

	if (!k->map || (!r && strcmp(out->module, "vmlinux") != 0))
		return r;
	return cul_system_map_at(k->map, addr, out) ? r : 0;
}

void cul_kernel_where(struct cul_kernel *k, uint64_t addr, struct cul_where *out)
{
	struct cul_where where = {.addr = addr};
	struct cul_objfile *file;
	struct cul_ksym sym;
	struct kernel_part *p;

	*out = where;
	if (symbol_at(k, addr, &sym))
		return;
	out->function = sym.name;
	out->offset = addr - sym.addr;
	out->module = sym.module;
	p = cul_kernel_part(k, sym.module);
	file = p ? cul_kernel_part_file(k, p) : NULL;
	if (file && cul_objfile_line(file, addr, &out->file, &out->line))
		out->file = NULL;
}

/* The typedef and the function are made by include/trace/bpf_probe.h for each event and class. */
static const struct cul_type *tracepoint_in(struct cul_btf *btf, const char *name)
{
	const struct cul_type *pointer, *func, *named;
	char text[128];

	snprintf(text, sizeof(text), "btf_trace_%s", name);
	pointer = cul_btf_find(btf, CUL_BTF_TYPEDEF_OR_BASE, text);
	if (!pointer || pointer->kind != CUL_KIND_PTR || cul_type_to(pointer, &func, NULL) ||
		func->kind != CUL_KIND_FUNC)
		return NULL;
	snprintf(text, sizeof(text), "__bpf_trace_%s", name);
	named = cul_btf_func(btf, text);
	return named ? named : func;
}

const struct cul_type *cul_kernel_tracepoint(struct cul_kernel *k, const char *name)
{
	const struct cul_type *type = NULL;

	if (!k->parts.len)
		cul_kernel_part(k, "vmlinux");
	for (size_t i = 0; !type && i < k->parts.len; i++) {
		struct cul_btf *btf = cul_kernel_part_btf(k, k->parts.data[i]);

		type = btf ? tracepoint_in(btf, name) : NULL;
	}
	return type;
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
		r = cul_kernel_own_symbol(k, "__per_cpu_offset", &sym, err);
		if (r) {
			cul_error_prefix(err, "per-CPU variables cannot be placed");
			return r;
		}
		k->percpu_table = sym.addr;
	}
	r = cul_mem_read(mem, k->percpu_table + 8 * (uint64_t)cpu, offset, sizeof(*offset));
	return r ? cul_fail(err, r, "reading __per_cpu_offset[%d]: %s", cpu, cul_strerror(r)) : 0;
}
