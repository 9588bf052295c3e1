/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files behind sym/sites.h share; nobody else includes this.
 */
#ifndef CUL_SYM_SITES_PRIV_H
#define CUL_SYM_SITES_PRIV_H

#include "sym/sites.h"

/* What a user wrote, in parts. */
struct sites_spec {
	const char *text;   /* all of it; borrowed */
	char *copy;         /* holds the parts */
	const char *module; /* module or library; NULL: any */
	const char *name;   /* NULL: an address */
	size_t literal;     /* of `name`: bytes before the first special character of a pattern */
	bool is_pattern;
	bool in_source; /* as C++ and Rust write it: "ns::f", "f(int)" */
	bool has_offset;
	uint64_t offset; /* func+off */
	uint64_t addr;   /* without a name */
};

/* -EINVAL for what is none; free with cul_sites_spec_free. */
int cul_sites_spec_parse(const char *text, struct sites_spec *out, struct cul_error *err);
void cul_sites_spec_free(struct sites_spec *s);

enum sites_form {
	SITES_PLAIN,
	SITES_CLONE, /* .isra, .constprop, .part: arguments may be missing */
	SITES_COLD,  /* the unlikely part of a function: no entry */
};

/* How long the name in the source is that a symbol begins with, and what the rest makes of it. */
size_t cul_sites_base(const char *symbol, enum sites_form *form);

/*
 * Whether the symbol is what `s` names: by its whole name, or by that in the source. Cold parts
 * never are.
 */
bool cul_sites_spec_names(const struct sites_spec *s, const char *symbol);

/* sites_source.c: the same, of a name that is mangled in the file. */
bool cul_sites_names_source(
	const struct sites_spec *s, struct cul_objfile *file, const char *symbol);
/* sites_source.c: "ns::f" of "int ns::f(int) const". */
const char *cul_sites_bare(const char *text, size_t *len);

/* The symbol's name in the source: itself, or a copy in the arena. NULL when out of memory. */
const char *cul_sites_base_name(struct cul_sites *out, const char *symbol);

/* What a call has found; handed over as a whole. */
struct sites_found {
	CUL_VEC(struct cul_site) sites;
	CUL_VEC(struct cul_site_refused) refused;
};

void cul_sites_found_free(struct sites_found *f);
int cul_sites_refuse(
	struct sites_found *f, const char *symbol, const char *module, const char *why);
/* -E2BIG when `n` more are too many: to be asked before what takes long is done for each. */
int cul_sites_count(
	const struct cul_sites *out, size_t n, const struct sites_spec *s, struct cul_error *err);
/* Puts it into `out`. The errors of cul_sites_kernel when nothing can be probed or all is too much.
 */
int cul_sites_add(struct cul_sites *out, struct sites_found *f, const struct sites_spec *s,
	struct cul_error *err);

/* In the sites' arena. NULL: out of memory. */
const struct cul_inlined_copy *cul_sites_keep_copy(
	struct cul_sites *s, const struct cul_inlined_copy *copy);

#endif
