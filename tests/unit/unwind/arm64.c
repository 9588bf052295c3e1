/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables that are right at calls only, as clang 14 writes them for arm64, and code that knows
 * better: a thread of tests/fuzz/corpus/cfi/aarch64-stopped, made by aarch64-linux-gnu-gcc
 * -nostdlib -static from
 *
 *	_start:	.cfi_undefined x30
 *		bl outer
 *		b .
 *	outer:	stp x29, x30, [sp, -32]!
 *		mov x29, sp
 *		.cfi_def_cfa x29, 32
 *		.cfi_offset x30, -24
 *		.cfi_offset x29, -32
 *		bl inner
 *		nop
 *		ldp x29, x30, [sp], 32
 *		ret
 *	inner:	nop
 *		ret
 *
 * Behind the first instruction of outer, and before its last, the tables are wrong.
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

enum {
	BASE = 0x400000,
	STACK = 0x7000000,
	STACK_SIZE = 0x4000,
	FP = 29,
	LR = 30,
	SP = 31,
	PC = 32
};
/* As objdump shows them. */
enum {
	IN_START = 0x40007c,
	OUTER = 0x400080,
	PUSHED = OUTER + 4,
	IN_OUTER = OUTER + 12,
	POPPED = OUTER + 20,
	INNER = 0x400098,
};
/* The stack pointer of _start, and its frame pointer. */
enum { TOP = STACK + 0x2000, OLD_FP = STACK + 0x3000, FRAME = TOP - 32 };
enum { TABLES = 1u << CUL_UNWIND_CFI, BOTH = 1u << CUL_UNWIND_CFI | 1u << CUL_UNWIND_CODE };

static struct {
	struct cul_mem mem;
	uint8_t bytes[4096], stack[STACK_SIZE];
	size_t size;
	struct cul_objfile *file;
	struct cul_thread_regs regs;
	uint64_t signature;
} t;

static int read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	if (addr < STACK || addr + size > STACK + STACK_SIZE)
		return -EFAULT; /* the code comes from the file */
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

static void put(uint64_t addr, uint64_t value)
{
	memcpy(t.stack + (addr - STACK), &value, sizeof(value));
}

static int setup(void **state)
{
	static const struct cul_mem_ops ops = {.name = "arm64", .read = read};
	FILE *file = fopen(SOURCE_ROOT "/tests/fuzz/corpus/cfi/aarch64-stopped", "rb");

	memset(&t, 0, sizeof(t));
	t.mem.ops = &ops;
	if (!file)
		return -1;
	t.size = fread(t.bytes, 1, sizeof(t.bytes), file);
	fclose(file);
	/* What outer has saved; and where tables that are wrong look for it. */
	put(FRAME, OLD_FP);
	put(FRAME + 8, IN_START);
	put(OLD_FP + 8, IN_OUTER);
	return cul_objfile_open_image(t.bytes, t.size, "arm64", BASE, &t.file);
}

static int teardown(void **state)
{
	cul_objfile_free(t.file);
	return 0;
}

static void stop_at(uint64_t pc, uint64_t sp, uint64_t fp, uint64_t lr)
{
	t.regs = (struct cul_thread_regs){.known = ~0ull};
	t.regs.regs.r[PC] = pc;
	t.regs.regs.r[SP] = sp;
	t.regs.regs.r[FP] = fp;
	t.regs.regs.r[LR] = lr;
}

static struct cul_frame caller(unsigned methods)
{
	const struct cul_unwind_options options = {.methods = methods};
	const struct cul_code_space space = {.at = at};
	struct cul_unwinder *u = NULL;
	struct cul_stack stack = {0};
	struct cul_frame frame = {0};

	assert_int_equal(cul_unwinder_new(&cul_arch_aarch64, &t.mem, &space, &u), 0);
	cul_unwinder_signature(u, t.signature);
	assert_int_equal(cul_stack_walk(u, &t.regs, &options, &stack), 0);
	if (stack.frames.len > 1)
		frame = stack.frames.data[1].frame;
	cul_stack_free(&stack);
	cul_unwinder_free(u);
	return frame;
}

static void assert_frame(struct cul_frame f, uint64_t pc, uint64_t sp,
	enum cul_unwind_method method, enum cul_certainty certainty)
{
	assert_int_equal(f.pc, pc);
	assert_int_equal(f.sp, sp);
	assert_int_equal(f.method, method);
	assert_int_equal(f.certainty, certainty);
}

static void where_both_agree_it_is_the_tables(void **state)
{
	stop_at(OUTER, TOP, OLD_FP, IN_START);
	assert_frame(caller(BOTH), IN_START, TOP, CUL_UNWIND_CFI, CUL_CERTAIN);
	stop_at(IN_OUTER, FRAME, FRAME, IN_OUTER);
	assert_frame(caller(BOTH), IN_START, TOP, CUL_UNWIND_CFI, CUL_CERTAIN);
}

static void in_a_prologue_the_code_is_right(void **state)
{
	stop_at(PUSHED, FRAME, OLD_FP, IN_START);
	assert_frame(caller(TABLES), IN_START, FRAME, CUL_UNWIND_CFI, CUL_CERTAIN); /* 32 too low */
	assert_frame(caller(BOTH), IN_START, TOP, CUL_UNWIND_CODE, CUL_CERTAIN);
}

static void in_an_epilogue_the_code_is_right(void **state)
{
	stop_at(POPPED, TOP, OLD_FP, IN_START);
	assert_frame(caller(TABLES), IN_OUTER, OLD_FP + 32, CUL_UNWIND_CFI, CUL_CERTAIN);
	assert_frame(caller(BOTH), IN_START, TOP, CUL_UNWIND_CODE, CUL_CERTAIN);
}

/* That is so too where the tables lead nowhere. */
static void where_the_tables_fail_the_code_is_asked(void **state)
{
	stop_at(POPPED, TOP, 0x10, IN_START);
	assert_int_equal(caller(TABLES).pc, 0);
	assert_frame(caller(BOTH), IN_START, TOP, CUL_UNWIND_CODE, CUL_CERTAIN);
}

/* What the code finds must be behind a call, or the tables stand. */
static void code_that_leads_astray_is_not_believed(void **state)
{
	stop_at(PUSHED, FRAME, OLD_FP, IN_START);
	put(FRAME + 8, IN_OUTER + 4);
	assert_frame(caller(BOTH), IN_START, FRAME, CUL_UNWIND_CFI, CUL_CERTAIN);
}

static void tables_lead_to_the_outermost_frame(void **state)
{
	const struct cul_unwind_options options = {.methods = BOTH};
	const struct cul_code_space space = {.at = at};
	struct cul_unwinder *u = NULL;
	struct cul_stack stack = {0};

	stop_at(INNER, FRAME, FRAME, IN_OUTER);
	assert_int_equal(cul_unwinder_new(&cul_arch_aarch64, &t.mem, &space, &u), 0);
	assert_int_equal(cul_stack_walk(u, &t.regs, &options, &stack), 0);
	assert_int_equal(stack.frames.len, 3);
	assert_frame(stack.frames.data[1].frame, IN_OUTER, FRAME, CUL_UNWIND_CFI, CUL_CERTAIN);
	assert_frame(stack.frames.data[2].frame, IN_START, TOP, CUL_UNWIND_CFI, CUL_CERTAIN);
	assert_int_equal(stack.end.why, CUL_UNWIND_END_OUTERMOST);
	cul_stack_free(&stack);
	cul_unwinder_free(u);
}

/* A return address in the link register that is the function's own may be of a call it made. */
static void a_link_register_of_ones_own_is_doubted(void **state)
{
	stop_at(OUTER, TOP, OLD_FP, IN_OUTER);
	assert_frame(caller(TABLES), IN_OUTER, TOP, CUL_UNWIND_CFI, CUL_LIKELY);
}

/* Kernels for addresses of 39 bits sign in all bits above them but the 55th. */
static void a_signature_has_the_bits_that_the_kernel_says(void **state)
{
	stop_at(IN_OUTER, FRAME, FRAME, IN_OUTER);
	put(FRAME + 8, IN_START | 0x2a5a5a8000000000);
	assert_int_equal(caller(BOTH).pc, 0);
	t.signature = 0x7fff8000000000; /* GENMASK(54, 39) */
	assert_frame(caller(BOTH), IN_START, TOP, CUL_UNWIND_CFI, CUL_CERTAIN);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(where_both_agree_it_is_the_tables),
		TEST(in_a_prologue_the_code_is_right),
		TEST(in_an_epilogue_the_code_is_right),
		TEST(where_the_tables_fail_the_code_is_asked),
		TEST(code_that_leads_astray_is_not_believed),
		TEST(tables_lead_to_the_outermost_frame),
		TEST(a_link_register_of_ones_own_is_doubted),
		TEST(a_signature_has_the_bits_that_the_kernel_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
