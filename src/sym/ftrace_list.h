/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions that ftrace knows, and so fentry, fprobe and (on most kernels)
 * kprobes can take: tracefs' available_filter_functions, with addresses since
 * Linux 6.5. The text is parsed as hostile.
 */
#ifndef CUL_SYM_FTRACE_LIST_H
#define CUL_SYM_FTRACE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/mem.h"
#include "sym/btf.h"

struct cul_ftrace_list;

struct cul_ftrace_line {
	uint64_t addr;      /* of the call to ftrace, a few bytes into the function; 0: not told */
	const char *name;   /* borrowed; "" when the list was made of addresses */
	const char *module; /* "vmlinux" for the kernel's own */
};

/*
 * `path` NULL: the file of a mounted tracefs. -ENOENT: there is none; -EACCES; -ENODATA: it lists
 * nothing.
 */
int cul_ftrace_list_open(const char *path, struct cul_ftrace_list **out);
/* From bytes, which are copied. */
int cul_ftrace_list_parse(const char *text, size_t size, struct cul_ftrace_list **out);
/*
 * From the kernel's memory, in a fiftieth of the time. `head`: the address of its variable
 * ftrace_pages_start. A negative errno when that is not possible, or when what stands there is not
 * what it should be.
 */
int cul_ftrace_list_read(
	struct cul_mem *mem, struct cul_btf *vmlinux, uint64_t head, struct cul_ftrace_list **out);
/* Takes `*addrs` over, and sets it to NULL; not on failure. */
int cul_ftrace_list_of(uint64_t **addrs, size_t n, struct cul_ftrace_list **out);
void cul_ftrace_list_free(struct cul_ftrace_list *l);

bool cul_ftrace_list_has_addresses(const struct cul_ftrace_list *l);
/* `*cursor` starts as 0. False after the last; malformed lines are skipped. */
bool cul_ftrace_list_next(
	const struct cul_ftrace_list *l, size_t *cursor, struct cul_ftrace_line *out);

/* How far into a function the call to ftrace is at most (behind endbr64, bti, two nops). */
enum { CUL_FTRACE_REACH = 16 };

#endif
