/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which threads are put together, and in which order they are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "stack/groups.h"

static struct cul_stack stack_of(const uint64_t *pcs, size_t n)
{
	struct cul_stack s = {.depth = n};

	for (size_t i = 0; i < n; i++) {
		struct cul_stack_frame *f = cul_vec_push(&s.frames);

		f->frame.pc = pcs[i];
		f->frame.certainty = CUL_CERTAIN;
		f->times = f->period = 1;
	}
	return s;
}

static int add(struct cul_stack_groups *g, const struct cul_source_thread *t, uint64_t outermost)
{
	const uint64_t pcs[] = {0x1000, 0x2000, outermost};
	struct cul_stack s = stack_of(pcs, 3);
	int r = cul_stack_groups_add(g, t, &s);

	cul_stack_free(&s);
	return r;
}

static void test_order(void **state)
{
	struct cul_source_thread t[100] = {0};
	struct cul_stack_groups g = {0};

	/* Of a hundred threads, 0, 1, 4, 9, ... 81 are alone in their place; others share three. */
	for (int i = 0; i < 100; i++) {
		int root = 0;

		while (root * root < i)
			root++;
		t[i].about.tid = 1000 - i;
		assert_int_equal(add(&g, &t[i],
					 root * root == i ? 0x9000 + (uint64_t)i
							  : 0x5000 + (uint64_t)(i % 3)),
			0);
	}
	assert_int_equal(g.groups.len, 13);
	cul_stack_groups_sort(&g, 1000 - 49);
	assert_int_equal(g.groups.data[0].threads.data[0]->about.tid, 1000 - 49);
	assert_int_equal(g.groups.data[0].threads.len, 1);
	for (size_t i = 1; i + 1 < g.groups.len; i++) {
		size_t a = g.groups.data[i].threads.len, b = g.groups.data[i + 1].threads.len;

		assert_true(a > b ||
			    (a == b && g.groups.data[i].threads.data[0]->about.tid <
					       g.groups.data[i + 1].threads.data[0]->about.tid));
	}
	assert_true(g.groups.data[1].threads.len >= 29);
	for (size_t i = 1; i < g.groups.data[1].threads.len; i++)
		assert_true(g.groups.data[1].threads.data[i - 1]->about.tid <
			    g.groups.data[1].threads.data[i]->about.tid);
	cul_stack_groups_free(&g);
}

/* Each differs from the first in one thing. */
static void test_different(void **state)
{
	struct cul_kernel_frame k[] = {{.where = {.function = "f", .offset = 1}},
		{.where = {.function = "g", .offset = 1}},
		{.where = {.function = "f", .offset = 1, .module = "m"}}};
	struct cul_source_thread t[] = {{.missing = NULL}, {.missing = "x"},
		{.kernel = {&k[0], 1, 1}}, {.kernel = {&k[1], 1, 1}}, {.kernel = {&k[2], 1, 1}},
		{.user_end = "y"}, {.moving = true}, {.kernel = {&k[0], 1, 1}, .kernel_end = "z"}};
	struct cul_stack_groups g = {0};
	size_t n = sizeof(t) / sizeof(t[0]);

	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < n; i++)
			assert_int_equal(add(&g, &t[i], 1), 0);
		assert_int_equal(g.groups.len, n);
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(g.groups.data[i].threads.len, 2);
	cul_stack_groups_free(&g);
}

static void test_frames_differ(void **state)
{
	const struct cul_source_thread t = {0};
	const uint64_t pcs[] = {1, 2, 3};
	struct cul_stack_groups g = {0};

	for (unsigned what = 0; what < 7; what++) {
		struct cul_stack s = stack_of(pcs, 3);

		if (what == 1)
			s.frames.data[1].frame.certainty = CUL_LIKELY;
		if (what == 2)
			s.frames.data[1].frame.method = CUL_UNWIND_FP;
		if (what == 3)
			s.frames.data[1].times = 2;
		if (what == 4)
			s.frames.data[2].period = 2;
		if (what == 5)
			s.end.why = CUL_UNWIND_END_NO_RULE;
		if (what == 6)
			s.depth++;
		assert_int_equal(cul_stack_groups_add(&g, &t, &s), 0);
		assert_int_equal(g.groups.len, what + 1);
		assert_null(s.frames.data);
	}
	cul_stack_groups_free(&g);
}

static void test_no_fold(void **state)
{
	struct cul_stack_groups g = {.no_fold = true};
	struct cul_source_thread *t = calloc(20000, sizeof(*t));

	for (int i = 0; i < 20000; i++) {
		t[i].about.tid = i + 1;
		assert_int_equal(add(&g, &t[i], 1), 0);
	}
	assert_int_equal(g.groups.len, 20000);
	cul_stack_groups_sort(&g, 7);
	assert_int_equal(g.groups.data[0].threads.data[0]->about.tid, 7);
	assert_int_equal(g.groups.data[1].threads.data[0]->about.tid, 1);
	assert_int_equal(g.groups.data[19999].threads.data[0]->about.tid, 20000);
	cul_stack_groups_free(&g);
	free(t);
}

static void test_no_memory(void **state)
{
	struct cul_source_thread t = {0};
	bool done = false;

	for (long after = 0; !done; after++) {
		const uint64_t pcs[] = {1, 2, 3};
		struct cul_stack s = stack_of(pcs, 3);
		struct cul_stack_groups g = {0};
		int r;

		cul_alloc_fail_after(after);
		r = cul_stack_groups_add(&g, &t, &s);
		cul_alloc_fail_after(-1);
		assert_true(r == 0 || r == -ENOMEM);
		done = r == 0;
		cul_stack_free(&s);
		cul_stack_groups_free(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_different),
		cmocka_unit_test(test_frames_differ),
		cmocka_unit_test(test_no_fold),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
