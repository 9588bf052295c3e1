/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program around an expression asks for: structs passed by value, return
 * addresses, the parts of a condition, lists, faults that are told, memory of
 * either side, a limit of the stack.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bpf_interp.h"
#include "fake.h"

enum { FUNCTION = 0x81000000, SIZE = 0x100, FAULT_AT = offsetof(struct inputs, tail) };

static const uint64_t function = 0xffffffff00000000 | FUNCTION;
static struct fake fake;

static const struct cul_bpf_layout plain = {
	.inputs = fake_layout,
	.n_inputs = N_INPUTS,
	.inputs_reg = BPF_REG_6,
	.fault_offset = FAULT_AT,
	.memory = CUL_BPF_USER,
};

static int setup(void **state)
{
	return fake_new(&fake);
}

static int teardown(void **state)
{
	fake_free(&fake);
	return 0;
}

static struct cul_expr *parse(const char *text)
{
	struct cul_error err = {0};
	struct cul_expr *e = NULL;

	if (cul_expr_parse(text, &fake.env, &e, &err))
		fail_msg("%s: %s", text, err.text);
	return e;
}

static struct bpf_interp machine(void)
{
	return (struct bpf_interp){.mem = &fake.mem,
		.inputs = &fake.in,
		.inputs_size = sizeof(fake.in),
		.inputs_reg = BPF_REG_6,
		.fault_offset = FAULT_AT};
}

/* R0 of the code, which keeps the rules. */
static uint64_t run(struct bpf_interp *vm, struct cul_bpf_code *code)
{
	uint64_t r = bpf_interp_run(vm, code);

	if (vm->broken)
		fail_msg("instruction %zu %s", vm->at, vm->broken);
	cul_bpf_code_free(code);
	return r;
}

/* The value of `text`, which evaluator and code agree on; `fault` is what the code tells. */
static int64_t value(const char *text, uint64_t *fault)
{
	struct bpf_interp vm = machine();
	struct cul_bpf_code code = {0};
	struct cul_expr *e = parse(text);
	struct cul_value v = {0};
	uint64_t got;
	int r = cul_expr_eval(e, &fake.run, &v, NULL);

	assert_int_equal(cul_expr_compile(e, &plain, &code, NULL), 0);
	got = run(&vm, &code);
	if (got != (r ? 0 : v.bits))
		fail_msg("%s: evaluated %lld, compiled %lld", text, (long long)v.bits,
			(long long)got);
	assert_int_equal(r, vm.fault == CUL_BPF_FAULT_MEMORY     ? -EFAULT
			    : vm.fault == CUL_BPF_FAULT_DIVISION ? -EDOM
								 : 0);
	if (fault)
		*fault = vm.fault;
	cul_expr_free(e);
	return (int64_t)got;
}

static void assert_fails(const char *text, int code, const char *want)
{
	struct cul_error err = {0};
	struct cul_expr *e = NULL;

	assert_int_equal(cul_expr_parse(text, &fake.env, &e, &err), code);
	assert_string_equal(err.text, want);
}

static void structs_by_value(void **state)
{
	fake_reset(&fake);
	assert_int_equal(value("pair.tag", NULL), 200);
	assert_int_equal(value("pair.odd", NULL), -70000);
	assert_int_equal(value("pair.x", NULL), 21);
	assert_int_equal(value("pair.y", NULL), -17);
	assert_int_equal(value("pair.x - 22 < 0", NULL), 1); /* promoted to int, as in C */
	assert_int_equal(value("pair.end[0]", NULL), 'z');
	assert_int_equal(value("pair.end == \"z\"", NULL), 1);
	assert_int_equal(value("pair.end ~ \"*\" && pair.end != \"zz\"", NULL), 1);
	assert_fails("pair.end[1]", -ERANGE,
		"this index is beyond char [1]\n  pair.end[1]\n           ^");
	assert_fails("pair.end + 1", -EINVAL,
		"a string is not a number; it can be compared with ==, != and ~, or indexed\n"
		"  pair.end + 1\n  ^~~~~~~~");
	assert_fails("&pair.odd", -EINVAL,
		"this value is not in memory: it has no address\n  &pair.odd\n   ^~~~~~~~");
	assert_fails("pair + 1", -EINVAL,
		"struct pair is not one value; name a member of it\n  pair + 1\n  ^~~~");
	assert_fails("pair->odd", -EINVAL,
		"struct pair is not a pointer: write . for ->\n  pair->odd\n  ^~~~");
}

static void whole_inputs(void **state)
{
	struct cul_expr *e = parse("pair");
	struct cul_bpf_code code = {0};
	struct cul_value v;
	unsigned input = 0;
	uint64_t offset = 1;

	assert_true(cul_expr_is_input_bytes(e, &input, &offset));
	assert_int_equal(input, 13);
	assert_int_equal(offset, 0);
	assert_false(cul_expr_is_lvalue(e));
	assert_int_equal(cul_expr_eval(e, &fake.run, &v, NULL), -EINVAL);
	assert_int_equal(cul_expr_compile(e, &plain, &code, NULL), -EINVAL);
	assert_int_equal(cul_expr_compile_address(e, &plain, &code, NULL), -EINVAL);
	cul_expr_free(e);
	e = parse("pair.end");
	assert_true(cul_expr_is_input_bytes(e, &input, &offset));
	assert_int_equal(offset, 7);
	cul_expr_free(e);
	e = parse("pair.x");
	assert_false(cul_expr_is_input_bytes(e, &input, &offset));
	cul_expr_free(e);
}

static void return_addresses(void **state)
{
	static const struct {
		const char *text;
		int at_first, after_call, at_end, beyond; /* in the function, or so */
	} cases[] = {
		{"caller == do_fork", 0, 1, 1, 0},
		{"caller != do_fork", 1, 0, 0, 1},
		{"do_fork == caller", 0, 1, 1, 0},
		{"caller == &typed_fn", 0, 1, 1, 0},
		{"ul == do_fork", 1, 0, 0, 0}, /* a number like any other */
		{"caller >= do_fork && caller < do_fork + 0x100", 1, 1, 0, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct {
			uint64_t at;
			int want;
		} places[] = {
			{function, cases[i].at_first},
			{function + 5, cases[i].after_call},
			{function + SIZE, cases[i].at_end},
			{function + SIZE + 1, cases[i].beyond},
		};

		for (size_t k = 0; k < 4; k++) {
			fake.in.ul = places[k].at;
			fake_inputs(&fake);
			assert_int_equal(value(cases[i].text, NULL), places[k].want);
		}
	}
	fake_reset(&fake);
	assert_fails("i || caller == sym.isra.0", -ENODATA,
		"how large this function is, is not known; compare addresses: "
		"caller >= sym.isra.0 && caller < sym.isra.0 + BYTES\n"
		"  i || caller == sym.isra.0\n                 ^~~~~~~~~~");
}

static void faults_are_told(void **state)
{
	uint64_t fault = 0;

	fake_reset(&fake);
	assert_int_equal(value("q->b", &fault), 0);
	assert_int_equal(fault, CUL_BPF_FAULT_NONE);
	value("p->next->next->refs", &fault);
	assert_int_equal(fault, CUL_BPF_FAULT_MEMORY);
	value("p->next->next->name == \"x\"", &fault);
	assert_int_equal(fault, CUL_BPF_FAULT_MEMORY);
	value("*(char **)0 != \"x\" || 1", &fault);
	assert_int_equal(fault, CUL_BPF_FAULT_MEMORY);
	value("p->refs / (i + 5) + 1", &fault);
	assert_int_equal(fault, CUL_BPF_FAULT_DIVISION);
	value("i || *(int *)0", &fault);
	assert_int_equal(fault, CUL_BPF_FAULT_NONE);
}

static void error_numbers(void **state)
{
	struct cul_expr *e = NULL;
	size_t at = 0;

	fake_reset(&fake);
	assert_int_equal(value("i == -EIO && ENOENT < ERESTARTSYS", NULL), 1);
	assert_int_equal(value("-EPERM", NULL), -1);
	assert_fails("i == EFOO", -ENOENT,
		"unknown name 'EFOO'; nearest: counter\n  i == EFOO\n       ^~~~");
	assert_int_equal(cul_expr_parse_next("ENOMEM", &at, &fake.env, &e, NULL), 1);
	assert_false(cul_expr_is_lvalue(e));
	cul_expr_free(e);
}

static int no_read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	return -EFAULT;
}

static const struct cul_mem_ops no_ops = {.read = no_read};

/* Whether the code can read the pointers when only one of both memories has them. */
static bool reads(const char *text, enum cul_bpf_memory memory, bool in_kernel, bool in_user)
{
	struct cul_mem nothing = {&no_ops};
	struct bpf_interp vm = machine();
	struct cul_bpf_layout layout = plain;
	struct cul_bpf_code code = {0};
	struct cul_expr *e = parse(text);
	uint64_t r;

	vm.mem = in_kernel ? &fake.mem : &nothing;
	vm.user_mem = in_user ? &fake.mem : &nothing;
	layout.memory = memory;
	assert_int_equal(cul_expr_compile(e, &layout, &code, NULL), 0);
	cul_expr_free(e);
	r = run(&vm, &code);
	assert_int_equal(vm.fault, r ? CUL_BPF_FAULT_NONE : CUL_BPF_FAULT_MEMORY);
	return r;
}

static void memory_of_either_side(void **state)
{
	static const char *const texts[] = {"p->refs == -3 && filename ~ \"/etc/*\"",
		"acct.name == \"savings\" || 1", "filename == \"/etc/passwd\"", "p->c == 0xabcde"};

	fake_reset(&fake);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_true(reads(texts[i], CUL_BPF_KERNEL, true, false));
		assert_false(reads(texts[i], CUL_BPF_KERNEL, false, true));
		assert_true(reads(texts[i], CUL_BPF_USER, false, true));
		assert_false(reads(texts[i], CUL_BPF_USER, true, false));
		assert_true(reads(texts[i], CUL_BPF_EITHER, true, false));
		assert_true(reads(texts[i], CUL_BPF_EITHER, false, true));
		assert_false(reads(texts[i], CUL_BPF_EITHER, false, false));
	}
}

static void addresses(void **state)
{
	struct bpf_interp vm = machine();
	struct cul_bpf_code code = {0};
	struct cul_expr *e = parse("*p->next");

	fake_reset(&fake);
	assert_int_equal(cul_expr_compile_address(e, &plain, &code, NULL), 0);
	assert_ptr_equal(run(&vm, &code), &fake.image->other);
	cul_expr_free(e);
	e = parse("p->b");
	assert_int_equal(cul_expr_compile_address(e, &plain, &code, NULL), -EINVAL);
	cul_expr_free(e);
	e = parse("p->b + 1");
	assert_int_equal(cul_expr_compile_address(e, &plain, &code, NULL), -EINVAL);
	cul_expr_free(e);
}

static uint64_t run_parts(const struct cul_expr *e, uint64_t parts)
{
	struct bpf_interp vm = machine();
	struct cul_bpf_code code = {0};

	assert_int_equal(cul_expr_compile_parts(e, parts, &plain, &code, NULL), 0);
	return run(&vm, &code);
}

/* The same by the branch: whether the condition, of those parts, came through. */
static uint64_t run_branch(const struct cul_expr *e, uint64_t parts)
{
	static const struct bpf_insn refuse[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
	struct bpf_interp vm = machine();
	struct cul_bpf_code code = {0};
	size_t no = 0;

	assert_int_equal(cul_expr_compile_branch(e, parts, &plain, 2, &no, &code, NULL), 0);
	assert_true(no + 2 <= code.len);
	memcpy(code.insns + no, refuse, sizeof(refuse));
	cul_bpf_emit(&code, (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1});
	return run(&vm, &code);
}

static void branches(void **state)
{
	struct cul_expr *e = parse("i == -5 && (comm ~ \"kw*\" && u & 1) && (q->refs || i)");

	fake_reset(&fake);
	for (uint64_t parts = 1; parts < 16; parts++)
		assert_int_equal(run_branch(e, parts), run_parts(e, parts));
	assert_int_equal(run_branch(e, UINT64_MAX), 0);
	assert_int_equal(run_branch(e, ~4ull), 1);
	fake.in.q = NULL;
	fake_inputs(&fake);
	assert_int_equal(run_branch(e, 8), 0);
	cul_expr_free(e);
	e = parse("q->refs / 0 == 1 || i");
	assert_int_equal(run_branch(e, 1), 0);
	cul_expr_free(e);
	fake_reset(&fake);
}

/* Of 32 bits as they lie there: signed and not, and by the type that is compared. */
static void words(void **state)
{
	static const struct {
		const char *text;
		unsigned want;
	} cases[] = {{"i < 0", 1}, {"i == -5", 1}, {"i > -5", 0}, {"i >= -5", 1}, {"i < 7u", 0},
		{"(unsigned)i == 0xfffffffb", 1}, {"(unsigned)i > 0x80000000", 1},
		{"(int)(unsigned)i < -4", 1}, {"(unsigned)i != 4294967291", 0},
		{"(long)i == -5", 1}, {"(unsigned long)i == 0xfffffffb", 0},
		{"i == 0x1fffffffb", 0}};
	struct cul_expr *e;

	fake_reset(&fake);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		e = parse(cases[i].text);
		if (run_parts(e, 1) != cases[i].want || run_branch(e, 1) != cases[i].want)
			fail_msg("%s is not %u", cases[i].text, cases[i].want);
		cul_expr_free(e);
	}
}

static void parts_of_a_condition(void **state)
{
	enum { I = 0, U = 1, Q = 8, COMM = 9 };
	struct cul_expr *e = parse("i == -5 && (comm ~ \"kw*\" && u & 1) && (q->refs || i)");

	fake_reset(&fake);
	assert_int_equal(cul_expr_parts(e), 4);
	assert_true(cul_expr_part_uses_input(e, 0, I));
	assert_false(cul_expr_part_uses_input(e, 1, I));
	assert_true(cul_expr_part_uses_input(e, 1, COMM));
	assert_true(cul_expr_part_uses_input(e, 3, Q));
	assert_false(cul_expr_part_uses_input(e, 4, I));
	assert_int_equal(cul_expr_parts_within(e, 0), 0);
	assert_int_equal(cul_expr_parts_within(e, 1 << I), 1);
	assert_int_equal(cul_expr_parts_within(e, 1 << I | 1 << Q), 1); /* the last reads memory */
	assert_int_equal(cul_expr_parts_within(e, 1 << I | 1 << U), 5);
	assert_int_equal(cul_expr_parts_within(e, UINT64_MAX), 15);
	assert_int_equal(run_parts(e, 15), 0); /* u is even */
	assert_int_equal(run_parts(e, 15 & ~4ull), 1);
	assert_int_equal(run_parts(e, 0), 1);
	fake.in.q = NULL;
	fake_inputs(&fake);
	assert_int_equal(run_parts(e, 8), 0);
	assert_int_equal(run_parts(e, 3), 1);
	cul_expr_free(e);
	e = parse("filename ~ \"/etc/*\" && i < 0 && u && filename != \"x\" && pair.end == \"z\"");
	assert_int_equal(cul_expr_parts_within(e, ~(1ull << I)), 1 | 4 | 16);
	cul_expr_free(e);
	e = parse("i || u && i");
	assert_int_equal(cul_expr_parts(e), 1);
	assert_int_equal(run_parts(e, 1), 1);
	assert_int_equal(cul_expr_parts_within(e, 1 << I), 0);
	cul_expr_free(e);
	fake_reset(&fake);
}

static void many_parts(void **state)
{
	cul_autostr struct cul_str text = {0};
	struct cul_expr *e;

	cul_str_add(&text, "i");
	for (int i = 0; i < 99; i++)
		cul_str_add(&text, i == 80 ? " && u > 9" : " && i");
	e = parse(cul_str_text(&text));
	assert_int_equal(cul_expr_parts(e), CUL_EXPR_MAX_PARTS);
	assert_int_equal(run_parts(e, UINT64_MAX), 1);
	fake.in.u = 1;
	assert_int_equal(run_parts(e, UINT64_MAX), 0);
	cul_expr_free(e);
	fake_reset(&fake);
}

static void assert_list(const char *text, const char *want)
{
	cul_autostr struct cul_str got = {0};
	struct cul_error err = {0};
	struct cul_expr *e = NULL;
	size_t at = 0;
	int r;

	while ((r = cul_expr_parse_next(text, &at, &fake.env, &e, &err)) > 0) {
		cul_str_addf(&got, "[%s]", cul_expr_text(e));
		cul_expr_free(e);
	}
	if (r)
		cul_str_addf(&got, "%s", err.text);
	assert_string_equal(cul_str_text(&got), want);
}

static void lists(void **state)
{
	assert_list("i", "[i]");
	assert_list(" i ,u+ 1,\tcomm  ", "[i][u+ 1][comm]");
	assert_list("comm ~ \"a,b\", ',', (i), table[i]", "[comm ~ \"a,b\"][','][(i)][table[i]]");
	assert_list("i ? u : i, victim:counter", "[i ? u : i][victim:counter]");
	assert_list("", "the expression is empty");
	assert_list("  ", "the expression is empty");
	assert_list(", i", "a name or a number is missing here\n  , i\n  ^");
	assert_list("i,", "[i]a name or a number is missing here\n  i,\n    ^");
	assert_list("i,,u", "[i]a name or a number is missing here\n  i,,u\n    ^");
	assert_list("i, p->refz", "[i]unknown member 'refz' of struct account; nearest: refs\n"
				  "  i, p->refz\n        ^~~~");
	assert_list("(i, u)", "')' is missing here\n  (i, u)\n    ^");
	assert_list("i u, i", "an operator is missing before this\n  i u, i\n    ^");
	assert_fails("i, u", -EINVAL, "an operator is missing before this\n  i, u\n   ^");
}

static void stack_limit(void **state)
{
	struct cul_bpf_layout layout = plain;
	struct cul_bpf_code code = {0};
	struct cul_error err = {0};
	struct cul_expr *e = parse("i + (u + (l + (ul + q->refs)))");
	struct bpf_interp vm = machine();

	fake_reset(&fake);
	layout.memory = CUL_BPF_EITHER;
	layout.stack_free = -20;
	vm.stack_free = -20;
	layout.stack_limit = 40;
	assert_int_equal(cul_expr_compile(e, &layout, &code, &err), -E2BIG);
	assert_string_equal(err.text,
		"too large for the stack of a filter in the kernel (40 bytes)\n"
		"  i + (u + (l + (ul + q->refs)))\n                      ^~~~~~~");
	layout.stack_limit = 52; /* six slots, and what aligns the first */
	assert_int_equal(cul_expr_compile(e, &layout, &code, &err), 0);
	run(&vm, &code);
	layout.stack_limit = 1;
	assert_int_equal(cul_expr_compile(e, &layout, &code, &err), -E2BIG);
	cul_bpf_code_free(&code);
	cul_expr_free(e);
}

/* Damaged type information must not lead beyond the bytes. */
static void odd_structs(void **state)
{
	const struct cul_bpf_input small = {0, 0, 4};
	struct cul_bpf_layout layout = plain;
	struct cul_bpf_code code = {0};
	struct cul_expr *e = parse("pair");
	struct cul_type *t = (struct cul_type *)cul_expr_type(e);
	struct cul_bpf_input inputs[N_INPUTS];

	cul_expr_free(e);
	t->size = 4;
	assert_fails("pair.odd", -EBADMSG,
		"this part of struct pair cannot be read: odd layout\n  pair.odd\n  ^~~~~~~~");
	assert_fails(
		"pair.y", -EBADMSG, "member 'y' cannot be read: odd layout\n  pair.y\n  ^~~~~~");
	assert_fails("pair.end == \"x\"", -EBADMSG,
		"this part of struct pair cannot be read: odd layout\n"
		"  pair.end == \"x\"\n  ^~~~~~~~");
	t->size = sizeof(struct pair);
	memcpy(inputs, fake_layout, sizeof(inputs));
	inputs[13] = small;
	layout.inputs = inputs;
	e = parse("pair.odd");
	assert_int_equal(cul_expr_compile(e, &layout, &code, NULL), -EINVAL);
	cul_expr_free(e);
	fake.values[13] = 0;
	e = parse("pair.tag");
	assert_int_equal(cul_expr_eval(e, &fake.run, &(struct cul_value){0}, NULL), -EINVAL);
	cul_expr_free(e);
	fake_reset(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structs_by_value),
		cmocka_unit_test(whole_inputs),
		cmocka_unit_test(return_addresses),
		cmocka_unit_test(faults_are_told),
		cmocka_unit_test(error_numbers),
		cmocka_unit_test(memory_of_either_side),
		cmocka_unit_test(addresses),
		cmocka_unit_test(parts_of_a_condition),
		cmocka_unit_test(branches),
		cmocka_unit_test(words),
		cmocka_unit_test(many_parts),
		cmocka_unit_test(lists),
		cmocka_unit_test(stack_limit),
		cmocka_unit_test(odd_structs),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
