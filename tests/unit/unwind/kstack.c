/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "kstack_fault.h"
#include "unwind/kstack.h"

enum { SP = CUL_ORC_REG_SP, MOST = 64, CODE = 0x1000, CODE_END = 0x9000, WORDS = 64 };

/* What a made-up kernel answers: code in [CODE, CODE_END), tables of some of it. */
struct kernel {
	struct cul_kstack_code code;
	const struct captured_entry *entries;
	size_t n_entries;
	uint64_t returns[8]; /* behind calls */
	uint64_t hook, hooked_slot, original;
	uint64_t interrupts; /* code that is returned to an interrupted place by */
};

static bool is_code(void *data, uint64_t addr)
{
	return (addr >= CODE && addr < CODE_END) || addr >= 0xffffffff80000000;
}

static bool is_return(void *data, uint64_t ra)
{
	const struct kernel *k = data;

	for (size_t i = 0; i < sizeof(k->returns) / sizeof(k->returns[0]); i++)
		if (ra && k->returns[i] == ra)
			return true;
	return false;
}

static int orc(void *data, uint64_t addr, struct cul_orc_entry *out)
{
	const struct kernel *k = data;

	for (size_t i = 0; i < k->n_entries; i++)
		if (k->entries[i].addr == addr) {
			*out = k->entries[i].entry;
			return 0;
		}
	return -ENOENT;
}

static uint64_t original(void *data, uint64_t pc, uint64_t slot)
{
	const struct kernel *k = data;

	return pc == k->hook && slot == k->hooked_slot ? k->original : pc;
}

static bool is_entry(void *data, uint64_t pc)
{
	return pc == ((struct kernel *)data)->interrupts;
}

static struct kernel *kernel(const struct captured_entry *entries, size_t n)
{
	static struct kernel k;

	k = (struct kernel){.code = {.data = &k,
				    .is_code = is_code,
				    .is_return = is_return,
				    .orc = orc,
				    .original = original,
				    .is_entry = is_entry},
		.entries = entries,
		.n_entries = n};
	return &k;
}

struct frames {
	struct cul_frame f[MOST];
	size_t n, stop_at;
	struct cul_unwind_end end;
};

static int visit(void *data, const struct cul_frame *frame)
{
	struct frames *out = data;

	assert_true(out->n < MOST);
	out->f[out->n++] = *frame;
	return out->n == out->stop_at;
}

static struct frames walk(const struct kernel *k, const struct cul_arch *arch,
	const struct cul_kstack_start *start, const struct cul_stack_bytes *stack,
	const struct cul_unwind_options *options)
{
	struct frames out = {0};

	cul_kstack_walk(arch, &k->code, start, stack, options, visit, &out, &out.end);
	return out;
}

static const uint64_t stack_at = 0xffffc90000010000;
static uint64_t words[WORDS];

static uint64_t at(unsigned word)
{
	return stack_at + 8 * word;
}

static struct cul_stack_bytes stack(void)
{
	memset(words, 0, sizeof(words));
	return (struct cul_stack_bytes){stack_at, sizeof(words), (const uint8_t *)words};
}

/* A task of a 6.12 kernel that waits in a page fault of its own system call. */
static void a_captured_stack_is_what_the_kernel_said(void **state)
{
	const struct kernel *k = kernel(fault_entries, FAULT_ENTRIES);
	const struct cul_stack_bytes s = {
		fault_start.sp - FAULT_SWITCHED, sizeof(fault_stack), (const uint8_t *)fault_stack};
	struct frames got = walk(k, &cul_arch_x86_64, &fault_start, &s, NULL);

	assert_int_equal(got.end.why, CUL_UNWIND_END_OUTERMOST);
	assert_int_equal(
		got.n, FAULT_FRAMES + 2); /* __schedule and schedule, which it leaves out */
	for (size_t i = 0; i < FAULT_FRAMES; i++) {
		const struct cul_frame *f = &got.f[i + 2];

		assert_int_equal(f->pc, fault_frames[i]);
		assert_int_equal(f->method, CUL_UNWIND_ORC);
		assert_int_equal(f->certainty, CUL_CERTAIN);
		assert_int_equal(f->exact, i == FAULT_INTERRUPTED);
	}
	assert_int_equal(got.f[0].method, CUL_UNWIND_REGS);
}

static const struct captured_entry plain[] = {
	{0x1fff, {.type = CUL_ORC_CALL, .sp_reg = SP, .sp_offset = 16}},
	{0x2fff, {.type = CUL_ORC_CALL, .sp_reg = SP, .sp_offset = 16}},
	{0x3fff, {.type = CUL_ORC_END}},
	{0x5fff, {.type = CUL_ORC_UNDEFINED}},
	{0x6fff, {.type = CUL_ORC_CALL, .sp_reg = SP, .sp_offset = -8}},
};

static const struct cul_kstack_start start = {
	.pc = 0x2000, .sp = 0xffffc90000010010, .fp = 0xffffc90000010050};

static void it_ends_where_the_table_says(void **state)
{
	const struct kernel *k = kernel(plain, 5);
	struct cul_stack_bytes s = stack();
	struct frames got;

	words[3] = 0x3000, words[5] = 0x4000;
	got = walk(k, &cul_arch_x86_64, &start, &s, NULL);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.f[1].pc, 0x3000);
	assert_int_equal(got.f[1].sp, at(4));
	assert_int_equal(got.f[2].pc, 0x4000);
	assert_int_equal(got.f[2].certainty, CUL_CERTAIN);
	assert_int_equal(got.end.why, CUL_UNWIND_END_OUTERMOST);
	got = walk(k, &cul_arch_x86_64, &start, &s, &(struct cul_unwind_options){.max_frames = 2});
	assert_int_equal(got.n, 2);
	assert_int_equal(got.end.why, CUL_UNWIND_END_LIMIT);
}

/* Code of BPF: no table, a frame pointer. */
static void code_without_tables_is_crossed_by_its_frame_pointer(void **state)
{
	struct kernel *k = kernel(plain, 5);
	struct cul_stack_bytes s = stack();
	struct frames got;

	words[3] = 0x8000, words[10] = 0, words[11] = 0x3000, words[13] = 0x4000;
	k->returns[0] = 0x3000;
	got = walk(k, &cul_arch_x86_64, &start, &s, NULL);
	assert_int_equal(got.n, 4);
	assert_int_equal(got.f[1].certainty, CUL_CERTAIN);
	assert_int_equal(got.f[2].pc, 0x3000);
	assert_int_equal(got.f[2].method, CUL_UNWIND_FP);
	assert_int_equal(got.f[2].certainty, CUL_LIKELY);
	assert_int_equal(got.f[3].method, CUL_UNWIND_ORC);
	assert_int_equal(got.f[3].certainty, CUL_LIKELY); /* as all beyond */
	assert_int_equal(got.end.why, CUL_UNWIND_END_OUTERMOST);
}

static void what_does_not_lead_on_is_scanned_past(void **state)
{
	struct kernel *k = kernel(plain, 5);
	struct cul_stack_bytes s = stack();
	struct frames got;

	words[3] = 0x6000; /* undefined */
	words[4] = 0x7777; /* code, but behind no call */
	words[8] = 0x3000, words[10] = 0x4000;
	k->returns[0] = 0x3000;
	got = walk(k, &cul_arch_x86_64, &start, &s, NULL);
	assert_int_equal(got.n, 4);
	assert_int_equal(got.f[2].pc, 0x3000);
	assert_int_equal(got.f[2].sp, at(9));
	assert_int_equal(got.f[2].method, CUL_UNWIND_SCAN);
	assert_int_equal(got.f[2].certainty, CUL_LIKELY);
	got = walk(k, &cul_arch_x86_64, &start, &s,
		&(struct cul_unwind_options){.methods = 1u << CUL_UNWIND_ORC});
	assert_int_equal(got.n, 2);
	assert_int_equal(got.end.why, CUL_UNWIND_END_NO_RULE);
	assert_int_equal(got.end.addr, 0x6000);
}

static void bad_stacks_end_with_the_reason(void **state)
{
	struct kernel *k = kernel(plain, 5);
	struct cul_stack_bytes s = stack();
	struct cul_kstack_start high = start;
	struct frames got;

	words[3] = 0xdead0000; /* no code */
	got = walk(k, &cul_arch_x86_64, &start, &s, NULL);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.end.why, CUL_UNWIND_END_NOT_CODE);
	assert_int_equal(got.end.addr, 0xdead0000);
	words[3] = 0x7000; /* its entry leads back */
	got = walk(k, &cul_arch_x86_64, &start, &s, NULL);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.end.why, CUL_UNWIND_END_LOOP);
	high.sp = at(WORDS - 1);
	got = walk(k, &cul_arch_x86_64, &high, &s, NULL);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.end.why, CUL_UNWIND_END_UNREADABLE);
	assert_int_equal(got.end.addr, at(WORDS));
}

/* However the words lie: no more frames than there are words. */
static void a_stack_full_of_return_addresses_is_bounded(void **state)
{
	struct kernel *k = kernel(plain, 5);
	struct cul_stack_bytes s = stack();
	struct frames got;

	k->returns[0] = 0x6000;
	for (unsigned i = 0; i < WORDS; i++)
		words[i] = 0x6000;
	got = walk(k, &cul_arch_x86_64, &start, &s, NULL);
	assert_int_equal(
		got.n, WORDS - 2); /* from the third word on, one for each, and the first */
}

static void replaced_return_addresses_are_put_back(void **state)
{
	struct kernel *k = kernel(plain, 5);
	struct cul_stack_bytes s = stack();
	struct frames got;

	k->hook = 0x8800, k->hooked_slot = at(3), k->original = 0x3000;
	words[3] = 0x8800, words[5] = 0x4000;
	got = walk(k, &cul_arch_x86_64, &start, &s, NULL);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.f[1].pc, 0x3000);
	assert_int_equal(got.f[1].certainty, CUL_CERTAIN);
}

static void arm64_goes_by_records(void **state)
{
	struct kernel *k = kernel(NULL, 0);
	const struct cul_kstack_start first = {.pc = 0x2000, .sp = at(2), .fp = at(4)};
	struct cul_stack_bytes s = stack();
	struct frames got;

	words[4] = at(8), words[5] = 0x3000;
	words[8] = at(20), words[9] = 0x4000; /* where an interrupt was: 0x3000 is its entry code */
	words[20] = at(30), words[21] = 0x5000;
	k->interrupts = 0x3000;
	got = walk(k, &cul_arch_aarch64, &first, &s, NULL);
	assert_int_equal(got.n, 4);
	assert_int_equal(got.f[1].pc, 0x3000);
	assert_int_equal(got.f[1].method, CUL_UNWIND_FP);
	assert_int_equal(got.f[2].pc, 0x4000);
	assert_true(got.f[2].exact);
	assert_int_equal(got.f[2].certainty, CUL_CERTAIN);
	assert_int_equal(got.f[3].pc, 0x5000);
	assert_int_equal(
		got.f[3].certainty, CUL_LIKELY); /* it may have had a caller without record */
	assert_int_equal(got.end.why, CUL_UNWIND_END_OUTERMOST);
	k->hook = 0x4000, k->hooked_slot = at(20), k->original = 0x4400;
	got = walk(k, &cul_arch_aarch64, &first, &s, NULL);
	assert_int_equal(got.f[2].pc, 0x4000); /* interrupted there: no address to return to */
	k->interrupts = 0;
	got = walk(k, &cul_arch_aarch64, &first, &s, NULL);
	assert_int_equal(got.f[2].pc, 0x4400); /* known by the caller's frame pointer */
	assert_int_equal(got.f[2].certainty, CUL_CERTAIN);
	k->hook = 0;
	words[21] = 0xdead0000;
	got = walk(k, &cul_arch_aarch64, &first, &s, NULL);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.end.why, CUL_UNWIND_END_NOT_CODE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_captured_stack_is_what_the_kernel_said),
		cmocka_unit_test(it_ends_where_the_table_says),
		cmocka_unit_test(code_without_tables_is_crossed_by_its_frame_pointer),
		cmocka_unit_test(what_does_not_lead_on_is_scanned_past),
		cmocka_unit_test(bad_stacks_end_with_the_reason),
		cmocka_unit_test(a_stack_full_of_return_addresses_is_bounded),
		cmocka_unit_test(replaced_return_addresses_are_put_back),
		cmocka_unit_test(arm64_goes_by_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
