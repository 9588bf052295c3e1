/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose names and memory an expression speaks of: the running kernel's, or one
 * process's. Both can name code of either side, since a process's memory is
 * written by the kernel too.
 */
#ifndef CUL_EXPR_SCOPE_H
#define CUL_EXPR_SCOPE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "expr/expr.h"
#include "mem/mem.h"
#include "sym/kernel.h"
#include "sym/process.h"
#include "sym/where.h"

struct cul_scope;

/*
 * `debug_paths`: NULL-terminated, borrowed, may be NULL. `pid` may be any thread of the process
 * that has not ended: the first one has no memory any more when it left the others alone.
 */
int cul_scope_kernel(const char *const *debug_paths, struct cul_scope **out, struct cul_error *err);
int cul_scope_process(
	pid_t pid, const char *const *debug_paths, struct cul_scope **out, struct cul_error *err);
void cul_scope_free(struct cul_scope *s);

/* Reads a process's mappings again: libraries may have come. Nothing to do for the kernel. */
int cul_scope_refresh(struct cul_scope *s, struct cul_error *err);

pid_t cul_scope_pid(const struct cul_scope *s); /* 0: the kernel */

/* What cul_expr_parse needs; valid as long as the scope. */
const struct cul_expr_env *cul_scope_env(struct cul_scope *s);
struct cul_ctypes *cul_scope_ctypes(struct cul_scope *s);

/* Bytes that the data symbol `text` has at most (the next one follows); 0: unknown, or no symbol.
 */
uint64_t cul_scope_room(struct cul_scope *s, const char *text);

/* The memory of the kernel or the process. NULL with `err` set when it cannot be read. */
struct cul_mem *cul_scope_mem(struct cul_scope *s, struct cul_error *err);

/* The kernel's names; read on first need. NULL with `err` set when they are hidden. */
struct cul_kernel *cul_scope_kernel_names(struct cul_scope *s, struct cul_error *err);

/* A process: its names; NULL for the kernel. */
struct cul_process_syms *cul_scope_process_names(struct cul_scope *s);

/* Names code that ran in user or kernel mode. Fills as much as is known. */
void cul_scope_where(struct cul_scope *s, uint64_t addr, bool user, struct cul_where *out);

/* A process: opens its files now, so that its code can be named when it has ended. */
void cul_scope_keep(struct cul_scope *s);

/*
 * The machine code from the entry of the function that covers `addr` (or, where no function is
 * known, from a little before it) to `after` bytes past it. `bytes` is the caller's buffer.
 * Of a process that is gone it is read from its files. Returns how many bytes were read, 0 when
 * there are none.
 */
size_t cul_scope_code(struct cul_scope *s, uint64_t addr, size_t after, bool user, uint8_t *bytes,
	size_t room, uint64_t *start, bool *from_entry);

/* Names data by symbol, for printing a pointer: "init_task", "stats+0x8". False: no symbol. */
bool cul_scope_data_name(struct cul_scope *s, uint64_t addr, struct cul_where *out);

#endif
