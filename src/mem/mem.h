/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of something that is not us: a live process, the running kernel, a
 * core file. One reader, so that expressions, printing and unwinding do not
 * know where the bytes come from.
 */
#ifndef CUL_MEM_MEM_H
#define CUL_MEM_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct cul_mem;

struct cul_mem_ops {
	/* All `size` bytes or a negative errno (-EFAULT: not mapped; -ESRCH: process gone). */
	int (*read)(struct cul_mem *mem, uint64_t addr, void *buf, size_t size);
	void (*free)(struct cul_mem *mem);
};

/* The first member of each reader. */
struct cul_mem {
	const struct cul_mem_ops *ops;
};

static inline int cul_mem_read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	return mem->ops->read(mem, addr, buf, size);
}

/* At most size-1 bytes of a NUL terminated string; always terminates. -EFAULT when unreadable. */
int cul_mem_read_string(struct cul_mem *mem, uint64_t addr, char *buf, size_t size);

void cul_mem_free(struct cul_mem *mem); /* accepts NULL */

/* A live process. */
int cul_mem_process(pid_t pid, struct cul_mem **out, struct cul_error *err);

/*
 * The running kernel, through /proc/kcore (its ELF program headers say which virtual addresses
 * are there: fs/proc/kcore.c). -ENOENT or -EPERM with the way out in `err`.
 */
int cul_mem_kernel(struct cul_mem **out, struct cul_error *err);

#endif
