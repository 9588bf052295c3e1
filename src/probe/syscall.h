/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a system call is asked for. Its functions in the kernel (`__x64_sys_openat`) have one
 * argument, the registers of the caller; names and types of what is in them are told by tracefs.
 */
#ifndef CUL_PROBE_SYSCALL_H
#define CUL_PROBE_SYSCALL_H

#include "arch/arch.h"
#include "base/arena.h"
#include "expr/expr.h"
#include "sym/sites.h"
#include "sym/type.h"

struct cul_syscall {
	const struct cul_type *type; /* KIND_FUNC: as it stands in the source */
	const struct cul_type *regs; /* of the function's one argument; NULL: not known */
	const struct cul_arch_syscall *how;
};

/*
 * `*out`, in the arena: that of the function; NULL when it is none, or tracefs does not know it or
 * is not mounted. -ENOMEM.
 */
int cul_syscall_find(const struct cul_site *site, const struct cul_arch *arch,
	const struct cul_expr_env *env, struct cul_arena *arena, const struct cul_syscall **out);

/*
 * KIND_FUNC from the `format` of its event sys_enter_*. A type that is not known is a word or a
 * `void *`. NULL: out of memory.
 */
const struct cul_type *cul_syscall_type(
	const char *format, const struct cul_expr_env *env, struct cul_arena *arena);

#endif
