/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The known access of the self-test: memory (or code) of our own that a
 * breakpoint is put on before it is trusted. Which hits were seen is counted
 * by the hit program, per CPU.
 */
#ifndef CUL_WATCH_PROVE_H
#define CUL_WATCH_PROVE_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "base/error.h"
#include "watch/program.h"

enum cul_watch_proof {
	CUL_PROOF_KERNEL, /* a store by kernel code to kernel memory, on a CPU of choice */
	CUL_PROOF_USER,   /* a store by ourselves to our own memory, after moving to the CPU */
	CUL_PROOF_CODE,   /* a call of a function of ours, after moving to the CPU */
};

/* Which one stands for watching `access` in the kernel or in a process. */
enum cul_watch_proof cul_watch_proof_for(enum cul_access_kind access, bool kernel);

/* Where the access goes; the program counts hits there as proofs once its CPU table says so. */
int cul_watch_proof_addr(struct cul_watch_program *p, enum cul_watch_proof proof, uint64_t *addr,
	struct cul_error *err);

/*
 * Makes the access on `cpu` several times and compares with what was counted there.
 * 0; -ENXIO: nothing fired, or time and again not all; -EPERM: we may not run there. `cost_ns`: the
 * least time that one access took.
 */
int cul_watch_prove(struct cul_watch_program *p, enum cul_watch_proof proof, int cpu,
	uint64_t *cost_ns, struct cul_error *err);

#endif
