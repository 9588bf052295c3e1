/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function's parameters, and where the caller has put them.
 *
 * Words are numbered as the program that runs at the entry finds them: first
 * the argument registers, then the words on the stack above the return address.
 */
#ifndef CUL_SYM_SIGNATURE_H
#define CUL_SYM_SIGNATURE_H

#include "arch/arch.h"
#include "base/str.h"
#include "sym/type.h"

enum { CUL_SIGNATURE_MOST = 16 };

struct cul_parameter {
	const char *name; /* NULL: it has none */
	const struct cul_type *type;
	struct cul_arg_place place;
};

struct cul_signature {
	struct cul_parameter params[CUL_SIGNATURE_MOST];
	size_t n_params;            /* those beyond CUL_SIGNATURE_MOST are left out */
	bool is_variadic;           /* or more parameters than fit */
	const struct cul_type *ret; /* VOID: nothing is returned */
	bool ret_in_memory;         /* a large struct: the first word is its address */
	bool ret_is_float;          /* in a register that a probe does not see */
	bool ret_unseen;            /* where it comes back is not known */
};

/* `func` is KIND_FUNC. What the types do not tell (incomplete ones) has place UNKNOWN. */
int cul_signature_of(const struct cul_type *func, const struct cul_arch *arch,
	struct cul_signature *out, struct cul_error *err);

/* "int do_open(int dfd, const char *name, ...)" */
void cul_signature_print(struct cul_str *out, const char *name, const struct cul_signature *s);

#endif
