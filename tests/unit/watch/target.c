/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "watch/target.h"

struct unit_shape {
	int first;
	unsigned bits : 5, more : 11;
	char text[40];
	long last;
};

/* What is asked for by name below. */
struct unit_shape unit_shape = {.first = 1, .bits = 2};
struct unit_shape *unit_pointer = &unit_shape;

static struct cul_scope *scope;

static int open_scope(void **state)
{
	struct cul_error err = {0};
	int r = cul_scope_process(getpid(), NULL, &scope, &err);

	if (r)
		print_message("%s\n", err.text);
	return r;
}

static int close_scope(void **state)
{
	cul_scope_free(scope);
	return 0;
}

static int reset(void **state)
{
	cul_alloc_fail_after(-1);
	return 0;
}

/* Pieces cover the object without gap or overlap, each a power of two that its place allows. */
static void check_split(uint64_t addr, uint64_t size, unsigned max)
{
	struct cul_watch_piece p[CUL_WATCH_WORDS] = {0};
	int n = cul_watch_split(addr, size, max, p);
	uint64_t at = 0;

	if (n < 0) {
		assert_int_equal(n, -E2BIG);
		/* Four registers of the largest kind would have done only if it were aligned. */
		assert_true(size > CUL_WATCH_BYTES || size > max || addr % max || size % max);
		return;
	}
	assert_in_range(n, 1, CUL_WATCH_WORDS);
	for (int i = 0; i < n; i++) {
		assert_int_equal(p[i].offset, at);
		assert_true(p[i].len && p[i].len <= max && !(p[i].len & (p[i].len - 1)));
		assert_int_equal((addr + at) % p[i].len, 0);
		/* None could have been larger. */
		assert_true(p[i].len == max || at + 2 * p[i].len > size ||
			    (addr + at) % (2 * p[i].len));
		at += p[i].len;
	}
	assert_int_equal(at, size);
}

static void every_offset_and_size_is_covered(void **state)
{
	struct cul_watch_piece p[CUL_WATCH_WORDS];

	for (unsigned max = 1; max <= 8; max *= 2)
		for (uint64_t offset = 0; offset < 16; offset++)
			for (uint64_t size = 1; size <= 40; size++) {
				check_split(0x1000 + offset, size, max);
				check_split(0xffffffffffffff00 + offset, size, max);
			}
	assert_int_equal(cul_watch_split(0x1000, 32, 8, p), 4);
	assert_int_equal(cul_watch_split(0x1000, 33, 8, p), -E2BIG);
	assert_int_equal(cul_watch_split(0x1001, 7, 8, p), 3);
	assert_int_equal(cul_watch_split(0x1000, 0, 8, p), -E2BIG);
	assert_int_equal(cul_watch_split(0x1000, UINT64_MAX, 8, p), -E2BIG);
	assert_int_equal(cul_watch_split(UINT64_MAX - 3, 8, 8, p), -E2BIG);
	/* The very last byte there is. */
	assert_int_equal(cul_watch_split(UINT64_MAX, 1, 8, p), -E2BIG);
}

static int resolve(const char *text, enum cul_access_kind access, struct cul_watch_target *t,
	struct cul_error *err)
{
	const struct cul_cpus cpus = {{1}};

	return cul_watch_target_resolve(
		text, scope, cul_arch_find("x86_64"), access, &cpus, -1, t, err);
}

static void check(const char *text, const void *addr, uint64_t size, unsigned bit_size, bool typed)
{
	struct cul_watch_target t = {0};
	struct cul_error err = {0};

	if (resolve(text, CUL_ACCESS_WRITE, &t, &err))
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(t.addr, (uintptr_t)addr);
	assert_int_equal(t.size, size);
	assert_int_equal(t.bit_size, bit_size);
	assert_int_equal(t.type != NULL, typed);
	assert_int_equal(t.copy, -1);
	assert_ptr_equal(t.text, text);
	cul_watch_target_free(&t);
	cul_watch_target_free(&t);
}

static void names_become_places(void **state)
{
	char text[64];

	check("unit_shape.first", &unit_shape.first, 4, 0, true);
	check("unit_shape.last", &unit_shape.last, 8, 0, true);
	check("unit_pointer->last", &unit_shape.last, 8, 0, true);
	check("unit_shape.text[3]", &unit_shape.text[3], 1, 0, true);
	check("unit_shape.text:16", unit_shape.text, 16, 0, false);
	check("unit_shape:4", &unit_shape, 4, 0, false);
	check("unit_shape+4:2", (char *)&unit_shape + 4, 2, 0, false);
	check("*(int *)&unit_shape.last", &unit_shape.last, 4, 0, true);
	snprintf(text, sizeof(text), "0x%" PRIxPTR ":8", (uintptr_t)&unit_shape.last);
	check(text, &unit_shape.last, 8, 0, false);
}

static void bit_fields_keep_their_bits(void **state)
{
	struct cul_watch_target t;
	struct cul_error err = {0};

	assert_int_equal(resolve("unit_shape.more", CUL_ACCESS_WRITE, &t, &err), 0);
	assert_int_equal(t.bit_size, 11);
	assert_true(cul_watch_target_is_scalar(&t));
	cul_watch_target_free(&t);
}

static void refusals_say_what_to_do(void **state)
{
	static const struct {
		const char *text, *words;
		int code;
		enum cul_access_kind access;
	} refusals[] = {
		{"no_such_thing", "no_such_thing", -ENOENT, CUL_ACCESS_WRITE},
		{"unit_shape.nothing", "nothing", -ENOENT, CUL_ACCESS_WRITE},
		{"unit_shape.first + 1", "not a place in memory", -EINVAL, CUL_ACCESS_WRITE},
		{"unit_shape", "name a member", -E2BIG, CUL_ACCESS_WRITE},
		{"unit_shape.text", "name a member", -E2BIG, CUL_ACCESS_WRITE},
		{"unit_shape:0", "not a number of bytes", -EINVAL, CUL_ACCESS_WRITE},
		{"unit_shape:99", "name a member", -E2BIG, CUL_ACCESS_WRITE},
		{"unit_shape:5x", "not a number of bytes", -EINVAL, CUL_ACCESS_WRITE},
		{"unit_shape.first +", "^", -EINVAL, CUL_ACCESS_WRITE},
		{"unit_shape", "takes a function", -EINVAL, CUL_ACCESS_EXECUTE},
	};
	struct cul_watch_target t = {.size = 77};
	struct cul_error err;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		int r;

		memset(&err, 0, sizeof(err));
		r = resolve(refusals[i].text, refusals[i].access, &t, &err);
		if (r != refusals[i].code || !strstr(err.text, refusals[i].words))
			fail_msg("%s: %d %s", refusals[i].text, r, err.text);
		assert_int_equal(t.size, 77);
		assert_true(resolve(refusals[i].text, refusals[i].access, &t, NULL) < 0);
	}
}

static void code_takes_one_register(void **state)
{
	struct cul_watch_target t;
	struct cul_error err = {0};

	assert_int_equal(resolve("main", CUL_ACCESS_EXECUTE, &t, &err), 0);
	assert_int_equal(t.n_pieces, 1);
	assert_int_equal(t.pieces[0].len, 1);
	cul_watch_target_free(&t);
}

static void resolving_without_memory_fails(void **state)
{
	struct cul_watch_target t;
	struct cul_error err;
	int r = -1;

	for (int n = 0; n < 200 && r; n++) {
		memset(&err, 0, sizeof(err));
		cul_alloc_fail_after(n);
		r = resolve("unit_pointer->last", CUL_ACCESS_WRITE, &t, &err);
		assert_true(!r || err.text[0]);
	}
	assert_int_equal(r, 0);
	cul_watch_target_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_offset_and_size_is_covered),
		cmocka_unit_test(names_become_places),
		cmocka_unit_test(bit_fields_keep_their_bits),
		cmocka_unit_test(refusals_say_what_to_do),
		cmocka_unit_test(code_takes_one_register),
		cmocka_unit_test_teardown(resolving_without_memory_fails, reset),
	};

	return cmocka_run_group_tests(tests, open_scope, close_scope);
}
