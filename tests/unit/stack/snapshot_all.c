/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies of this process's own memory, which is then changed: what is read is as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stack/snapshot.h"
#include "sys/fault.h"

enum { PAGE = 4096, DEEP = 40 * PAGE, SMALL = 3 * PAGE, SP = 1000, STACKS = 300 };

static struct {
	struct cul_mem *live;
	struct cul_snapshot *snapshot;
	struct cul_maps maps;
} t;

/* Memory that ends in a page that cannot be read, with a byte of its own in each word. */
static uint8_t *stack_of(size_t size)
{
	uint8_t *start =
		mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(start, MAP_FAILED);
	assert_int_equal(mprotect(start + size, PAGE, PROT_NONE), 0);
	for (size_t i = 0; i < size; i++)
		start[i] = (uint8_t)(i * 7 + i / PAGE);
	return start;
}

static void assert_was(uint8_t *start, size_t from, size_t to, bool readable)
{
	uint8_t byte;

	for (size_t i = from; i < to; i += 97) {
		int r = cul_mem_read(cul_snapshot_mem(t.snapshot), (uintptr_t)start + i, &byte, 1);

		assert_int_equal(r == 0, readable);
		if (readable)
			assert_int_equal(byte, (uint8_t)(i * 7 + i / PAGE));
	}
}

static void begin(size_t n)
{
	assert_int_equal(cul_mem_process(getpid(), &t.live, NULL), 0);
	assert_int_equal(cul_snapshot_new(getpid(), t.live, n, &t.snapshot), 0);
	assert_int_equal(cul_maps_read(getpid(), &t.maps, NULL), 0);
}

static void copy(uint8_t *const *stacks, bool *whole, size_t n)
{
	uint64_t addrs[STACKS];

	for (size_t i = 0; i < n; i++)
		addrs[i] = (uintptr_t)stacks[i] + SP;
	cul_snapshot_copy_all(t.snapshot, &t.maps, addrs, whole, n);
	cul_snapshot_close(t.snapshot, &t.maps);
}

static int end(void **state)
{
	cul_sys_fail_none();
	cul_snapshot_free(t.snapshot);
	cul_mem_free(t.live);
	cul_maps_free(&t.maps);
	memset(&t, 0, sizeof(t));
	return 0;
}

static void test_small_and_deep(void **state)
{
	uint8_t *stacks[] = {stack_of(SMALL), stack_of(DEEP), stack_of(SMALL)};
	bool whole[3];

	begin(3);
	copy(stacks, whole, 3);
	for (int i = 0; i < 3; i++)
		memset(stacks[i], 0xee, i == 1 ? DEEP : SMALL);
	assert_true(whole[0] && !whole[1] && whole[2]);
	assert_was(stacks[0], SP, SMALL, true);
	assert_was(stacks[1], SP, CUL_SNAPSHOT_STACK, true);
	assert_was(stacks[1], CUL_SNAPSHOT_STACK + PAGE, DEEP, false);
	assert_was(stacks[2], SP, SMALL, true);
}

/* Some are in a mapping of their own, some beside one that is like them, some have changed. */
static void test_mappings(void **state)
{
	uint8_t *stacks[4];
	bool whole[4];

	for (int i = 0; i < 3; i++)
		stacks[i] = stack_of(SMALL);
	assert_int_equal(mprotect(stacks[0] + PAGE, PAGE, PROT_READ), 0);
	begin(4);
	munmap(stacks[1] + PAGE, PAGE);
	stacks[3] = stack_of(SMALL); /* is not in the list of mappings */
	copy(stacks, whole, 4);
	for (int i = 1; i < 4; i++)
		memset(stacks[i], 0xee, PAGE);
	assert_true(whole[0] && whole[1] && whole[2] && whole[3]);
	assert_was(stacks[0], SP, SMALL, true);
	assert_was(stacks[1], SP, PAGE, true);
	assert_was(stacks[1], PAGE, 2 * PAGE, false);
	assert_was(stacks[2], SP, SMALL, true);
	assert_was(stacks[3], SP, SMALL, true);
}

static void test_nothing_there(void **state)
{
	uint8_t *stacks[] = {NULL, (uint8_t *)(UINTPTR_MAX - SP), stack_of(SMALL) + SMALL};
	bool whole[3];

	munmap(stacks[2], PAGE);
	begin(3);
	copy(stacks, whole, 3);
	assert_true(whole[0] && whole[2]);
	assert_was(stacks[2], SP, PAGE, false);
}

/* More than one system call takes, and no room for all. */
static void test_many(void **state)
{
	static uint8_t *stacks[STACKS];
	static bool whole[STACKS];

	for (size_t i = 0; i < STACKS; i++)
		stacks[i] = stack_of(i % 3 ? SMALL : DEEP);
	begin(STACKS);
	copy(stacks, whole, STACKS);
	for (size_t i = 0; i < STACKS; i++) {
		memset(stacks[i], 0xee, SMALL);
		assert_int_equal(whole[i], i % 3 != 0);
		assert_was(stacks[i], SP, SMALL, true);
	}
}

static void test_no_room(void **state)
{
	static uint8_t *stacks[STACKS];
	static bool whole[STACKS];
	size_t n = 0;

	for (size_t i = 0; i < STACKS; i++)
		stacks[i] = stack_of(i % 2 ? SMALL : DEEP);
	begin(20);
	copy(stacks, whole, STACKS);
	for (size_t i = 0; i < STACKS; i++) {
		memset(stacks[i], 0xee, SMALL);
		n += whole[i];
		if (whole[i])
			assert_was(stacks[i], SP, SMALL, true);
	}
	assert_in_range(n, 10, 40);
}

static void test_calls_fail(void **state)
{
	uint8_t *stacks[] = {stack_of(SMALL), stack_of(SMALL)};
	bool whole[2] = {true, true};

	begin(2);
	cul_sys_fail_once(CUL_SYS_PROCESS_VM_READV, 0, EPERM);
	copy(stacks, whole, 2);
	assert_true(whole[0] && whole[1]); /* each alone */
	end(state);
	begin(2);
	cul_sys_fail(CUL_SYS_PROCESS_VM_READV, 0, EPERM);
	copy(stacks, whole, 2);
	assert_false(whole[0] || whole[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_small_and_deep, end),
		cmocka_unit_test_teardown(test_mappings, end),
		cmocka_unit_test_teardown(test_nothing_there, end),
		cmocka_unit_test_teardown(test_many, end),
		cmocka_unit_test_teardown(test_no_room, end),
		cmocka_unit_test_teardown(test_calls_fail, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
