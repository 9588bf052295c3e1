/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The running kernel as a thing with names: kallsyms, BTF of vmlinux and of
 * each module, and, where there are files with DWARF, those. Everything is
 * read on first need; strings and types are borrowed and live as long as the
 * `struct cul_kernel`.
 */
#ifndef CUL_SYM_KERNEL_H
#define CUL_SYM_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "mem/mem.h"
#include "sym/kallsyms.h"
#include "sym/type.h"
#include "sym/where.h"

struct cul_kernel;

/*
 * `debug_paths`: NULL-terminated files and directories where debug files may be, besides the usual
 * places; borrowed; may be NULL.
 */
int cul_kernel_open(const char *const *debug_paths, struct cul_kernel **out, struct cul_error *err);
/* The same with other files than /proc/kallsyms and /proc/modules; NULL: those. */
int cul_kernel_open_from(const char *kallsyms, const char *modules, const char *const *debug_paths,
	struct cul_kernel **out, struct cul_error *err);
void cul_kernel_free(struct cul_kernel *k);
/* What names addresses begins to be read, if it has not been yet, while other things are done. */
void cul_kernel_read_ahead(struct cul_kernel *k);

/* What a name of the kernel stands for. */
struct cul_kernel_symbol {
	struct cul_ksym sym;
	const struct cul_type *type; /* of the variable; NULL when nothing tells it */
	bool is_function;
};

/*
 * `module` NULL: any. -ENOENT or -ENXIO with the nearest names in `err`; -ENOTUNIQ with the places
 * and how to say which, when several things bear the name (statics of different files). Where the
 * kernel lists functions only, data by its System.map or vmlinux (sym/system_map.h), and a module's
 * by its file.
 */
int cul_kernel_symbol(struct cul_kernel *k, const char *module, const char *name,
	struct cul_kernel_symbol *out, struct cul_error *err);
/*
 * A variable of the source file whose base name is `file`, by DWARF. `module` NULL: of those that
 * list the name. -ENOENT; -ENOTUNIQ; -ENODATA: no DWARF was found; -ENXIO: no such module.
 */
int cul_kernel_variable(struct cul_kernel *k, const char *module, const char *file,
	const char *name, struct cul_kernel_symbol *out, struct cul_error *err);

/* `kind`: STRUCT, UNION, ENUM by tag, or VOID for a typedef or base type. NULL when unknown. */
const struct cul_type *cul_kernel_type(struct cul_kernel *k, enum cul_kind kind, const char *name);
/* Whether the kernel describes its types: without BTF there are those of DWARF alone, if any. */
bool cul_kernel_has_btf(struct cul_kernel *k);
struct cul_btf *cul_kernel_btf(struct cul_kernel *k); /* vmlinux's; NULL: there is none */
/* Offers the names of types of that kind that BTF knows, for "did you mean"; they stay. */
struct cul_nearest;
void cul_kernel_nearest_type(struct cul_kernel *k, enum cul_kind kind, struct cul_nearest *near);
int cul_kernel_enumerator(
	struct cul_kernel *k, const char *name, const struct cul_type **type, int64_t *value);

/* Names an address. Always fills `out`, with as much as is known. */
void cul_kernel_where(struct cul_kernel *k, uint64_t addr, struct cul_where *out);

/*
 * A tracepoint's function type, by BTF: `void (void *data, the arguments...)`, with their names
 * where it has a class of its own. NULL: there is no such tracepoint, in vmlinux or a module used
 * before.
 */
const struct cul_type *cul_kernel_tracepoint(struct cul_kernel *k, const char *name);

/* Bounds of the function that covers `addr`, for decoding from its entry. -ENOENT. */
int cul_kernel_function(struct cul_kernel *k, uint64_t addr, struct cul_ksym *out);

/* The kernel's memory; borrowed. NULL with `err` when it cannot be read. */
struct cul_mem *cul_kernel_mem(struct cul_kernel *k, struct cul_error *err);

/* What is added to a per-CPU symbol's address for CPU `cpu`. */
int cul_kernel_percpu_offset(
	struct cul_kernel *k, int cpu, uint64_t *offset, struct cul_error *err);

#endif
