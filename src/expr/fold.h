/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A BPF program, made smaller for what is known before it is loaded.
 *
 * The kernel's verifier takes out the branches that constants rule out, but leaves what only they
 * needed: the loads of those constants from their map, and registers that nobody reads any more.
 */
#ifndef CUL_EXPR_FOLD_H
#define CUL_EXPR_FOLD_H

#include <stddef.h>

#include "expr/bpf.h"

/* A map that nobody writes to: a program names it as BPF_PSEUDO_MAP_VALUE with the descriptor. */
struct cul_bpf_constants {
	int fd; /* -1: there is none */
	const void *data;
	size_t size;
};

/*
 * The program does what it did, with as many instructions or fewer. What is not understood stays as
 * it is; its BTF lines and functions would not fit any more. 0, or -ENOMEM and it is unchanged.
 */
int cul_bpf_fold(struct cul_bpf_code *code, const struct cul_bpf_constants *constants);

#endif
