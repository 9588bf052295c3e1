/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stack/snapshot.c keeps: copies of our own memory, which is written to, unmapped and refused
 * behind their back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "stack/snapshot.h"
#include "sys/fault.h"

enum { PAGE = 4096, PAGES = 40, MOST = CUL_SNAPSHOT_STACK / PAGE };

static struct {
	uint8_t *p; /* PAGES of it; the page behind is not mapped */
	struct cul_mem *live;
	struct cul_maps maps;
} t;

static uint64_t place(size_t at)
{
	return (uintptr_t)t.p + at;
}

/* A stack pointer in the page that begins at `at`. */
static uint64_t inside(size_t at)
{
	return place(at) + 256;
}

/* Byte `at` as it is before anybody writes. */
static uint8_t was(size_t at)
{
	return (uint8_t)(at / PAGE * 7 + at % 251);
}

static void fill(void)
{
	for (size_t at = 0; at < PAGES * PAGE; at++)
		t.p[at] = was(at);
}

static int setup(void **state)
{
	t.p = mmap(NULL, (PAGES + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);
	if (t.p == MAP_FAILED || munmap(t.p + PAGES * PAGE, PAGE) != 0)
		return -1;
	fill();
	return cul_mem_process(getpid(), &t.live, NULL) != 0 ||
	       cul_maps_read(getpid(), &t.maps, NULL) != 0;
}

static int teardown(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	munmap(t.p, PAGES * PAGE);
	cul_mem_free(t.live);
	cul_maps_free(&t.maps);
	return 0;
}

static struct cul_snapshot *new_snapshot(size_t n)
{
	struct cul_snapshot *s = NULL;

	assert_int_equal(cul_snapshot_new(getpid(), t.live, n, &s), 0);
	return s;
}

static int read_at(struct cul_snapshot *s, size_t at, void *buf, size_t size)
{
	return cul_mem_read(cul_snapshot_mem(s), place(at), buf, size);
}

/* All that is readable of it is as it was. */
static void assert_old(struct cul_snapshot *s, size_t at, size_t size)
{
	uint8_t buf[PAGE];

	for (size_t n = 0; n < size; n += sizeof(buf)) {
		size_t some = size - n < sizeof(buf) ? size - n : sizeof(buf);

		assert_int_equal(read_at(s, at + n, buf, some), 0);
		for (size_t i = 0; i < some; i++)
			assert_int_equal(buf[i], was(at + n + i));
	}
}

static void what_was_copied_stays_as_it_was(void **state)
{
	struct cul_snapshot *s = new_snapshot(1);
	size_t sp = (PAGES - 3) * PAGE + 1000;
	uint8_t byte;

	assert_true(cul_snapshot_copy(s, place(sp)));
	memset(t.p, 0xee, PAGES * PAGE);
	cul_snapshot_close(s, &t.maps);
	/* From the page of it, for what is below it, to the end. */
	assert_old(s, (PAGES - 3) * PAGE, 3 * PAGE);
	assert_old(s, sp + 5, 17);
	assert_int_equal(read_at(s, (PAGES - 3) * PAGE - 1, &byte, 1), -EFAULT);
	assert_int_equal(read_at(s, PAGES * PAGE, &byte, 1), -EFAULT);
	assert_int_equal(read_at(s, PAGES * PAGE - 1, &byte, 1), 0);
	cul_snapshot_free(s);
}

static void a_deep_stack_is_not_all(void **state)
{
	struct cul_snapshot *s = new_snapshot(1);
	uint8_t buf[16];

	assert_false(cul_snapshot_copy(s, inside(PAGE)));
	/* Beyond it the process itself is asked, across the border too. */
	t.p[(MOST + 1) * PAGE] = 0x5a;
	assert_int_equal(read_at(s, (MOST + 1) * PAGE - 8, buf, 16), 0);
	assert_int_equal(buf[7], was((MOST + 1) * PAGE - 1));
	assert_int_equal(buf[8], 0x5a);
	/* But not once it goes on, for what it can write. */
	cul_snapshot_close(s, &t.maps);
	assert_int_equal(read_at(s, (MOST + 1) * PAGE - 8, buf, 16), -EFAULT);
	assert_int_equal(read_at(s, (MOST + 1) * PAGE - 8, buf, 8), 0);
	assert_false(cul_snapshot_is_late(s));
	cul_snapshot_free(s);
}

static void code_is_read_from_the_process_afterwards(void **state)
{
	struct cul_snapshot *s = new_snapshot(1);
	struct cul_mem *mem = cul_snapshot_mem(s);
	const uint64_t code = (uintptr_t)&code_is_read_from_the_process_afterwards;
	uint8_t buf[16];

	cul_snapshot_close(s, &t.maps);
	assert_int_equal(cul_mem_read(mem, code, buf, sizeof(buf)), 0);
	assert_memory_equal(buf, (const void *)(uintptr_t)code, sizeof(buf));
	assert_int_equal(cul_mem_read(mem, (uintptr_t)&t, buf, 1), -EFAULT);
	assert_int_equal(cul_mem_read(mem, 0x10, buf, 1), -EFAULT);
	cul_snapshot_free(s);
}

/* Stacks that a program has carved out of one mapping, in no order. */
static void copies_may_overlap(void **state)
{
	static const size_t sps[] = {
		30 * PAGE + 800, 5 * PAGE + 256, 17 * PAGE + 1000, 39 * PAGE + 256, 6 * PAGE + 256};
	struct cul_snapshot *s = new_snapshot(5);

	for (size_t i = 0; i < 5; i++) {
		bool whole = cul_snapshot_copy(s, place(sps[i]));

		assert_int_equal(whole, sps[i] / PAGE + MOST > PAGES);
		assert_old(s, sps[i], PAGE / 2); /* found between copying, too */
	}
	memset(t.p, 0xee, PAGES * PAGE);
	cul_snapshot_close(s, &t.maps);
	assert_old(s, 5 * PAGE, (PAGES - 5) * PAGE);
	for (size_t at = PAGES * PAGE - 64; at > 5 * PAGE; at -= 1000)
		assert_old(s, at, 64);
	cul_snapshot_free(s);
}

static void room_is_bounded(void **state)
{
	struct cul_snapshot *s = new_snapshot(0); /* of one more than asked for */
	uint8_t byte;

	assert_false(cul_snapshot_copy(s, inside(0)));
	assert_false(cul_snapshot_copy(s, inside((PAGES - 1) * PAGE)));
	memset(t.p, 0xee, PAGES * PAGE);
	cul_snapshot_close(s, &t.maps);
	assert_old(s, 0, MOST * PAGE);
	assert_int_equal(read_at(s, (PAGES - 1) * PAGE, &byte, 1), -EFAULT);
	cul_snapshot_free(s);
}

/* With less room than a stack may take, what fits is kept and the rest is said to be missing. */
static void the_last_room_is_used(void **state)
{
	struct cul_snapshot *s = new_snapshot(0);

	assert_true(cul_snapshot_copy(s, inside((PAGES - 2) * PAGE)));
	assert_false(cul_snapshot_copy(s, inside(0)));
	memset(t.p, 0xee, PAGES * PAGE);
	cul_snapshot_close(s, &t.maps);
	assert_old(s, (PAGES - 2) * PAGE, 2 * PAGE);
	assert_old(s, 0, (MOST - 2) * PAGE);
	cul_snapshot_free(s);
}

static void where_nothing_is_mapped_nothing_is_missing(void **state)
{
	static const uint64_t nowhere[] = {0, 8, 1ull << 62, UINT64_MAX - PAGE, UINT64_MAX};
	struct cul_snapshot *s = new_snapshot(8);
	uint8_t byte;

	assert_true(cul_snapshot_copy(s, inside(PAGES * PAGE)));
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		cul_snapshot_copy(s, nowhere[i]);
		assert_int_equal(cul_mem_read(cul_snapshot_mem(s), nowhere[i], &byte, 1), -EFAULT);
	}
	assert_true(cul_snapshot_copy(s, inside((PAGES - 1) * PAGE)));
	assert_old(s, (PAGES - 1) * PAGE, PAGE);
	cul_snapshot_free(s);
}

static void a_hole_ends_a_stack(void **state)
{
	struct cul_snapshot *s = new_snapshot(1);
	uint8_t byte;

	assert_int_equal(munmap(t.p + 6 * PAGE, PAGE), 0);
	assert_true(cul_snapshot_copy(s, inside(4 * PAGE)));
	memset(t.p + 4 * PAGE, 0xee, 2 * PAGE);
	assert_old(s, 4 * PAGE, 2 * PAGE);
	assert_int_equal(read_at(s, 6 * PAGE, &byte, 1), -EFAULT);
	assert_ptr_not_equal(mmap(t.p + 6 * PAGE, PAGE, PROT_READ | PROT_WRITE,
				     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		MAP_FAILED);
	cul_snapshot_free(s);
}

static void the_process_is_asked_for_so_long(void **state)
{
	struct cul_snapshot *s = new_snapshot(1);
	uint8_t byte;

	cul_snapshot_copy(s, inside((PAGES - 1) * PAGE));
	cul_snapshot_until(s, cul_clock_now() + 3600ull * 1000 * 1000 * 1000);
	assert_int_equal(read_at(s, 0, &byte, 1), 0);
	assert_false(cul_snapshot_is_late(s));
	cul_snapshot_until(s, cul_clock_now() - 1);
	assert_old(s, (PAGES - 1) * PAGE, PAGE); /* what was copied takes no time */
	assert_false(cul_snapshot_is_late(s));
	assert_int_equal(read_at(s, 0, &byte, 1), -EFAULT);
	assert_true(cul_snapshot_is_late(s));
	/* Late is late: what is found afterwards would not be of the same walk. */
	cul_snapshot_until(s, 0);
	assert_int_equal(read_at(s, 0, &byte, 1), -EFAULT);
	cul_snapshot_free(s);
}

static void another_program_has_other_memory(void **state)
{
	struct cul_snapshot *s = new_snapshot(1);
	struct cul_mem *fresh;
	uint8_t byte;

	assert_int_equal(cul_mem_process(getpid(), &fresh, NULL), 0);
	cul_snapshot_of(s, fresh);
	cul_sys_fail(CUL_SYS_PROCESS_VM_READV, 0, EPERM);
	assert_int_equal(read_at(s, 3, &byte, 1), 0); /* by its file */
	assert_int_equal(byte, was(3));
	cul_sys_fail_none();
	cul_snapshot_free(s);
	cul_mem_free(fresh);
}

static void what_cannot_be_copied_is_not_said_to_be_whole(void **state)
{
	static const int errors[] = {EPERM, ENOMEM, ESRCH, EINTR};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct cul_snapshot *s = new_snapshot(2);
		uint8_t byte;

		cul_sys_fail_once(CUL_SYS_PROCESS_VM_READV, 0, errors[i]);
		assert_false(cul_snapshot_copy(s, inside((PAGES - 1) * PAGE)));
		assert_int_equal(read_at(s, (PAGES - 1) * PAGE, &byte, 1), 0);
		assert_true(cul_snapshot_copy(s, inside((PAGES - 2) * PAGE)));
		memset(t.p, 0xee, PAGES * PAGE);
		assert_old(s, (PAGES - 2) * PAGE, 2 * PAGE);
		cul_snapshot_free(s);
		fill();
	}
}

static void allocations_may_fail(void **state)
{
	struct cul_snapshot *s;
	long after = 0;
	bool whole;

	for (;; after++) {
		s = NULL;
		cul_alloc_fail_after(after);
		if (cul_snapshot_new(getpid(), t.live, 3, &s) == 0)
			break;
		assert_null(s);
	}
	assert_int_equal(after, 2);
	cul_alloc_fail_after(0);
	whole = cul_snapshot_copy(s, inside((PAGES - 1) * PAGE));
	cul_alloc_fail_after(-1);
	assert_false(whole);
	assert_true(cul_snapshot_copy(s, inside((PAGES - 1) * PAGE)));
	cul_snapshot_free(s);
	cul_snapshot_free(NULL);
}

static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long size, pages;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &size, &pages), 2);
	fclose(f);
	return pages * PAGE;
}

/* More threads than any process has: the memory is asked for, but hardly any is taken. */
static void any_number_of_threads_has_room(void **state)
{
	static const size_t many[] = {8191, 8192, 1 << 22, SIZE_MAX / 2, SIZE_MAX};

	mallopt(M_PERTURB, 0); /* which would have all of it written to */
	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
		size_t before = resident();
		struct cul_snapshot *s = new_snapshot(many[i]);

		assert_true(resident() < before + (48u << 20));
		assert_true(cul_snapshot_copy(s, inside((PAGES - 1) * PAGE)));
		cul_snapshot_free(s);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_copied_stays_as_it_was),
		TEST(a_deep_stack_is_not_all),
		TEST(code_is_read_from_the_process_afterwards),
		TEST(copies_may_overlap),
		TEST(room_is_bounded),
		TEST(the_last_room_is_used),
		TEST(where_nothing_is_mapped_nothing_is_missing),
		TEST(a_hole_ends_a_stack),
		TEST(the_process_is_asked_for_so_long),
		TEST(another_program_has_other_memory),
		TEST(what_cannot_be_copied_is_not_said_to_be_whole),
		TEST(allocations_may_fail),
		TEST(any_number_of_threads_has_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
