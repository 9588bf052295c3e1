/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Folded programs: what is left of a few made by hand, and that random ones do what they did, by
 * bpf_interp.c, which also sees to it that nothing is read that was not written.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "expr/fold.h"

#include "bpf_interp.h"

enum { FD = 77, N = 200, PROGRAMS = 30000 };

static const uint32_t numbers[] = {0, 1, 0x80000000, 40, 7, 0, UINT32_MAX, UINT32_MAX};
static const struct cul_bpf_constants constants = {FD, numbers, sizeof(numbers)};

static struct bpf_insn storage[N];
static struct cul_bpf_code program = {.insns = storage, .cap = N};

static void put(uint8_t op, int dst, int src, int off, int64_t imm)
{
	assert_true(program.len < N);
	storage[program.len++] = (struct bpf_insn){.code = op,
		.dst_reg = (uint8_t)dst & 15,
		.src_reg = (uint8_t)src & 15,
		.off = (int16_t)off,
		.imm = (int32_t)imm};
}

static void put_wide(int dst, int src, int32_t low, int32_t high)
{
	put(BPF_LD | BPF_IMM | BPF_DW, dst, src, 0, low);
	put(0, 0, 0, 0, high);
}

static void put_return(int64_t value)
{
	put(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, value);
	put(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void fold(void)
{
	assert_int_equal(cul_bpf_fold(&program, &constants), 0);
}

static void same(size_t at, uint8_t op, int dst, int off, int32_t imm)
{
	const struct bpf_insn *insn = &storage[at];

	assert_true(at < program.len);
	assert_int_equal(insn->code, op);
	assert_int_equal(insn->dst_reg, dst);
	assert_int_equal(insn->off, off);
	assert_int_equal(insn->imm, imm);
}

/* if (flag) return 5; return the context's first word: the flag is known. */
static void put_question(int flag)
{
	program.len = 0;
	put_wide(2, BPF_PSEUDO_MAP_VALUE, FD, flag * 4);
	put(BPF_LDX | BPF_MEM | BPF_W, 2, 2, 0, 0);
	put(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 2, 0);
	put_return(5);
	put(BPF_LDX | BPF_MEM | BPF_DW, 0, 1, 0, 0);
	put(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void takes_out_what_a_constant_rules_out(void **unused)
{
	(void)unused;
	put_question(0);
	fold();
	assert_int_equal(program.len, 2);
	same(0, BPF_LDX | BPF_MEM | BPF_DW, 0, 0, 0);
	same(1, BPF_JMP | BPF_EXIT, 0, 0, 0);
	put_question(1);
	fold();
	assert_int_equal(program.len, 2);
	same(0, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 5);
	same(1, BPF_JMP | BPF_EXIT, 0, 0, 0);
}

/* Of another map nothing is known, nor beyond the end. */
static void leaves_what_it_does_not_know(void **unused)
{
	static const struct {
		int fd, at;
	} unknown[] = {{FD + 1, 0}, {FD, sizeof(numbers)}, {FD, sizeof(numbers) - 2}, {FD, -4}};

	(void)unused;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		put_question(0);
		storage[0].imm = unknown[i].fd;
		storage[1].imm = unknown[i].at;
		fold();
		assert_int_equal(program.len, 8);
	}
	/* A callback's address moves with the program. */
	put_question(0);
	storage[0].src_reg = BPF_PSEUDO_FUNC;
	fold();
	assert_int_equal(program.len, 8);
}

/* A register that has one number by one way and another by the other. */
static void keeps_what_depends_on_the_way(void **unused)
{
	(void)unused;
	program.len = 0;
	put(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1);
	put(BPF_LDX | BPF_MEM | BPF_DW, 3, 1, 0, 0);
	put(BPF_JMP | BPF_JEQ | BPF_K, 3, 0, 1, 0);
	put(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 2);
	put(BPF_ALU64 | BPF_ADD | BPF_K, 0, 0, 0, 1);
	put(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	fold();
	assert_int_equal(program.len, 6);
	same(4, BPF_ALU64 | BPF_ADD | BPF_K, 0, 0, 1);
}

/* Around a loop, a counter is no constant, whatever it began with. */
static void keeps_a_loop(void **unused)
{
	(void)unused;
	program.len = 0;
	put(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	put(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 9); /* nobody reads it */
	put(BPF_ALU64 | BPF_ADD | BPF_K, 0, 0, 0, 1);
	put(BPF_JMP | BPF_JLT | BPF_K, 0, 0, -2, 10);
	put(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	fold();
	assert_int_equal(program.len, 4);
	same(1, BPF_ALU64 | BPF_ADD | BPF_K, 0, 0, 1);
	same(2, BPF_JMP | BPF_JLT | BPF_K, 0, -2, 10);
}

/* What stores, calls, or adds in memory is kept; a function that is called stays, another goes. */
static void keeps_what_has_effects(void **unused)
{
	(void)unused;
	program.len = 0;
	put(BPF_ALU64 | BPF_MOV | BPF_K, 7, 0, 0, 3); /* nobody reads it */
	put(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -8, 0);
	put(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 1);
	put(BPF_STX | BPF_ATOMIC | BPF_DW, 10, 2, -8, BPF_ADD);
	put(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 4); /* over two and another function */
	put(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns);
	put(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	put_return(1);
	put_return(2);
	fold();
	assert_int_equal(program.len, 8);
	same(0, BPF_ST | BPF_MEM | BPF_DW, 10, -8, 0);
	same(2, BPF_STX | BPF_ATOMIC | BPF_DW, 10, -8, BPF_ADD);
	same(3, BPF_JMP | BPF_CALL, 0, 0, 2);
	same(6, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 2);
}

/* The verifier takes no shift by 64 and no division by 0 in an instruction. */
static void keeps_an_operand_that_must_be_a_register(void **unused)
{
	static const struct {
		uint8_t op;
		int64_t by;
		bool kept;
	} all[] = {
		{BPF_LSH, 64, true},
		{BPF_RSH, -1, true},
		{BPF_ARSH, 63, false},
		{BPF_DIV, 0, true},
		{BPF_MOD, 0, true},
		{BPF_DIV, 8, false},
		{BPF_ADD, -5, false},
		{BPF_MUL, 64, false},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		program.len = 0;
		put(BPF_LDX | BPF_MEM | BPF_DW, 0, 1, 0, 0);
		put(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, all[i].by);
		put((uint8_t)(BPF_ALU64 | all[i].op | BPF_X), 0, 2, 0, 0);
		put(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
		fold();
		assert_int_equal(program.len, all[i].kept ? 4 : 3);
	}
}

static void is_unchanged_without_memory(void **unused)
{
	struct bpf_insn before[8];
	int r = -ENOMEM;

	(void)unused;
	for (unsigned n = 0; r; n++) {
		put_question(0);
		memcpy(before, storage, sizeof(before));
		cul_alloc_fail_after((int)n);
		r = cul_bpf_fold(&program, &constants);
		cul_alloc_fail_after(-1);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(program.len, 8);
		assert_memory_equal(before, storage, sizeof(before));
	}
	assert_int_equal(program.len, 2);
}

static uint64_t seed = 1;

static unsigned random_below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

/* R0 to R5 and R7 to R9; R6 points to the inputs. */
static int some_register(void)
{
	int reg = (int)random_below(9);

	return reg >= 6 ? reg + 1 : reg;
}

static int64_t some_number(void)
{
	static const int64_t some[] = {0, 1, -1, 2, 7, 40, 63, INT32_MAX, INT32_MIN, 0xff};

	return some[random_below(sizeof(some) / sizeof(*some))];
}

static void put_alu(void)
{
	static const uint8_t ops[] = {BPF_MOV, BPF_ADD, BPF_SUB, BPF_AND, BPF_OR, BPF_XOR, BPF_MUL,
		BPF_DIV, BPF_MOD, BPF_LSH, BPF_RSH, BPF_ARSH, BPF_NEG, BPF_MOV};
	uint8_t op = ops[random_below(sizeof(ops))];
	bool shift = op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH;
	bool by_number = shift || op == BPF_NEG || random_below(2);
	int64_t number = op == BPF_NEG ? 0 : shift ? random_below(64) : some_number();

	if (!number && (op == BPF_DIV || op == BPF_MOD))
		number = 3;
	put((uint8_t)((op == BPF_MOV && !random_below(4) ? BPF_ALU : BPF_ALU64) | op |
		      (by_number ? BPF_K : BPF_X)),
		some_register(), by_number ? 0 : some_register(), 0, by_number ? number : 0);
}

static void put_branch(void)
{
	static const uint8_t ops[] = {BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE,
		BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE, BPF_JA};
	uint8_t op = ops[random_below(sizeof(ops))];
	bool by_number = random_below(2);

	/* Where to is put in when the length is known. */
	if (op == BPF_JA)
		put(BPF_JMP | BPF_JA, 0, 0, 0, 0);
	else
		put((uint8_t)((random_below(6) ? BPF_JMP : BPF_JMP32) | op |
			      (by_number ? BPF_K : BPF_X)),
			some_register(), by_number ? 0 : some_register(), 0,
			by_number ? some_number() : 0);
}

static void put_constant(void)
{
	static const uint8_t sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};
	unsigned size = random_below(4), at = random_below(sizeof(numbers) >> size) << size;
	unsigned from = random_below(at + 1);
	int reg = some_register();

	from -= from & ((1u << size) - 1);
	put_wide(reg, BPF_PSEUDO_MAP_VALUE, FD, (int32_t)from);
	if (random_below(3))
		put(BPF_LDX | BPF_MEM | sizes[size], some_register(), reg, (int)(at - from), 0);
	else
		put(BPF_LDX | BPF_MEM | sizes[size], reg, reg, (int)(at - from), 0);
	/* No pointer is reckoned with. */
	put(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, some_number());
}

static void put_random_program(void)
{
	size_t n = 20 + random_below(60);

	program.len = 0;
	for (int reg = 0; reg < 10; reg++)
		if (reg != 6 && random_below(2))
			put(BPF_LDX | BPF_MEM | BPF_DW, reg, 6, 8 * (int)random_below(4), 0);
		else if (reg != 6)
			put(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, some_number());
	put(BPF_STX | BPF_MEM | BPF_DW, 10, 0, -8, 0);
	put(BPF_STX | BPF_MEM | BPF_DW, 10, 1, -16, 0);
	while (program.len < n) {
		unsigned kind = random_below(10);

		if (kind < 4)
			put_alu();
		else if (kind < 7)
			put_branch();
		else if (kind < 8)
			put_constant();
		else if (kind < 9)
			put(BPF_STX | BPF_MEM | BPF_DW, 10, some_register(),
				-8 * (1 + (int)random_below(2)), 0);
		else
			put(BPF_LDX | BPF_MEM | BPF_DW, some_register(), 10,
				-8 * (1 + (int)random_below(2)), 0);
	}
	put(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Forward, to a place where an instruction begins, and no half of reading a constant. */
static void aim_branches(void)
{
	bool begins[N] = {false};

	for (size_t i = 0; i < program.len; i++) {
		bool wide = storage[i].code == (BPF_LD | BPF_IMM | BPF_DW);

		begins[i] = true;
		i += wide ? 3 : 0;
	}
	for (size_t i = 0; i < program.len; i++) {
		uint8_t class = BPF_CLASS(storage[i].code), op = BPF_OP(storage[i].code);
		size_t to = i + 1 + random_below((unsigned)(program.len - i - 1) % 12 + 1);

		if (!begins[i] || (class != BPF_JMP && class != BPF_JMP32) || op == BPF_EXIT)
			continue;
		while (to < program.len - 1 && !begins[to])
			to++;
		storage[i].off = (int16_t)((to < program.len ? to : program.len - 1) - i - 1);
	}
}

static uint64_t run(const struct cul_bpf_code *code, const uint64_t inputs[4])
{
	struct bpf_interp vm = {.inputs = inputs,
		.inputs_size = 4 * sizeof(*inputs),
		.inputs_reg = 6,
		.constants = numbers,
		.constants_size = sizeof(numbers)};
	uint64_t v = bpf_interp_run(&vm, code);

	if (vm.broken)
		fail_msg("instruction %zu %s", vm.at, vm.broken);
	return v;
}

static void random_programs_do_what_they_did(void **unused)
{
	static struct bpf_insn copy[N];
	size_t before = 0, after = 0;

	(void)unused;
	for (int i = 0; i < PROGRAMS; i++) {
		struct cul_bpf_code was = {.insns = copy};

		put_random_program();
		aim_branches();
		memcpy(copy, storage, sizeof(copy));
		was.len = program.len;
		fold();
		assert_true(program.len <= was.len);
		before += was.len;
		after += program.len;
		for (int k = 0; k < 8; k++) {
			uint64_t inputs[4];

			for (size_t w = 0; w < 4; w++)
				inputs[w] =
					random_below(2) ? (uint64_t)some_number() : random_below(9);
			assert_int_equal(run(&was, inputs), run(&program, inputs));
		}
	}
	/* They have much that nobody reads. */
	assert_in_range(after, before / 10, before * 3 / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_out_what_a_constant_rules_out),
		cmocka_unit_test(leaves_what_it_does_not_know),
		cmocka_unit_test(keeps_what_depends_on_the_way),
		cmocka_unit_test(keeps_a_loop),
		cmocka_unit_test(keeps_what_has_effects),
		cmocka_unit_test(keeps_an_operand_that_must_be_a_register),
		cmocka_unit_test(is_unchanged_without_memory),
		cmocka_unit_test(random_programs_do_what_they_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
