/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiler against the evaluator: the same expression, once evaluated,
 * once compiled and run by bpf_interp.c and, where bpf(2) is allowed, by the
 * kernel itself after its verifier has accepted it.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/alloc.h"
#include "bpf_interp.h"
#include "random_text.h"

enum { INPUTS_AT = -(int)sizeof(struct inputs), RANDOM_TEXTS = 20000, KERNEL_EVERY = 5 };

static struct fake fake;

static const struct cul_bpf_layout layout = {
	.inputs = fake_layout,
	.n_inputs = N_INPUTS,
	.inputs_reg = BPF_REG_6,
	.stack_free = INPUTS_AT,
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

static int compile(const char *text, struct cul_bpf_code *code, struct cul_error *err)
{
	struct cul_expr *e = NULL;
	int r = cul_expr_parse(text, &fake.env, &e, err);

	if (r)
		fail_msg("%s: %s", text, err->text);
	r = cul_expr_compile(e, &layout, code, err);
	cul_expr_free(e);
	return r;
}

static uint64_t interpret(const char *text, const struct cul_bpf_code *code)
{
	struct bpf_interp vm = {.mem = &fake.mem,
		.inputs = &fake.in,
		.inputs_size = sizeof(fake.in),
		.inputs_reg = layout.inputs_reg,
		.stack_free = layout.stack_free};
	uint64_t r = bpf_interp_run(&vm, code);

	if (vm.broken)
		fail_msg("%s: instruction %zu %s", text, vm.at, vm.broken);
	return r;
}

/*
 * A raw tracepoint program around the code: its context, 8 bytes each, is copied to where the
 * layout says; what it returns is 32 bits, so the last input chooses which half.
 */
static void wrap(struct cul_bpf_code *out, const struct cul_bpf_code *code)
{
	const int tail = offsetof(struct inputs, tail);

	for (int off = 0; off < (int)sizeof(struct inputs); off += 8) {
		cul_bpf_emit(
			out, (struct bpf_insn){BPF_LDX | BPF_MEM | BPF_DW, 0, 1, (int16_t)off, 0});
		cul_bpf_emit(out, (struct bpf_insn){BPF_STX | BPF_MEM | BPF_DW, 10, 0,
					  (int16_t)(INPUTS_AT + off), 0});
	}
	cul_bpf_emit(out, (struct bpf_insn){BPF_ALU64 | BPF_X | BPF_MOV, 6, 10, 0, 0});
	cul_bpf_emit(out, (struct bpf_insn){BPF_ALU64 | BPF_K | BPF_ADD, 6, 0, 0, INPUTS_AT});
	for (size_t i = 0; i < code->len; i++)
		cul_bpf_emit(out, code->insns[i]);
	cul_bpf_emit(out, (struct bpf_insn){BPF_LDX | BPF_MEM | BPF_DW, 1, 6, tail, 0});
	cul_bpf_emit(out, (struct bpf_insn){BPF_ALU64 | BPF_X | BPF_RSH, 0, 1, 0, 0});
	cul_bpf_emit(out, (struct bpf_insn){BPF_JMP | BPF_EXIT, 0, 0, 0, 0});
}

/* `shift`: 0 for the low half of R0, 32 for the high. */
static uint32_t test_run(const char *text, int fd, unsigned shift)
{
	struct inputs in = fake.in;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &in, .ctx_size_in = sizeof(in));

	in.tail = shift;
	if (bpf_prog_test_run_opts(fd, &opts))
		fail_msg("%s: test run: %s", text, strerror(errno));
	return opts.retval;
}

static int load(const struct cul_bpf_code *code, char *log, size_t size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_buf = log, .log_size = (uint32_t)size,
		.log_level = log ? 1 : 0);

	return bpf_prog_load(
		BPF_PROG_TYPE_RAW_TRACEPOINT, "expr", "GPL", code->insns, code->len, &opts);
}

static uint64_t run_in_kernel(const char *text, const struct cul_bpf_code *code)
{
	struct cul_bpf_code program = {0};
	uint64_t r;
	int fd;

	wrap(&program, code);
	assert_int_equal(program.failed, 0);
	fd = load(&program, NULL, 0);
	if (fd < 0) {
		static char log[1 << 20];

		load(&program, log, sizeof(log));
		fail_msg("%s: the verifier refuses: %.4000s", text, log);
	}
	r = test_run(text, fd, 0) | (uint64_t)test_run(text, fd, 32) << 32;
	close(fd);
	cul_bpf_code_free(&program);
	return r;
}

static bool kernel_allows(void)
{
	struct cul_bpf_code code = {0}, program = {0};
	int fd;

	cul_bpf_emit(&code, (struct bpf_insn){BPF_ALU64 | BPF_K | BPF_MOV, 0, 0, 0, 1});
	wrap(&program, &code);
	fd = load(&program, NULL, 0);
	cul_bpf_code_free(&code);
	cul_bpf_code_free(&program);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

struct tally {
	unsigned parsed, refused, failed, kernel;
};

/* Evaluates and compiles `text`, and compares. */
static void compare(const char *text, bool kernel, struct tally *tally)
{
	struct cul_bpf_code code = {0};
	struct cul_error err = {0};
	struct cul_expr *e = NULL;
	struct cul_value v = {0};
	uint64_t got;
	int r;

	if (cul_expr_parse(text, &fake.env, &e, &err))
		fail_msg("%s: %s", text, err.text);
	tally->parsed++;
	r = cul_expr_compile(e, &layout, &code, &err);
	if (r) {
		if (r != -E2BIG && r != -EOPNOTSUPP)
			fail_msg("%s: %s", text, err.text);
		assert_int_equal(code.len, 0);
		tally->refused++;
	} else {
		r = cul_expr_eval(e, &fake.run, &v, &err);
		tally->failed += r != 0;
		if (r && r != -EFAULT && r != -EDOM)
			fail_msg("%s: %s", text, err.text);
		got = interpret(text, &code);
		if (got != v.bits)
			fail_msg("%s: 0x%" PRIx64 ", the evaluator says 0x%" PRIx64 " (%d)", text,
				got, v.bits, r);
		if (kernel) {
			got = run_in_kernel(text, &code);
			tally->kernel++;
			if (got != v.bits)
				fail_msg("%s: 0x%" PRIx64
					 " in the kernel, the evaluator says 0x%" PRIx64 " (%d)",
					text, got, v.bits, r);
		}
	}
	cul_bpf_code_free(&code);
	cul_expr_free(e);
}

static void random_texts_agree(void **state)
{
	bool kernel = kernel_allows();
	struct cul_str text = {0};
	struct tally tally = {0};
	uint64_t seed = 20240229;

	for (unsigned n = 0; n < RANDOM_TEXTS; n++) {
		random_world(&fake, &seed);
		cul_str_reset(&text);
		random_text(&text, &seed, 1 + (int)(n % 5));
		if (text.len < 4000)
			compare(text.s, kernel && n % KERNEL_EVERY == 0, &tally);
	}
	cul_str_free(&text);
	print_message("%u expressions agree; %u of them fail in both, %u more are refused by the "
		      "compiler; %u also ran in the kernel%s\n",
		tally.parsed - tally.refused, tally.failed, tally.refused, tally.kernel,
		kernel ? "" : " (bpf(2) is not allowed here)");
	fake_reset(&fake);
}

/* Those that random texts rarely hit, all of them in the kernel too. */
static void chosen_texts_agree(void **state)
{
	static const char *const texts[] = {
		"i",
		"-5 / 2",
		"acct.sbig / -1",
		"acct.sbig % (i + 4)",
		"1 / (i + 5)",
		"i == -5 || 1 / 0",
		"i != -5 && 1 / 0",
		"i == -5 ? 7 : 1 / 0",
		"*(int *)0",
		"*(int *)0 || 1",
		"1 || *(int *)0",
		"comm == \"kworker/1:2\"",
		"comm != \"kworker/1:2\"",
		"comm == \"sixteen letters or more\"",
		"other.name == \"sixteen letters!\"",
		"other.name == \"sixteen letters!!\"",
		"other.name ~ \"sixteen letters!!*\"",
		"other.name ~ \"sixteen*\"",
		"filename == \"/etc/passwd\"",
		"filename == \"/etc/passw\"",
		"filename ~ \"/etc/*\"",
		"filename ~ \"*\"",
		"filename == \"\"",
		"comm ~ \"*\"",
		"comm == \"\"",
		"*(char *)0 == 'a'",
		"(char *)0 == \"a\"",
		"(char *)0 != \"a\"",
		"acct.str[i + 5] == '/'",
		"p - &other",
		"(struct account *)l - p",
		"table[i + 7]",
		"&table[i]",
		"acct.name",
		"do_fork",
		"&pid_max",
		"*(int *)&pid_max + 1",
		"acct.wide",
		"acct.b",
		"p->b < 0",
		"tight.y * 1ul",
		"comm[15]",
		"w",
		"n",
		"(bool)ul",
		"18446744073709551615",
		"0x8000000000000000",
		"-2147483648",
		"i ? p->refs : q->refs",
		"p->next == q && q->name[0] == 's' && comm ~ \"kw*\" && u / 2 > 5",
	};
	bool kernel = kernel_allows();
	struct tally tally = {0};

	fake_reset(&fake);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		compare(texts[i], kernel, &tally);
	assert_int_equal(tally.refused, 0);
	assert_true(!kernel || tally.kernel == tally.parsed);
}

static void assert_refused(const char *text, int code, const char *want)
{
	struct cul_bpf_code out = {0};
	struct cul_error err = {0};

	assert_int_equal(compile(text, &out, &err), code);
	assert_string_equal(err.text, want);
	assert_int_equal(out.len, 0);
	cul_bpf_code_free(&out);
}

static void refusals(void **state)
{
	assert_refused("acct.f", -EOPNOTSUPP,
		"a floating-point number cannot be read in the kernel\n  acct.f\n  ^~~~~~");
	assert_refused("per_cpu_account.refs > 1", -EOPNOTSUPP,
		"a per-CPU object cannot be read in a filter in the kernel\n"
		"  per_cpu_account.refs > 1\n  ^~~~~~~~~~~~~~~");
	assert_refused("i && comm ~ \"*x\"", -EOPNOTSUPP,
		"in the kernel a pattern may have one '*', at its end\n"
		"  i && comm ~ \"*x\"\n       ^~~~~~~~~~~");
	assert_refused("comm", -EINVAL,
		"a string is not a condition; compare it with ==, != or ~\n  comm\n  ^~~~");
	assert_refused("acct", -EINVAL,
		"struct account is not one value; name a member of it\n  acct\n  ^~~~");
	assert_refused("pid_max", -EINVAL,
		"'pid_max' has no type here; give one: *(int *)&pid_max, or pid_max:4\n"
		"  pid_max\n  ^~~~~~~");
}

static void limits(void **state)
{
	struct cul_str text = {0};
	struct cul_bpf_code code = {0};
	struct cul_error err = {0};

	/* Each level to the right holds a temporary. */
	for (int i = 0; i < 55; i++)
		cul_str_add(&text, "p->refs + (");
	cul_str_add(&text, "p->refs");
	for (int i = 0; i < 55; i++)
		cul_str_add(&text, ")");
	assert_int_equal(compile(text.s, &code, &err), -E2BIG);
	assert_non_null(strstr(err.text, "too large for the stack"));
	assert_int_equal(code.len, 0);

	cul_str_reset(&text);
	cul_str_add(&text, "filename == \"");
	for (int i = 0; i < 450; i++)
		cul_str_add(&text, "x");
	cul_str_add(&text, "\"");
	assert_int_equal(compile(text.s, &code, &err), -E2BIG);
	cul_str_free(&text);
	cul_bpf_code_free(&code);
}

/* An input that the layout does not have, or has in another shape. */
static void layouts(void **state)
{
	const struct cul_bpf_input narrow[] = {{0, 3, 0}};
	struct cul_bpf_layout odd = layout;
	struct cul_bpf_code code = {0};
	struct cul_expr *e = NULL;

	odd.inputs = narrow;
	odd.n_inputs = 1;
	assert_int_equal(cul_expr_parse("i", &fake.env, &e, NULL), 0);
	assert_int_equal(cul_expr_compile(e, &odd, &code, NULL), -EINVAL);
	cul_expr_free(e);
	assert_int_equal(cul_expr_parse("u + 1", &fake.env, &e, NULL), 0);
	assert_int_equal(cul_expr_compile(e, &odd, &code, NULL), -EINVAL);
	cul_expr_free(e);

	/* Code that is there already stays. */
	cul_bpf_emit(&code, (struct bpf_insn){0});
	assert_int_equal(cul_expr_parse("u == 1", &fake.env, &e, NULL), 0);
	assert_int_equal(cul_expr_compile(e, &odd, &code, NULL), -EINVAL);
	assert_int_equal(code.len, 1);
	assert_int_equal(cul_expr_compile(e, &layout, &code, NULL), 0);
	assert_true(code.len > 1);
	cul_expr_free(e);
	cul_bpf_code_free(&code);
}

static void kernel_memory_by_default(void **state)
{
	struct cul_bpf_layout plain = layout;
	struct cul_bpf_code code = {0};
	struct cul_expr *e = NULL;
	unsigned calls = 0;

	plain.memory = CUL_BPF_KERNEL;
	assert_int_equal(cul_expr_parse("counter && filename == \"x\"", &fake.env, &e, NULL), 0);
	assert_int_equal(cul_expr_compile(e, &plain, &code, NULL), 0);
	for (size_t i = 0; i < code.len; i++) {
		if (code.insns[i].code != (BPF_JMP | BPF_CALL))
			continue;
		calls++;
		assert_true(code.insns[i].imm == BPF_FUNC_probe_read_kernel ||
			    code.insns[i].imm == BPF_FUNC_probe_read_kernel_str);
	}
	assert_int_equal(calls, 2);
	cul_expr_free(e);
	cul_bpf_code_free(&code);
}

static void out_of_memory(void **state)
{
	struct cul_expr *e = NULL;
	int r = -ENOMEM;

	assert_int_equal(
		cul_expr_parse("p->refs / i > 3 && comm == \"abc\" || q->a", &fake.env, &e, NULL),
		0);
	for (long n = 0; r; n++) {
		struct cul_bpf_code code = {0};

		cul_alloc_fail_after(n);
		r = cul_expr_compile(e, &layout, &code, NULL);
		cul_alloc_fail_after(-1);
		assert_true(r == 0 || r == -ENOMEM);
		cul_bpf_code_free(&code);
	}
	cul_expr_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chosen_texts_agree),
		cmocka_unit_test(random_texts_agree),
		cmocka_unit_test(refusals),
		cmocka_unit_test(limits),
		cmocka_unit_test(layouts),
		cmocka_unit_test(kernel_memory_by_default),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
