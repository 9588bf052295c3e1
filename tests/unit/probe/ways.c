/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By which way a site is attached: what the kernel's documents say of each way, case by case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "own.h"

static struct own own;

/* The kernel's functions, all of which ftrace and BTF know; the run has these many of them. */
static int set_up(void **state)
{
	own_start(&own, &(struct cul_plan_want){.args = true, .depth = 1});
	own.run.pid = 0;
	for (unsigned i = 0; i < OWN_FUNCTIONS; i++) {
		own.run.sites.sites.data[i].btf_id = 100 + i;
		own.run.sites.sites.data[i].traceable = true;
	}
	return 0;
}

static int tear_down(void **state)
{
	own_end(&own);
	return 0;
}

static struct cul_site *site(size_t i)
{
	return &own.run.sites.sites.data[i];
}

static void expect(size_t i, enum cul_attach_kind kind)
{
	assert_int_equal(cul_probe_way(&own.run, i), kind);
}

static void few_functions_by_fentry(void **state)
{
	expect(OWN_PLAIN, CUL_ATTACH_FENTRY);
	expect(OWN_TREE, CUL_ATTACH_FENTRY);
	own.run.returns = true; /* fexit goes with it */
	expect(OWN_TREE, CUL_ATTACH_FENTRY);
}

/* Each takes programs of its own, which the verifier looks at one by one. */
static void many_by_one_link(void **state)
{
	while (own.run.sites.sites.len <= CUL_PROBE_FENTRY_MOST) {
		struct cul_site *more = cul_vec_push(&own.run.sites.sites);

		assert_non_null(more);
		*more = *site(OWN_PLAIN);
	}
	expect(OWN_PLAIN, CUL_ATTACH_KPROBE_MULTI);
	own.run.sites.sites.len = CUL_PROBE_FENTRY_MOST;
	expect(OWN_PLAIN, CUL_ATTACH_FENTRY);
}

/* btf_func_model: at most twelve arguments, here six, none of them on the stack or of floats. */
static void fentry_wants_each_argument_in_a_register(void **state)
{
	expect(OWN_MANY, CUL_ATTACH_KPROBE_MULTI); /* sixteen */
	expect(OWN_ODD, CUL_ATTACH_KPROBE_MULTI);  /* a double */
	expect(OWN_PASS, CUL_ATTACH_KPROBE_MULTI); /* a struct in two registers */
	own.run.plans[OWN_PLAIN].signature.is_variadic = true;
	expect(OWN_PLAIN, CUL_ATTACH_KPROBE_MULTI);
	own.run.plans[OWN_TREE].signature.ret_in_memory = true;
	expect(OWN_TREE, CUL_ATTACH_KPROBE_MULTI);
}

/* The kernel finds the target by its BTF id, and its entry by the name. */
static void fentry_wants_a_type_and_a_name_of_its_own(void **state)
{
	site(OWN_PLAIN)->btf_id = 0;
	expect(OWN_PLAIN, CUL_ATTACH_KPROBE_MULTI);
	own.run.plans[OWN_TREE].typed = false;
	expect(OWN_TREE, CUL_ATTACH_KPROBE_MULTI);
}

/* Behind a trampoline the caller's address is not where a kprobe finds it. */
static void a_caller_is_asked_of_no_trampoline(void **state)
{
	own.run.generated[OWN_PLAIN].uses_caller = true;
	expect(OWN_PLAIN, CUL_ATTACH_KPROBE_MULTI);
}

static void what_ftrace_may_not_know_by_kprobe(void **state)
{
	site(OWN_PLAIN)->traceable = false;
	expect(OWN_PLAIN, CUL_ATTACH_KPROBE);
	site(OWN_TREE)->kind = CUL_SITE_CLONE;
	expect(OWN_TREE, CUL_ATTACH_KPROBE_MULTI);
	site(OWN_TREE)->traceable = false;
	expect(OWN_TREE, CUL_ATTACH_KPROBE);
}

static void inside_of_functions_by_kprobe(void **state)
{
	site(OWN_PLAIN)->kind = CUL_SITE_INSIDE;
	expect(OWN_PLAIN, CUL_ATTACH_KPROBE);
	site(OWN_TREE)->kind = CUL_SITE_INLINED;
	expect(OWN_TREE, CUL_ATTACH_KPROBE);
}

/* bpf_override_return() is for kprobes alone. */
static void injection_by_kprobe(void **state)
{
	own.run.inject.every = 1;
	expect(OWN_PLAIN, CUL_ATTACH_KPROBE);
}

/* Only tracefs takes a number of return instances, and only returns need them. */
static void maxactive_by_tracefs(void **state)
{
	own.options.maxactive = 64;
	expect(OWN_PLAIN, CUL_ATTACH_FENTRY);
	own.run.returns = true;
	expect(OWN_PLAIN, CUL_ATTACH_TRACEFS);
	site(OWN_TREE)->kind = CUL_SITE_INLINED;
	expect(OWN_TREE, CUL_ATTACH_KPROBE);
}

static void others_have_one_way(void **state)
{
	site(OWN_PLAIN)->kind = CUL_SITE_TRACEPOINT;
	expect(OWN_PLAIN, CUL_ATTACH_RAW_TRACEPOINT);
	own.run.pid = 1;
	expect(OWN_TREE, CUL_ATTACH_UPROBE);
	site(OWN_TREE)->kind = CUL_SITE_INSIDE;
	expect(OWN_TREE, CUL_ATTACH_UPROBE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(few_functions_by_fentry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_by_one_link, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			fentry_wants_each_argument_in_a_register, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			fentry_wants_a_type_and_a_name_of_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_caller_is_asked_of_no_trampoline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_ftrace_may_not_know_by_kprobe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(inside_of_functions_by_kprobe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(injection_by_kprobe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(maxactive_by_tracefs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(others_have_one_way, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
