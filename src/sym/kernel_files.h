/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the files are that describe the running kernel: vmlinux with DWARF,
 * and the .ko of a loaded module. A file whose build id differs from that of
 * the running code is not taken.
 */
#ifndef CUL_SYM_KERNEL_FILES_H
#define CUL_SYM_KERNEL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sym/objfile.h"

/* NULL when none is found. `text`: run-time address of _text. The caller frees the result. */
struct cul_objfile *cul_kernel_vmlinux_file(uint64_t text, const char *const *debug_paths);
struct cul_objfile *cul_kernel_module_file(const char *module, const char *const *debug_paths);

/*
 * The build id in ELF notes (/sys/kernel/notes): its length, 0 when there is none. `*id` points
 * into `notes`.
 */
size_t cul_kernel_note_build_id(const uint8_t *notes, size_t size, const uint8_t **id);

/*
 * Whether the path of `len` bytes is of that module, compressed or not: a module's name has '_'
 * where its file's has '-' or '_'.
 */
bool cul_kernel_is_module_file(const char *path, size_t len, const char *module);

#endif
