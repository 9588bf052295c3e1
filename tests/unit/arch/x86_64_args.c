/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where arguments are: by the ABI's text (AMD64 1.0, 3.2.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"

#define ARG(size, align, ...)                                                                      \
	{                                                                                          \
		size, align, (const struct cul_arg_leaf[]){__VA_ARGS__},                           \
			sizeof((const struct cul_arg_leaf[]){__VA_ARGS__}) /                       \
				sizeof(struct cul_arg_leaf)                                        \
	}
#define INT    ARG(4, 4, {0, 4, false})
#define LONG   ARG(8, 8, {0, 8, false})
#define DOUBLE ARG(8, 8, {0, 8, true})
#define PAIR   ARG(16, 8, {0, 8, false}, {8, 8, false})
#define MIXED  ARG(16, 8, {0, 8, true}, {8, 4, false})
#define VECTOR ARG(16, 8, {0, 8, true}, {8, 4, true}, {12, 4, true})
#define INT128 ARG(16, 16, {0, 16, false})
#define LDOUBLE                                                                                    \
	{                                                                                          \
		16, 16, (const struct cul_arg_leaf[]){{0, 16, true}}, 1                            \
	}
#define PACKED ARG(12, 1, {0, 4, false}, {4, 8, false})
#define BIG                                                                                        \
	{                                                                                          \
		40, 8, NULL, 0                                                                     \
	}

static void expect(const struct cul_arg *args, size_t n, bool hidden, const char *wanted)
{
	struct cul_arg_place places[16];
	char text[256] = "";

	cul_arch_x86_64.place_args(args, n, hidden, places);
	for (size_t i = 0; i < n; i++) {
		char one[32] = "?";

		if (places[i].where == CUL_ARG_WORDS)
			snprintf(one, sizeof(one), "%u+%u", places[i].word, places[i].n_words);
		else if (places[i].where == CUL_ARG_FLOAT)
			strcpy(one, "f");
		if (i)
			strcat(text, " ");
		strcat(text, one);
	}
	assert_string_equal(text, wanted);
}

#define EXPECT(hidden, wanted, ...)                                                                \
	do {                                                                                       \
		const struct cul_arg args[] = {__VA_ARGS__};                                       \
		expect(args, sizeof(args) / sizeof(args[0]), hidden, wanted);                      \
	} while (0)

static void scalars(void **state)
{
	EXPECT(false, "0+1 1+1 2+1 3+1 4+1 5+1 6+1 7+1", INT, LONG, INT, INT, INT, INT, INT, LONG);
	EXPECT(true, "1+1 2+1 3+1 4+1 5+1 6+1", INT, INT, INT, INT, INT, INT);
	EXPECT(false, "0+1 f 1+1 f", INT, DOUBLE, INT, DOUBLE);
	EXPECT(false, "f f f f f f f f 6+1 0+1", DOUBLE, DOUBLE, DOUBLE, DOUBLE, DOUBLE, DOUBLE,
		DOUBLE, DOUBLE, DOUBLE, INT);
}

static void structs_in_registers(void **state)
{
	EXPECT(false, "0+2 2+1", PAIR, INT);
	EXPECT(false, "f 1+1", MIXED, INT);
	EXPECT(false, "f 0+1", VECTOR, INT);
	/* one eightbyte with a float and an int is INTEGER */
	EXPECT(false, "0+1 1+1", ARG(8, 4, {0, 4, true}, {4, 4, false}), INT);
	EXPECT(false, "0+1 1+1", ARG(3, 1, {0, 1, false}, {1, 1, false}, {2, 1, false}), INT);
	/* the second eightbyte is padding: no register for it */
	EXPECT(false, "0+1 1+1", ARG(16, 16, {0, 4, false}), INT);
}

static void what_does_not_fit_is_on_the_stack(void **state)
{
	EXPECT(false, "0+1 1+1 2+1 3+1 4+1 6+2 5+1 8+1", INT, INT, INT, INT, INT, PAIR, INT, INT);
	EXPECT(false, "0+1 6+5 1+1 11+5", INT, BIG, INT, BIG);
	EXPECT(true, "6+5 1+1", BIG, INT);
	EXPECT(false, "6+2 0+1", PACKED, INT);
	EXPECT(false, "6+2 0+1", LDOUBLE, INT);
}

static void stack_words_are_aligned(void **state)
{
	EXPECT(false, "0+1 1+1 2+1 3+1 4+1 5+1 6+1 8+2 10+1", INT, INT, INT, INT, INT, INT, INT,
		INT128, INT);
	EXPECT(false, "0+1 1+2 3+2 6+2 5+1", INT, INT128, INT128, INT128, INT);
	EXPECT(false, "6+5 12+2", BIG, LDOUBLE);
}

static void what_follows_the_unknown_is_unknown(void **state)
{
	EXPECT(false, "0+1 ? ?", INT, {0}, INT);
	EXPECT(false, "? ?", {8, 8, NULL, 0}, INT);
}

static void what_is_empty_is_passed_in_nothing(void **state)
{
	EXPECT(false, "0+1 1+0 1+1", INT, {1, 1, NULL, 0}, INT);
}

static void results(void **state)
{
	const struct cul_arg in_memory[] = {BIG, PACKED, ARG(17, 1, {0, 1, false})};
	const struct cul_arg in_registers[] = {
		INT, PAIR, MIXED, VECTOR, INT128, LDOUBLE, DOUBLE, {0}};

	for (size_t i = 0; i < sizeof(in_memory) / sizeof(in_memory[0]); i++)
		assert_true(cul_arch_x86_64.returns_in_memory(&in_memory[i]));
	for (size_t i = 0; i < sizeof(in_registers) / sizeof(in_registers[0]); i++)
		assert_false(cul_arch_x86_64.returns_in_memory(&in_registers[i]));
}

static void registers_by_name(void **state)
{
	static const char *const wanted[] = {"rdi", "rsi", "rdx", "rcx", "r8", "r9"};
	const struct cul_arch *a = &cul_arch_x86_64;

	assert_int_equal(a->n_arg_regs, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_string_equal(a->reg_names[a->arg_regs[i]], wanted[i]);
	assert_string_equal(a->reg_names[a->reg_ret], "rax");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars),
		cmocka_unit_test(structs_in_registers),
		cmocka_unit_test(what_does_not_fit_is_on_the_stack),
		cmocka_unit_test(stack_words_are_aligned),
		cmocka_unit_test(what_follows_the_unknown_is_unknown),
		cmocka_unit_test(what_is_empty_is_passed_in_nothing),
		cmocka_unit_test(results),
		cmocka_unit_test(registers_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
