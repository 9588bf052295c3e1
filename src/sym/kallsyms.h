/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's symbol table and its modules: /proc/kallsyms, /proc/modules.
 *
 * Read once. The text comes from the kernel but is parsed as
 * hostile (tests and recordings feed it too). Strings are borrowed from the
 * table and live as long as it does.
 */
#ifndef CUL_SYM_KALLSYMS_H
#define CUL_SYM_KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct cul_ksym {
	uint64_t addr; /* per-CPU: what __per_cpu_offset[cpu] is added to, an offset or not */
	uint64_t size; /* bytes up to the module's next symbol: an upper bound; 0: unknown */
	const char *name;
	const char *module; /* "vmlinux" for the kernel's own, never NULL */
	char kind;          /* the letter of nm(1): t T d D b B r R A V W ... */
	bool percpu;
};

struct cul_kmodule {
	const char *name;
	uint64_t base; /* of its first (text) part, 0 when hidden */
	uint64_t size;
};

struct cul_kallsyms;

/*
 * `kallsyms`, `modules`: paths, NULL for those in /proc. That of the symbols is read now, but for
 * the one in /proc, which takes the kernel long to print: it is read when something first wants to
 * know of all symbols. -EPERM when the kernel shows all addresses as zero (kptr_restrict) with the
 * way out in `err`. A kernel without modules has no /proc/modules; that is no error.
 */
int cul_kallsyms_open(const char *kallsyms, const char *modules, struct cul_kallsyms **out,
	struct cul_error *err);
bool cul_kallsyms_is_read(const struct cul_kallsyms *k);
/* Begins to read what has not been read yet, while other things are done. */
void cul_kallsyms_read_ahead(struct cul_kallsyms *k);
/*
 * The same from a file that lists a kernel's symbols before it runs, and no modules: a System.map.
 * -EBADMSG when it has no symbol with an address.
 */
int cul_kallsyms_open_map(const char *path, struct cul_kallsyms **out, struct cul_error *err);
/* The same from bytes of that form, which are copied. */
int cul_kallsyms_parse_map(
	const char *text, size_t size, struct cul_kallsyms **out, struct cul_error *err);
void cul_kallsyms_free(struct cul_kallsyms *k);

/*
 * By name, `module` NULL for any. When several symbols bear the name (statics of different files):
 * 0 for the first of them, with the number of them in `*n_same` (may be NULL). -ENOENT with the
 * nearest names in `err`, -ENXIO when the module is not loaded (nearest modules in `err`).
 */
int cul_kallsyms_find(struct cul_kallsyms *k, const char *module, const char *name,
	struct cul_ksym *out, size_t *n_same, struct cul_error *err);

/* The i-th (0-based) of several same-named symbols, in table order. -ENOENT past the last. */
int cul_kallsyms_find_nth(struct cul_kallsyms *k, const char *module, const char *name, size_t i,
	struct cul_ksym *out);

/*
 * The symbol that covers an address (functions and data, not per-CPU). Of several at one address
 * the first that is no mere mark of a section. -ENOENT when none does, -ENOMEM. The first call
 * sorts all symbols.
 */
int cul_kallsyms_at(struct cul_kallsyms *k, uint64_t addr, struct cul_ksym *out);

/*
 * Whether a symbol of that name is at `addr`, whatever else is there; not for per-CPU symbols that
 * are mere offsets. The first call sorts all symbols. False also when out of memory.
 */
bool cul_kallsyms_has(struct cul_kallsyms *k, const char *name, uint64_t addr);

/*
 * All symbols in table order: start with `*cursor` 0. False after the last. `out->size` is 0. For
 * patterns and completion; a walk over everything costs about 2 ms.
 */
bool cul_kallsyms_next(struct cul_kallsyms *k, size_t *cursor, struct cul_ksym *out);

/*
 * Those whose names begin with a prefix; as cul_kallsyms_next(). For prefixes that were gathered
 * the kernel is asked, where it can answer (sym/ksym_iter.h), and the whole table is not read.
 */
struct cul_kallsyms_prefix {
	const char *text; /* of `len` bytes */
	size_t len;
};
struct cul_btf;
void cul_kallsyms_gather(struct cul_kallsyms *k, const struct cul_kallsyms_prefix *prefixes,
	size_t n, struct cul_btf *vmlinux);
bool cul_kallsyms_next_of(struct cul_kallsyms *k, const struct cul_kallsyms_prefix *prefix,
	size_t *cursor, struct cul_ksym *out);
/* The address of vmlinux's symbol of that name. -ENOENT. Bounds of its code are always gathered. */
int cul_kallsyms_mark(struct cul_kallsyms *k, const char *name, uint64_t *addr);

/* Whether data symbols are listed at all (KALLSYMS_ALL); Debian's arm64 and armhf have none. */
bool cul_kallsyms_has_data(struct cul_kallsyms *k);

/* A loaded module, '-' and '_' being the same in names. NULL when there is none. */
const struct cul_kmodule *cul_kallsyms_module(struct cul_kallsyms *k, const char *name);

#endif
