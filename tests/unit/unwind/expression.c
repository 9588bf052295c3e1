/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dwarf.h>
#include <errno.h>

#include "fake.h"
#include "unwind/priv.h"

static int run(const Dwarf_Op *ops, size_t n, uint64_t *value)
{
	struct fake_thread *t = fake_thread(&cul_arch_x86_64);
	struct cul_unwinder *u = NULL;
	const uint64_t cfa = 0x7000;
	uint64_t fail = 0;
	int ret;

	fake_put(t, &cul_arch_x86_64, 8, 0x1122334455667788);
	assert_int_equal(cul_unwinder_new(&cul_arch_x86_64, &t->mem, &t->space, &u), 0);
	ret = cul_unwind_expression(u, ops, n, &t->regs, &cfa, value, &fail);
	if (ret == -EFAULT)
		assert_int_equal(fail, 0x40);
	cul_unwinder_free(u);
	return ret;
}

#define RUN(value, ...)                                                                            \
	({                                                                                         \
		const Dwarf_Op ops[] = {__VA_ARGS__};                                              \
		run(ops, sizeof(ops) / sizeof(ops[0]), value);                                     \
	})

/* What the linker writes for the PLT: sp + 8 + ((pc & 15) >= 11 ? 8 : 0). */
static void the_rule_of_a_plt(void **state)
{
	uint64_t value;

	assert_int_equal(
		RUN(&value, {DW_OP_breg7, 8}, {DW_OP_breg16, 0}, {DW_OP_lit15}, {DW_OP_and},
			{DW_OP_lit11}, {DW_OP_ge}, {DW_OP_lit3}, {DW_OP_shl}, {DW_OP_plus}),
		0);
	assert_int_equal(value, FAKE_STACK + 8);
}

static void memory_and_the_cfa(void **state)
{
	uint64_t value;

	assert_int_equal(RUN(&value, {DW_OP_breg7, 8}, {DW_OP_deref}), 0);
	assert_int_equal(value, 0x1122334455667788);
	assert_int_equal(RUN(&value, {DW_OP_breg7, 8}, {DW_OP_deref_size, 2}), 0);
	assert_int_equal(value, 0x7788);
	assert_int_equal(RUN(&value, {DW_OP_call_frame_cfa}, {DW_OP_plus_uconst, -16ull}), 0);
	assert_int_equal(value, 0x6ff0);
	assert_int_equal(RUN(&value, {DW_OP_const1u, 0x40}, {DW_OP_deref}), -EFAULT);
}

static void the_stack_is_shuffled(void **state)
{
	uint64_t value;

	assert_int_equal(RUN(&value, {DW_OP_lit1}, {DW_OP_lit2}, {DW_OP_lit3}, {DW_OP_rot}), 0);
	assert_int_equal(value, 2);
	assert_int_equal(RUN(&value, {DW_OP_lit9}, {DW_OP_lit2}, {DW_OP_swap}, {DW_OP_minus}), 0);
	assert_int_equal(value, -7ull);
	assert_int_equal(RUN(&value, {DW_OP_lit7}, {DW_OP_lit2}, {DW_OP_pick, 1}), 0);
	assert_int_equal(value, 7);
	assert_int_equal(RUN(&value, {DW_OP_lit7}, {DW_OP_pick, 1}), -EBADMSG);
	assert_int_equal(RUN(&value, {DW_OP_plus_uconst, 1}), -EBADMSG);
	assert_int_equal(RUN(&value, {DW_OP_lit7}, {DW_OP_rot}), -EBADMSG);
}

static void arithmetic_that_traps_does_not(void **state)
{
	uint64_t value;

	assert_int_equal(
		RUN(&value, {DW_OP_const8s, 1ull << 63}, {DW_OP_const1s, -1ull}, {DW_OP_div}), 0);
	assert_int_equal(value, 1ull << 63);
	assert_int_equal(RUN(&value, {DW_OP_lit1}, {DW_OP_lit0}, {DW_OP_div}), -EBADMSG);
	assert_int_equal(RUN(&value, {DW_OP_lit1}, {DW_OP_lit0}, {DW_OP_mod}), -EBADMSG);
	assert_int_equal(RUN(&value, {DW_OP_lit1}, {DW_OP_const1u, 64}, {DW_OP_shl}), 0);
	assert_int_equal(value, 0);
}

/* Offsets of operations count bytes; a branch is three long and counts from its end. */
static void branches(void **state)
{
	uint64_t value;

	assert_int_equal(RUN(&value, {DW_OP_lit5, 0, 0, 0}, {DW_OP_lit1, 0, 0, 1},
				 {DW_OP_bra, 1, 0, 2}, {DW_OP_lit6, 0, 0, 5}, {DW_OP_nop, 0, 0, 6}),
		0);
	assert_int_equal(value, 5);
	assert_int_equal(
		RUN(&value, {DW_OP_lit5, 0, 0, 0}, {DW_OP_skip, (uint16_t)-3, 0, 1}), -EBADMSG);
	assert_int_equal(RUN(&value, {DW_OP_skip, (uint16_t)-2, 0, 0}), -EBADMSG);
}

static void what_is_for_variables_is_refused(void **state)
{
	uint64_t value;

	assert_int_equal(RUN(&value, {DW_OP_lit1}, {DW_OP_piece, 4}), -EBADMSG);
	assert_int_equal(RUN(&value, {DW_OP_breg31, 0}), -EBADMSG);
	assert_int_equal(RUN(&value, {DW_OP_bregx, 1u << 30, 0}), -EBADMSG);
	assert_int_equal(run(NULL, 0, &value), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rule_of_a_plt),
		cmocka_unit_test(memory_and_the_cfa),
		cmocka_unit_test(the_stack_is_shuffled),
		cmocka_unit_test(arithmetic_that_traps_does_not),
		cmocka_unit_test(branches),
		cmocka_unit_test(what_is_for_variables_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
