/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few symbols that a run begins with, by the kernel's own walk (sym/ksym_iter.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sym/kallsyms_priv.h"
#include "sym/ksym_iter.h"

void cul_kallsyms_some_free(struct cul_kallsyms *k)
{
	for (size_t i = 0; i < k->prefixes.len; i++)
		free(k->prefixes.data[i]);
	free(k->prefixes.data);
	cul_kallsyms_text_free(&k->some);
}

static int add(struct cul_kallsyms *k, struct cul_ksym_iter *it, const char *prefix, size_t len)
{
	char **slot;

	if (!len)
		return -E2BIG; /* everything would be let through */
	slot = cul_vec_push(&k->prefixes);
	if (!slot)
		return -ENOMEM;
	*slot = cul_strndup(prefix, len);
	return *slot ? cul_ksym_iter_prefix(it, prefix, len) : -ENOMEM;
}

static int gather(struct cul_kallsyms *k, const struct cul_kallsyms_prefix *prefixes, size_t n,
	struct cul_btf *vmlinux)
{
	/* Where code is, and what tells per-CPU symbols apart (kallsyms_text.c). */
	static const char *const always[] = {
		"_text", "_sinittext", "_einittext", "__per_cpu_", "ftrace_pages_start"};
	struct cul_ksym_iter it = {0};
	cul_autofree char *text = NULL;
	size_t size;
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(always) / sizeof(always[0]); i++)
		ret = add(k, &it, always[i], strlen(always[i]));
	for (size_t i = 0; !ret && i < n; i++)
		ret = add(k, &it, prefixes[i].text, prefixes[i].len);
	if (!ret)
		ret = cul_ksym_iter_run(&it, vmlinux, &text, &size);
	return ret ? ret : cul_kallsyms_text_parse(text, size, &k->some);
}

void cul_kallsyms_gather(struct cul_kallsyms *k, const struct cul_kallsyms_prefix *prefixes,
	size_t n, struct cul_btf *vmlinux)
{
	if (!k->pending || k->reading || k->prefixes.len)
		return;
	if (gather(k, prefixes, n, vmlinux) || !k->some.any_address) {
		cul_kallsyms_some_free(k);
		memset(&k->prefixes, 0, sizeof(k->prefixes));
	}
}

static bool is_gathered(const struct cul_kallsyms *k, const char *prefix, size_t len)
{
	for (size_t i = 0; i < k->prefixes.len; i++) {
		size_t n = strlen(k->prefixes.data[i]);

		if (n <= len && !memcmp(k->prefixes.data[i], prefix, n))
			return true;
	}
	return false;
}

static const struct cul_kallsyms_text *text_for(
	struct cul_kallsyms *k, const char *prefix, size_t len)
{
	if (is_gathered(k, prefix, len))
		return &k->some;
	cul_kallsyms_want(k);
	return &k->text;
}

bool cul_kallsyms_next_of(struct cul_kallsyms *k, const struct cul_kallsyms_prefix *prefix,
	size_t *cursor, struct cul_ksym *out)
{
	const struct cul_kallsyms_text *text = text_for(k, prefix->text, prefix->len);
	struct cul_kallsyms_line line;

	while (cul_kallsyms_text_next(text, cursor, &line)) {
		if (strncmp(line.name, prefix->text, prefix->len) != 0)
			continue;
		cul_kallsyms_fill(text, &line, out);
		return true;
	}
	return false;
}

int cul_kallsyms_mark(struct cul_kallsyms *k, const char *name, uint64_t *addr)
{
	const struct cul_kallsyms_prefix all = {name, strlen(name)};
	struct cul_ksym sym;
	size_t cursor = 0;

	while (cul_kallsyms_next_of(k, &all, &cursor, &sym)) {
		if (strcmp(sym.name, name) != 0 || strcmp(sym.module, "vmlinux") != 0)
			continue;
		*addr = sym.addr;
		return 0;
	}
	return -ENOENT;
}
