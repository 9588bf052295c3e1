/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Some of the kernel's symbols, chosen within the kernel: its own walk over
 * them (the BPF iterator `ksym`, Linux 6.0) with a program that lets few through.
 * /proc/kallsyms prints all 200,000 lines first, which takes far longer than
 * everything else that is done before a probe stands.
 */
#ifndef CUL_SYM_KSYM_ITER_H
#define CUL_SYM_KSYM_ITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sym/btf.h"

enum { CUL_KSYM_ITER_MOST = 64 };

/* What to let through: names by the first bytes (of up to eight), or what is at an address. */
struct cul_ksym_iter {
	struct cul_ksym_test {
		bool is_addr;
		uint64_t mask, value; /* of the name's first eight bytes */
	} tests[CUL_KSYM_ITER_MOST];
	size_t n;
};

/* -E2BIG beyond CUL_KSYM_ITER_MOST. */
int cul_ksym_iter_prefix(struct cul_ksym_iter *it, const char *prefix, size_t len);
int cul_ksym_iter_addr(struct cul_ksym_iter *it, uint64_t addr);

/*
 * The lines of all symbols that pass a test, and maybe others, as /proc/kallsyms has them. The
 * caller frees `*text`, which ends with a NUL. `vmlinux`: its BTF. -ENOTSUP where the kernel has no
 * such iterator; -EPERM.
 */
int cul_ksym_iter_run(
	const struct cul_ksym_iter *it, struct cul_btf *vmlinux, char **text, size_t *size);

#endif
