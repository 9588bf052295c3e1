/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mappings of a process: the text of /proc/PID/maps (proc_pid_maps(5)).
 * Parsed as hostile: names of files are chosen by whoever made them.
 * The vector owns all strings.
 */
#ifndef CUL_SYM_MAPS_H
#define CUL_SYM_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/vec.h"

enum { CUL_MAP_READ = 1, CUL_MAP_WRITE = 2, CUL_MAP_EXEC = 4, CUL_MAP_SHARED = 8 };

struct cul_map {
	uint64_t start, end; /* [start, end), end > start */
	uint64_t offset;     /* in the file */
	uint64_t inode;      /* 0: no file */
	unsigned major, minor;
	unsigned prot;    /* CUL_MAP_* */
	const char *path; /* "/lib/libc.so.6", "[heap]", "[vdso]"; "" for anonymous memory */
	bool deleted;     /* the file was removed or replaced; " (deleted)" is not part of `path` */
};

struct cul_maps {
	CUL_VEC(struct cul_map) maps; /* by address, none overlapping */
	struct cul_arena arena;
};

/* `out` is all zero before. -EBADMSG with the line, -ENOMEM. */
int cul_maps_parse(const char *text, size_t len, struct cul_maps *out, struct cul_error *err);
/* -ESRCH when there is no such process (or it has no memory: a kernel thread, a zombie), -EACCES.
 */
int cul_maps_read(pid_t pid, struct cul_maps *out, struct cul_error *err);
void cul_maps_free(struct cul_maps *maps); /* leaves it all zero */

/* The mapping that covers `addr`, or NULL. */
const struct cul_map *cul_maps_at(const struct cul_maps *maps, uint64_t addr);

/*
 * The first mapping of the file that the user calls `name`: its path, its base name
 * ("libc.so.6"), or its base name without version or suffix ("libc", "libc.so"). NULL: none, or
 * (`ambiguous`, which may be NULL, set) different files answer to a short name.
 */
const struct cul_map *cul_maps_file(const struct cul_maps *maps, const char *name, bool *ambiguous);

/* Whether both map the same file. */
bool cul_maps_same_file(const struct cul_map *a, const struct cul_map *b);

#endif
