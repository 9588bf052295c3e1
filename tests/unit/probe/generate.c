/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The expressions of a run as code at the entry and at the return, and what is said of wrong ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "own.h"
#include "probe/generate.h"

static struct own own;
static struct cul_generated g;
static struct cul_error err;

static int set_up(void **state)
{
	const struct cul_plan_want want = {.depth = 1};

	own_start(&own, &want);
	memset(&g, 0, sizeof(g));
	memset(&err, 0, sizeof(err));
	return 0;
}

static int tear_down(void **state)
{
	cul_alloc_fail_after(-1);
	cul_generated_free(&g);
	own_end(&own);
	return 0;
}

static int generate(unsigned function, bool returns)
{
	cul_generated_free(&g);
	memset(&err, 0, sizeof(err));
	return cul_generate(
		&own.options, &own.run.plans[function], returns, own.run.scope, &g, &err);
}

static void condition(const char *text, bool returns, bool entry, bool back)
{
	own.options.condition = text;
	if (generate(OWN_PLAIN, returns))
		fail_msg("%s: %s", text, err.text);
	if (!g.entry.len == entry || !g.back.len == back)
		fail_msg("%s: %zu at the entry, %zu at the return", text, g.entry.len, g.back.len);
}

static void a_condition_is_asked_as_soon_as_it_can(void **state)
{
	condition(NULL, true, false, false);
	condition("n > 1", true, true, false);
	condition("ret < 0", true, false, true);
	assert_true(g.uses_late);
	condition("dur > 1000", true, false, true);
	condition("n > 1 && ret < 0", true, true, true);
	condition("ret < 0 && n > 1 && pid == 1", true, true, true);
	condition("n > 1 || ret < 0", true, false, true);
	condition("n > 1", false, true, false);
	assert_false(g.uses_late);
	condition("comm == \"sh\" && caller != 0", false, true, false);
	assert_true(g.uses_comm && g.uses_caller);
	condition("cpu == 0 && tid == 3", false, true, false);
	assert_false(g.uses_comm || g.uses_caller);
	condition("p->a == arg0", true, true, false);
	condition("name ~ \"/etc/*\" && ret == -2", true, true, true);
}

/* `rest`: behind the gate the entry has something left to do. */
static void gate(const char *text, bool returns, bool gated, bool rest)
{
	enum { END = 2 }; /* of the code: 1, exit */

	own.options.condition = text;
	if (generate(OWN_PLAIN, returns))
		fail_msg("%s: %s", text, err.text);
	if (!g.gate.len == gated || !g.gated == gated ||
		(g.entry.len > g.gated + END) != (rest || (!gated && g.entry.len)))
		fail_msg("%s: a gate of %zu, %zu of %zu gated", text, g.gate.len, g.gated,
			g.entry.len);
	assert_true(g.gate.stack < 512);
	assert_true(!gated || g.gate_refused + CUL_GATE_REFUSED <= g.gate.len);
}

/* Numbers are asked where they lie: nothing is kept on the stack, nothing called. */
static void direct(const char *text, bool is_direct, bool moves)
{
	bool calls = false;

	gate(text, false, true, false);
	for (size_t i = 0; i < g.gate.len; i++)
		calls |= g.gate.insns[i].code == (BPF_JMP | BPF_CALL);
	if (!g.gate.stack != is_direct || calls == is_direct ||
		(g.gate.insns[0].code == (BPF_ALU64 | BPF_MOV | BPF_X)) != moves)
		fail_msg("%s: %d bytes of stack, %s calls", text, g.gate.stack,
			calls ? "with" : "no");
}

/* What needs more than the arguments, and what stands behind it and reads memory, is asked later.
 */
static void a_gate_asks_for_arguments_alone(void **state)
{
	struct cul_scope *process = own.run.scope;

	gate("n > 1", false, false, false);
	if (cul_scope_kernel(NULL, &own.run.scope, &err))
		fail_msg("%s", err.text);
	gate("n > 1", false, true, false);
	gate("n > 1", true, true, false);
	gate("p != 0 && p->a == n", true, true, false);
	gate("n > 1 && ret < 0", true, true, false);
	direct("n > 1", true, false);
	direct("n > 1 && n != 7", true, false);
	direct("n & 4 || n == 1", true, true);
	direct("p != 0", false, false);
	gate("n > 1 && pid == 1", false, true, true);
	gate("pid == 1 && n > 1", false, true, true);
	gate("pid == n", false, false, false);
	gate("pid == 1 && p->a == 1", false, false, false);
	gate("comm == \"sh\"", false, false, false);
	gate("ret == n", true, false, false);
	own.options.args = "n";
	gate("n > 1", false, true, true);
	/* Without types nothing is an argument. */
	own.options.args = NULL;
	memset(&own.run.plans[OWN_PLAIN], 0, sizeof(own.run.plans[OWN_PLAIN]));
	gate("cpu == 1", false, false, false);
	cul_scope_free(own.run.scope);
	own.run.scope = process;
}

static void values_have_places(void **state)
{
	own.options.args = "n, ret, *p, comm, p->a + 1";
	assert_int_equal(generate(OWN_PLAIN, true), 0);
	assert_int_equal(g.n_values, 5);
	assert_int_equal(g.n_args, 5);
	assert_string_equal(g.values[0].text, "n");
	assert_string_equal(g.values[4].text, "p->a + 1");
	assert_int_equal(g.values[3].n, 2); /* sixteen characters */
	for (size_t i = 1; i < 5; i++)
		assert_int_equal(g.values[i].at, g.values[i - 1].at + g.values[i - 1].n);
	assert_false(g.values[0].at_return);
	assert_true(g.values[1].at_return);
	assert_non_null(g.values[2].object);
	assert_int_equal(g.values[2].type->kind, CUL_KIND_PTR);
	assert_true(g.entry.len && g.back.len);
}

static void groups_and_a_measure(void **state)
{
	own.options.by = "comm, n";
	own.options.hist = "dur";
	assert_int_equal(generate(OWN_PLAIN, true), 0);
	assert_int_equal(g.n_args, 0);
	assert_int_equal(g.n_by, 2);
	assert_int_equal(g.by_words, 3);
	assert_string_equal(g.values[0].text, "dur");
	assert_int_equal(g.values[0].at, CUL_PROBE_MEASURE_AT);
	assert_string_equal(g.values[1].text, "comm");
	assert_int_equal(g.values[1].at, CUL_PROBE_BY_AT);
	assert_int_equal(g.values[2].at, CUL_PROBE_BY_AT + 2);
	own.options.by = "comm, comm, n";
	assert_int_equal(generate(OWN_PLAIN, true), -E2BIG);
	assert_non_null(strstr(err.text, "comm counts as two"));
}

static void strings_are_told_by_their_text(void **state)
{
	static const struct bpf_insn tells = {.code = BPF_ST | BPF_MEM | BPF_B,
		.dst_reg = 6,
		.off = offsetof(struct cul_probe_inputs, texts) + CUL_PROBE_BY_AT + 1,
		.imm = CUL_PROBE_TEXT};
	unsigned told = 0;

	own.options.by = "n, name, (void *)name, p";
	assert_int_equal(generate(OWN_PLAIN, true), 0);
	assert_true(g.has_texts);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(g.values[i].text_room, i == 1 ? CUL_PROBE_TEXT : 0);
	for (size_t i = 0; i < g.entry.len; i++)
		told += !memcmp(&g.entry.insns[i], &tells, sizeof(tells));
	assert_int_equal(told, 1);
	/* The characters themselves, which no pointer leads to. */
	own.options.by = "comm";
	assert_int_equal(generate(OWN_PLAIN, true), 0);
	assert_false(g.has_texts);
}

/* Each function's words lie in the same places, and those that it has not are no leftovers. */
static void places_do_not_depend_on_types(void **state)
{
	static const struct bpf_insn zero = {.code = BPF_ST | BPF_MEM | BPF_DW,
		.dst_reg = 6,
		.off = offsetof(struct cul_probe_inputs, values) + (CUL_PROBE_BY_AT + 2) * 8};
	unsigned zeros;

	own.options.by = "arg0";
	for (unsigned function = OWN_PLAIN; function <= OWN_PASS; function += OWN_PASS) {
		assert_int_equal(generate(function, false), 0);
		assert_int_equal(g.values[0].at, CUL_PROBE_BY_AT);
		assert_int_equal(g.by_words, function == OWN_PASS ? 2 : 1);
		zeros = 0;
		for (size_t i = 0; i < g.entry.len; i++)
			zeros += !memcmp(&g.entry.insns[i], &zero, sizeof(zero));
		assert_int_equal(zeros, 1);
	}
}

static void a_measure_is_one_number(void **state)
{
	own.options.hist = "comm";
	assert_int_equal(generate(OWN_PLAIN, false), -EINVAL);
	assert_non_null(strstr(err.text, "'comm' is no number"));
	own.options.hist = "*p";
	assert_int_equal(generate(OWN_PLAIN, false), -EINVAL);
	assert_non_null(strstr(err.text, "is no number"));
	own.options.hist = "n, n";
	assert_int_equal(generate(OWN_PLAIN, false), -EINVAL);
	assert_non_null(strstr(err.text, "--by"));
	own.options.hist = "p";
	assert_int_equal(generate(OWN_PLAIN, false), 0);
}

static void struct_bytes_are_copied(void **state)
{
	own.options.args = "n, n.a";
	assert_int_equal(generate(OWN_PASS, false), 0);
	assert_int_equal(g.values[0].n, 2);
	assert_int_equal(g.values[1].n, 1);
}

static unsigned count_insn(const struct cul_bpf_code *code, const struct bpf_insn *insn)
{
	unsigned n = 0;

	for (size_t i = 0; i < code->len; i++)
		n += !memcmp(&code->insns[i], insn, sizeof(*insn));
	return n;
}

/* A number among such bytes is no more than its own. */
static void a_number_in_a_struct_is_one(void **state)
{
	static const struct bpf_insn byte = {.code = BPF_LDX | BPF_MEM | BPF_B,
		.src_reg = 6,
		.off = offsetof(struct cul_probe_inputs, comm) + 5};

	own.options.by = "comm[5]";
	own.options.hist = "comm[5]";
	assert_int_equal(generate(OWN_PLAIN, false), 0);
	assert_int_equal(g.values[0].n + g.values[1].n, 2);
	assert_int_equal(count_insn(&g.entry, &byte), 2);
}

static void too_many(void **state)
{
	own.options.args = "n,n,n,n,n,n,n,n";
	assert_int_equal(generate(OWN_PLAIN, false), 0);
	own.options.args = "n,n,n,n,n,n,n,n,n";
	assert_int_equal(generate(OWN_PLAIN, false), -E2BIG);
	assert_non_null(strstr(err.text, "--args"));
	own.options.args = "n,n,n,n,n,n,n,comm";
	assert_int_equal(generate(OWN_PLAIN, false), -E2BIG);
	assert_non_null(strstr(err.text, "room for 8 values"));
}

static void wrong(unsigned function, const char *text, bool returns, int code, const char *says)
{
	int r;

	own.options.condition = text;
	r = generate(function, returns);
	if (r != code || !strstr(err.text, says) || !strstr(err.text, "--if"))
		fail_msg("%s: %d: %s", text, r, err.text);
	assert_int_equal(g.entry.len + g.back.len + g.n_values, 0);
}

/* Each says where. */
static void wrong_words(void **state)
{
	wrong(OWN_PLAIN, "m > 1", false, -ENOENT, "unknown name 'm'");
	wrong(OWN_PLAIN, "n > 1 && m > 1", false, -ENOENT, "\n           ^");
	assert_non_null(strstr(err.text, "int (int n"));
	wrong(OWN_PLAIN, "p->b", false, -ENOENT, "nearest: a");
	wrong(OWN_PLAIN, "n >", false, -EINVAL, "^");
	wrong(OWN_PLAIN, "", false, -EINVAL, "");
	/* Of these another function of a pattern may know. */
	wrong(OWN_PLAIN, "ret < 0", false, -ENOENT, "known when the call returns");
	wrong(OWN_PLAIN, "dur > 0", false, -ENOENT, "known when the call returns");
	wrong(OWN_PASS, "ret < 0", true, -ENOENT, "returns nothing");
	wrong(OWN_ODD, "n > 1", false, -ENOENT, "floating point");
	wrong(OWN_ODD, "arg4 == 1", false, -ENOENT, "not where a probe can see it");
}

static void numbers_stand_for_names(void **state)
{
	condition("arg0 == 1 && arg5 != 0", false, true, false);
	wrong(OWN_PLAIN, "arg6 == 1", false, -ENOENT, "arg6");
	/* Without types they are what is in the registers. */
	memset(&own.run.plans[OWN_PLAIN], 0, sizeof(own.run.plans[OWN_PLAIN]));
	own.run.plans[OWN_PLAIN].ret.source = -1;
	condition("ret == 0", true, false, true);
	condition("arg0 == 1 && arg5 != 0", false, true, false);
	assert_int_equal(g.words, 6);
	wrong(OWN_PLAIN, "arg6 == 1", false, -ENOENT, "arg0 to arg5");
	wrong(OWN_PLAIN, "n == 1", false, -ENOENT, "its type is not known");
	/* Inside a function they are anywhere, and there is no caller. */
	own.run.plans[OWN_PLAIN].inside = true;
	wrong(OWN_PLAIN, "arg0 == 1", false, -ENOENT, "a call has ret, dur");
	wrong(OWN_PLAIN, "caller == 1", false, -ENOENT, "where a function begins");
}

static void memory_may_run_out(void **state)
{
	int r = -ENOMEM;

	own.options.condition = "n > 1 && ret < 0 && p->a == 3";
	own.options.by = "comm";
	own.options.hist = "p->a";
	for (long after = 0; r; after++) {
		memset(&err, 0, sizeof(err));
		cul_alloc_fail_after(after);
		r = cul_generate(
			&own.options, &own.run.plans[OWN_PLAIN], true, own.run.scope, &g, &err);
		cul_alloc_fail_after(-1);
		assert_true(!r || (r == -ENOMEM && *err.text && !g.entry.insns && !g.n_values));
		assert_true(after < 10000);
	}
}

/* A comparison with the longest string that there is room for. */
static const char *longest(void)
{
	static char text[600];

	for (int len = 512; len > 0; len--) {
		snprintf(text, sizeof(text), "name != \"%0*d\"", len, 0);
		own.options.condition = text;
		if (!generate(OWN_PLAIN, true)) {
			assert_in_range(len, 250, 511);
			return text;
		}
		assert_non_null(strstr(err.text, "stack of a filter"));
	}
	fail_msg("none");
	return NULL;
}

/* The kernel's verifier takes what was made, in every program that it can stand in. */
static void the_verifier_takes_it(void **state)
{
	const char *const conditions[] = {"n > 1 && ret < 0", "p->a == 3 && dur > 5",
		"comm ~ \"s*\" && name ~ \"/etc/*\" && ret == -2", "n / pid > 0 || ret % n == 1",
		longest()};
	static const enum cul_probe_template templates[] = {
		CUL_TEMPLATE_ENTRY, CUL_TEMPLATE_RETURN, CUL_TEMPLATE_BEFORE, CUL_TEMPLATE_AFTER};
	struct cul_probe_program_config config = {.n_sites = 1,
		.n_scratches = 1,
		.user_target = true,
		.returns = true,
		.carry = true,
		.diff = true,
		.events = true,
		.comm = true,
		.caller = true,
		.kernel_stack = true,
		.user_stack = true,
		.on_event = cul_probe_on_event,
		.data = &own.run};
	struct cul_probe_program program;

	if (geteuid())
		skip();
	if (cul_probe_program_open(&config, &program, &err)) {
		print_message("no BPF here: %s\n", err.text);
		skip();
	}
	own.options.args = "n, *p, ret, caller, comm";
	for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++) {
		own.options.condition = conditions[i];
		if (generate(OWN_PLAIN, true))
			fail_msg("%s", err.text);
		for (size_t t = 0; t < 4; t++) {
			const struct cul_probe_instance instance = {.from = templates[t],
				.site = CUL_SITE_BY_COOKIE,
				.args = CUL_PROBE_WORDS,
				.code = t % 2 ? &g.back : &g.entry};

			if (cul_probe_program_make(&program, &instance, &err) < 0)
				fail_msg("%s: %s", conditions[i], err.text);
		}
	}
	cul_probe_program_free(&program);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_condition_is_asked_as_soon_as_it_can),
		TEST(a_gate_asks_for_arguments_alone),
		TEST(values_have_places),
		TEST(groups_and_a_measure),
		TEST(strings_are_told_by_their_text),
		TEST(places_do_not_depend_on_types),
		TEST(a_measure_is_one_number),
		TEST(struct_bytes_are_copied),
		TEST(a_number_in_a_struct_is_one),
		TEST(too_many),
		TEST(wrong_words),
		TEST(numbers_stand_for_names),
		TEST(memory_may_run_out),
		TEST(the_verifier_takes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
