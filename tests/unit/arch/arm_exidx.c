/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each unwinding instruction of EHABI32, table 4, and the forms of entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "arch/arm/exidx.h"

enum { R0 = 0, R3 = 3, R4 = 4, R5 = 5, R7 = 7, R11 = 11, SP = 13, LR = 14, PC = 15 };

static struct cul_rules rules;

#define RULES(...)                                                                                 \
	({                                                                                         \
		const uint8_t code[] = {__VA_ARGS__};                                              \
		cul_exidx_rules(code, sizeof(code), &rules);                                       \
	})

static void assert_cfa(unsigned reg, int off)
{
	assert_int_equal(rules.cfa.kind, CUL_RULE_REG);
	assert_int_equal(rules.cfa.reg, reg);
	assert_int_equal(rules.cfa.off, off);
}

static void assert_at(unsigned reg, int off)
{
	assert_int_equal(rules.reg[reg].kind, CUL_RULE_AT);
	assert_int_equal(rules.reg[reg].off, off);
}

static void what_gcc_writes_for_push_r4_lr(void **state)
{
	assert_int_equal(RULES(0xa8, 0xb0, 0xb0), 0);
	assert_cfa(SP, 8);
	assert_at(R4, -8);
	assert_at(LR, -4);
	assert_at(PC, -4);
	assert_int_equal(rules.reg[R5].kind, CUL_RULE_SAME);
	assert_int_equal(rules.reg[R0].kind, CUL_RULE_UNKNOWN);
}

static void a_leaf_returns_by_lr(void **state)
{
	assert_int_equal(RULES(0xb0, 0xb0, 0xb0), 0);
	assert_cfa(SP, 0);
	assert_int_equal(rules.reg[PC].kind, CUL_RULE_REG);
	assert_int_equal(rules.reg[PC].reg, LR);
}

static void the_stack_pointer_moves(void **state)
{
	assert_int_equal(RULES(0x3f, 0x02, 0x84, 0x00), 0); /* + 256, + 12, pop {lr} */
	assert_cfa(SP, 256 + 12 + 4);
	assert_at(PC, -4);
	assert_int_equal(RULES(0x7f, 0xb0), 0);
	assert_cfa(SP, -256);
	assert_int_equal(RULES(0xb2, 0x81, 0x02), 0);
	assert_cfa(SP, 0x204 + (0x101 << 2));
	assert_int_equal(RULES(0xb2, 0x80, 0x80, 0x80, 0x80, 0x80), -EBADMSG);
	assert_int_equal(RULES(0xb2), -EBADMSG);
}

/* push {r11, lr}; mov r11, sp: clang's frame pointer. */
static void the_stack_pointer_comes_from_the_frame_pointer(void **state)
{
	assert_int_equal(RULES(0x9b, 0x84, 0x80), 0);
	assert_cfa(R11, 8);
	assert_at(R11, -8);
	assert_at(PC, -4);
	assert_int_equal(RULES(0x84, 0x80, 0x9b), -ENOTSUP);
	assert_int_equal(RULES(0x9d), -EBADMSG);
	assert_int_equal(RULES(0x9f), -EBADMSG);
}

static void registers_are_popped_under_masks(void **state)
{
	assert_int_equal(RULES(0x88, 0x01), 0); /* r4 and pc */
	assert_cfa(SP, 8);
	assert_at(R4, -8);
	assert_at(PC, -4);
	assert_int_equal(RULES(0xb1, 0x09, 0x84, 0x00), 0); /* r0, r3; lr */
	assert_at(R0, -12);
	assert_at(R3, -8);
	assert_int_equal(RULES(0xa3), 0); /* r4-r7 */
	assert_cfa(SP, 16);
	assert_at(R7, -4);
	assert_int_equal(RULES(0x82, 0x01), 0); /* r4 and the stack pointer itself */
	assert_at(SP, -4);
	assert_int_equal(RULES(0x82, 0x01, 0xb0, 0xb0), 0);
	assert_int_equal(RULES(0x82, 0x01, 0x84, 0x00), -ENOTSUP); /* lr, from where sp then is */
	assert_int_equal(RULES(0x80, 0x00), -ENOENT);
	assert_int_equal(RULES(0xb1, 0x00), -EBADMSG);
	assert_int_equal(RULES(0xb1, 0x10), -EBADMSG);
	assert_int_equal(RULES(0x84), -EBADMSG);
}

static void other_registers_move_the_stack_pointer(void **state)
{
	static const struct {
		uint8_t op, arg;
		int bytes;
	} known[] = {
		{0xb3, 0x81, 2 * 8 + 4},                  /* d8-d9, fstmx */
		{0xb4, 0xb0, 4},                          /* the signature of the return address */
		{0xb5, 0xb0, 0}, {0xba, 0xb0, 3 * 8 + 4}, /* d8-d10, fstmx */
		{0xc2, 0xb0, 3 * 8},                      /* wR10-wR12 */
		{0xc6, 0x31, 2 * 8},                      /* wR3-wR4 */
		{0xc7, 0x05, 2 * 4},                      /* wCGR0, wCGR2 */
		{0xc8, 0x03, 4 * 8},                      /* d16-d19 */
		{0xc9, 0x80, 8},                          /* d8 */
		{0xd7, 0xb0, 8 * 8},                      /* d8-d15 */
	};
	static const uint8_t reserved[][2] = {
		{0xb6, 0}, {0xb7, 0}, {0xc7, 0}, {0xc7, 0x10}, {0xca, 0}, {0xd8, 0}, {0xff, 0}};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		assert_int_equal(RULES(known[i].op, known[i].arg, 0xa8), 0);
		/* Where the argument is `finish` nothing comes behind it. */
		assert_cfa(SP, known[i].bytes + (known[i].arg == 0xb0 ? 0 : 8));
	}
	for (unsigned i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		assert_int_equal(RULES(reserved[i][0], reserved[i][1]), -EBADMSG);
}

static void entries_of_the_index(void **state)
{
	uint32_t table = 0;

	assert_int_equal(cul_exidx_kind(1, 0x8000, &table), CUL_EXIDX_REFUSES);
	assert_int_equal(cul_exidx_kind(0x80a8b0b0, 0x8000, &table), CUL_EXIDX_INLINE);
	assert_int_equal(cul_exidx_kind(0x81a8b0b0, 0x8000, &table), CUL_EXIDX_BROKEN);
	assert_int_equal(cul_exidx_kind(0x7ffffff0, 0x8000, &table), CUL_EXIDX_TABLE);
	assert_int_equal(table, 0x7ff0);
	assert_int_equal(cul_exidx_kind(0x7ffffff1, 0x8000, &table), CUL_EXIDX_BROKEN);
	assert_int_equal(cul_exidx_prel31(0x7ffffffc, 0x100), 0xfc);
}

static void entries_of_tables(void **state)
{
	static const uint32_t pr0 = 0x80a8b0b0, pr1[] = {0x8101b108, 0x84808480},
			      pr2[] = {0x8200b0b0},
			      generic[] = {0x00001000, 0x01b0a8b0, 0xb0b0b0b0}, bad = 0x83000000;
	uint8_t code[CUL_EXIDX_MAX_CODE];
	size_t want;

	assert_int_equal(cul_exidx_code(&pr0, 1, code, &want), 3);
	assert_int_equal(code[0], 0xa8);
	assert_int_equal(cul_exidx_code(pr1, 1, code, &want), -E2BIG);
	assert_int_equal(want, 2);
	assert_int_equal(cul_exidx_code(pr1, 2, code, &want), 6);
	assert_int_equal(code[0], 0xb1);
	assert_int_equal(code[5], 0x80);
	assert_int_equal(cul_exidx_code(pr2, 1, code, &want), 2);
	assert_int_equal(cul_exidx_code(generic, 1, code, &want), -E2BIG);
	assert_int_equal(cul_exidx_code(generic, 2, code, &want), -E2BIG);
	assert_int_equal(want, 3);
	assert_int_equal(cul_exidx_code(generic, 3, code, &want), 7);
	assert_int_equal(code[1], 0xa8);
	assert_int_equal(cul_exidx_code(&bad, 1, code, &want), -EBADMSG);
	assert_int_equal(cul_exidx_code(&bad, 0, code, &want), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_gcc_writes_for_push_r4_lr),
		cmocka_unit_test(a_leaf_returns_by_lr),
		cmocka_unit_test(the_stack_pointer_moves),
		cmocka_unit_test(the_stack_pointer_comes_from_the_frame_pointer),
		cmocka_unit_test(registers_are_popped_under_masks),
		cmocka_unit_test(other_registers_move_the_stack_pointer),
		cmocka_unit_test(entries_of_the_index),
		cmocka_unit_test(entries_of_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
