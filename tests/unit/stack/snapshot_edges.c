/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stack/snapshot.c takes a stack to be: what is in use below it, beside it and behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stack/snapshot.h"

enum { PAGE = 4096, PAGES = 64 };

struct place {
	uint8_t *bytes;
	struct cul_mem *live;
	struct cul_snapshot *snapshot;
	struct cul_maps maps;
};

/* Pages with nothing around them. */
static void begin(struct place *p, int prot)
{
	*p = (struct place){0};
	p->bytes = mmap(NULL, (PAGES + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p->bytes, MAP_FAILED);
	p->bytes += PAGE;
	assert_int_equal(mprotect(p->bytes, PAGES * PAGE, prot), 0);
	assert_int_equal(cul_mem_process(getpid(), &p->live, NULL), 0);
	assert_int_equal(cul_snapshot_new(getpid(), p->live, 2, &p->snapshot), 0);
}

static void end(struct place *p)
{
	cul_snapshot_free(p->snapshot);
	cul_mem_free(p->live);
	cul_maps_free(&p->maps);
	munmap(p->bytes - PAGE, (PAGES + 2) * PAGE);
}

static void let_go(struct place *p)
{
	assert_int_equal(cul_maps_read(getpid(), &p->maps, NULL), 0);
	cul_snapshot_close(p->snapshot, &p->maps);
}

static bool copy(struct place *p, const uint8_t *at)
{
	return cul_snapshot_copy(p->snapshot, (uintptr_t)at);
}

static int read_at(struct place *p, const uint8_t *at, char *out)
{
	return cul_mem_read(cul_snapshot_mem(p->snapshot), (uintptr_t)at, out, 1);
}

/* System V ABI, AMD64 supplement 1.0, 3.2.2: 128 bytes below the stack pointer are in use. */
static void test_red_zone(void **state)
{
	struct place p;
	char byte;

	begin(&p, PROT_READ | PROT_WRITE);
	p.bytes[60 * PAGE - 112] = 1;
	assert_true(copy(&p, p.bytes + 60 * PAGE + 16));
	let_go(&p);
	p.bytes[60 * PAGE - 112] = 2;
	assert_int_equal(read_at(&p, p.bytes + 60 * PAGE - 112, &byte), 0);
	assert_int_equal(byte, 1);
	end(&p);
}

static void test_nothing_below(void **state)
{
	struct place p;
	char byte;

	begin(&p, PROT_READ | PROT_WRITE);
	p.bytes[16] = 1;
	copy(&p, p.bytes + 16);
	let_go(&p);
	assert_int_equal(read_at(&p, p.bytes + 16, &byte), 0);
	assert_int_equal(byte, 1);
	end(&p);
}

/* What the kernel writes for a handler that has a stack of its own. */
static void test_alternate(void **state)
{
	struct place p;
	stack_t stack;

	begin(&p, PROT_READ | PROT_WRITE);
	assert_true(copy(&p, p.bytes + 60 * PAGE));
	stack = (stack_t){.ss_sp = p.bytes + 56 * PAGE, .ss_size = 8 * PAGE};
	memcpy(p.bytes + 63 * PAGE + 16, &stack, sizeof(stack));
	assert_false(copy(&p, p.bytes + 60 * PAGE));
	stack.ss_size = 4 * PAGE; /* of another thread: not where it is */
	memcpy(p.bytes + 63 * PAGE + 16, &stack, sizeof(stack));
	assert_true(copy(&p, p.bytes + 60 * PAGE));
	end(&p);
}

/* A compiler's code can be written to; so can some stacks be executed. */
static void test_code(void **state)
{
	const int all = PROT_READ | PROT_WRITE | PROT_EXEC;
	struct place p;
	char byte;

	begin(&p, all);
	let_go(&p);
	assert_int_equal(read_at(&p, p.bytes + 5 * PAGE, &byte), 0);
	end(&p);
	begin(&p, all);
	copy(&p, p.bytes + 40 * PAGE);
	let_go(&p);
	assert_int_equal(read_at(&p, p.bytes + 40 * PAGE, &byte), 0);
	assert_int_equal(read_at(&p, p.bytes + 5 * PAGE, &byte), -EFAULT);
	assert_int_equal(read_at(&p, p.bytes + 62 * PAGE, &byte), -EFAULT);
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_red_zone),
		cmocka_unit_test(test_nothing_below),
		cmocka_unit_test(test_alternate),
		cmocka_unit_test(test_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
