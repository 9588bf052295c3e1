/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "btf_build.h"
#include "sym/btf.h"
#include "sym/signature.h"

static struct btf_build b;
static struct cul_btf *btf;

/* Types that each test has; ids count from 1. */
enum { INT = 1, LONG, CHAR, CHARS, DOUBLE, PAIR, PAIR_P, BIG, WIDE, HANDLER, HANDLER_P, MORE };

static void start(void)
{
	build_start(&b, 1, 0);
	build_int(&b, "int", 4, BTF_INT_SIGNED);
	build_int(&b, "long", 8, BTF_INT_SIGNED);
	build_int(&b, "char", 1, BTF_INT_SIGNED);
	build_type(&b, BTF_KIND_PTR, "", 0, 0, CHAR);
	build_type(&b, BTF_KIND_FLOAT, "double", 0, 0, 8);
	build_type(&b, BTF_KIND_STRUCT, "pair", 2, 0, 16);
	build_member(&b, "a", LONG, 0);
	build_member(&b, "b", INT, 64);
	build_type(&b, BTF_KIND_PTR, "", 0, 0, PAIR);
	build_type(&b, BTF_KIND_STRUCT, "big", 3, 0, 24);
	build_member(&b, "a", LONG, 0);
	build_member(&b, "b", LONG, 64);
	build_member(&b, "c", LONG, 128);
	build_int(&b, "__int128", 16, BTF_INT_SIGNED);
	build_type(&b, BTF_KIND_FUNC_PROTO, "", 1, 0, INT);
	build_pair(&b, "", INT);
	assert_int_equal(build_type(&b, BTF_KIND_PTR, "", 0, 0, HANDLER), HANDLER_P);
}

/* The signature of the FUNC that was added last. */
static struct cul_signature finish(const char *name)
{
	size_t size = build_end(&b);
	struct cul_signature s = {0};
	struct cul_error err = {0};
	const struct cul_type *func;

	if (cul_btf_parse(b.file, size, NULL, &btf, &err))
		fail_msg("%s", err.text);
	func = cul_btf_func_type(btf, cul_btf_func_id(btf, name));
	assert_non_null(func);
	if (cul_signature_of(func, &cul_arch_x86_64, &s, &err))
		fail_msg("%s", err.text);
	return s;
}

static int reset(void **state)
{
	cul_btf_free(btf);
	btf = NULL;
	return 0;
}

static void is_printed(const struct cul_signature *s, const char *name, const char *wanted)
{
	cul_autostr struct cul_str text = {0};

	cul_signature_print(&text, name, s);
	assert_string_equal(cul_str_text(&text), wanted);
}

static void is_at(
	const struct cul_parameter *p, enum cul_arg_where where, unsigned word, unsigned n)
{
	assert_int_equal(p->place.where, where);
	assert_int_equal(p->place.word, word);
	assert_int_equal(p->place.n_words, n);
}

static uint32_t proto(unsigned n, uint32_t ret)
{
	return build_type(&b, BTF_KIND_FUNC_PROTO, "", n, 0, ret);
}

static void named_and_placed(void **state)
{
	struct cul_signature s;
	uint32_t id;

	start();
	id = proto(5, INT);
	build_pair(&b, "dfd", INT);
	build_pair(&b, "name", CHARS);
	build_pair(&b, "p", PAIR);
	build_pair(&b, "", PAIR_P);
	build_pair(&b, "fn", HANDLER_P);
	build_type(&b, BTF_KIND_FUNC, "do_open", 1, 0, id);
	s = finish("do_open");
	assert_int_equal(s.n_params, 5);
	is_at(&s.params[0], CUL_ARG_WORDS, 0, 1);
	is_at(&s.params[1], CUL_ARG_WORDS, 1, 1);
	is_at(&s.params[2], CUL_ARG_WORDS, 2, 2);
	is_at(&s.params[3], CUL_ARG_WORDS, 4, 1);
	is_at(&s.params[4], CUL_ARG_WORDS, 5, 1);
	assert_null(s.params[3].name);
	assert_false(s.is_variadic || s.ret_in_memory || s.ret_is_float);
	is_printed(&s, "do_open",
		"int do_open(int dfd, char *name, struct pair p, struct pair *, int (*fn)(int))");
}

static void variadic(void **state)
{
	struct cul_signature s;
	uint32_t id;

	start();
	id = proto(2, 0);
	build_pair(&b, "fmt", CHARS);
	build_pair(&b, "", 0);
	build_type(&b, BTF_KIND_FUNC, "log", 1, 0, id);
	s = finish("log");
	assert_int_equal(s.n_params, 1);
	assert_true(s.is_variadic);
	assert_int_equal(s.ret->kind, CUL_KIND_VOID);
	is_printed(&s, "log", "void log(char *fmt, ...)");
}

static void a_large_result_takes_the_first_word(void **state)
{
	struct cul_signature s;
	uint32_t id;

	start();
	id = proto(3, BIG);
	build_pair(&b, "a", INT);
	build_pair(&b, "b", BIG);
	build_pair(&b, "c", WIDE);
	build_type(&b, BTF_KIND_FUNC, "make", 1, 0, id);
	s = finish("make");
	assert_true(s.ret_in_memory);
	assert_false(s.ret_is_float);
	is_at(&s.params[0], CUL_ARG_WORDS, 1, 1);
	is_at(&s.params[1], CUL_ARG_WORDS, 6, 3);
	is_at(&s.params[2], CUL_ARG_WORDS, 2, 2);
	is_printed(&s, "make", "struct big make(int a, struct big b, __int128 c)");
}

static void floats_are_not_seen(void **state)
{
	struct cul_signature s;
	uint32_t id;

	start();
	id = proto(1, DOUBLE);
	build_pair(&b, "x", DOUBLE);
	build_type(&b, BTF_KIND_FUNC, "sqrt", 1, 0, id);
	s = finish("sqrt");
	assert_true(s.ret_is_float);
	assert_int_equal(s.params[0].place.where, CUL_ARG_FLOAT);
}

static void no_parameters_and_a_pointer_to_a_function(void **state)
{
	struct cul_signature s;

	start();
	build_type(&b, BTF_KIND_FUNC, "get_handler", 1, 0, proto(0, HANDLER_P));
	s = finish("get_handler");
	is_printed(&s, "get_handler", "int (*get_handler(void))(int)");
}

static void more_than_fit_are_left_out(void **state)
{
	struct cul_signature s;
	uint32_t id;

	start();
	id = proto(20, INT);
	for (int i = 0; i < 20; i++)
		build_pair(&b, "", INT);
	build_type(&b, BTF_KIND_FUNC, "many", 1, 0, id);
	s = finish("many");
	assert_int_equal(s.n_params, CUL_SIGNATURE_MOST);
	assert_true(s.is_variadic);
	is_at(&s.params[15], CUL_ARG_WORDS, 15, 1);
}

/* A struct that holds itself, and one that is only declared. */
static void hostile_and_incomplete_types(void **state)
{
	struct cul_signature s;
	uint32_t id, self, declared;

	start();
	self = build_type(&b, BTF_KIND_STRUCT, "self", 1, 0, 16);
	build_member(&b, "s", self, 0);
	declared = build_type(&b, BTF_KIND_FWD, "gone", 0, 0, 0);
	id = proto(4, declared);
	build_pair(&b, "a", INT);
	build_pair(&b, "s", self);
	build_pair(&b, "b", INT);
	build_pair(&b, "d", declared);
	build_type(&b, BTF_KIND_FUNC, "odd", 1, 0, id);
	s = finish("odd");
	is_at(&s.params[0], CUL_ARG_WORDS, 0, 1);
	for (int i = 1; i < 4; i++)
		assert_int_equal(s.params[i].place.where, CUL_ARG_UNKNOWN);
}

static void a_variable_is_no_function(void **state)
{
	struct cul_signature s;
	struct cul_error err = {0};
	const struct cul_type not_func = {.kind = CUL_KIND_INT, .size = 4};

	assert_int_equal(cul_signature_of(&not_func, &cul_arch_x86_64, &s, &err), -EINVAL);
	assert_string_equal(err.text, "the type is not that of a function");
}

/* Types as DWARF would have them, complete. */
static struct cul_type scalar(enum cul_kind kind, uint64_t size)
{
	return (struct cul_type){.kind = kind, .size = size, .filled_to = true};
}

static struct cul_type compound(struct cul_member *members, size_t n, uint64_t size)
{
	return (struct cul_type){.kind = CUL_KIND_STRUCT,
		.size = size,
		.filled_members = true,
		.members = members,
		.n_members = n};
}

/*
 * What programs of rustc 1.95 do, by the registers that gdb had at the first instruction: a pair of
 * u32 in edi and esi, one of f32 and u32 in xmm0 and edi, () in nothing, (u8, u64) in two.
 */
static void rust(void **state)
{
	static struct cul_type word, half, real;
	struct cul_member halves[] = {{.type = &half}, {.type = &half, .bit_offset = 32}};
	struct cul_member words[] = {{.type = &word}, {.type = &word, .bit_offset = 64}};
	struct cul_member mixed[] = {{.type = &real}, {.type = &half, .bit_offset = 32}};
	struct cul_type pair = compound(halves, 2, 8), str = compound(words, 2, 16);
	struct cul_type unit = compound(NULL, 0, 0), with_float = compound(mixed, 2, 8);
	struct cul_type option = compound(NULL, 0, 8);
	struct cul_member params[] = {{.type = &pair}, {.type = &half}, {.type = &unit},
		{.type = &str}, {.type = &with_float}, {.type = &half}, {.type = &option},
		{.type = &half}};
	struct cul_type func = {.kind = CUL_KIND_FUNC,
		.to = &half,
		.filled_to = true,
		.filled_members = true,
		.members = params,
		.n_members = sizeof(params) / sizeof(params[0])};
	struct cul_signature s;

	word = scalar(CUL_KIND_INT, 8);
	half = scalar(CUL_KIND_INT, 4);
	real = scalar(CUL_KIND_FLOAT, 4);
	func.called = CUL_CALLED_AS_RUST;
	assert_int_equal(cul_signature_of(&func, &cul_arch_x86_64, &s, NULL), 0);
	is_at(&s.params[0], CUL_ARG_UNKNOWN, 0, 0);
	is_at(&s.params[1], CUL_ARG_WORDS, 2, 1);
	is_at(&s.params[2], CUL_ARG_WORDS, 0, 0);
	is_at(&s.params[3], CUL_ARG_WORDS, 3, 2);
	is_at(&s.params[4], CUL_ARG_FLOAT, 0, 0);
	is_at(&s.params[5], CUL_ARG_WORDS, 6, 1);
	/* An enum tells no members: it may take one register or two. */
	is_at(&s.params[6], CUL_ARG_UNKNOWN, 0, 0);
	is_at(&s.params[7], CUL_ARG_UNKNOWN, 0, 0);
	assert_false(s.ret_unseen || s.ret_in_memory);

	func.to = &option;
	assert_int_equal(cul_signature_of(&func, &cul_arch_x86_64, &s, NULL), 0);
	assert_true(s.ret_unseen);
	is_at(&s.params[1], CUL_ARG_WORDS, 2, 1);

	func.called = CUL_CALLED_OTHERWISE;
	assert_int_equal(cul_signature_of(&func, &cul_arch_x86_64, &s, NULL), 0);
	for (size_t i = 0; i < s.n_params; i++)
		is_at(&s.params[i], CUL_ARG_UNKNOWN, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(named_and_placed, reset),
		cmocka_unit_test_teardown(variadic, reset),
		cmocka_unit_test_teardown(a_large_result_takes_the_first_word, reset),
		cmocka_unit_test_teardown(floats_are_not_seen, reset),
		cmocka_unit_test_teardown(no_parameters_and_a_pointer_to_a_function, reset),
		cmocka_unit_test_teardown(more_than_fit_are_left_out, reset),
		cmocka_unit_test_teardown(hostile_and_incomplete_types, reset),
		cmocka_unit_test(a_variable_is_no_function),
		cmocka_unit_test(rust),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
