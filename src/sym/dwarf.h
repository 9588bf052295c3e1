/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One ELF file with what it knows of itself: symbols, and by DWARF variables,
 * types and source lines. It stands for an executable, a shared library, a
 * kernel module (ET_REL: addresses are filled in from where the kernel loaded
 * its sections) or a vmlinux. Reading is lazy: opening maps the file, symbols
 * come with the first name, DWARF with the first question only DWARF answers.
 *
 * Addresses in and out are run-time addresses: the caller says once where the
 * file is loaded.
 */
#ifndef CUL_SYM_DWARF_H
#define CUL_SYM_DWARF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sym/type.h"

struct cul_objfile;

struct cul_objfile_load {
	/* ET_EXEC, ET_DYN, vmlinux: run-time address minus linked address. */
	uint64_t bias;
	/*
	 * ET_REL: run-time address of a section by name, as /sys/module/NAME/sections tells.
	 * -ENOENT for one that is not loaded. NULL for other files.
	 */
	int (*section)(void *data, const char *name, uint64_t *addr);
	void *data;
	/* Directories and files where separate debug files may be (besides /usr/lib/debug). */
	const char *const *debug_paths; /* NULL-terminated, or NULL */
};

/*
 * Opens `path` (which may be /proc/PID/root/... or /proc/PID/map_files/...; `name` is what the
 * user calls it). -ENOENT, -EACCES, -ENOEXEC (not ELF), -EBADMSG.
 */
int cul_objfile_open(const char *path, const char *name, const struct cul_objfile_load *load,
	struct cul_objfile **out, struct cul_error *err);
void cul_objfile_free(struct cul_objfile *o);

const char *cul_objfile_name(const struct cul_objfile *o);
/* Bytes of the build id, 0 when it has none. `id` stays owned by `o`. */
size_t cul_objfile_build_id(struct cul_objfile *o, const uint8_t **id);
bool cul_objfile_has_dwarf(struct cul_objfile *o); /* its own or a separate file's */

struct cul_elf_symbol {
	const char *name; /* borrowed */
	uint64_t addr;	  /* run time */
	uint64_t size;	  /* st_size, 0 when the symbol has none */
	bool is_function, is_object, is_tls, is_global;
};

/* From .symtab, else .dynsym (and the separate debug file's .symtab). -ENOENT: nearest in `err`. */
int cul_objfile_symbol(struct cul_objfile *o, const char *name, struct cul_elf_symbol *out,
	struct cul_error *err);
/* The symbol that covers `addr`. -ENOENT. */
int cul_objfile_symbol_at(struct cul_objfile *o, uint64_t addr, struct cul_elf_symbol *out);

struct cul_variable {
	const struct cul_type *type;
	uint64_t addr; /* run time; for a per-CPU variable of the kernel its offset */
	bool is_tls;
};

/*
 * A global or static variable by name, by DWARF (its address by DW_OP_addr, or by the symbol where
 * DWARF has none). `file` limits it to compilation units whose source file has that base name
 * ("file.c"); NULL for any. -ENOENT; -ENOTUNIQ when statics of several files bear the name, with
 * the files in `err`; -ENODATA when the file has no DWARF.
 */
int cul_objfile_variable(struct cul_objfile *o, const char *file, const char *name,
	struct cul_variable *out, struct cul_error *err);

/* A type by tag or name, an enumerator by name: NULL / -ENOENT when no unit has it complete. */
const struct cul_type *cul_objfile_type(
	struct cul_objfile *o, enum cul_kind kind, const char *name);
const struct cul_type *cul_objfile_typedef(struct cul_objfile *o, const char *name);
int cul_objfile_enumerator(
	struct cul_objfile *o, const char *name, const struct cul_type **type, int64_t *value);

/* The source line of the instruction at `addr`. `file` is borrowed. -ENOENT, -ENODATA. */
int cul_objfile_line(struct cul_objfile *o, uint64_t addr, const char **file, int *line);

#endif
