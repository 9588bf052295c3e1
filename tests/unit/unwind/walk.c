/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "fake.h"

enum { RBP = 4, RIP = 16, RSP = 19, LIMIT = 1 << 18 };

static const struct cul_arch *const arch = &cul_arch_x86_64;

/* A five-byte call before `offset` in the code: a return address. */
static uint64_t call_before(struct fake_thread *t, unsigned offset)
{
	t->code[offset - 5] = 0xe8;
	return FAKE_CODE + offset;
}

static void walk(struct fake_thread *t, unsigned methods, struct cul_stack *stack)
{
	const struct cul_unwind_options options = {.methods = methods, .max_frames = LIMIT};
	struct cul_unwinder *u = NULL;

	*stack = (struct cul_stack){0};
	assert_int_equal(cul_unwinder_new(arch, &t->mem, &t->space, &u), 0);
	assert_int_equal(cul_stack_walk(u, &t->regs, &options, stack), 0);
	cul_unwinder_free(u);
}

static void frame_pointers_lead_to_the_end_of_their_chain(void **state)
{
	struct fake_thread *t = fake_thread(arch);
	struct cul_stack stack;

	t->regs.regs.r[RBP] = FAKE_STACK + 0x20;
	fake_put(t, arch, 0x20, FAKE_STACK + 0x60);
	fake_put(t, arch, 0x28, call_before(t, 0x200));
	fake_put(t, arch, 0x60, 0);
	fake_put(t, arch, 0x68, call_before(t, 0x300));
	walk(t, 1u << CUL_UNWIND_FP, &stack);
	assert_int_equal(stack.frames.len, 3);
	assert_int_equal(stack.frames.data[1].frame.pc, FAKE_CODE + 0x200);
	assert_int_equal(stack.frames.data[1].frame.sp, FAKE_STACK + 0x30);
	assert_int_equal(stack.frames.data[1].frame.certainty, CUL_LIKELY);
	assert_int_equal(stack.frames.data[2].frame.pc, FAKE_CODE + 0x300);
	assert_int_equal(stack.frames.data[2].frame.method, CUL_UNWIND_FP);
	assert_int_equal(stack.end.why, CUL_UNWIND_END_NO_RULE);
	cul_stack_free(&stack);
}

static void a_chain_that_leads_back_ends(void **state)
{
	struct fake_thread *t = fake_thread(arch);
	struct cul_stack stack;

	t->regs.regs.r[RBP] = FAKE_STACK + 0x20;
	fake_put(t, arch, 0x20, FAKE_STACK + 0x60);
	fake_put(t, arch, 0x28, call_before(t, 0x200));
	fake_put(t, arch, 0x60, FAKE_STACK + 0x20);
	fake_put(t, arch, 0x68, FAKE_CODE + 0x200);
	walk(t, 1u << CUL_UNWIND_FP, &stack);
	assert_int_equal(stack.frames.len, 3);
	assert_int_not_equal(stack.end.why, CUL_UNWIND_END_OUTERMOST);
	cul_stack_free(&stack);
}

static void who_called_through_a_bad_pointer_is_at_the_top_of_the_stack(void **state)
{
	struct fake_thread *t = fake_thread(arch);
	struct cul_stack stack;

	t->regs.regs.r[RIP] = 0;
	fake_put(t, arch, 0, call_before(t, 0x200));
	walk(t, 0, &stack);
	assert_int_equal(stack.frames.len, 2);
	assert_int_equal(stack.frames.data[1].frame.pc, FAKE_CODE + 0x200);
	assert_int_equal(stack.frames.data[1].frame.method, CUL_UNWIND_BAD_PC);
	assert_int_equal(stack.frames.data[1].frame.sp, FAKE_STACK + 8);
	cul_stack_free(&stack);
}

static void scanning_takes_what_stands_behind_a_call(void **state)
{
	struct fake_thread *t = fake_thread(arch);
	struct cul_stack stack;

	fake_put(t, arch, 0x10, FAKE_CODE + 0x180); /* code, but no call before it */
	fake_put(t, arch, 0x18, call_before(t, 0x200));
	walk(t, 1u << CUL_UNWIND_SCAN, &stack);
	assert_int_equal(stack.frames.len, 2);
	assert_int_equal(stack.frames.data[1].frame.pc, FAKE_CODE + 0x200);
	assert_int_equal(stack.frames.data[1].frame.certainty, CUL_LIKELY);
	assert_int_equal(stack.end.why, CUL_UNWIND_END_NO_RULE);
	cul_stack_free(&stack);
}

/* The frame that the kernel makes for a handler, with musl's trampoline. */
static void a_signal_frame_is_known_by_its_code(void **state)
{
	static const uint8_t restorer[] = {0xb8, 15, 0, 0, 0, 0x0f, 0x05};
	struct fake_thread *t = fake_thread(arch);
	struct cul_stack stack;

	memcpy(t->code + 0x100, restorer, sizeof(restorer));
	fake_put(t, arch, 160, FAKE_STACK + 0x400);
	fake_put(t, arch, 168, FAKE_CODE + 0x800);
	walk(t, 0, &stack);
	assert_true(stack.frames.data[0].frame.trampoline);
	assert_int_equal(stack.frames.data[1].frame.pc, FAKE_CODE + 0x800);
	assert_int_equal(stack.frames.data[1].frame.sp, FAKE_STACK + 0x400);
	assert_true(stack.frames.data[1].frame.exact);
	assert_int_equal(stack.frames.data[1].frame.method, CUL_UNWIND_SIGNAL);
	assert_int_equal(stack.frames.data[1].frame.certainty, CUL_CERTAIN);
	cul_stack_free(&stack);
}

/* a -> b -> a -> b ..., a frame every 32 bytes of a stack of 1 GiB. */
static uint64_t endless(uint64_t addr)
{
	uint64_t frame = (addr - FAKE_STACK) / 32;

	if (addr % 32 == 0)
		return addr + 32;
	return addr % 32 == 8 ? FAKE_CODE + (frame & 1 ? 0x200 : 0x300) : 0;
}

static void recursion_is_folded_and_bounded(void **state)
{
	struct fake_thread *t = fake_thread(arch);
	struct cul_stack stack;

	call_before(t, 0x200);
	call_before(t, 0x300);
	t->word = endless;
	t->stack_size = 1ull << 30;
	t->regs.regs.r[RBP] = FAKE_STACK;
	walk(t, 1u << CUL_UNWIND_FP, &stack);
	assert_int_equal(stack.end.why, CUL_UNWIND_END_LIMIT);
	assert_int_equal(stack.depth, LIMIT);
	assert_in_range(stack.frames.len, 3, 5);
	assert_int_equal(stack.frames.data[1].period, 2);
	assert_int_equal(stack.frames.data[1].times, (LIMIT - 1) / 2);
	cul_stack_free(&stack);
}

static bool at_the_third_question(void *data)
{
	return ++*(unsigned *)data == 3;
}

static void a_walk_ends_when_it_is_told_to(void **state)
{
	struct fake_thread *t = fake_thread(arch);
	unsigned asked = 0;
	const struct cul_unwind_options options = {.methods = 1u << CUL_UNWIND_FP,
		.max_frames = LIMIT,
		.is_over = at_the_third_question,
		.data = &asked};
	struct cul_unwinder *u = NULL;
	struct cul_stack stack = {0};

	call_before(t, 0x200);
	call_before(t, 0x300);
	t->word = endless;
	t->stack_size = 1ull << 30;
	t->regs.regs.r[RBP] = FAKE_STACK;
	assert_int_equal(cul_unwinder_new(arch, &t->mem, &t->space, &u), 0);
	assert_int_equal(cul_stack_walk(u, &t->regs, &options, &stack), -EINTR);
	assert_int_equal(asked, 3);
	assert_in_range(stack.depth, 3, LIMIT / 16);
	assert_int_equal(stack.end.why, CUL_UNWIND_END_STOPPED);
	cul_stack_free(&stack);
	cul_unwinder_free(u);
}

/* Of a recursion that ends in the middle of a round the rest is kept, with its own place. */
static uint64_t three_rounds(uint64_t addr)
{
	uint64_t frame = (addr - FAKE_STACK) / 32;

	if (addr % 32 == 0)
		return frame < 6 ? addr + 32 : 0;
	return addr % 32 == 8 ? FAKE_CODE + (frame & 1 ? 0x200 : 0x300) : 0;
}

static void what_is_left_of_a_round_is_kept(void **state)
{
	struct fake_thread *t = fake_thread(arch);
	struct cul_stack stack;

	call_before(t, 0x200);
	call_before(t, 0x300);
	t->word = three_rounds;
	t->regs.regs.r[RBP] = FAKE_STACK;
	walk(t, 1u << CUL_UNWIND_FP, &stack);
	assert_int_equal(stack.depth, 8);
	assert_int_equal(stack.frames.len, 4);
	assert_int_equal(stack.frames.data[1].times, 3);
	assert_int_equal(stack.frames.data[3].frame.pc, FAKE_CODE + 0x300);
	assert_int_equal(stack.frames.data[3].frame.sp, FAKE_STACK + 6 * 32 + 16);
	cul_stack_free(&stack);
}

static void the_end_is_told_in_words(void **state)
{
	char text[64];

	assert_string_equal(
		cul_unwind_end_text(&(struct cul_unwind_end){CUL_UNWIND_END_UNREADABLE, 0x20}, text,
			sizeof(text)),
		"unreadable stack at 0x20");
	assert_string_equal(cul_unwind_end_text(&(struct cul_unwind_end){0}, text, sizeof(text)),
		"outermost frame");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_pointers_lead_to_the_end_of_their_chain),
		cmocka_unit_test(a_chain_that_leads_back_ends),
		cmocka_unit_test(who_called_through_a_bad_pointer_is_at_the_top_of_the_stack),
		cmocka_unit_test(scanning_takes_what_stands_behind_a_call),
		cmocka_unit_test(a_signal_frame_is_known_by_its_code),
		cmocka_unit_test(recursion_is_folded_and_bounded),
		cmocka_unit_test(a_walk_ends_when_it_is_told_to),
		cmocka_unit_test(what_is_left_of_a_round_is_kept),
		cmocka_unit_test(the_end_is_told_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
