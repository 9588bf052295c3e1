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
	const char *name; /* what the bytes come through: "/proc/kcore" */
	/* All `size` bytes or a negative errno (-EFAULT: not mapped; -ESRCH: process gone). */
	int (*read)(struct cul_mem *mem, uint64_t addr, void *buf, size_t size);
	void (*free)(struct cul_mem *mem);
	bool (*is_gone)(struct cul_mem *mem);                         /* NULL: never */
	int (*own_task)(struct cul_mem *mem, void *buf, size_t size); /* NULL: it has none */
};

/* The first member of each reader. */
struct cul_mem {
	const struct cul_mem_ops *ops;
};

static inline int cul_mem_read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	return mem->ops->read(mem, addr, buf, size);
}

/*
 * The first size-1 bytes, at most, of a NUL terminated string; `buf` is terminated in any case.
 * -EFAULT when a byte before its end is unreadable (`buf` then has those before it). Nothing
 * beyond the page of the terminator is touched. `size` is not 0.
 */
int cul_mem_read_string(struct cul_mem *mem, uint64_t addr, char *buf, size_t size);

/*
 * A process: the memory it had when it was opened is no more, since it ended or became another
 * program. What is read then is nobody's, or the other program's.
 */
bool cul_mem_is_gone(struct cul_mem *mem);

void cul_mem_free(struct cul_mem *mem); /* accepts NULL */

/*
 * A live process, all threads of which share the memory. Pages without read permission are read
 * too, as debuggers do. -ESRCH; -EPERM with the way out in `err`. The pid names the process at
 * each read: that it was not reused meanwhile is the caller's to know.
 */
int cul_mem_process(pid_t pid, struct cul_mem **out, struct cul_error *err);

/*
 * The running kernel: by cul_mem_kcore, and where that cannot be by cul_mem_kernel_bpf. -ENOENT,
 * -EPERM or another code of the latter, with the reasons of both and the way out in `err`.
 */
int cul_mem_kernel(struct cul_mem **out, struct cul_error *err);
/*
 * Through a file of the form of /proc/kcore (its ELF program headers say which virtual addresses
 * are there: fs/proc/kcore.c). -ENOENT, -EPERM; -EBADMSG when it is malformed. Within its segments
 * the kernel hands out zeros for what is not mapped (holes of the vmalloc and module areas): a
 * read of zeros there proves nothing.
 */
int cul_mem_kcore(const char *path, struct cul_mem **out, struct cul_error *err);
/*
 * Through a BPF program of our own that is run for each 4096 bytes, a few microseconds a time
 * (bpf_probe_read_kernel, BPF_PROG_TEST_RUN of a raw tracepoint: kernel 5.10). What is not mapped
 * is -EFAULT. What is mapped is read, registers of devices too (kcore leaves those out): only
 * addresses of memory should be asked for. Not for use by several threads at once. -EPERM,
 * -ENOTSUP, -ENOMEM.
 */
int cul_mem_kernel_bpf(struct cul_mem **out, struct cul_error *err);

/*
 * Of a reader of the running kernel: the first `size` bytes of the task_struct of the thread that
 * asks, which leads to all others where no symbol does. -ENOTSUP; -EFAULT: it is not that long.
 */
int cul_mem_kernel_own_task(struct cul_mem *mem, void *buf, size_t size);

/* What the bytes come through: "/proc/kcore", "BPF". */
const char *cul_mem_name(const struct cul_mem *mem);

#endif
