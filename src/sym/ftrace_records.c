/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ftrace's own records, from the kernel's memory: a list of `struct ftrace_page`, each with an
 * array of `struct dyn_ftrace` in the order of their addresses (kernel/trace/ftrace.c, v6.12). What
 * is printed of them, by a name that is looked up for each, takes the kernel long.
 *
 * They may change while they are read, when a module comes or goes: what is not as it should be is
 * no list at all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "sym/ftrace_list.h"

enum {
	MAX_PAGES = 1 << 16,
	MAX_RECORDS = 1 << 22, /* of all pages */
	MAX_STRUCT = 128,
};

struct layout {
	uint64_t page_size, next, records, index;
	uint64_t record_size, ip;
};

struct found {
	CUL_VEC(uint64_t) addrs;
};

static void found_free(struct found *f)
{
	free(f->addrs.data);
}

/* Where a member of `size` bytes is; false when there is none or the struct is not plausible. */
static bool member(const struct cul_type *t, const char *name, uint64_t size, uint64_t *at)
{
	struct cul_member m;

	if (cul_type_member(t, name, &m, NULL) || !m.type || m.type->size != size ||
		m.bit_offset / 8 + size > t->size)
		return false;
	*at = m.bit_offset / 8;
	return true;
}

static bool find_layout(struct cul_btf *btf, struct layout *l)
{
	const struct cul_type *page = cul_btf_find(btf, CUL_BTF_STRUCT, "ftrace_page");
	const struct cul_type *record = cul_btf_find(btf, CUL_BTF_STRUCT, "dyn_ftrace");

	if (!page || !record || page->size > MAX_STRUCT || record->size > MAX_STRUCT)
		return false;
	l->page_size = page->size;
	l->record_size = record->size;
	return member(page, "next", 8, &l->next) && member(page, "records", 8, &l->records) &&
	       member(page, "index", 4, &l->index) && member(record, "ip", 8, &l->ip);
}

static int add_records(
	struct cul_mem *mem, const struct layout *l, uint64_t at, uint32_t n, struct found *found)
{
	cul_autofree uint8_t *bytes = NULL;
	uint64_t last = 0;
	int r;

	if (!n)
		return 0;
	if (n > MAX_RECORDS - found->addrs.len)
		return -EBADMSG;
	bytes = cul_calloc(n, l->record_size);
	if (!bytes)
		return -ENOMEM;
	r = cul_mem_read(mem, at, bytes, n * l->record_size);
	for (uint32_t i = 0; !r && i < n; i++) {
		uint64_t *slot = cul_vec_push(&found->addrs);

		if (!slot)
			return -ENOMEM;
		memcpy(slot, bytes + i * l->record_size + l->ip, sizeof(*slot));
		if (*slot <= last)
			return -EBADMSG;
		last = *slot;
	}
	return r;
}

static int add_page(struct cul_mem *mem, const struct layout *l, uint64_t *at, struct found *found)
{
	uint8_t page[MAX_STRUCT];
	uint64_t records;
	uint32_t n;
	int r = cul_mem_read(mem, *at, page, l->page_size);

	if (r)
		return r;
	memcpy(&records, page + l->records, sizeof(records));
	memcpy(&n, page + l->index, sizeof(n));
	memcpy(at, page + l->next, sizeof(*at));
	return add_records(mem, l, records, n, found);
}

int cul_ftrace_list_read(
	struct cul_mem *mem, struct cul_btf *vmlinux, uint64_t head, struct cul_ftrace_list **out)
{
	cul_cleanup(found_free) struct found found = {0};
	struct layout l;
	uint64_t at;
	int r;

	if (!find_layout(vmlinux, &l))
		return -ENOTSUP;
	r = cul_mem_read(mem, head, &at, sizeof(at));
	for (size_t i = 0; !r && at; i++)
		r = i < MAX_PAGES ? add_page(mem, &l, &at, &found) : -ELOOP;
	if (!r && !found.addrs.len)
		r = -ENODATA;
	return r ? r : cul_ftrace_list_of(&found.addrs.data, found.addrs.len, out);
}
