/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names in a live process: its executable and libraries, each opened when it
 * is first needed and placed where it is mapped.
 *
 * A file is opened as the kernel has it mapped (/proc/PID/map_files), so that a
 * deleted or replaced one and one of another mount namespace are read right;
 * where that is not permitted, through /proc/PID/exe and /proc/PID/root, and
 * only when the inode is the mapped one.
 */
#ifndef CUL_SYM_PROCESS_H
#define CUL_SYM_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "sym/maps.h"
#include "sym/objfile.h"
#include "sym/where.h"

struct cul_process_syms;

/* `debug_paths`: as in struct cul_objfile_load; kept by the caller. -ESRCH, -EACCES. */
int cul_process_open(pid_t pid, const char *const *debug_paths, struct cul_process_syms **out,
	struct cul_error *err);
/* Where the files come from of a process that is no more. */
struct cul_process_files {
	void *data;
	/* `map`: the file's first mapping. The file is opened with bias 0. */
	int (*open)(void *data, const struct cul_map *map, bool is_main,
		const struct cul_objfile_load *load, struct cul_objfile **out,
		struct cul_error *err);
	/* What is known of the build id of one that could not be opened; 0: nothing. NULL: never.
	 */
	size_t (*build_id)(void *data, const struct cul_map *map, const uint8_t **id);
	uint64_t entry; /* an address in the executable; 0: not known */
};

/* With mappings that are known already; `maps` is taken over, and nothing is read of `pid`. */
int cul_process_open_maps(pid_t pid, struct cul_maps *maps, const struct cul_process_files *files,
	const char *const *debug_paths, struct cul_process_syms **out, struct cul_error *err);
void cul_process_free(struct cul_process_syms *p);

/*
 * Reads the mappings again (after exec, dlopen, dlclose). Files that are still mapped at the same
 * place stay open, and what was lent from others stays valid until cul_process_free. On failure
 * nothing changes.
 */
int cul_process_refresh(struct cul_process_syms *p, struct cul_error *err);

/* Opens all files now: names and code can be asked for when the process is gone. */
void cul_process_keep(struct cul_process_syms *p);

/* Code as it is in the mapped file. -EFAULT: no file is mapped there, or it cannot be read. */
int cul_process_code(struct cul_process_syms *p, uint64_t addr, void *buf, size_t size);

const struct cul_maps *cul_process_maps(const struct cul_process_syms *p); /* until a refresh */

struct cul_process_variable {
	const struct cul_type *type; /* NULL: only the symbol table knows the variable */
	uint64_t addr;
	uint64_t size;      /* of the type, else of the symbol; 0 when unknown */
	const char *object; /* base name of the file it is in */
};

/*
 * A variable by "name", "file.c:name", "libfoo.so:name" or "libfoo.so:file.c:name". The executable
 * comes first, then the libraries in the order they are mapped (those that have a symbol of that
 * name: a static inside a library's function is found when the library is named). Where the
 * executable has a copy of a library's variable (R_*_COPY) the copy's address is given: the library
 * uses it as well. -ENOENT (nearest names in `err`), -ENOTUNIQ, -ENOTSUP (thread-local), -ENXIO (no
 * such file).
 */
int cul_process_variable(struct cul_process_syms *p, const char *spec,
	struct cul_process_variable *out, struct cul_error *err);

/* A function by "name" or "libfoo.so:name". -ENOENT, -ENXIO. */
int cul_process_function(struct cul_process_syms *p, const char *spec, struct cul_elf_symbol *out,
	struct cul_error *err);

/* The executable or the mapped file of that name; NULL `name`: the executable. -ENXIO. */
int cul_process_object(struct cul_process_syms *p, const char *name, struct cul_objfile **out,
	struct cul_error *err);

/*
 * The file that is mapped executable at `addr`, or NULL with the reason in `err`.
 */
struct cul_objfile *cul_process_object_at(
	struct cul_process_syms *p, uint64_t addr, struct cul_error *err);
/*
 * All files with code, the executable first: start with `*cursor` 0; false after the last. NULL in
 * `*out`: one that cannot be read.
 */
bool cul_process_next_object(struct cul_process_syms *p, size_t *cursor, struct cul_objfile **out);

/* The build id of the file that is mapped at `addr`, in borrowed bytes; 0: none is known. */
size_t cul_process_build_id(struct cul_process_syms *p, uint64_t addr, const uint8_t **id);

pid_t cul_process_pid(const struct cul_process_syms *p);

struct cul_process_where {
	const char
		*object; /* file's base name; "[vdso]", "[heap]", "[anon]" (JIT); NULL: unmapped */
	const char *symbol; /* as shown: demangled; NULL when none covers the address */
	uint64_t offset;    /* from the symbol; without one, in the file or from the start of the
			       memory */
	const char *file;   /* source file, NULL when unknown */
	int line;
};

/* What is at `addr`. Strings are borrowed until cul_process_free. */
void cul_process_at(struct cul_process_syms *p, uint64_t addr, struct cul_process_where *out);

/*
 * The functions that the code at `addr` belongs to, as cul_objfile_frames() gives them; where no
 * symbol covers it one place without a function. How many: from 1 to `max`, which is not 0. Strings
 * are borrowed until cul_process_free.
 */
size_t cul_process_frames(
	struct cul_process_syms *p, uint64_t addr, struct cul_where *out, size_t max);

#endif
