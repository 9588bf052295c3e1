/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files behind cul_sites_kernel() share; nobody else includes this.
 */
#ifndef CUL_SYM_SITES_KERNEL_H
#define CUL_SYM_SITES_KERNEL_H

#include "sym/kernel_priv.h"
#include "sym/sites_priv.h"

/* A symbol on its way to become a site. */
struct ksite {
	struct cul_ksym sym;
	enum sites_form form;
	uint64_t offset;
	const struct cul_inlined_copy *copy; /* of what was asked for, begins there; else NULL */
	int rank;                            /* of several at one address the highest is shown */
	bool ambiguous;                      /* others bear the same name */
	bool notrace;                        /* ftrace does not list it */
	bool uncertain;                      /* it lists some of that name */
	const struct cul_type *type;
	uint32_t btf_id;
};

struct ksites {
	struct cul_kernel *k;
	const struct sites_spec *spec;
	struct cul_sites *out; /* for its arena; the rest is untouched until cul_sites_add() */
	CUL_VEC(struct ksite) list;
	struct sites_found found;
	const char *last_module; /* and whether it is none: answers repeat */
	bool last_generated;
};

bool cul_ksites_same_module(const char *a, const char *b); /* '-' and '_' being the same */

/* sites_types.c */
/* Types and BTF ids of the list, by name. */
int cul_ksites_types(struct ksites *ks);
/* Whether BTF has a function of that name, in the spec's module or in vmlinux. */
bool cul_ksites_in_btf(struct ksites *ks, const char *name);
bool cul_ksites_module_known(struct ksites *ks);

/* sites_inlined.c: adds the inlined copies of the spec's function, where DWARF is at hand. */
int cul_ksites_inlined(struct ksites *ks);

/* sites_trace.c: sets `notrace` and `uncertain` by ftrace's list, where it can be read. */
int cul_ksites_traceable(struct ksites *ks, struct cul_error *err);

#endif
