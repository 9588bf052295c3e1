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
 *
 * The bytes are hostile. What libelf and libdw hand out is checked before it is
 * used; no work is unbounded. Not here: which files a process has mapped
 * (sym/process.h), frames (unwind/).
 *
 * sym/objfile.c opens; objfile_debug.c finds separate debug files;
 * objfile_symbols.c has the symbol table; dwarf_units.c finds the units that
 * mention a name; dwarf_vars.c, dwarf_funcs.c, dwarf_inlines.c, dwarf_types.c and
 * dwarf_lines.c answer.
 */
#ifndef CUL_SYM_OBJFILE_H
#define CUL_SYM_OBJFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sym/type.h"
#include "sym/where.h"

struct cul_objfile;
struct Dwarf_Frame_s; /* elfutils/libdw.h: Dwarf_Frame */

struct cul_objfile_load {
	/* ET_EXEC, ET_DYN, vmlinux: run-time address minus linked address. */
	uint64_t bias;
	/*
	 * ET_REL: run-time address of a section by name, as /sys/module/NAME/sections tells.
	 * -ENOENT for one that is not loaded. NULL for other files.
	 */
	int (*section)(void *data, const char *name, uint64_t *addr);
	void *data;
	/*
	 * Where the paths of the file's system begin ("/proc/PID/root"): its debug files are sought
	 * there, and in this system's /usr/lib/debug. NULL: this system.
	 */
	const char *root; /* copied */
	/* Directories and files where separate debug files may be (besides /usr/lib/debug). */
	const char *const *debug_paths; /* NULL-terminated, or NULL */
};

/*
 * Opens `path` (which may be /proc/PID/root/... or /proc/PID/map_files/...; `name` is what the
 * user calls it). -ENOENT, -EACCES, -ENOEXEC (not ELF, or compressed as a whole), -EBADMSG.
 */
int cul_objfile_open(const char *path, const char *name, const struct cul_objfile_load *load,
	struct cul_objfile **out, struct cul_error *err);
void cul_objfile_free(struct cul_objfile *o);
/*
 * `path` as it is below `root`, which may be /proc/PID/root: of a process that has changed its root
 * the kernel shows the root's own path before that of a file. Part of `path`.
 */
const char *cul_objfile_inside(const char *root, const char *path);
/*
 * A file that is in memory only (the vDSO), mapped whole at `start`. The bytes are copied.
 * -ENOEXEC, -EBADMSG, -ENOMEM.
 */
int cul_objfile_open_image(
	const void *bytes, size_t size, const char *name, uint64_t start, struct cul_objfile **out);

/*
 * For a file opened with bias 0: works the bias out from one of its mappings (run-time address,
 * file offset, whether it is executable), by the program header that this mapping belongs to.
 * -ENOEXEC when none fits. To be called before anything else is asked: names already read keep
 * their addresses.
 */
int cul_objfile_place(struct cul_objfile *o, uint64_t start, uint64_t offset, bool is_code,
	struct cul_error *err);

/*
 * Bytes that the loader maps from the file, by run-time address: code, when the memory it stood in
 * is gone. -EFAULT: not in the file.
 */
int cul_objfile_bytes(struct cul_objfile *o, uint64_t addr, void *buf, size_t size);

/* Where the loader maps the code at `addr` (run time) from. -ENOENT: no code of the file. */
int cul_objfile_offset(struct cul_objfile *o, uint64_t addr, uint64_t *offset);

const char *cul_objfile_path(const struct cul_objfile *o); /* as opened */
const char *cul_objfile_name(const struct cul_objfile *o);
/* Bytes of the build id, 0 when it has none. `id` stays owned by `o`. */
size_t cul_objfile_build_id(struct cul_objfile *o, const uint8_t **id);
bool cul_objfile_has_dwarf(struct cul_objfile *o); /* its own or a separate file's */
bool cul_objfile_has_section(struct cul_objfile *o, const char *name);
/* The path of the separate debug file, or NULL when the DWARF is in the file itself. */
const char *cul_objfile_debug_path(struct cul_objfile *o);

struct cul_elf_symbol {
	const char *name; /* borrowed */
	uint64_t addr;    /* run time */
	uint64_t size;    /* st_size, 0 when the symbol has none */
	bool is_function, is_object, is_tls, is_global;
	bool is_ifunc; /* is_function too: the address is that of the resolver */
};

/* From .symtab, else .dynsym (and the separate debug file's .symtab). -ENOENT: nearest in `err`. */
int cul_objfile_symbol(
	struct cul_objfile *o, const char *name, struct cul_elf_symbol *out, struct cul_error *err);
/* All symbols by address: start with `*cursor` 0. False after the last. */
bool cul_objfile_next_symbol(struct cul_objfile *o, size_t *cursor, struct cul_elf_symbol *out);
/*
 * The symbol that covers `addr`: with a size, else the label before it. The name of aliases that
 * users write ("read", not "__libc_read"). Stubs for calls of other files are "malloc@plt".
 * -ENOENT.
 */
int cul_objfile_symbol_at(struct cul_objfile *o, uint64_t addr, struct cul_elf_symbol *out);
/*
 * Whether an executable holds its own copy of a shared library's variable (R_*_COPY): then the
 * whole process uses this copy and the library's own is dead.
 */
bool cul_objfile_copies(struct cul_objfile *o, const char *name);

/*
 * Where the loader keeps what the resolver of an ifunc has chosen (R_*_IRELATIVE): the address of
 * the function, once the relocations are done. -ENOENT.
 */
int cul_objfile_ifunc_slot(struct cul_objfile *o, uint64_t resolver, uint64_t *slot);

struct cul_variable {
	const struct cul_type *type;
	uint64_t addr; /* run time; for a per-CPU variable of the kernel its offset */
	bool is_tls;
};

/*
 * A global or static variable by name, by DWARF (its address by DW_OP_addr, or by the symbol where
 * DWARF has none). `file` limits it to compilation units whose source file has that base name
 * ("file.c"); NULL for any. -ENOENT; -ENOTUNIQ when statics of several files bear the name, with
 * the files in `err`; -ENODATA when the file has no DWARF, or the symbol table alone knows `name`.
 *
 * A definition of external linkage goes before statics; statics inside functions are looked at
 * when nothing at the top level bears the name.
 */
int cul_objfile_variable(struct cul_objfile *o, const char *file, const char *name,
	struct cul_variable *out, struct cul_error *err);

/* A type by tag or name, an enumerator by name: NULL / -ENOENT when no unit has it complete. */
const struct cul_type *cul_objfile_type(
	struct cul_objfile *o, enum cul_kind kind, const char *name);
const struct cul_type *cul_objfile_typedef(struct cul_objfile *o, const char *name);
int cul_objfile_enumerator(
	struct cul_objfile *o, const char *name, const struct cul_type **type, int64_t *value);

/*
 * The type (KIND_FUNC) of the function whose first instruction is at `addr`, with parameters and
 * result as in the source, also for a copy that the compiler has cloned. Cheap for many of one unit
 * in a row. -ENOENT, -ENODATA.
 */
int cul_objfile_function(
	struct cul_objfile *o, uint64_t addr, const struct cul_type **type, struct cul_error *err);
/* Where an inlined copy has a parameter at its first instruction. */
struct cul_dwarf_place {
	enum {
		CUL_DWARF_GONE,      /* nowhere: the compiler has left it out */
		CUL_DWARF_SUM,       /* the value is register + number, */
		CUL_DWARF_MEMORY,    /* or lies there */
		CUL_DWARF_ELSEWHERE, /* in a form that is not one of these */
	} where;
	bool has_reg;
	unsigned reg; /* DWARF's number */
	int64_t number;
};

enum { CUL_INLINED_MOST = 16 };

struct cul_inlined_copy {
	uint64_t addr;               /* where it begins, at run time */
	const struct cul_type *type; /* KIND_FUNC, as in the source; NULL: cannot be read */
	struct cul_dwarf_place places[CUL_INLINED_MOST]; /* of its parameters */
	size_t n;
};

/*
 * Calls `visit` with each inlined copy of the function, until it
 * returns other than 0, and returns that. Only units that mention the name are read: a copy that
 * link-time optimisation has put elsewhere is missed, and so is one inside the function itself.
 * -ENODATA: no DWARF; -E2BIG.
 */
int cul_objfile_inlined(struct cul_objfile *o, const char *name,
	int (*visit)(void *data, const struct cul_inlined_copy *copy), void *data,
	struct cul_error *err);

/*
 * The separate debug file will be asked for: begins to read it, in a thread of its own. Nothing
 * else changes for the caller.
 */
void cul_objfile_debug_ahead(struct cul_objfile *o);
/* Until it is read: for who wants no other thread to run. */
void cul_objfile_debug_await(struct cul_objfile *o);

/* The source line of the instruction at `addr`. `file` is borrowed. -ENOENT, -ENODATA. */
int cul_objfile_line(struct cul_objfile *o, uint64_t addr, const char **file, int *line);

/* A function that code belongs to, and the line that it is at there. */
struct cul_call {
	const char *function; /* as shown; NULL: the debug information has no name */
	const char *file;     /* NULL: unknown */
	int line;
	/* No call: a part that the compiler has split off the next one, and put back there. */
	bool is_part;
};

enum { CUL_MAX_CALLS = 64 };

/*
 * The functions that the code at `addr` belongs to: the innermost inlined one first, then the one
 * it was inlined into, at the line where it calls it, and so on; the last has the code of its own.
 * `out` has room for CUL_MAX_CALLS; deeper ones are left out. Cheap for many of one function. What
 * is lent is borrowed from `o`. -ENOENT, -ENODATA (no DWARF), -ENOMEM.
 */
int cul_objfile_calls(struct cul_objfile *o, uint64_t addr, struct cul_call *out, size_t *n);

/*
 * The same as places, without mere parts of functions, named by symbols where there is no DWARF:
 * those before the last are inlined.
 * The last bears the name of its symbol ("f.cold") and has the offset from it; the module is the
 * file's base name. How many, at most `max`, the outer ones in any case; 0: no symbol covers the
 * address.
 */
size_t cul_objfile_frames(struct cul_objfile *o, uint64_t addr, struct cul_where *out, size_t max);

/*
 * A name of a symbol or of DWARF as it is shown: demangled, where it is C++'s or Rust's. `raw`
 * lives as long as `o`, from which the result is borrowed.
 */
const char *cul_objfile_shown(struct cul_objfile *o, const char *raw);

/*
 * How to unwind at `addr` by .eh_frame, else by .debug_frame. `*frame` is the caller's to free();
 * its expressions are borrowed from `o`. -ENOENT: neither covers the address.
 */
int cul_objfile_frame(struct cul_objfile *o, uint64_t addr, struct Dwarf_Frame_s **frame);
/* Where the file begins to run (e_entry), without a mode bit. -ENOENT: nowhere. */
int cul_objfile_entry(struct cul_objfile *o, uint64_t *addr);
/* The run-time address and size of ARM's index of unwind tables. -ENOENT. */
int cul_objfile_exidx(struct cul_objfile *o, uint64_t *addr, uint64_t *size);
unsigned cul_objfile_machine(const struct cul_objfile *o); /* EM_* */

#endif
