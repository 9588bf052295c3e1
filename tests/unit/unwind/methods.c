/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where no symbol says where a function begins, the calls whose return addresses are on the stack
 * do: which of them is believed, and how many are asked. The function lowers its stack pointer and
 * never returns, so that nothing else tells where its return address is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "fake.h"

enum { SELF = 0x800, OTHER = 0xc00, PC = 8, LIMIT = 1 << 16 };
/* As src/unwind/methods.c and walk.c bound it. */
enum { BYTES = 1024, TRIED = 16, FRAMES = 4096 };

/* sub $size, %rsp; nop ...; jmp . */
static void put_function(struct fake_thread *t, unsigned at, uint32_t size)
{
	static const uint8_t sub[] = {0x48, 0x81, 0xec}, end[] = {0x90, 0x90, 0x90, 0xeb, 0xfe};

	memcpy(t->code + at, sub, sizeof(sub));
	memcpy(t->code + at + 3, &size, 4);
	memcpy(t->code + at + 7, end, sizeof(end));
}

/* A call there of the function at `target`; what it returns to. */
static uint64_t put_call(struct fake_thread *t, unsigned at, unsigned target)
{
	int32_t distance = (int32_t)(target - (at + 5));

	t->code[at] = 0xe8;
	memcpy(t->code + at + 1, &distance, 4);
	return FAKE_CODE + at + 5;
}

static struct fake_thread *stopped_in(uint32_t size)
{
	struct fake_thread *t = fake_thread(&cul_arch_x86_64);

	put_function(t, SELF, size);
	put_function(t, OTHER, size);
	t->regs.regs.r[cul_arch_x86_64.reg_ip] = FAKE_CODE + SELF + PC;
	return t;
}

static void put(struct fake_thread *t, unsigned offset, uint64_t value)
{
	fake_put(t, &cul_arch_x86_64, offset, value);
}

static void walk(struct fake_thread *t, struct cul_stack *stack)
{
	const struct cul_unwind_options options = {
		.methods = 1u << CUL_UNWIND_CODE, .max_frames = LIMIT};
	struct cul_unwinder *u = NULL;

	*stack = (struct cul_stack){0};
	assert_int_equal(cul_unwinder_new(&cul_arch_x86_64, &t->mem, &t->space, &u), 0);
	assert_int_equal(cul_stack_walk(u, &t->regs, &options, stack), 0);
	cul_unwinder_free(u);
}

/* `ra` 0: the walk says that nothing tells. */
static void assert_caller(struct fake_thread *t, uint64_t ra, uint64_t sp)
{
	struct cul_stack stack;
	const struct cul_frame *frame;

	walk(t, &stack);
	assert_int_equal(stack.end.why, CUL_UNWIND_END_NO_RULE);
	assert_int_equal(stack.frames.len, ra ? 2 : 1);
	frame = &stack.frames.data[stack.frames.len - 1].frame;
	if (ra) {
		assert_int_equal(frame->pc, ra);
		assert_int_equal(frame->sp, sp);
		assert_int_equal(frame->method, CUL_UNWIND_CODE);
		assert_int_equal(frame->certainty, CUL_LIKELY);
	}
	cul_stack_free(&stack);
}

static void the_call_of_this_function_is_found(void **state)
{
	struct fake_thread *t = stopped_in(0x28);

	put(t, 0x28, put_call(t, 0x200, SELF));
	assert_caller(t, FAKE_CODE + 0x205, FAKE_STACK + 0x30);
}

static void it_is_where_the_code_puts_it(void **state)
{
	struct fake_thread *t = stopped_in(0x28);

	/* Left by a call of it that has returned, nearer than the one it is in. */
	put(t, 0x10, put_call(t, 0x300, SELF));
	put(t, 0x28, put_call(t, 0x200, SELF));
	assert_caller(t, FAKE_CODE + 0x205, FAKE_STACK + 0x30);
	put(t, 0x28, 0);
	assert_caller(t, 0, 0);
}

static void a_call_of_another_function_says_nothing(void **state)
{
	struct fake_thread *t = stopped_in(0x28);

	put(t, 0x28, put_call(t, 0x200, OTHER)); /* begins behind the pc */
	assert_caller(t, 0, 0);
	put(t, 0x28, put_call(t, 0x300, 0x400)); /* does not lead to it: zeros, then this one */
	t->code[0x400] = 0xc3;
	assert_caller(t, 0, 0);
	/* Through a pointer: call *%rax. */
	t->code[0x203] = 0xff;
	t->code[0x204] = 0xd0;
	put(t, 0x28, FAKE_CODE + 0x205);
	assert_caller(t, 0, 0);
}

static void what_begins_here_is_not_what_goes_on_here(void **state)
{
	struct fake_thread *t = stopped_in(0x28);

	/* A call into the middle: the stack pointer is not lowered from there on. */
	put(t, 0x28, put_call(t, 0x200, SELF + 7));
	assert_caller(t, 0, 0);
	put(t, 0, put_call(t, 0x300, SELF + 7));
	assert_caller(t, FAKE_CODE + 0x305, FAKE_STACK + 8);
}

static void so_much_of_the_stack_is_looked_at(void **state)
{
	struct fake_thread *t = stopped_in(BYTES - 8);

	put(t, BYTES - 8, put_call(t, 0x200, SELF));
	assert_caller(t, FAKE_CODE + 0x205, FAKE_STACK + BYTES);
	t = stopped_in(BYTES);
	put(t, BYTES, put_call(t, 0x200, SELF));
	assert_caller(t, 0, 0);
}

static void so_many_calls_are_tried(void **state)
{
	for (unsigned stale = TRIED - 2; stale < TRIED + 2; stale++) {
		struct fake_thread *t = stopped_in(0x208);

		for (unsigned i = 0; i < stale; i++)
			put(t, 8 * i, put_call(t, 0x200 + 0x10 * (i & 1), SELF));
		put(t, 0x208, put_call(t, 0x300, SELF));
		if (stale < TRIED)
			assert_caller(t, FAKE_CODE + 0x305, FAKE_STACK + 0x210);
		else
			assert_caller(t, 0, 0);
	}
}

/* The same address again and again, as an array of pointers has it, is one. */
static void repeated_words_are_tried_once(void **state)
{
	struct fake_thread *t = stopped_in(0x208);
	uint64_t stale = put_call(t, 0x200, SELF);

	for (unsigned i = 0; i < 0x40; i++)
		put(t, 8 * i, stale);
	put(t, 0x208, put_call(t, 0x300, SELF));
	assert_caller(t, FAKE_CODE + 0x305, FAKE_STACK + 0x210);
}

static void the_top_of_the_stack_may_be_all_there_is(void **state)
{
	struct fake_thread *t = stopped_in(0);

	t->stack_size = 8;
	put(t, 0, put_call(t, 0x200, SELF));
	assert_caller(t, FAKE_CODE + 0x205, FAKE_STACK + 8);
	t->stack_size = 0;
	assert_caller(t, 0, 0);
}

/* Each function is called by itself, 32 bytes further up, for ever. */
static uint64_t recursion(uint64_t addr)
{
	return addr % 32 == 24 ? FAKE_CODE + SELF + PC + 5 : 0;
}

static void so_many_frames_of_a_walk_are_found_so(void **state)
{
	struct fake_thread *t = stopped_in(24);
	struct cul_stack stack;

	put_call(t, SELF + PC, SELF);
	t->code[SELF + PC + 5] = 0xeb;
	t->code[SELF + PC + 6] = 0xfe;
	t->word = recursion;
	t->stack_size = 1ull << 30;
	walk(t, &stack);
	assert_int_equal(stack.depth, FRAMES + 1);
	assert_int_equal(stack.end.why, CUL_UNWIND_END_NO_RULE);
	cul_stack_free(&stack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_call_of_this_function_is_found),
		cmocka_unit_test(it_is_where_the_code_puts_it),
		cmocka_unit_test(a_call_of_another_function_says_nothing),
		cmocka_unit_test(what_begins_here_is_not_what_goes_on_here),
		cmocka_unit_test(so_much_of_the_stack_is_looked_at),
		cmocka_unit_test(so_many_calls_are_tried),
		cmocka_unit_test(repeated_words_are_tried_once),
		cmocka_unit_test(the_top_of_the_stack_may_be_all_there_is),
		cmocka_unit_test(so_many_frames_of_a_walk_are_found_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
