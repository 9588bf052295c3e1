/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kernel.c, kernel_symbol.c and sites_kernel.c share; nobody else includes this.
 */
#ifndef CUL_SYM_KERNEL_PRIV_H
#define CUL_SYM_KERNEL_PRIV_H

#include "base/arena.h"
#include "base/vec.h"
#include "sym/btf.h"
#include "sym/ftrace_list.h"
#include "sym/kernel.h"
#include "sym/kprobe_blacklist.h"
#include "sym/objfile.h"
#include "sym/system_map.h"

/* One module, or vmlinux, with what describes it. Opened once; absence is remembered. */
struct kernel_part {
	char *name;
	struct cul_btf *btf;
	struct cul_objfile *file;
	bool btf_tried, file_tried;
};

struct cul_kernel {
	const char *const *debug_paths;
	struct cul_kallsyms *syms;
	struct cul_system_map
		*map; /* where kallsyms lists functions only; NULL: not tried or none */
	struct cul_error map_error; /* why there is none, once tried */
	struct cul_mem *mem;
	CUL_VEC(struct kernel_part *) parts; /* vmlinux first */
	struct cul_arena names;              /* of symbols that no table lists */
	uint64_t percpu_table;               /* address of __per_cpu_offset, 0: not looked up */
	/* sites_kernel.c: what can be probed; NULL: not tried or not readable. Paths: NULL, or a
	 * test's. */
	struct cul_ftrace_list *ftrace;
	struct cul_kprobe_blacklist *blacklist;
	const char *ftrace_path, *blacklist_path;
	bool ftrace_tried, blacklist_tried, init_tried;
	uint64_t init_start, init_end; /* code of the start-up */
};

/* Made when first asked for. NULL when out of memory. */
struct kernel_part *cul_kernel_part(struct cul_kernel *k, const char *name);
/* NULL when there is none. */
struct cul_btf *cul_kernel_part_btf(struct cul_kernel *k, struct kernel_part *p);
struct cul_objfile *cul_kernel_part_file(struct cul_kernel *k, struct kernel_part *p);

/* kernel_symbol.c: the map of symbols; NULL with the reason in `err` (k->map_error). */
struct cul_system_map *cul_kernel_map(struct cul_kernel *k, struct cul_error *err);
/* A data symbol of vmlinux by kallsyms or the map: the first of that name. */
int cul_kernel_own_symbol(
	struct cul_kernel *k, const char *name, struct cul_ksym *out, struct cul_error *err);

#endif
