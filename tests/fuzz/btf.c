/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as BTF, and then the same bytes as BTF split from those. Every type that a name leads
 * to is walked for a few steps. A search for a member is bounded, at 65536 of them (sym/type.c):
 * that of all types that lead to one another is bounded here.
 */
#include <linux/btf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sym/btf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned steps; /* that are left for this input */

static void walk(const struct cul_type *t, unsigned depth)
{
	const struct cul_type *to;
	struct cul_str text = {0};
	struct cul_member m;
	struct cul_error err;

	if (!t || depth > 4 || !steps)
		return;
	steps--;
	cul_type_print(&text, t);
	cul_str_free(&text);
	cul_type_member(t, "x", &m, &err);
	if (cul_type_to(t, &to, &err) == 0)
		walk(to, depth + 1);
	if (cul_type_fill(t, &err) < 0)
		return;
	for (size_t i = 0; i < t->n_members && i < 8; i++) {
		if (t->kind == CUL_KIND_ENUM)
			(void)strlen(t->enumerators[i].name);
		else
			walk(t->members[i].type, depth + 1);
	}
}

/* Asks for each string of the file as a name of each sort. */
static void ask(struct cul_btf *btf, const uint8_t *data, size_t size)
{
	struct btf_header h;
	const struct cul_type *t;
	const char *s, *end;
	int64_t value;

	memcpy(&h, data, sizeof(h));
	s = (const char *)data + h.hdr_len + h.str_off;
	end = s + h.str_len;
	for (int i = 0; i < 32 && s < end; i++, s += strlen(s) + 1) {
		for (int what = CUL_BTF_STRUCT; what <= CUL_BTF_TYPEDEF_OR_BASE; what++)
			walk(cul_btf_find(btf, (enum cul_btf_find)what, s), 0);
		walk(cul_btf_var(btf, s), 0);
		walk(cul_btf_func(btf, s), 0);
		if (cul_btf_enumerator(btf, s, &t, &value) == 0)
			walk(t, 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cul_btf *base = NULL, *btf = NULL;
	struct cul_error err;

	steps = 50;
	if (cul_btf_parse(data, size, NULL, &base, &err) == 0)
		ask(base, data, size);
	if (base && cul_btf_parse(data, size, base, &btf, &err) == 0)
		ask(btf, data, size);
	cul_btf_free(btf);
	cul_btf_free(base);
	return 0;
}
