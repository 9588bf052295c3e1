/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files behind sym/objfile.h share; nobody else includes this.
 * Addresses here are run-time addresses unless "linked" is said.
 */
#ifndef CUL_SYM_OBJFILE_PRIV_H
#define CUL_SYM_OBJFILE_PRIV_H

#include <elfutils/libdw.h>
#include <gelf.h>

#include "base/arena.h"
#include "base/vec.h"
#include "base/str.h"
#include "sym/objfile.h"
#include "sym/objfile_source.h"

struct objfile_symbol {
	const char *name;
	uint64_t addr;
	uint64_t size;
	uint64_t end;     /* sized: addr + size; else the end of its section */
	uint64_t max_end; /* the largest `end` of all sized symbols up to this one */
	size_t up;        /* 1 + the nearest before it that is sized and ends behind it; 0: none */
	uint8_t rank;     /* of symbols at one address the highest is shown */
	bool is_function, is_object, is_tls, is_global, is_ifunc;
};

struct objfile_stub {
	uint64_t addr, end; /* linked */
	uint64_t slot;      /* linked */
	const char *name;   /* "malloc@plt"; NULL: no relocation fills the slot */
};

struct objfile_section {
	uint64_t addr, end;
	bool loaded; /* at `addr`; else no address of it means anything */
};

struct dwarf_unit {
	Dwarf_Off off, end; /* in its section */
	Dwarf_Off die;
	bool in_types; /* .debug_types, not .debug_info */
};

struct dwarf_range {
	uint64_t start, end; /* linked */
	uint64_t max_end;    /* of all ranges up to this one */
	size_t unit;
};

struct dwarf_function {
	uint64_t entry; /* linked */
	Dwarf_Die die;
};

struct objfile_name {
	const char *raw, *shown;
};

struct dwarf_type {
	struct cul_type type; /* first; its alias is part of what tells nodes apart */
	Dwarf_Die die;        /* stripped; `addr` NULL for void */
	Dwarf_Die definition; /* where the members are: `die`, or in another unit */
	unsigned dimension;   /* ARRAY: the first of those left */
};

/* A section of frames, and what its CIE says that was last seen. */
struct cul_cfi_section {
	const unsigned char *ident;
	Elf_Data *data;
	bool is_eh;
	unsigned word; /* bytes of an address of the file */
	bool has_cie;  /* `cie` was sane */
	Dwarf_Off cie;
	unsigned address; /* bytes of an address in its FDEs */
	bool sized;       /* its FDEs have augmentation data */
};

enum { OBJFILE_EH_COUNTED = 64 };

/* .eh_frame as libdw will see it, with the table of .eh_frame_hdr that it will search. */
struct objfile_eh {
	Elf *elf;    /* the file as libdw is to see it; NULL: as it is */
	char *image; /* its bytes, of a file that is in memory */
	struct cul_cfi_section section;
	uint64_t vaddr;       /* of the section */
	const uint8_t *table; /* NULL: there is none, and the whole section is sane */
	size_t entries;
	uint8_t encoding;
	uint64_t base;     /* what is added to its values */
	uint64_t expended; /* bytes of expressions of functions that were asked for, */
	uint64_t counted[OBJFILE_EH_COUNTED]; /* and where those are that were last counted */
};

struct cul_objfile {
	struct cul_type_provider provider; /* first: types find their file by it */
	char *name;
	char *path;
	struct cul_objfile_load load; /* debug_paths: our own copy */
	struct cul_arena arena;

	int fd;
	Elf *elf;
	int type; /* ET_* */
	unsigned machine;
	bool big_endian, is_64;
	uint64_t percpu_end; /* of a .data..percpu that is linked at 0; else 0 */
	bool debug_sought, debug_file_sought;
	bool crc_refused;             /* a debug file was too large to be compared */
	struct cul_error debug_error; /* why there is no DWARF */
	char *debug_path;             /* NULL when the DWARF is in the file itself */
	int debug_fd;
	Elf *debug_elf;
	Dwarf *dwarf;
	/* What dwz has put into a file that several share (.gnu_debugaltlink). */
	int alt_fd;
	Elf *alt_elf;
	Dwarf *alt;
	struct inflated *inflated; /* what debug_elf's sections were made into */
	struct dwarf_ahead *ahead; /* NULL: nobody reads the debug file now */

	/* objfile_frames.c */
	void *image; /* the bytes of a file that was opened from memory */
	size_t image_size;
	bool eh_cfi_sought, debug_cfi_sought;
	struct objfile_eh eh;
	Dwarf_CFI *eh_cfi;    /* ours */
	Dwarf *frames_dwarf;  /* ours: a file that has .debug_frame itself */
	Dwarf_CFI *debug_cfi; /* of frames_dwarf or dwarf */

	/* minidebug.c */
	bool mini_sought;
	void *mini_bytes;
	Elf *mini;

	bool symbols_read;
	CUL_VEC(struct objfile_symbol) symbols; /* by address */

	bool stubs_read;
	CUL_VEC(struct objfile_stub) stubs; /* by address */

	/* objfile_names.c: open addressing by the pointer `raw`, a power of two of slots */
	struct objfile_name *names;
	size_t n_names, cap_names;
	uint64_t demangle_ns; /* spent so far */

	bool units_read;
	CUL_VEC(struct dwarf_unit) units;
	bool ranges_read;
	CUL_VEC(struct dwarf_range) ranges;       /* by start */
	CUL_VEC(struct dwarf_function) functions; /* of one unit, by entry */
	size_t functions_of;                      /* 1 + that unit; 0: none */

	struct dwarf_code *code; /* dwarf_inlines.c: of each unit; NULL: nothing asked yet */

	/* dwarf_types.c: open addressing, a power of two of slots */
	struct dwarf_type **types;
	size_t n_types, cap_types;
	unsigned type_depth; /* types being made of types being made of ... */
};

/* objfile.c */
int cul_objfile_read_header(struct cul_objfile *o);
int cul_objfile_elf_open(const char *path, Elf_Cmd how, int *fd, Elf **elf);
Elf *cul_objfile_elf_memory(void *bytes, size_t size); /* which stay the caller's */
size_t cul_objfile_elf_build_id(Elf *elf, const uint8_t **id);
Elf_Scn *cul_objfile_elf_section(Elf *elf, const char *name, GElf_Shdr *shdr);
/* Where a section of an ET_REL was loaded. -ENOENT. */
int cul_objfile_section_addr(struct cul_objfile *o, const char *name, uint64_t *addr);
/* A linked address from symbols or DWARF to run time and back; ET_REL's are run time already. */
uint64_t cul_objfile_runtime(struct cul_objfile *o, uint64_t linked);
uint64_t cul_objfile_linked(struct cul_objfile *o, uint64_t addr);
/* Of a section of an ET_REL file that is not loaded (any more). */
bool cul_objfile_unloaded(const struct cul_objfile *o, uint64_t addr);
enum { OBJFILE_UNLOADED = 0xde }; /* the top 16 bits of such an address: not canonical */

/* objfile_frames.c */
void cul_objfile_frames_free(struct cul_objfile *o);

/* objfile_cfi.c: whether its .debug_frame costs no more than it seems to. */
bool cul_objfile_debug_frame_is_sane(Elf *elf);
bool cul_objfile_cfi_is_sane(struct cul_cfi_section *s);
/* The same of one function, at that offset; and how many bytes its expressions have. */
bool cul_objfile_cfi_fde_is_sane(struct cul_cfi_section *s, uint64_t offset, uint64_t *expressions);
/* Bytes of a value of .eh_frame; 0: not always the same, or unknown. */
unsigned cul_objfile_eh_size(uint8_t encoding, unsigned word);

/* objfile_eh.c: .eh_frame, the caller's to dwarf_cfi_end(). NULL: none, or none that is sane. */
Dwarf_CFI *cul_objfile_eh_open(struct cul_objfile *o);
void cul_objfile_eh_free(struct objfile_eh *eh);
/* Whether libdw may be asked for the function at `linked`. */
bool cul_objfile_eh_is_sane(struct objfile_eh *eh, uint64_t linked);

/* objfile_debug.c: makes o->dwarf valid. -ENODATA with the reason in `err`. */
int cul_objfile_debug(struct cul_objfile *o, struct cul_error *err);
/* The separate debug file, opened but not read. NULL: there is none, or none is needed. */
Elf *cul_objfile_debug_elf(struct cul_objfile *o);
/* Opens the separate debug file that goes with `elf`. -ENOENT. `path` is for the caller to free. */
int cul_objfile_debug_find(struct cul_objfile *o, Elf *elf, char **path, int *fd, Elf **debug);

/* minidebug.c: the ELF file in .gnu_debugdata. NULL: there is none. */
Elf *cul_objfile_mini(struct cul_objfile *o);
void cul_objfile_mini_free(struct cul_objfile *o);

/* objfile_reloc.c: ET_REL's debug sections, in place: `elf` is mapped privately. */
int cul_objfile_relocate(struct cul_objfile *o, Elf *elf, struct cul_error *err);
unsigned cul_objfile_reloc_copy(const struct cul_objfile *o); /* R_*_COPY; 0: unknown */

/* objfile_symbols.c */
/* Each section of `elf` by number, in the arena. NULL: malformed or out of memory. */
struct objfile_section *cul_objfile_sections(struct cul_objfile *o, Elf *elf, size_t *n);
/*
 * How many data symbols `name` may mean: one that is global hides statics of that name. When it is
 * 1 `out` is that symbol.
 */
size_t cul_objfile_symbol_data(struct cul_objfile *o, const char *name, struct cul_elf_symbol *out);
void cul_objfile_nearest(struct cul_objfile *o, const char *name, struct cul_error *err);
/* objfile_source.c */
enum { OBJFILE_SOURCE_MOST = 32 };
struct objfile_source {
	struct cul_elf_symbol found[OBJFILE_SOURCE_MOST];
	size_t n;
};
/*
 * The data, or the functions, that C++ or Rust call `name`: by their whole names, or those whose
 * names become it when parts are left out. A name without "::" is none of theirs.
 */
void cul_objfile_source(
	struct cul_objfile *o, const char *name, bool functions, struct objfile_source *out);
/* "n" of "f(int)::n". */
const char *cul_objfile_last_part(const char *name);
enum {
	CUL_SOURCE_NO_PARAMS = 1,
	CUL_SOURCE_NO_TEMPLATES = 2,
	CUL_SOURCE_NO_ANONYMOUS = 4,
	CUL_SOURCE_WAYS = 8,
	CUL_SOURCE_PATH = CUL_SOURCE_NO_PARAMS | CUL_SOURCE_NO_ANONYMOUS,
};
/* `out` becomes such a name without what is to be left out, and without blanks. */
void cul_objfile_reduce(const char *text, unsigned how, struct cul_str *out);
/* -ENOTUNIQ, with the whole names. */
int cul_objfile_several(struct cul_objfile *o, const char *name, const struct objfile_source *s,
	struct cul_error *err);
/* objfile_stubs.c: the stub of the procedure linkage table that covers `addr`. -ENOENT. */
int cul_objfile_stub_at(struct cul_objfile *o, uint64_t addr, struct cul_elf_symbol *out);

#endif
