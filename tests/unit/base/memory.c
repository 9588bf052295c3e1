/* SPDX-License-Identifier: GPL-2.0-or-later */
/* alloc.h, vec.h, arena.h and error.h: small enough to stand together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/vec.h"

static int reset(void **state)
{
	cul_alloc_fail_after(-1);
	return 0;
}

static void the_nth_allocation_fails_and_those_after_it(void **state)
{
	void *p, *q;

	cul_alloc_fail_after(2);
	p = cul_calloc(1, 8);
	q = cul_strdup("abc");
	assert_non_null(p);
	assert_non_null(q);
	assert_null(cul_strndup("abc", 2));
	assert_null(cul_realloc(p, 100));
	assert_null(cul_realloc_array(p, 100, 1));
	cul_alloc_fail_after(-1);
	p = cul_realloc_array(p, 100, 1);
	assert_non_null(p);
	assert_null(cul_realloc_array(p, SIZE_MAX / 2, 3));
	free(p);
	free(q);
}

static void a_vector_grows_by_zeroed_elements(void **state)
{
	CUL_VEC(struct {
		char a;
		long b;
	})
	v = {0};

	for (long i = 0; i < 100; i++) {
		__typeof__(v.data) e = cul_vec_push(&v);

		assert_non_null(e);
		assert_int_equal(e->b, 0);
		e->b = i;
	}
	assert_int_equal(v.len, 100);
	for (long i = 0; i < 100; i++)
		assert_int_equal(v.data[i].b, i);
	cul_alloc_fail_after(0);
	while (v.len < v.cap)
		assert_non_null(cul_vec_push(&v));
	assert_null(cul_vec_push(&v));
	assert_int_equal(v.len, v.cap);
	assert_int_equal(v.data[99].b, 99);
	free(v.data);
}

static void an_arena_gives_aligned_zeroed_blocks(void **state)
{
	struct cul_arena arena = {0};
	char *p;

	for (size_t size = 0; size < 5000; size += 37) {
		p = cul_arena_alloc(&arena, size);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
	}
	p = cul_arena_alloc(&arena, 1 << 20);
	assert_non_null(p);
	p[(1 << 20) - 1] = 1;
	assert_null(cul_arena_alloc(&arena, SIZE_MAX));
	assert_string_equal(cul_arena_strdup(&arena, "text"), "text");
	assert_string_equal(cul_arena_strndup(&arena, "text", 2), "te");
	cul_arena_free(&arena);
	cul_alloc_fail_after(0);
	assert_null(cul_arena_alloc(&arena, 1));
	assert_null(cul_arena_strdup(&arena, "x"));
	cul_alloc_fail_after(-1);
	assert_non_null(cul_arena_alloc(&arena, 1));
	cul_arena_free(&arena);
}

static void an_error_carries_one_sentence(void **state)
{
	struct cul_error err = {0};
	char longer[1000];

	assert_int_equal(cul_fail(NULL, -EPERM, "nobody reads this"), -EPERM);
	assert_int_equal(cul_fail(&err, -ENOENT, "no %s", "name"), -ENOENT);
	assert_string_equal(err.text, "no name");
	assert_int_equal(cul_error_prefix(&err, "%s", "--if"), -ENOENT);
	assert_string_equal(err.text, "--if: no name");
	assert_int_equal(cul_error_prefix(NULL, "x"), 0);
	cul_fail(&err, -EIO, "neither here (%s) nor there", err.text);
	assert_string_equal(err.text, "neither here (--if: no name) nor there");
	memset(longer, 'x', sizeof(longer));
	longer[999] = '\0';
	cul_fail(&err, -EIO, "%s", longer);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	cul_error_prefix(&err, "%s", longer);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_string_equal(cul_strerror(-EPERM), cul_strerror(EPERM));
	assert_non_null(cul_strerror(123456));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_nth_allocation_fails_and_those_after_it, reset),
		cmocka_unit_test_teardown(a_vector_grows_by_zeroed_elements, reset),
		cmocka_unit_test_teardown(an_arena_gives_aligned_zeroed_blocks, reset),
		cmocka_unit_test_teardown(an_error_carries_one_sentence, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
