/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places in code that can be probed: from what a user wrote to addresses, with
 * what is said of those that cannot be.
 *
 *	func   module:func   libfoo.so:func   tcp_*   module:*
 *	func+0x1c   0xADDR
 *
 * A name stands for all its copies: those that the compiler cloned
 * (.isra.N .constprop.N .part.N; .cold is no entry and left out) and those it
 * inlined, where DWARF tells. A pattern stands for whole functions only.
 *
 * Not here: attaching (trace/attach.h), what to read there (the case).
 */
#ifndef CUL_SYM_SITES_H
#define CUL_SYM_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/vec.h"
#include "sym/kernel.h"
#include "sym/process.h"
#include "sym/type.h"

enum cul_site_kind {
	CUL_SITE_FUNCTION,   /* a function's first instruction */
	CUL_SITE_CLONE,      /* the same of a copy made by the compiler: arguments may be missing */
	CUL_SITE_INLINED,    /* where a copy begins inside another function */
	CUL_SITE_INSIDE,     /* func+off, or an address that is no entry */
	CUL_SITE_TRACEPOINT, /* named by the case; no address */
};

struct cul_site {
	enum cul_site_kind kind;
	uint64_t addr;      /* run time */
	const char *name;   /* as in the source: "do_open", without suffix */
	const char *symbol; /* that covers addr: "do_open.isra.0"; INLINED: the function it is in */
	uint64_t offset;    /* from that symbol */
	const char *module; /* "vmlinux", a module's name, a file's base name */
	/* KIND_FUNC; NULL when nothing tells it, and where no function begins. */
	const struct cul_type *type;
	const struct cul_inlined_copy *copy; /* INLINED: where its parameters are; else NULL */
	/*
	 * Kernel, FUNCTION: for fentry. 0: not in BTF, or others bear its name too: the kernel
	 * looks the address up by the name and would take the first.
	 */
	uint32_t btf_id;
	/*
	 * ftrace has it: fentry and fprobe can be tried. Looked up for patterns alone; a function
	 * that was named is believed to be.
	 */
	bool traceable;
	/* Process: where the instruction is in the file. */
	const char *path; /* that we can open: /proc/PID/map_files/..., /proc/PID/root/... */
	uint64_t file_offset;
	const struct cul_entry_places *entry; /* where its parameters are; NULL: as it is called */
	bool moves_stack; /* Go's: a return address that was changed ends the program */
};

struct cul_site_refused {
	const char *symbol, *module;
	const char *why; /* "on the kprobes' blacklist", "notrace: ftrace does not know it" */
};

struct cul_sites {
	CUL_VEC(struct cul_site) sites; /* by name, then address; none twice */
	CUL_VEC(struct cul_site_refused) refused;
	struct cul_arena arena; /* owns the strings that are not the symbol table's */
};

/* What all `specs` will ask of the kernel's names, in one walk over them where that is possible. */
void cul_sites_gather(struct cul_kernel *k, const char *const *specs, size_t n);

/*
 * Adds what `spec` stands for. -ENOENT or -ENXIO with the nearest names in `err`; -EADDRNOTAVAIL
 * when all of it is refused, with the reason; -ENOTUNIQ for func+off of several functions of one
 * name; -E2BIG above CUL_SITES_MOST. What a pattern matches and cannot be probed goes to `refused`.
 */
enum { CUL_SITES_MOST = 20000 };
int cul_sites_kernel(
	struct cul_kernel *k, const char *spec, struct cul_sites *out, struct cul_error *err);
/*
 * Whether ftrace does not list the kernel's function of that site, which makes the kernel refuse
 * any probe there. False also where the list cannot be read. Takes a while: reads all of it.
 */
bool cul_sites_is_notrace(struct cul_kernel *k, const struct cul_site *site);
/*
 * Without a library's name: those of the executable, and when it has none of that name those of all
 * libraries.
 */
int cul_sites_process(
	struct cul_process_syms *p, const char *spec, struct cul_sites *out, struct cul_error *err);
void cul_sites_free(struct cul_sites *s);

/*
 * The BTF object that a module's `btf_id` counts in: a descriptor for fentry's attach_btf_obj_fd,
 * the caller closes it; 0 for vmlinux. -ENOENT.
 */
int cul_sites_btf_fd(const char *module, struct cul_error *err);

#endif
