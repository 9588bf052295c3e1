/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "mem/mem.h"

/* Memory of which [0x1000, 0x1000 + sizeof(bytes)) is mapped. Counts what is asked for. */
struct fake {
	struct cul_mem mem;
	char bytes[8192];
	uint64_t highest;
	int freed;
};

static int fake_read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct fake *f = (struct fake *)mem;

	if (addr + size > f->highest)
		f->highest = addr + size;
	if (addr < 0x1000 || addr + size > 0x1000 + sizeof(f->bytes))
		return -EFAULT;
	memcpy(buf, f->bytes + (addr - 0x1000), size);
	return 0;
}

static void fake_free(struct cul_mem *mem)
{
	((struct fake *)mem)->freed++;
}

static const struct cul_mem_ops fake_ops = {.read = fake_read, .free = fake_free};

static struct fake *fresh(void)
{
	static struct fake f;

	memset(&f, 0, sizeof(f));
	f.mem.ops = &fake_ops;
	memset(f.bytes, 'x', sizeof(f.bytes));
	return &f;
}

static void a_string_before_an_unmapped_page_is_read(void **state)
{
	struct fake *f = fresh();
	char buf[64];

	strcpy(f->bytes + sizeof(f->bytes) - 6, "hello");
	assert_int_equal(cul_mem_read_string(&f->mem, 0x3000 - 6, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "hello");
	assert_int_equal(f->highest, 0x3000);
}

static void a_string_over_a_page_border_is_read(void **state)
{
	struct fake *f = fresh();
	char buf[1024];

	f->bytes[4096 + 100] = '\0';
	assert_int_equal(cul_mem_read_string(&f->mem, 0x2000 - 400, buf, sizeof(buf)), 0);
	assert_int_equal(strlen(buf), 500);
}

static void a_string_too_long_is_cut(void **state)
{
	struct fake *f = fresh();
	char buf[9];

	memset(buf, 'y', sizeof(buf));
	assert_int_equal(cul_mem_read_string(&f->mem, 0x1000, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "xxxxxxxx");
	assert_int_equal(f->highest, 0x1008);
	assert_int_equal(cul_mem_read_string(&f->mem, 0x1000, buf, 1), 0);
	assert_string_equal(buf, "");
}

static void a_string_without_end_is_a_fault(void **state)
{
	struct fake *f = fresh();
	char buf[64];

	assert_int_equal(cul_mem_read_string(&f->mem, 0x3000 - 5, buf, sizeof(buf)), -EFAULT);
	assert_string_equal(buf, "xxxxx");
	assert_int_equal(cul_mem_read_string(&f->mem, 0x500, buf, sizeof(buf)), -EFAULT);
	assert_string_equal(buf, "");
}

static void free_takes_null(void **state)
{
	struct fake *f = fresh();

	cul_mem_free(NULL);
	cul_mem_free(&f->mem);
	assert_int_equal(f->freed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_string_before_an_unmapped_page_is_read),
		cmocka_unit_test(a_string_over_a_page_border_is_read),
		cmocka_unit_test(a_string_too_long_is_cut),
		cmocka_unit_test(a_string_without_end_is_a_fault),
		cmocka_unit_test(free_takes_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
