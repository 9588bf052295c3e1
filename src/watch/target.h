/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the user wants watched, resolved: address, type, and how debug
 * registers cover it.
 */
#ifndef CUL_WATCH_TARGET_H
#define CUL_WATCH_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "base/error.h"
#include "bpf/watch.h"
#include "expr/scope.h"
#include "trace/cpus.h"

/* One debug register's part of a target. */
struct cul_watch_piece {
	uint32_t offset; /* from the target's address */
	uint32_t len;    /* 1, 2, 4, 8; offset + address is aligned to it */
};

struct cul_watch_target {
	const char *text;            /* as given; borrowed */
	char *source;                /* the expression without `:SIZE` */
	struct cul_expr *expr;       /* NULL: the address was given as a number or symbol+offset */
	const struct cul_type *type; /* NULL: bytes; a struct around one scalar, atomic_t: that */
	const struct cul_type *declared; /* as it is written */
	bool percpu;
	int copy;         /* per-CPU: this CPU's copy is watched everywhere; -1: each CPU its own */
	uint64_t addr;    /* per-CPU: of copy `copy`, or of the first copy watched */
	uint64_t *copies; /* per-CPU, by CPU number: address of its copy; NULL otherwise */
	bool shared;      /* a process's memory that others map too: one value for all of them */
	uint64_t size;
	uint32_t bit_offset, bit_size;
	struct cul_watch_piece pieces[CUL_WATCH_WORDS];
	unsigned n_pieces;
};

/*
 * Splits [addr, addr+size) into aligned powers of two of at most `max` bytes. The number of
 * pieces, or -E2BIG when it needs more than CUL_WATCH_WORDS.
 */
int cul_watch_split(
	uint64_t addr, uint64_t size, unsigned max, struct cul_watch_piece pieces[CUL_WATCH_WORDS]);

/*
 * Resolves `text` in `scope`. `cpus`: those that will be armed; `copy`: the CPU of `--cpu N` for a
 * per-CPU variable, or -1. `access` EXECUTE: `text` names code. Free with cul_watch_target_free.
 */
int cul_watch_target_resolve(const char *text, struct cul_scope *scope, const struct cul_arch *arch,
	enum cul_access_kind access, const struct cul_cpus *cpus, int copy,
	struct cul_watch_target *out, struct cul_error *err);
void cul_watch_target_free(struct cul_watch_target *t);

/* Where CPU `cpu` watches. */
uint64_t cul_watch_target_addr(const struct cul_watch_target *t, int cpu);

/* One integer or pointer, which `old` and `new` can stand for and minimum and maximum describe. */
bool cul_watch_target_is_scalar(const struct cul_watch_target *t);

#endif
