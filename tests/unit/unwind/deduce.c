/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions that have lost their return addresses, as clang-14 makes them for 32-bit ARM (-O2
 * -fomit-frame-pointer -fno-unwind-tables) of
 *
 *	noreturn quit(x)	{ for (;;) sink = x; }
 *	leaf(x)			{ return x * 3 + sink; }
 *	noreturn die(x)		{ sink = leaf(x); quit(1); }
 *	check(x)		{ if (x) die(x); return leaf(x); }
 *	work(a, b)		{ calls leaf twice, then check }
 *	other(a, b, c, d)	{ calls leaf twice, then, perhaps, die; leaf }
 *	twice(a, b)		{ if (leaf(a)) die(3); if (leaf(b) == 2) die(4); calls leaf }
 *	_start			{ calls work, other, twice; twice or work by a pointer }
 *
 * What is where in their frames is read off objdump's list of the code.
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

enum { TEXT = 0x10000, STACK = 0x7000000, STACK_SIZE = 0x4000, LR = 14, SP = 13, PC = 15 };
enum { SYMBOLS = 1, NO_SYMBOLS = 0 };

static const uint32_t text[] = {
	/* quit */
	0xe59f1008,
	0xe08f1001,
	0xe5810000,
	0xeafffffd,
	0x000011e0,
	/* leaf */
	0xe59f100c,
	0xe0800080,
	0xe79f1001,
	0xe0810000,
	0xe12fff1e,
	0x000011c8,
	/* die */
	0xebfffff8,
	0xe59f100c,
	0xe08f1001,
	0xe5810000,
	0xe3a00001,
	0xebffffee,
	0x000011b0,
	/* check */
	0xe3500000,
	0x1bfffff6,
	0xe3a00000,
	0xeaffffee,
	/* work */
	0xe92d4010,
	0xe24dd020,
	0xe1a04001,
	0xebffffea,
	0xe58d0000,
	0xe1a00004,
	0xebffffe7,
	0xe58d0004,
	0xe1a0000d,
	0xe59d0000,
	0xebfffff0,
	0xe59d1004,
	0xe0810000,
	0xe28dd020,
	0xe8bd8010,
	/* other */
	0xe92d48f0,
	0xe24dd008,
	0xe1a04003,
	0xe1a06002,
	0xe1a07001,
	0xe1a05000,
	0xebffffd8,
	0xe58d0000,
	0xe1a0000d,
	0xe0860007,
	0xe0800004,
	0xebffffd3,
	0xe3500007,
	0x0a000005,
	0xe1a00004,
	0xe59d5000,
	0xebffffce,
	0xe0800005,
	0xe28dd008,
	0xe8bd88f0,
	0xe1a00005,
	0xebffffcf,
	/* twice */
	0xe92d4830,
	0xe1a04001,
	0xe1a05000,
	0xebffffc5,
	0xe3500000,
	0x1a000007,
	0xe1a00004,
	0xebffffc1,
	0xe3500002,
	0x0a000005,
	0xe0840005,
	0xebffffbd,
	0xe2800001,
	0xe8bd8830,
	0xe3a00003,
	0xebffffbf,
	0xe3a00004,
	0xebffffbd,
	/* _start */
	0xe3a00001,
	0xe3a01002,
	0xebffffc5,
	0xe1a04000,
	0xe3a00001,
	0xe3a01002,
	0xe3a02003,
	0xe3a03004,
	0xebffffce,
	0xe59f5064,
	0xe0800004,
	0xe3a01002,
	0xe08f5005,
	0xe5850000,
	0xe3a00001,
	0xebffffdd,
	0xe59f104c,
	0xe59f204c,
	0xe08f1001,
	0xe79f2002,
	0xe0820000,
	0xe5850000,
	0xe59f003c,
	0xe79f0000,
	0xe7912100,
	0xe3a00005,
	0xe3a01006,
	0xe12fff32,
	0xe59f1028,
	0xe79f1001,
	0xe0810000,
	0xe5850000,
	0xe59f001c,
	0xe79f0000,
	0xe5850000,
	0xeafffffb,
	0x00001080,
	0x00001060,
	0x00001064,
	0x00001058,
	0x0000103c,
	0x00001030,
};

static const uint32_t starts[] = {
	0x10000, 0x10014, 0x1002c, 0x10048, 0x10058, 0x10094, 0x100ec, 0x10134};

/* Instructions behind calls, as objdump shows them. */
enum {
	DIE_AFTER_LEAF = 0x10030,
	DIE_AFTER_QUIT = 0x10044,
	CHECK_AFTER_DIE = 0x10050,
	WORK_AFTER_CHECK = 0x10084,
	OTHER_AFTER_DIE = 0x100ec,
	TWICE = 0x100ec,
	START_AFTER_WORK = 0x10140,
	START_AFTER_OTHER = 0x10158,
	START_AFTER_TWICE = 0x10174,
	START_AFTER_POINTER = 0x101a4,
	QUIT_LOOP = 0x10008,
};
/* From the stack pointer where it calls to its return address, and to its caller's stack. */
enum {
	WORK_RA = 36,
	WORK_SIZE = 40,
	OTHER_RA = 28,
	OTHER_SIZE = 32,
	TWICE_RA = 12,
	TWICE_SIZE = 16
};

enum { RESTORER = TEXT + sizeof(text), RT_RESTORER = RESTORER + 8, MANY = RT_RESTORER + 8 };
enum { N_MANY = 600, LIBRARY = 0x40000000, LIBRARY_MOST = 0x400000 };

static struct {
	struct cul_mem mem;
	uint8_t code[8192], stack[STACK_SIZE];
	size_t size; /* of the code */
	bool symbols, unlisted;
	struct cul_objfile *libraries[2]; /* at LIBRARY, at intervals of LIBRARY_MOST */
	struct cul_thread_regs regs;
} t;

static int read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	bool on_stack = addr >= STACK;
	uint64_t base = on_stack ? STACK : TEXT, most = on_stack ? STACK_SIZE : t.size;

	if (addr < base || addr - base > most || size > most - (addr - base))
		return -EFAULT;
	memcpy(buf, (on_stack ? t.stack : t.code) + (addr - base), size);
	return 0;
}

static int at(void *data, uint64_t addr, struct cul_code_at *out)
{
	*out = (struct cul_code_at){.executable = addr >= TEXT && addr < TEXT + t.size};
	for (unsigned i = 0; i < 2; i++)
		if (t.libraries[i] && (addr - LIBRARY) / LIBRARY_MOST == i)
			*out = (struct cul_code_at){true, t.libraries[i]};
	return 0;
}

static int function(void *data, uint64_t addr, uint64_t *start)
{
	for (size_t i = sizeof(starts) / sizeof(starts[0]); t.symbols && i-- > 0;) {
		if (addr >= starts[i] && addr < TEXT + sizeof(text)) {
			*start = starts[i];
			return 0;
		}
	}
	return -ENOENT;
}

static bool next(void *data, size_t *cursor, struct cul_code_range *out)
{
	size_t i = (*cursor)++;
	uint64_t library = LIBRARY + (i - 1) * LIBRARY_MOST;

	*out = (struct cul_code_range){TEXT, TEXT + t.size, true};
	if (i > 0)
		*out = (struct cul_code_range){library, library + LIBRARY_MOST, true};
	return i == 0 || (i <= 2 && t.libraries[i - 1]);
}

static void put_word(uint8_t *to, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

static void put(uint32_t addr, uint32_t value)
{
	put_word(t.stack + (addr - STACK), value);
}

static void add_code(uint32_t word)
{
	put_word(t.code + t.size, word);
	t.size += 4;
}

static int setup(void **state)
{
	static const struct cul_mem_ops ops = {.name = "arm", .read = read};

	memset(&t, 0, sizeof(t));
	t.mem.ops = &ops;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		add_code(text[i]);
	return 0;
}

static void walk_at(uint32_t pc, uint32_t sp, uint32_t lr, int symbols, struct cul_stack *stack)
{
	const struct cul_code_space space = {
		.at = at, .function = function, .next = t.unlisted ? NULL : next};
	struct cul_unwinder *u = NULL;

	*stack = (struct cul_stack){0};
	t.symbols = symbols == SYMBOLS;
	t.regs.known = ~0ull;
	t.regs.regs.r[PC] = pc;
	t.regs.regs.r[SP] = sp;
	t.regs.regs.r[LR] = lr;
	assert_int_equal(cul_unwinder_new(&cul_arch_arm, &t.mem, &space, &u), 0);
	assert_int_equal(cul_stack_walk(u, &t.regs, NULL, stack), 0);
	cul_unwinder_free(u);
}

static void assert_frame(const struct cul_stack *stack, size_t i, uint32_t pc, uint32_t sp,
	enum cul_unwind_method method)
{
	assert_true(i < stack->frames.len);
	assert_int_equal(stack->frames.data[i].frame.pc, pc);
	assert_int_equal(stack->frames.data[i].frame.sp, sp);
	assert_int_equal(stack->frames.data[i].frame.method, method);
	if (method == CUL_UNWIND_DEDUCED)
		assert_int_equal(stack->frames.data[i].frame.certainty, CUL_LIKELY);
}

static void assert_not_deduced(const struct cul_stack *stack)
{
	assert_true(stack->frames.len > 0);
	for (size_t i = 0; i < stack->frames.len; i++)
		assert_int_not_equal(stack->frames.data[i].frame.method, CUL_UNWIND_DEDUCED);
}

/* die by check by work: neither of the first two has a frame. */
static void two_that_kept_nothing(void **state)
{
	const uint32_t sp = STACK + 0x200;

	for (int symbols = NO_SYMBOLS; symbols <= SYMBOLS; symbols++) {
		struct cul_stack stack;

		setup(state);
		put(sp + WORK_RA, START_AFTER_WORK);
		walk_at(DIE_AFTER_LEAF, sp, DIE_AFTER_LEAF, symbols, &stack);
		assert_frame(&stack, 1, CHECK_AFTER_DIE, sp, CUL_UNWIND_DEDUCED);
		assert_frame(&stack, 2, WORK_AFTER_CHECK, sp, CUL_UNWIND_DEDUCED);
		assert_frame(&stack, 3, START_AFTER_WORK, sp + WORK_SIZE, CUL_UNWIND_CODE);
		cul_stack_free(&stack);
	}
}

static void a_caller_that_has_a_frame(void **state)
{
	const uint32_t sp = STACK + 0x200;

	for (int symbols = NO_SYMBOLS; symbols <= SYMBOLS; symbols++) {
		struct cul_stack stack;

		setup(state);
		put(sp + OTHER_RA, START_AFTER_OTHER);
		walk_at(QUIT_LOOP, sp, DIE_AFTER_QUIT, symbols, &stack);
		assert_int_equal(stack.frames.data[1].frame.pc, DIE_AFTER_QUIT);
		assert_frame(&stack, 2, OTHER_AFTER_DIE, sp, CUL_UNWIND_DEDUCED);
		assert_frame(&stack, 3, START_AFTER_OTHER, sp + OTHER_SIZE, CUL_UNWIND_CODE);
		cul_stack_free(&stack);
	}
}

/* What a call by a pointer is behind may be any function: that of the only caller that fits. */
static void a_caller_called_by_a_pointer(void **state)
{
	const uint32_t sp = STACK + 0x200;
	struct cul_stack stack;

	put(sp + OTHER_RA, START_AFTER_POINTER);
	walk_at(DIE_AFTER_LEAF, sp, DIE_AFTER_LEAF, SYMBOLS, &stack);
	assert_frame(&stack, 1, OTHER_AFTER_DIE, sp, CUL_UNWIND_DEDUCED);
	assert_frame(&stack, 2, START_AFTER_POINTER, sp + OTHER_SIZE, CUL_UNWIND_CODE);
	cul_stack_free(&stack);
}

static void one_of_two_calls(void **state)
{
	const uint32_t sp = STACK + 0x200;

	for (int symbols = NO_SYMBOLS; symbols <= SYMBOLS; symbols++) {
		struct cul_stack stack;

		setup(state);
		put(sp + TWICE_RA, START_AFTER_TWICE);
		walk_at(DIE_AFTER_LEAF, sp, DIE_AFTER_LEAF, symbols, &stack);
		assert_frame(&stack, 1, TWICE, sp, CUL_UNWIND_DEDUCED);
		assert_true(stack.frames.data[1].frame.exact);
		assert_frame(&stack, 2, START_AFTER_TWICE, sp + TWICE_SIZE, CUL_UNWIND_CODE);
		assert_false(stack.frames.data[2].frame.exact);
		cul_stack_free(&stack);
	}
}

/* The stack fits two functions: nothing tells which. */
static void one_of_two_functions(void **state)
{
	const uint32_t sp = STACK + 0x200;
	struct cul_stack stack;

	put(sp + TWICE_RA, START_AFTER_TWICE);
	put(sp + OTHER_RA, START_AFTER_OTHER);
	walk_at(DIE_AFTER_LEAF, sp, DIE_AFTER_LEAF, SYMBOLS, &stack);
	assert_not_deduced(&stack);
	cul_stack_free(&stack);
}

/* A return address is there, but behind a call of another function. */
static void no_caller_fits(void **state)
{
	const uint32_t sp = STACK + 0x200;
	struct cul_stack stack;

	put(sp + TWICE_RA, START_AFTER_WORK);
	walk_at(DIE_AFTER_LEAF, sp, DIE_AFTER_LEAF, SYMBOLS, &stack);
	assert_not_deduced(&stack);
	cul_stack_free(&stack);
}

/* More callers than are looked at: the one that fits may not be the only one. */
static void too_many_callers(void **state)
{
	const uint32_t sp = STACK + 0x200;
	struct cul_stack stack;

	put(sp + OTHER_RA, START_AFTER_OTHER);
	for (unsigned i = 0; i < N_MANY; i++) { /* bl die */
		uint32_t pc = TEXT + (uint32_t)t.size;

		add_code(0xeb000000 | (((starts[2] - pc - 8) >> 2) & 0xffffff));
	}
	walk_at(DIE_AFTER_LEAF, sp, DIE_AFTER_LEAF, SYMBOLS, &stack);
	assert_not_deduced(&stack);
	cul_stack_free(&stack);
}

static void no_list_of_code(void **state)
{
	const uint32_t sp = STACK + 0x200;
	struct cul_stack stack;

	t.unlisted = true;
	put(sp + OTHER_RA, START_AFTER_OTHER);
	walk_at(DIE_AFTER_LEAF, sp, DIE_AFTER_LEAF, SYMBOLS, &stack);
	assert_not_deduced(&stack);
	cul_stack_free(&stack);
}

/* mov r7, #119 or #173; svc 0 */
static void add_restorers(void)
{
	add_code(0xe3a07077);
	add_code(0xef000000);
	add_code(0xe3a070ad);
	add_code(0xef000000);
}

/* What the kernel puts at `sp` (arch/arm/kernel/signal.c) when other, stopped at +8, is. */
static void put_signal_frame(uint32_t sp, uint32_t info)
{
	const uint32_t context = sp + info, interrupted = sp + 0x400;

	put(context + 20 + 12 + SP * 4, interrupted);
	put(context + 20 + 12 + PC * 4, OTHER_AFTER_DIE - 0x50);
	put(context + 20 + 12 + 16 * 4, 0x10); /* CPSR: user mode */
	put(context + 232, 0x56465001);        /* VFP_MAGIC */
	put(interrupted + OTHER_RA, START_AFTER_OTHER);
}

static void a_handler_that_never_returns(void **state)
{
	const uint32_t sp = STACK + 0x200;

	for (int symbols = NO_SYMBOLS; symbols <= SYMBOLS; symbols++) {
		for (unsigned rt = 0; rt < 2; rt++) {
			struct cul_stack stack;

			setup(state);
			add_restorers();
			put_signal_frame(sp, rt ? 128 : 0);
			walk_at(DIE_AFTER_LEAF, sp, DIE_AFTER_LEAF, symbols, &stack);
			assert_frame(
				&stack, 1, rt ? RT_RESTORER : RESTORER, sp, CUL_UNWIND_DEDUCED);
			assert_true(stack.frames.data[1].frame.trampoline);
			assert_frame(
				&stack, 2, OTHER_AFTER_DIE - 0x50, sp + 0x400, CUL_UNWIND_SIGNAL);
			cul_stack_free(&stack);
		}
	}
}

/* Two restorers: handlers return to one of them. */
static void a_handler_returns_to_one_of_two(void **state)
{
	const uint32_t sp = STACK + 0x200;
	struct cul_stack stack;

	add_restorers();
	add_restorers();
	put_signal_frame(sp, 0);
	walk_at(DIE_AFTER_LEAF, sp, DIE_AFTER_LEAF, SYMBOLS, &stack);
	assert_not_deduced(&stack);
	cul_stack_free(&stack);
}

/* Where the instructions of a restorer are in a file; its code is mapped as it is in the file. */
static uint64_t restorer_in(const char *path)
{
	static const uint8_t code[] = {0x4f, 0xf0, 0x77, 0x07, 0x00, 0xdf};
	static uint8_t bytes[LIBRARY_MOST];
	FILE *file = fopen(path, "rb");
	const uint8_t *at;
	size_t n;

	assert_non_null(file);
	n = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	at = memmem(bytes, n, code, sizeof(code));
	assert_non_null(at);
	return (uint64_t)(at - bytes);
}

/* glibc's dynamic linker has one as well, but nobody sets a handler by it. */
static void a_handler_returns_to_the_library(void **state)
{
	static const char *const paths[] = {"/usr/arm-linux-gnueabihf/lib/ld-linux-armhf.so.3",
		"/usr/arm-linux-gnueabihf/lib/libc.so.6"};
	const uint32_t sp = STACK + 0x200;
	uint64_t restorer = LIBRARY + LIBRARY_MOST + restorer_in(paths[1]);
	struct cul_stack stack;

	restorer_in(paths[0]);
	for (unsigned i = 0; i < 2; i++) {
		const struct cul_objfile_load load = {.bias = LIBRARY + i * LIBRARY_MOST};

		assert_int_equal(
			cul_objfile_open(paths[i], paths[i], &load, &t.libraries[i], NULL), 0);
	}
	put_signal_frame(sp, 0);
	walk_at(DIE_AFTER_LEAF, sp, DIE_AFTER_LEAF, SYMBOLS, &stack);
	assert_frame(&stack, 1, (uint32_t)restorer, sp, CUL_UNWIND_DEDUCED);
	assert_frame(&stack, 2, OTHER_AFTER_DIE - 0x50, sp + 0x400, CUL_UNWIND_SIGNAL);
	cul_stack_free(&stack);
	for (unsigned i = 0; i < 2; i++)
		cul_objfile_free(t.libraries[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(two_that_kept_nothing, setup),
		cmocka_unit_test_setup(a_caller_that_has_a_frame, setup),
		cmocka_unit_test_setup(a_caller_called_by_a_pointer, setup),
		cmocka_unit_test_setup(one_of_two_calls, setup),
		cmocka_unit_test_setup(one_of_two_functions, setup),
		cmocka_unit_test_setup(no_caller_fits, setup),
		cmocka_unit_test_setup(too_many_callers, setup),
		cmocka_unit_test_setup(no_list_of_code, setup),
		cmocka_unit_test_setup(a_handler_that_never_returns, setup),
		cmocka_unit_test_setup(a_handler_returns_to_one_of_two, setup),
		cmocka_unit_test_setup(a_handler_returns_to_the_library, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
