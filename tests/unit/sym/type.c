/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/type.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

static struct cul_ctypes *ctypes;

static int setup(void **state)
{
	return cul_ctypes_new(8, &ctypes);
}

static int teardown(void **state)
{
	cul_ctypes_free(ctypes);
	return 0;
}

static struct cul_type plain(enum cul_kind kind, const char *name, const struct cul_type *to)
{
	return (struct cul_type){
		.kind = kind, .name = name, .to = to, .filled_to = true, .filled_members = true};
}

static void assert_prints(const struct cul_type *t, const char *want)
{
	struct cul_str s = {0};

	cul_type_print(&s, t);
	assert_false(s.failed);
	assert_string_equal(cul_str_text(&s), want);
	cul_str_free(&s);
}

static void print_is_c_notation(void **state)
{
	const struct cul_type *i = cul_ctypes_find(ctypes, "int");
	struct cul_type task = plain(CUL_KIND_STRUCT, "task_struct", NULL);
	struct cul_type unnamed = plain(CUL_KIND_UNION, NULL, NULL);
	struct cul_type color = plain(CUL_KIND_ENUM, "color", NULL);
	struct cul_type fn = plain(CUL_KIND_FUNC, NULL, i);
	struct cul_member params[2] = {{.type = i}, {.type = NULL}};
	const struct cul_type *four = cul_ctypes_array(ctypes, i, 4), *pp;

	assert_prints(i, "int");
	assert_prints(&task, "struct task_struct");
	assert_prints(cul_ctypes_pointer(ctypes, &task), "struct task_struct *");
	pp = cul_ctypes_pointer(ctypes, cul_ctypes_pointer(ctypes, &task));
	assert_prints(pp, "struct task_struct **");
	assert_prints(&unnamed, "union {...}");
	assert_prints(&color, "enum color");
	assert_prints(four, "int [4]");
	assert_prints(cul_ctypes_array(ctypes, four, 2), "int [2][4]");
	assert_prints(cul_ctypes_array(ctypes, i, 0), "int []");
	assert_prints(cul_ctypes_pointer(ctypes, four), "int (*)[4]");
	assert_prints(cul_ctypes_array(ctypes, cul_ctypes_pointer(ctypes, i), 4), "int *[4]");
	assert_prints(&fn, "int (void)");
	fn.members = params;
	fn.n_members = 2;
	assert_prints(cul_ctypes_pointer(ctypes, &fn), "int (*)(int, ?)");
	params[1].type = cul_ctypes_pointer(ctypes, &fn);
	assert_prints(&fn, "int (int, int (*)(...))");
	assert_prints(cul_ctypes_find(ctypes, "void"), "void");
}

static void print_ends_on_a_cycle(void **state)
{
	struct cul_type t = plain(CUL_KIND_PTR, NULL, &t);
	struct cul_str s = {0};

	cul_type_print(&s, &t);
	assert_true(s.len < 100);
	cul_str_free(&s);
}

static void basic_types(void **state)
{
	static const struct {
		const char *name;
		unsigned size4, size8;
		bool is_signed;
	} want[] = {
		{"int", 4, 4, true},
		{"unsigned long", 4, 8, false},
		{"long", 4, 8, true},
		{"long long", 8, 8, true},
		{"u8", 1, 1, false},
		{"s64", 8, 8, true},
		{"__u16", 2, 2, false},
		{"uint32_t", 4, 4, false},
		{"size_t", 4, 8, false},
		{"char", 1, 1, true},
		{"bool", 1, 1, false},
	};
	struct cul_ctypes *c4 = NULL;

	assert_int_equal(cul_ctypes_new(4, &c4), 0);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const struct cul_type *t8 = cul_ctypes_find(ctypes, want[i].name);
		const struct cul_type *t4 = cul_ctypes_find(c4, want[i].name);

		assert_non_null(t8);
		assert_int_equal(t8->size, want[i].size8);
		assert_int_equal(t4->size, want[i].size4);
		assert_int_equal(t8->is_signed, want[i].is_signed);
	}
	assert_null(cul_ctypes_find(ctypes, "task_struct"));
	assert_string_equal(cul_ctypes_int(ctypes, 8, false)->name, "unsigned long");
	assert_string_equal(cul_ctypes_int(c4, 8, true)->name, "long long");
	assert_string_equal(cul_ctypes_int(c4, 4, true)->name, "int");
	assert_null(cul_ctypes_int(ctypes, 3, true));
	assert_int_equal(cul_ctypes_pointer(c4, cul_ctypes_find(c4, "int"))->size, 4);
	assert_int_equal(cul_ctypes_word(c4), 4);
	cul_ctypes_free(c4);
	cul_ctypes_free(NULL);
}

static void made_types_are_interned(void **state)
{
	const struct cul_type *i = cul_ctypes_find(ctypes, "int");
	const struct cul_type *p = cul_ctypes_pointer(ctypes, i), *to = NULL;

	assert_ptr_equal(p, cul_ctypes_pointer(ctypes, i));
	assert_ptr_not_equal(p, cul_ctypes_pointer(ctypes, p));
	assert_ptr_equal(cul_ctypes_array(ctypes, i, 3), cul_ctypes_array(ctypes, i, 3));
	assert_ptr_not_equal(cul_ctypes_array(ctypes, i, 3), cul_ctypes_array(ctypes, i, 4));
	assert_int_equal(cul_ctypes_array(ctypes, i, 3)->size, 12);
	assert_null(cul_ctypes_array(ctypes, i, UINT64_MAX / 2));
	assert_int_equal(cul_type_to(p, &to, NULL), 0);
	assert_ptr_equal(to, i);
}

/* struct outer { int first; struct { int inner; union { int deep; }; }; struct named { int x; } n;
 * } */
static void members_of_unnamed_are_found(void **state)
{
	const struct cul_type *i = cul_ctypes_find(ctypes, "int");
	struct cul_type deep = plain(CUL_KIND_UNION, NULL, NULL);
	struct cul_type inner = plain(CUL_KIND_STRUCT, NULL, NULL);
	struct cul_type named = plain(CUL_KIND_STRUCT, "named", NULL);
	struct cul_type outer = plain(CUL_KIND_STRUCT, "outer", NULL);
	struct cul_member m_deep[] = {{"deep", i, 0, 0}}, m_named[] = {{"x", i, 0, 0}};
	struct cul_member m_inner[] = {{"inner", i, 0, 0}, {"", &deep, 32, 0}};
	struct cul_member m_outer[] = {
		{"first", i, 0, 0}, {"", &inner, 32, 0}, {"n", &named, 96, 0}, {"bits", i, 130, 5}};
	struct cul_error err = {0};
	struct cul_member m = {0};
	struct cul_extent e;

	deep.members = m_deep, deep.n_members = 1;
	named.members = m_named, named.n_members = 1;
	inner.members = m_inner, inner.n_members = 2;
	outer.members = m_outer, outer.n_members = 4;
	assert_int_equal(cul_type_member(&outer, "first", &m, &err), 0);
	assert_int_equal(m.bit_offset, 0);
	assert_int_equal(cul_type_member(&outer, "inner", &m, &err), 0);
	assert_int_equal(m.bit_offset, 32);
	assert_int_equal(cul_type_member(&outer, "deep", &m, &err), 0);
	assert_int_equal(m.bit_offset, 64);
	assert_int_equal(cul_type_member(&outer, "bits", &m, &err), 0);
	assert_int_equal(m.bit_size, 5);

	/* Members of a named member are not. */
	assert_int_equal(cul_type_member(&outer, "x", &m, &err), -ENOENT);
	assert_int_equal(m.bit_size, 5);
	assert_int_equal(cul_type_member(&outer, "dep", &m, &err), -ENOENT);
	assert_string_equal(err.text, "unknown member 'dep' of struct outer; nearest: deep");
	assert_int_equal(cul_type_member(&outer, "fist", &m, &err), -ENOENT);
	assert_string_equal(
		err.text, "unknown member 'fist' of struct outer; nearest: first, bits");
	assert_int_equal(cul_type_member(&outer, "wholly_else", &m, &err), -ENOENT);
	assert_string_equal(err.text, "unknown member 'wholly_else' of struct outer");
	assert_int_equal(cul_type_member(&outer, "wholly_else", &m, NULL), -ENOENT);
	assert_int_equal(cul_type_member(i, "x", &m, &err), -ENOTDIR);
	assert_string_equal(err.text, "int has no members");

	/* But by a path. */
	assert_int_equal(cul_type_extent(&outer, "n.x", &e, &err), 0);
	assert_int_equal(e.at, 12);
	assert_int_equal(e.size, 4);
	assert_int_equal(cul_type_extent(&outer, "deep", &e, &err), 0);
	assert_int_equal(e.at, 8);
	assert_int_equal(cul_type_extent(&outer, "n.y", &e, &err), -ENOENT);
	assert_int_equal(cul_type_extent(&outer, "first.x", &e, &err), -ENOTDIR);
	assert_int_equal(cul_type_extent(&outer, "bits", &e, &err), -ENOENT);
	assert_int_equal(e.at, 8);
}

static void a_struct_in_itself_ends(void **state)
{
	struct cul_type t = plain(CUL_KIND_STRUCT, "odd", NULL);
	struct cul_member m[] = {{"", &t, 0, 0}, {"", &t, 0, 0}, {"x", NULL, 0, 0}}, out;

	t.members = m, t.n_members = 3;
	assert_int_equal(cul_type_member(&t, "y", &out, NULL), -ENOENT);
	assert_int_equal(cul_type_member(&t, "x", &out, NULL), 0);
	assert_null(out.type);
}

struct lazy {
	struct cul_type_provider provider;
	const struct cul_type *to;
	int calls, fail;
};

static int lazy_to(struct cul_type_provider *p, struct cul_type *t, struct cul_error *err)
{
	struct lazy *lazy = (struct lazy *)p;

	lazy->calls++;
	if (lazy->fail)
		return cul_fail(err, lazy->fail, "broken");
	t->to = lazy->to;
	t->filled_to = true;
	return 0;
}

static int lazy_members(struct cul_type_provider *p, struct cul_type *t, struct cul_error *err)
{
	static struct cul_member m[] = {{"late", NULL, 8, 0}};
	struct lazy *lazy = (struct lazy *)p;

	lazy->calls++;
	if (lazy->fail)
		return cul_fail(err, lazy->fail, "broken");
	t->members = m;
	t->n_members = 1;
	t->filled_members = true;
	return 0;
}

static void providers_are_asked_once(void **state)
{
	static const struct cul_type_ops ops = {lazy_to, lazy_members};
	struct lazy lazy = {{&ops}, cul_ctypes_find(ctypes, "int"), 0, -EBADMSG};
	struct cul_type p = {.kind = CUL_KIND_PTR, .size = 8, .provider = &lazy.provider};
	struct cul_type s = {.kind = CUL_KIND_STRUCT, .provider = &lazy.provider};
	const struct cul_type *to = NULL;
	struct cul_error err = {0};
	struct cul_member m = {0};

	assert_int_equal(cul_type_to(&p, &to, &err), -EBADMSG);
	assert_null(to);
	assert_int_equal(cul_type_member(&s, "late", &m, &err), -EBADMSG);
	assert_string_equal(err.text, "broken");
	lazy.fail = lazy.calls = 0;
	assert_int_equal(cul_type_to(&p, &to, &err), 0);
	assert_int_equal(cul_type_to(&p, &to, &err), 0);
	assert_ptr_equal(to, lazy.to);
	assert_int_equal(cul_type_member(&s, "late", &m, &err), 0);
	assert_int_equal(cul_type_member(&s, "late", &m, &err), 0);
	assert_int_equal(m.bit_offset, 8);
	assert_int_equal(lazy.calls, 2);

	p = plain(CUL_KIND_PTR, NULL, NULL);
	assert_int_equal(cul_type_to(&p, &to, &err), -ENODATA);
}

static void out_of_memory(void **state)
{
	const struct cul_type *i = cul_ctypes_find(ctypes, "int");
	struct cul_type t = plain(CUL_KIND_STRUCT, "s", NULL);
	struct cul_ctypes *c = NULL;
	struct cul_error err = {0};
	struct cul_str s = {0};
	struct cul_member m;

	for (long n = 0; n < 8; n++) {
		cul_alloc_fail_after(n);
		cul_type_print(&s, cul_ctypes_pointer(ctypes, i) ?: i);
		assert_int_equal(cul_type_member(&t, "x", &m, &err), -ENOENT);
		if (cul_ctypes_new(8, &c))
			assert_null(c);
		cul_alloc_fail_after(-1);
		cul_ctypes_free(c);
		c = NULL;
		cul_str_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(print_is_c_notation, setup, teardown),
		cmocka_unit_test_setup_teardown(print_ends_on_a_cycle, setup, teardown),
		cmocka_unit_test_setup_teardown(basic_types, setup, teardown),
		cmocka_unit_test_setup_teardown(made_types_are_interned, setup, teardown),
		cmocka_unit_test_setup_teardown(members_of_unnamed_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(a_struct_in_itself_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(providers_are_asked_once, setup, teardown),
		cmocka_unit_test_setup_teardown(out_of_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
