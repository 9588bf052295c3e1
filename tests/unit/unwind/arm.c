/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread of a 32-bit ARM program, tests/fuzz/corpus/cfi/arm-exidx: _start calls big, which has
 * 5000 bytes on its stack, big calls small, small calls leaf. Made by arm-linux-gnueabihf-gcc -marm
 * -O1 -nostdlib -static -funwind-tables -Wl,-z,max-page-size=4096, with the routines
 * __aeabi_unwind_cpp_pr0 to pr2 empty.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "unwind/unwind.h"

enum { BASE = 0x10000, STACK = 0x7000000, STACK_SIZE = 0x4000, R4 = 4, LR = 14, SP = 13, PC = 15 };
/* As objdump shows them. */
enum {
	IN_LEAF = 0x100a4,
	IN_SMALL = 0x100b0,
	IN_BIG = 0x100ec + 4,
	IN_START = 0x10138,
	SMALL_ENTRY = 0x100a8,
};

static struct {
	struct cul_mem mem;
	uint8_t bytes[4096], stack[STACK_SIZE];
	size_t size;
	struct cul_objfile *file;
	struct cul_thread_regs regs;
} t;

static int read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	if (addr < STACK || addr + size > STACK + STACK_SIZE)
		return -EFAULT; /* the code comes from the file, as of a core without it */
	memcpy(buf, t.stack + (addr - STACK), size);
	return 0;
}

static int at(void *data, uint64_t addr, struct cul_code_at *out)
{
	*out = (struct cul_code_at){.executable = addr >= BASE && addr < BASE + t.size};
	if (out->executable)
		out->file = t.file;
	return 0;
}

static void put(uint32_t addr, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		t.stack[addr - STACK + i] = (uint8_t)(value >> 8 * i);
}

static int setup(void **state)
{
	static const struct cul_mem_ops ops = {.name = "arm", .read = read};
	FILE *file = fopen(SOURCE_ROOT "/tests/fuzz/corpus/cfi/arm-exidx", "rb");

	memset(&t, 0, sizeof(t));
	t.mem.ops = &ops;
	if (!file)
		return -1;
	t.size = fread(t.bytes, 1, sizeof(t.bytes), file);
	fclose(file);
	return cul_objfile_open_image(t.bytes, t.size, "arm", BASE, &t.file);
}

static int teardown(void **state)
{
	cul_objfile_free(t.file);
	return 0;
}

static void walk(unsigned methods, struct cul_stack *stack)
{
	const struct cul_unwind_options options = {.methods = methods};
	const struct cul_code_space space = {.at = at};
	struct cul_unwinder *u = NULL;

	*stack = (struct cul_stack){0};
	t.regs.known = ~0ull;
	assert_int_equal(cul_unwinder_new(&cul_arch_arm, &t.mem, &space, &u), 0);
	assert_int_equal(cul_stack_walk(u, &t.regs, &options, stack), 0);
	cul_unwinder_free(u);
}

/* The frames of small, big and _start; sp in small's body. */
static uint32_t build_stack(void)
{
	uint32_t sp = STACK + 0x200;

	put(sp, 0x44);
	put(sp + 4, IN_BIG);
	put(sp + 8 + 5000 + 20, IN_START);
	put(sp + 8 + 5000 + 24 + 4, 0);
	return sp;
}

static void assert_frame(const struct cul_stack *stack, size_t i, uint32_t pc, uint32_t sp,
	enum cul_unwind_method method)
{
	assert_true(i < stack->frames.len);
	assert_int_equal(stack->frames.data[i].frame.pc, pc);
	assert_int_equal(stack->frames.data[i].frame.sp, sp);
	assert_int_equal(stack->frames.data[i].frame.method, method);
}

static void tables_lead_to_the_end(void **state)
{
	uint32_t sp = build_stack();
	struct cul_stack stack;

	t.regs.regs.r[PC] = IN_LEAF;
	t.regs.regs.r[SP] = sp;
	t.regs.regs.r[LR] = IN_SMALL;
	walk(1u << CUL_UNWIND_EXIDX | 1u << CUL_UNWIND_FP, &stack);
	assert_frame(&stack, 1, IN_SMALL, sp, CUL_UNWIND_EXIDX);
	assert_int_equal(stack.frames.data[1].frame.certainty, CUL_LIKELY);
	assert_frame(&stack, 2, IN_BIG, sp + 8, CUL_UNWIND_EXIDX);
	assert_frame(&stack, 3, IN_START, sp + 8 + 5000 + 24, CUL_UNWIND_EXIDX);
	assert_int_equal(stack.frames.len, 4);
	assert_int_equal(stack.end.why, CUL_UNWIND_END_OUTERMOST);
	cul_stack_free(&stack);
}

static void a_bad_pc_was_reached_from_lr(void **state)
{
	uint32_t sp = build_stack();
	struct cul_stack stack;

	t.regs.regs.r[PC] = 0;
	t.regs.regs.r[SP] = sp;
	t.regs.regs.r[LR] = IN_SMALL;
	walk(0, &stack);
	assert_frame(&stack, 1, IN_SMALL, sp, CUL_UNWIND_BAD_PC);
	assert_frame(&stack, 2, IN_BIG, sp + 8, CUL_UNWIND_EXIDX);
	cul_stack_free(&stack);
}

/* Before the push of small the tables, which speak of its body, would skip its caller. */
static void at_an_entry_the_link_register_is_believed(void **state)
{
	uint32_t sp = build_stack();
	struct cul_stack stack;

	t.regs.regs.r[PC] = SMALL_ENTRY;
	t.regs.regs.r[SP] = sp + 8;
	t.regs.regs.r[LR] = IN_BIG;
	put(sp + 8 + 4, IN_START);
	walk(~(1u << CUL_UNWIND_CODE), &stack);
	assert_frame(&stack, 1, IN_BIG, sp + 8, CUL_UNWIND_LR);
	assert_frame(&stack, 2, IN_START, sp + 8 + 5000 + 24, CUL_UNWIND_EXIDX);
	cul_stack_free(&stack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tables_lead_to_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_pc_was_reached_from_lr, setup, teardown),
		cmocka_unit_test_setup_teardown(
			at_an_entry_the_link_register_is_believed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
