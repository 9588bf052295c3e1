/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "unwind/records.h"

static const uint64_t stack_at = 0xffff800080010000;
static uint64_t words[128];

static uint64_t at(unsigned word)
{
	return stack_at + 8 * word;
}

static struct cul_stack_bytes stack(void)
{
	memset(words, 0, sizeof(words));
	return (struct cul_stack_bytes){stack_at, sizeof(words), (const uint8_t *)words};
}

static void the_bits_of_all_addresses_of_code(void **state)
{
	/* 48, 39 and 52 bits of address, as arch/arm64's memory layout puts the kernel's code. */
	assert_int_equal(cul_records_kernel_bits(0xffff800080000000), 0xffff000000000000);
	assert_int_equal(cul_records_kernel_bits(0xffffffc080000000), 0xffffff8000000000);
	assert_int_equal(cul_records_kernel_bits(0xfff8000080000000), 0xfff0000000000000);
	assert_int_equal(cul_records_kernel_bits(0), 0);
	assert_int_equal(cul_records_kernel_bits(UINT64_MAX), ~1ull);
}

static void a_chain_is_followed_to_the_record_of_zeros(void **state)
{
	const struct cul_records_rules rules = {.kernel_bits = 0xffff000000000000};
	struct cul_stack_bytes s = stack();
	struct cul_records_frame f = {.pc = 0xffff800080100000, .fp = at(2)};
	uint64_t fail = 0;

	words[2] = at(6), words[3] = 0xffff800080200004;
	words[6] = at(20),
	words[7] = 0x00b7800080300008; /* signed: its upper bits are no address */
	assert_int_equal(cul_records_step(&rules, &s, &f, &fail), 0);
	assert_int_equal(f.pc, 0xffff800080200004);
	assert_int_equal(f.fp, at(6));
	assert_int_equal(cul_records_step(&rules, &s, &f, &fail), 0);
	assert_int_equal(f.pc, 0xffff800080300008);
	assert_int_equal(cul_records_step(&rules, &s, &f, &fail), -ENOENT);
	assert_int_equal(f.pc, 0xffff800080300008);
}

/* struct pt_regs of 6.13: its record at byte 0x110, then the kind. */
static void a_boundary_leads_to_the_interrupted_registers(void **state)
{
	const struct cul_records_rules rules = {
		.kernel_bits = 0xffff000000000000, .regs_distance = 0x110};
	struct cul_stack_bytes s = stack();
	struct cul_records_frame f = {.pc = 0xffff800080100000, .fp = at(44)};
	uint64_t fail = 0;

	words[44 + 2] = 2;                   /* FRAME_META_TYPE_PT_REGS */
	words[10 + 29] = at(60);             /* x29: the struct begins at word 44 - 34 */
	words[10 + 32] = 0xffff800080400000; /* pc */
	words[62] = 1;                       /* FRAME_META_TYPE_FINAL */
	assert_int_equal(cul_records_step(&rules, &s, &f, &fail), 0);
	assert_int_equal(f.pc, 0xffff800080400000);
	assert_int_equal(f.fp, at(60));
	assert_true(f.exact);
	assert_int_equal(cul_records_step(&rules, &s, &f, &fail), -ENOENT);
	words[62] = 3; /* no kind that there is */
	assert_int_equal(cul_records_step(&rules, &s, &f, &fail), -EBADMSG);
	f.fp = at(4), words[6] = 2; /* x29 would be below the stack */
	assert_int_equal(cul_records_step(&rules, &s, &f, &fail), -EFAULT);
	assert_int_equal(fail, at(4) - 0x110 + 29 * 8);
}

static void bad_chains_end(void **state)
{
	const struct cul_records_rules rules = {.kernel_bits = 0xffff000000000000};
	struct cul_stack_bytes s = stack();
	struct cul_records_frame f = {.pc = 1, .fp = at(2)}, before = f;
	uint64_t fail = 0;

	words[2] = at(2), words[3] = 0xffff800080200004; /* itself */
	assert_int_equal(cul_records_step(&rules, &s, &f, &fail), -ELOOP);
	assert_int_equal(fail, at(2));
	words[2] = at(0);
	assert_int_equal(cul_records_step(&rules, &s, &f, &fail), -ELOOP);
	assert_memory_equal(&f, &before, sizeof(f));
	f.fp = at(2) + 4;
	assert_int_equal(cul_records_step(&rules, &s, &f, &fail), -EFAULT);
	f.fp = at(127); /* its second word is not there */
	assert_int_equal(cul_records_step(&rules, &s, &f, &fail), -EFAULT);
	assert_int_equal(fail, at(128));
	f.fp = UINT64_MAX - 7;
	assert_int_equal(cul_records_step(&rules, &s, &f, &fail), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bits_of_all_addresses_of_code),
		cmocka_unit_test(a_chain_is_followed_to_the_record_of_zeros),
		cmocka_unit_test(a_boundary_leads_to_the_interrupted_registers),
		cmocka_unit_test(bad_chains_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
