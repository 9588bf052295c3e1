/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All symbols of the running kernel from a file, for kernels that list their
 * functions only (no CONFIG_KALLSYMS_ALL): a System.map, or the symbol table
 * of a vmlinux.
 *
 * Such a file says where things were linked. The running kernel's place is
 * worked out from _text, and then what both list must agree under that shift:
 * a file of another build is refused, for the addresses it gives would be
 * wrong. Strings are borrowed from the map and live as long as it does.
 */
#ifndef CUL_SYM_SYSTEM_MAP_H
#define CUL_SYM_SYSTEM_MAP_H

#include "base/error.h"
#include "sym/kallsyms.h"

struct cul_system_map;

/*
 * Opens one file and holds it against what the kernel lists (`running`: used during the call).
 * -ENOENT; -EBADMSG: no map of a kernel; -ESTALE: of another build.
 */
int cul_system_map_open(const char *path, struct cul_kallsyms *running, struct cul_system_map **out,
	struct cul_error *err);
void cul_system_map_free(struct cul_system_map *m);

/*
 * The first that fits of: `debug_paths` (files, and directories with a System.map or vmlinux; NULL
 * terminated or NULL), and the usual places for `release` (of uname). -ENOENT with the places that
 * were looked at, and why a file that is there does not do.
 */
int cul_system_map_locate(const char *const *debug_paths, const char *release,
	struct cul_kallsyms *running, struct cul_system_map **out, struct cul_error *err);

const char *cul_system_map_path(const struct cul_system_map *m);

/* As cul_kallsyms_find and its kin, with run-time addresses. `out->module` is "vmlinux". */
int cul_system_map_find(struct cul_system_map *m, const char *name, struct cul_ksym *out,
	size_t *n_same, struct cul_error *err);
int cul_system_map_find_nth(
	struct cul_system_map *m, const char *name, size_t i, struct cul_ksym *out);
int cul_system_map_at(struct cul_system_map *m, uint64_t addr, struct cul_ksym *out);

#endif
