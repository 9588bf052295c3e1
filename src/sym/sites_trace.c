/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of many functions ftrace lists. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sym/ftrace_list.h"
#include "sym/sites_kernel.h"

/* A name to look for in a list without addresses. */
struct wanted {
	const char *name, *module;
	struct ksite *site;
	unsigned listed; /* how often */
};

static int read_records(struct cul_kernel *k)
{
	struct kernel_part *p = cul_kernel_part(k, "vmlinux");
	struct cul_btf *btf = p ? cul_kernel_part_btf(k, p) : NULL;
	struct cul_mem *mem = btf ? cul_kernel_mem(k, NULL) : NULL;
	uint64_t head;

	if (!mem || cul_kallsyms_mark(k->syms, "ftrace_pages_start", &head))
		return -ENOTSUP;
	return cul_ftrace_list_read(mem, btf, head, &k->ftrace);
}

static const struct cul_ftrace_list *list_of(struct cul_kernel *k)
{
	if (!k->ftrace_tried && (k->ftrace_path || read_records(k)) &&
		cul_ftrace_list_open(k->ftrace_path, &k->ftrace))
		k->ftrace = NULL;
	k->ftrace_tried = true;
	return k->ftrace;
}

/* The list of sites is by address: the last one at or below. */
static struct ksite *site_below(struct ksites *ks, uint64_t addr)
{
	size_t low = 0, high = ks->list.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ks->list.data[middle].sym.addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &ks->list.data[low - 1] : NULL;
}

static void by_addresses(struct ksites *ks, const struct cul_ftrace_list *list)
{
	struct cul_ftrace_line line;
	size_t cursor = 0;

	for (size_t i = 0; i < ks->list.len; i++)
		ks->list.data[i].notrace = true;
	while (cul_ftrace_list_next(list, &cursor, &line)) {
		struct ksite *site = site_below(ks, line.addr);

		if (site && line.addr - site->sym.addr <= CUL_FTRACE_REACH)
			site->notrace = false;
	}
}

static int by_name(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->module, y->module);
}

/* Counts lines for each wanted name. */
static void count(struct wanted *w, size_t n, const struct cul_ftrace_list *list)
{
	struct cul_ftrace_line line;
	size_t cursor = 0;

	if (n)
		qsort(w, n, sizeof(*w), by_name);
	while (n && cul_ftrace_list_next(list, &cursor, &line)) {
		struct wanted key = {.name = line.name, .module = line.module};
		struct wanted *hit = bsearch(&key, w, n, sizeof(*w), by_name);

		if (!hit)
			continue;
		while (hit > w && !by_name(hit - 1, &key))
			hit--;
		for (; hit < w + n && !by_name(hit, &key); hit++)
			hit->listed++;
	}
}

/* How many of them have the name of w[i]. */
static unsigned bearers(const struct wanted *w, size_t n, size_t i)
{
	unsigned found = 1;

	for (size_t j = i; j > 0 && !by_name(&w[j - 1], &w[i]); j--)
		found++;
	for (size_t j = i + 1; j < n && !by_name(&w[j], &w[i]); j++)
		found++;
	return found;
}

/* The name that ftrace uses of several at one address: the first in the table. */
static const char *first_name(struct cul_kernel *k, const struct ksite *site)
{
	struct cul_ksym sym;

	return cul_kallsyms_at(k->syms, site->sym.addr, &sym) ? site->sym.name : sym.name;
}

static int by_names(struct ksites *ks, const struct cul_ftrace_list *list)
{
	size_t n = ks->list.len, left = 0;
	cul_autofree struct wanted *w = cul_calloc(n, sizeof(*w));

	if (!w)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct ksite *site = &ks->list.data[i];

		w[i] = (struct wanted){site->sym.name, site->sym.module, site, 0};
	}
	count(w, n, list);
	for (size_t i = 0; i < n; i++)
		w[i].site->uncertain = w[i].listed && w[i].listed < bearers(w, n, i);
	for (size_t i = 0; i < n; i++)
		if (!w[i].listed)
			w[left++] = w[i];
	for (size_t i = 0; i < left; i++)
		w[i].name = first_name(ks->k, w[i].site);
	count(w, left, list);
	for (size_t i = 0; i < left; i++)
		w[i].site->notrace = !w[i].listed;
	return 0;
}

int cul_ksites_traceable(struct ksites *ks, struct cul_error *err)
{
	const struct cul_ftrace_list *list = list_of(ks->k);

	if (!list)
		return 0;
	if (cul_ftrace_list_has_addresses(list)) {
		by_addresses(ks, list);
		return 0;
	}
	return by_names(ks, list) ? cul_fail(err, -ENOMEM, "'%s': out of memory", ks->spec->text)
				  : 0;
}

bool cul_sites_is_notrace(struct cul_kernel *k, const struct cul_site *site)
{
	struct ksite one = {
		.sym = {.name = site->symbol, .module = site->module, .addr = site->addr}};
	const struct sites_spec spec = {.text = site->symbol};
	struct ksites ks = {.k = k, .spec = &spec, .list = {.data = &one, .len = 1}};
	struct cul_error err;

	return !cul_ksites_traceable(&ks, &err) && one.notrace;
}
