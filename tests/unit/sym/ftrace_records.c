/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ftrace's records in a memory made by hand, whole and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "btf_build.h"
#include "sym/ftrace_list.h"

/* Laid out as no kernel does, so that only BTF tells. */
struct record {
	uint64_t flags, ip;
};

struct page {
	uint32_t order, index;
	uint64_t records, next;
};

enum { BASE = 0x10000, PAGES = 3, RECORDS = 4 };

static struct {
	struct cul_mem mem;
	struct {
		uint64_t head;
		struct page pages[PAGES];
		struct record records[PAGES][RECORDS];
	} bytes;
	size_t readable;
} memory;

static struct btf_build build;
static struct cul_btf *btf;

static int read_memory(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	if (addr < BASE || addr - BASE > memory.readable || size > memory.readable - (addr - BASE))
		return -EFAULT;
	memcpy(buf, (const uint8_t *)&memory.bytes + (addr - BASE), size);
	return 0;
}

static const struct cul_mem_ops ops = {.name = "made by hand", .read = read_memory};

#define AT(what) (BASE + ((uint8_t *)&memory.bytes.what - (uint8_t *)&memory.bytes))

static struct cul_btf *make_btf(uint32_t ip_offset, bool with_index)
{
	struct cul_btf *made = NULL;
	uint32_t u32, u64, pointer;

	build_start(&build, 1, 0);
	u32 = build_int(&build, "int", 4, 0);
	u64 = build_int(&build, "long unsigned int", 8, 0);
	pointer = build_type(&build, BTF_KIND_PTR, "", 0, 0, 0);
	build_type(&build, BTF_KIND_STRUCT, "dyn_ftrace", 2, 0, sizeof(struct record));
	build_member(&build, "flags", u64, 0);
	build_member(&build, "ip", u64, ip_offset * 8);
	build_type(&build, BTF_KIND_STRUCT, "ftrace_page", 4, 0, sizeof(struct page));
	build_member(&build, "order", u32, 0);
	build_member(&build, with_index ? "index" : "other", u32, 32);
	build_member(&build, "records", pointer, 64);
	build_member(&build, "next", pointer, 128);
	assert_int_equal(cul_btf_parse(build.file, build_end(&build), NULL, &made, NULL), 0);
	return made;
}

/* Three pages of 4, 0 and 2 functions. */
static int set_up(void **state)
{
	static const uint32_t n[PAGES] = {4, 0, 2};

	memset(&memory, 0, sizeof(memory));
	memory.mem.ops = &ops;
	memory.readable = sizeof(memory.bytes);
	memory.bytes.head = AT(pages[0]);
	for (unsigned p = 0; p < PAGES; p++) {
		memory.bytes.pages[p] = (struct page){.index = n[p],
			.records = AT(records[p]),
			.next = p + 1 < PAGES ? AT(pages[p + 1]) : 0};
		for (unsigned i = 0; i < RECORDS; i++)
			memory.bytes.records[p][i] =
				(struct record){.flags = 7, .ip = 0x1000 * (p + 1) + 0x10 * i};
	}
	btf = make_btf(8, true);
	return 0;
}

static int tear_down(void **state)
{
	cul_btf_free(btf);
	return 0;
}

static int read_list(struct cul_ftrace_list **list)
{
	*list = NULL;
	return cul_ftrace_list_read(&memory.mem, btf, AT(head), list);
}

static void fails(int code)
{
	struct cul_ftrace_list *list;

	assert_int_equal(read_list(&list), code);
	assert_null(list);
}

static void all_pages(void **state)
{
	static const uint64_t wanted[] = {0x1000, 0x1010, 0x1020, 0x1030, 0x3000, 0x3010};
	struct cul_ftrace_list *list;
	struct cul_ftrace_line line;
	size_t cursor = 0;

	assert_int_equal(read_list(&list), 0);
	assert_true(cul_ftrace_list_has_addresses(list));
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		assert_true(cul_ftrace_list_next(list, &cursor, &line));
		assert_int_equal(line.addr, wanted[i]);
	}
	assert_false(cul_ftrace_list_next(list, &cursor, &line));
	cul_ftrace_list_free(list);
}

/* A module may come or go meanwhile: what is out of order is no list. */
static void out_of_order(void **state)
{
	memory.bytes.records[0][2].ip = 0x1010;
	fails(-EBADMSG);
	memory.bytes.records[0][2].ip = 0;
	fails(-EBADMSG);
}

static void endless(void **state)
{
	memory.bytes.pages[2].next = AT(pages[1]);
	memory.bytes.pages[2].index = 0;
	fails(-ELOOP);
	memory.bytes.pages[2].index = 2;
	fails(-ELOOP);
}

static void more_than_there_can_be(void **state)
{
	memory.bytes.pages[0].index = UINT32_MAX;
	fails(-EBADMSG);
	memory.bytes.pages[0].index = (1 << 22) + 1;
	fails(-EBADMSG);
	memory.bytes.pages[0].index = RECORDS * PAGES + 1; /* beyond what can be read */
	fails(-EFAULT);
}

static void not_readable(void **state)
{
	memory.bytes.pages[1].next = 0xdead000000000100;
	fails(-EFAULT);
	memory.readable = 4;
	fails(-EFAULT);
}

static void none(void **state)
{
	memory.bytes.head = 0;
	fails(-ENODATA);
}

static void another_layout(void **state)
{
	cul_btf_free(btf);
	btf = make_btf(8, false);
	fails(-ENOTSUP);
	cul_btf_free(btf);
	btf = make_btf(12, true); /* beyond its struct */
	fails(-ENOTSUP);
}

static void memory_runs_out(void **state)
{
	struct cul_ftrace_list *list;
	long n = 0;
	int r;

	do {
		cul_alloc_fail_after(n++);
		r = read_list(&list);
		cul_alloc_fail_after(-1);
		assert_true(!r || r == -ENOMEM || r == -ENOTSUP);
	} while (r);
	assert_true(n > 2);
	cul_ftrace_list_free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(out_of_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(endless, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_than_there_can_be, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_readable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_layout, set_up, tear_down),
		cmocka_unit_test_setup_teardown(memory_runs_out, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
