/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of a process as it was at one instant: copies of the used parts of its stacks, taken while
 * it stood still. Until cul_snapshot_close() what was not copied is read from the process; then
 * only code, also where it may be written to, and constants of its files.
 */
#ifndef CUL_STACK_SNAPSHOT_H
#define CUL_STACK_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mem/mem.h"
#include "sym/maps.h"

struct cul_snapshot;

enum { CUL_SNAPSHOT_STACK = 64 << 10 }; /* of one stack, and less of each of thousands */

/* Room for `n` stacks. `pid` and `live`, which is kept by the caller: whose memory. */
int cul_snapshot_new(pid_t pid, struct cul_mem *live, size_t n, struct cul_snapshot **out);
void cul_snapshot_free(struct cul_snapshot *s); /* accepts NULL */

/*
 * Copies from the page of `addr`, and of the red zone below it, up to where memory ends,
 * CUL_SNAPSHOT_STACK bytes at most. Returns whether that was all of the stack, and it does not lead
 * to another one, as that of a signal handler may.
 */
bool cul_snapshot_copy(struct cul_snapshot *s, uint64_t addr);

/*
 * The same of `n` stacks, in fewer system calls and from just below `addr`: `maps` says where
 * memory ends. `whole[i]`: whether that was all.
 */
void cul_snapshot_copy_all(struct cul_snapshot *s, const struct cul_maps *maps,
	const uint64_t *addrs, bool *whole, size_t n);

/* The process has other memory now. */
void cul_snapshot_of(struct cul_snapshot *s, struct cul_mem *live);

/* Beyond that time (base/clock.h) nothing is read from the process. */
void cul_snapshot_until(struct cul_snapshot *s, uint64_t ns);
bool cul_snapshot_is_late(const struct cul_snapshot *s); /* something was refused for that */

/* `maps`, kept by the caller: what the process had mapped then. */
void cul_snapshot_close(struct cul_snapshot *s, const struct cul_maps *maps);

/* Reads it; lives as long as `s`. */
struct cul_mem *cul_snapshot_mem(struct cul_snapshot *s);

#endif
