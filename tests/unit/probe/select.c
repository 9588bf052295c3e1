/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From words to places: of a process, of a command, of the kernel in their stead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "probe/run.h"
#include "sys/fault.h"

static struct cul_probe_options options;
static struct cul_probe_run run;
static struct cul_error err;
static const char *specs[4];

int select_target(int n);

/* What is looked for. */
__attribute__((noinline)) int select_target(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

static int set_up(void **state)
{
	memset(&options, 0, sizeof(options));
	memset(&run, 0, sizeof(run));
	memset(&err, 0, sizeof(err));
	options.specs = specs;
	options.stop_fd = -1;
	run.options = &options;
	run.arch = cul_arch_host();
	run.pid_fd = -1;
	run.child.signal_fd = run.child.entry_fd = -1;
	return 0;
}

static int tear_down(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	cul_child_free(&run.child);
	cul_sites_free(&run.sites);
	cul_scope_free(run.scope);
	if (run.pid_fd >= 0)
		close(run.pid_fd);
	return 0;
}

static int select_one(const char *spec)
{
	specs[0] = spec;
	options.n_specs = 1;
	return cul_probe_select(&run, &err);
}

static void a_function_of_a_process(void **state)
{
	options.pid = getpid();
	if (select_one("select_target"))
		fail_msg("%s", err.text);
	assert_int_equal(run.pid, getpid());
	assert_int_equal(run.only_pid, 0);
	assert_true(run.pid_fd >= 0);
	assert_int_equal(run.sites.sites.len, 1);
	assert_string_equal(run.sites.sites.data[0].name, "select_target");
	assert_int_equal(run.sites.sites.data[0].addr, (uintptr_t)select_target);
	assert_non_null(run.sites.sites.data[0].type);
}

static void both_say_what_they_lack(void **state)
{
	options.pid = getpid();
	assert_int_equal(select_one("select_targte"), -ENOENT);
	assert_non_null(strstr(err.text, "'select_targte'; nearest: select_target"));
	assert_null(strstr(err.text, "kernel")); /* what is near says enough */
	assert_int_equal(select_one("far_from_any_name_of_a_function"), -ENOENT);
	assert_non_null(strstr(err.text, "; and the kernel has no function 'far_from_any"));
	assert_int_equal(select_one("vfs_raed"), -ENOENT);
	if (!geteuid())
		assert_non_null(
			strstr(err.text, "; not in the kernel either; there nearest: vfs_read"));
}

static void the_kernel_in_its_stead(void **state)
{
	if (geteuid())
		skip();
	options.pid = getpid();
	if (select_one("vfs_read"))
		fail_msg("%s", err.text);
	assert_int_equal(run.pid, 0);
	assert_int_equal(run.only_pid, getpid());
	assert_string_equal(run.sites.sites.data[0].module, "vmlinux");
}

/* Its libraries are not there at its first instruction: they are waited for. */
static void a_function_of_a_commands_library(void **state)
{
	static char *const command[] = {(char *)"/bin/true", NULL};

	options.command = command;
	if (select_one("getenv"))
		fail_msg("%s", err.text);
	assert_int_equal(run.child.state, CUL_CHILD_STOPPED);
	assert_int_equal(run.pid, run.child.pid);
	assert_non_null(strstr(run.sites.sites.data[0].module, "libc"));
}

static void a_library_has_what_the_dynamic_linker_inlines(void **state)
{
	static char *const command[] = {(char *)"/bin/true", NULL};
	bool found = false;

	options.command = command;
	if (select_one("malloc"))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < run.sites.sites.len; i++) {
		const struct cul_site *site = &run.sites.sites.data[i];

		found |= site->kind == CUL_SITE_FUNCTION && strstr(site->module, "libc");
	}
	assert_true(found);
}

static void tracepoints_of_the_kernel(void **state)
{
	if (geteuid())
		skip();
	if (select_one("sched:sched_switch"))
		fail_msg("%s", err.text);
	assert_int_equal(run.sites.sites.data[0].kind, CUL_SITE_TRACEPOINT);
	assert_string_equal(run.sites.sites.data[0].name, "sched_switch");
	assert_non_null(run.sites.sites.data[0].type);
}

static void what_stands_before_a_colon_may_be_either(void **state)
{
	if (geteuid())
		skip();
	assert_int_equal(select_one("sched:sched_swicth"), -ENXIO);
	assert_non_null(strstr(err.text, "no tracepoint is called 'sched:sched_swicth'"));
	assert_non_null(strstr(err.text, "module 'sched' is not loaded"));
}

static void cpus_that_are_named(void **state)
{
	options.pid = getpid();
	options.cpus = "0";
	assert_int_equal(select_one("select_target"), 0);
	assert_int_equal(cul_cpus_count(&run.cpus), 1);
}

static void each_failure_is_clean(void **state)
{
	int r = -ENOMEM;

	for (long after = 0; r; after += 1 + after / 8) {
		tear_down(NULL);
		set_up(NULL);
		options.pid = getpid();
		cul_alloc_fail_after(after);
		r = select_one("select_target");
		cul_alloc_fail_after(-1);
		assert_true(!r || (r < 0 && *err.text));
		assert_true(after < 1000000);
	}
	assert_true(run.pid_fd >= 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_function_of_a_process),
		TEST(both_say_what_they_lack),
		TEST(the_kernel_in_its_stead),
		TEST(a_function_of_a_commands_library),
		TEST(a_library_has_what_the_dynamic_linker_inlines),
		TEST(tracepoints_of_the_kernel),
		TEST(what_stands_before_a_colon_may_be_either),
		TEST(cpus_that_are_named),
		TEST(each_failure_is_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
