/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of watch: what it hands to the case, which stands here as a fake. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cmd/command.h"
#include "watch/watch.h"

/* What the fake was called with, and what it is to answer. */
static struct {
	unsigned calls;
	struct cul_watch_options options;
	const char *targets[4], *debug[4], *command[4];
	int answer;
	bool violated;
} fake;

int cul_watch_run(const struct cul_watch_options *options, struct cul_sink *sink,
	struct cul_watch_outcome *outcome, struct cul_error *err)
{
	fake.calls++;
	fake.options = *options;
	for (size_t i = 0; i < options->n_targets && i < 4; i++)
		fake.targets[i] = options->targets[i];
	for (size_t i = 0; options->debug_paths[i] && i < 4; i++)
		fake.debug[i] = options->debug_paths[i];
	for (size_t i = 0; options->command && options->command[i] && i < 4; i++)
		fake.command[i] = options->command[i];
	outcome->violated = fake.violated;
	return fake.answer ? cul_fail(err, fake.answer, "watch: no luck") : 0;
}

static int run_quietly(char **argv)
{
	int saved = dup(STDERR_FILENO), status;

	memset(fake.targets, 0, sizeof(fake.targets));
	fake.calls = 0;
	assert_non_null(freopen("/dev/null", "w", stderr));
	status = cul_cmd_watch.run(NULL, argv);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	return status;
}

#define RUN(...) run_quietly((char *[]){__VA_ARGS__, NULL})

static void test_defaults(void **state)
{
	assert_int_equal(RUN("jiffies"), 0);
	assert_int_equal(fake.calls, 1);
	assert_int_equal(fake.options.n_targets, 1);
	assert_string_equal(fake.targets[0], "jiffies");
	assert_int_equal(fake.options.access, CUL_ACCESS_WRITE);
	assert_int_equal(fake.options.stack, CUL_STACK_DEFAULT);
	assert_int_equal(fake.options.max_rate, CUL_RATE_AUTO);
	assert_int_equal(fake.options.pid, 0);
	assert_int_equal(fake.options.for_ns, 0);
	assert_int_equal(fake.options.count, 0);
	assert_null(fake.options.command);
	assert_null(fake.options.cpus);
	assert_null(fake.options.condition);
	assert_null(fake.options.expect);
	assert_false(fake.options.kernel || fake.options.partial || fake.options.keep_going);
	assert_true(fake.options.stop_fd >= 0);
}

static void test_all(void **state)
{
	assert_int_equal(RUN("a", "--rw", "-p", "812", "b", "--cpu=0-3", "--if", "new > 1",
				 "--expect", "new < 9", "--keep-going", "--for", "1.5s", "--count",
				 "7", "--stack", "both", "--max-rate", "1000", "--partial",
				 "--debug", "/", "--debug", "/dev", "--json", "--", "ls", "--rw"),
		0);
	assert_int_equal(fake.options.n_targets, 2);
	assert_string_equal(fake.targets[1], "b");
	assert_int_equal(fake.options.access, CUL_ACCESS_READ_WRITE);
	assert_int_equal(fake.options.pid, 812);
	assert_string_equal(fake.options.cpus, "0-3");
	assert_string_equal(fake.options.condition, "new > 1");
	assert_string_equal(fake.options.expect, "new < 9");
	assert_true(fake.options.keep_going && fake.options.partial && !fake.options.kernel);
	assert_int_equal(fake.options.for_ns, 1500000000);
	assert_int_equal(fake.options.count, 7);
	assert_int_equal(fake.options.stack, CUL_STACK_BOTH);
	assert_int_equal(fake.options.max_rate, 1000);
	assert_string_equal(fake.debug[0], "/");
	assert_string_equal(fake.debug[1], "/dev");
	assert_string_equal(fake.command[0], "ls");
	assert_string_equal(fake.command[1], "--rw");
}

static void test_choices(void **state)
{
	static const struct {
		char *word;
		enum cul_stack_choice stack;
	} stacks[] = {
		{"none", CUL_STACK_NONE},
		{"kernel", CUL_STACK_KERNEL},
		{"user", CUL_STACK_USER},
		{"both", CUL_STACK_BOTH},
	};

	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		assert_int_equal(RUN("x", "--stack", stacks[i].word), 0);
		assert_int_equal(fake.options.stack, stacks[i].stack);
	}
	assert_int_equal(RUN("x", "--exec"), 0);
	assert_int_equal(fake.options.access, CUL_ACCESS_EXECUTE);
	assert_int_equal(RUN("x", "--write", "--write"), 0);
	assert_int_equal(fake.options.access, CUL_ACCESS_WRITE);
	assert_int_equal(RUN("x", "--max-rate", "none"), 0);
	assert_int_equal(fake.options.max_rate, CUL_RATE_UNLIMITED);
	assert_int_equal(RUN("x", "--kernel", "--", "true"), 0);
	assert_true(fake.options.kernel);
}

static void test_usage(void **state)
{
	char *wrong[][4] = {
		{NULL},
		{"--rw"},
		{"x", "--read"},
		{"x", "--ro"},
		{"x", "--rw", "--exec"},
		{"x", "--pid", "0"},
		{"x", "--pid", "99999999999"},
		{"x", "--pid", "self"},
		{"x", "--for", "0"},
		{"x", "--for", "ten"},
		{"x", "--count", "0"},
		{"x", "--count", "-1"},
		{"x", "--max-rate", "0"},
		{"x", "--max-rate", "lots"},
		{"x", "--stack", "kernle"},
		{"x", "--stack", "all-of-it"},
		{"x", "--keep-going"},
		{"x", "--kernel", "-p1"},
		{"x", "--"},
		{"x", "--nonsense"},
		{"x", "--json=1"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *argv[] = {wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3], NULL};

		if (run_quietly(argv) != 2)
			fail_msg("usage case %zu", i);
		assert_int_equal(fake.calls, 0);
	}
}

static void test_statuses(void **state)
{
	fake.violated = true;
	assert_int_equal(RUN("x", "--expect", "new"), 3);
	fake.violated = false;
	fake.answer = -ENOENT;
	assert_int_equal(RUN("x"), 1);
	fake.answer = 0;
	assert_int_equal(RUN("x", "-o", "/no/such/file"), 1);
	assert_int_equal(RUN("x", "--debug", "/no/such/file"), 1);
	assert_int_equal(fake.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
