/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A core file of any architecture of src/arch: what its notes say of the process and its threads,
 * and its memory as a struct cul_mem. Not here: the files that were mapped (stack/core.c).
 *
 * All of it is hostile: sizes are checked against the file, counts are bounded, and what a core
 * that is cut off still holds is there. mem/core.c has the headers and the memory, core_notes.c the
 * notes.
 */
#ifndef CUL_MEM_CORE_H
#define CUL_MEM_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/vec.h"
#include "mem/mem.h"

enum {
	CUL_CORE_MAX_THREADS = 65536,
	CUL_CORE_MAX_SEGMENTS = 1 << 20,
	CUL_CORE_MAX_FILES = 1 << 18,
	CUL_CORE_MAX_AUXV = 64,
};

struct cul_core_thread {
	int tid;
	struct cul_regs regs;
};

/* Memory of the process, and what of it the core holds. */
struct cul_core_segment {
	uint64_t start, end; /* [start, end) */
	uint64_t offset;     /* in the core */
	uint64_t held;       /* bytes from `start` on; the rest was left out or is cut off */
	bool read, write, exec;
};

/* A mapping of a file (NT_FILE). */
struct cul_core_file {
	uint64_t start, end, offset;
	const char *path; /* " (deleted)" is part of it */
};

struct cul_core_auxv {
	uint64_t type, value;
};

struct cul_core_signal {
	int number;       /* 0: the process was not ended by one */
	bool has_details; /* siginfo is there: */
	int code;
	uint64_t addr; /* of a fault */
	int pid;       /* who sent it */
};

/* All of it is to be read only. */
struct cul_core {
	const struct cul_arch *arch;
	int pid; /* 0: not known */
	char name[17], args[81];
	struct cul_core_signal signal;
	CUL_VEC(struct cul_core_thread) threads;   /* the one that got the signal is the first */
	CUL_VEC(struct cul_core_segment) segments; /* by address; none overlap */
	CUL_VEC(struct cul_core_file) files;       /* likewise */
	CUL_VEC(struct cul_core_auxv) auxv;
	uint64_t signature;      /* bits that are none of an address of code (NT_ARM_PAC_MASK) */
	uint64_t size, promised; /* bytes of the file, and what its headers say it has */
	bool notes_cut;          /* notes are missing, or do not make sense from somewhere on */
	bool too_many;           /* threads or mappings beyond the bounds were left out */
	struct cul_arena arena;  /* of strings */
};

/*
 * -ENOENT, -EACCES, -EISDIR; -ENOEXEC when it is no core (a program, compressed, empty, anything
 * else); -ENOTSUP when it is of an architecture that is not read; -EBADMSG when not even its
 * headers are whole, or no thread is in it.
 */
int cul_core_open(const char *path, struct cul_core **out, struct cul_error *err);
void cul_core_free(struct cul_core *core);

/* The segment that holds `addr`, as long as `core` lives; NULL: none does. */
const struct cul_core_segment *cul_core_segment_at(const struct cul_core *core, uint64_t addr);

/* The process' memory; it lives as long as `core`, which frees it. */
struct cul_mem *cul_core_mem(struct cul_core *core);

/*
 * Where the memory comes from that the core does not hold and the process could not write: code
 * and constants of files. -EFAULT: not there either.
 */
void cul_core_fill(struct cul_core *core,
	int (*read)(void *data, uint64_t addr, void *buf, size_t size), void *data);

/* What the core itself holds at `addr`: as many bytes of `size` as are there without a gap. */
size_t cul_core_held(struct cul_core *core, uint64_t addr, void *buf, size_t size);

bool cul_core_auxv(const struct cul_core *core, uint64_t type, uint64_t *value);

#endif
