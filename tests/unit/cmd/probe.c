/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of probe: what it hands to the case, which stands here as a fake. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "cmd/command.h"
#include "probe/probe.h"

/* What the fake was called with, and what it is to answer. */
static struct {
	unsigned calls;
	struct cul_probe_options options;
	const char *specs[4], *debug[4], *command[4];
	int answer;
} fake;

int cul_probe_run(const struct cul_probe_options *options, struct cul_sink *sink,
	struct cul_probe_outcome *outcome, struct cul_error *err)
{
	fake.calls++;
	fake.options = *options;
	for (size_t i = 0; i < options->n_specs && i < 4; i++)
		fake.specs[i] = options->specs[i];
	for (size_t i = 0; options->debug_paths[i] && i < 4; i++)
		fake.debug[i] = options->debug_paths[i];
	for (size_t i = 0; options->command && options->command[i] && i < 4; i++)
		fake.command[i] = options->command[i];
	return fake.answer ? cul_fail(err, fake.answer, "probe: no luck") : 0;
}

/* Runs with standard error caught in `text`, which the caller frees; NULL: thrown away. */
static int run(char **argv, char **text)
{
	FILE *caught = tmpfile();
	int saved = dup(STDERR_FILENO), status;
	long n;

	memset(&fake.specs, 0, sizeof(fake.specs));
	fake.calls = 0;
	fflush(NULL);
	dup2(fileno(caught), STDERR_FILENO);
	status = cul_cmd_probe.run(NULL, argv);
	fflush(NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	if (text) {
		n = lseek(fileno(caught), 0, SEEK_END);
		*text = calloc(1, (size_t)n + 1);
		assert_int_equal(pread(fileno(caught), *text, (size_t)n, 0), n);
	}
	fclose(caught);
	return status;
}

#define RUN(...) run((char *[]){__VA_ARGS__, NULL}, NULL)

static void test_defaults(void **state)
{
	assert_int_equal(RUN("do_sys_openat2"), 0);
	assert_int_equal(fake.calls, 1);
	assert_int_equal(fake.options.n_specs, 1);
	assert_string_equal(fake.specs[0], "do_sys_openat2");
	assert_int_equal(fake.options.view, CUL_VIEW_CALLS);
	assert_int_equal(fake.options.depth, 1);
	assert_int_equal(fake.options.pid, 0);
	assert_int_equal(fake.options.for_ns, 0);
	assert_int_equal(fake.options.slow_ns, 0);
	assert_int_equal(fake.options.count, 0);
	assert_int_equal(fake.options.maxactive, 0);
	assert_null(fake.options.command);
	assert_null(fake.options.cpus);
	assert_null(fake.options.condition);
	assert_null(fake.options.args);
	assert_null(fake.options.by);
	assert_null(fake.options.hist);
	assert_int_equal(fake.options.scale.step, 0);
	assert_null(fake.options.inject);
	assert_false(fake.options.kernel || fake.options.returns || fake.options.diff ||
		     fake.options.errors || fake.options.after);
	assert_false(fake.options.want_kernel_stack || fake.options.want_user_stack);
	assert_true(fake.options.stop_fd >= 0);
}

static void test_all(void **state)
{
	assert_int_equal(RUN("a", "--kernel", "-p", "812", "b", "--cpu=0-3", "--if", "ret < 0",
				 "--args", "x, y", "--depth", "2", "--ret", "--diff", "--slow",
				 "1ms", "--count", "7", "--stack", "both", "--maxactive", "64",
				 "--for", "1.5s", "--debug", "/", "--debug", "/dev", "--json"),
		0);
	assert_int_equal(fake.options.n_specs, 2);
	assert_string_equal(fake.specs[1], "b");
	assert_int_equal(fake.options.pid, 812);
	assert_string_equal(fake.options.cpus, "0-3");
	assert_string_equal(fake.options.condition, "ret < 0");
	assert_string_equal(fake.options.args, "x, y");
	assert_int_equal(fake.options.depth, 2);
	assert_int_equal(fake.options.slow_ns, 1000000);
	assert_int_equal(fake.options.count, 7);
	assert_int_equal(fake.options.maxactive, 64);
	assert_int_equal(fake.options.for_ns, 1500000000);
	assert_int_equal(fake.options.view, CUL_VIEW_CALLS);
	assert_true(fake.options.kernel && fake.options.returns && fake.options.diff);
	assert_true(fake.options.want_kernel_stack && fake.options.want_user_stack);
	assert_string_equal(fake.debug[0], "/");
	assert_string_equal(fake.debug[1], "/dev");
	assert_int_equal(RUN("f", "--inject", "-12, EVERY 3"), 0);
	assert_string_equal(fake.options.inject, "-12, EVERY 3");
	assert_int_equal(RUN("f", "--depth", "0", "--", "ls", "--ret"), 0);
	assert_int_equal(fake.options.depth, 0);
	assert_false(fake.options.returns);
	assert_string_equal(fake.command[0], "ls");
	assert_string_equal(fake.command[1], "--ret");
	assert_int_equal(RUN("f+0x1c", "--after"), 0);
	assert_true(fake.options.after);
}

static void test_views(void **state)
{
	assert_int_equal(RUN("f", "--count"), 0);
	assert_int_equal(fake.options.view, CUL_VIEW_COUNT);
	assert_int_equal(fake.options.count, 0);
	assert_int_equal(RUN("--count", "f", "--by", "comm, ret"), 0);
	assert_int_equal(fake.options.view, CUL_VIEW_COUNT);
	assert_string_equal(fake.options.by, "comm, ret");
	assert_int_equal(RUN("f", "--count=5"), 0);
	assert_int_equal(fake.options.view, CUL_VIEW_CALLS);
	assert_int_equal(fake.options.count, 5);
	assert_int_equal(RUN("f", "--hist", "dur", "--linear", "0,100,10", "--by", "comm"), 0);
	assert_int_equal(fake.options.view, CUL_VIEW_HIST);
	assert_string_equal(fake.options.hist, "dur");
	assert_int_equal(fake.options.scale.min, 0);
	assert_int_equal(fake.options.scale.max, 100);
	assert_int_equal(fake.options.scale.step, 10);
	assert_int_equal(RUN("f", "--hist", "ret", "--linear=-0x10,-1,1"), 0);
	assert_int_equal(fake.options.scale.min, -16);
	assert_int_equal(RUN("f", "--hist", "ret", "--linear", "0,256,1"), 0);
	assert_int_equal(RUN("f", "--hist", "ret", "--linear",
				 "-9223372036854775808,9223372036854775807,0x100000000000000"),
		0);
	assert_int_equal(RUN("f", "--rate"), 0);
	assert_int_equal(fake.options.view, CUL_VIEW_RATE);
}

/* What one option says of another thing. */
static void test_implied(void **state)
{
	char *returns[][3] = {{"--diff"}, {"--errors"}, {"--slow", "1ms"}};
	static const struct {
		char *words[5];
		bool kernel, user;
	} stacks[] = {
		{{"--errors"}, true, false},
		{{"--count"}, true, false},
		{{"--errors", "-p", "1"}, false, true},
		{{"--count", "-p1"}, false, true},
		{{"--count", "-p1", "--kernel"}, true, false},
		{{"--count", "--", "ls"}, false, true},
		{{"--count", "--by", "comm"}, false, false},
		{{"--count", "--by", "comm", "--stack", "both"}, true, true},
		{{"--count", "--stack", "none"}, false, false},
		{{"--errors", "--stack=user"}, false, true},
		{{"--errors", "--rate"}, false, false},
		{{"--ret", "--stack", "kernel"}, true, false},
	};

	for (size_t i = 0; i < sizeof(returns) / sizeof(returns[0]); i++) {
		assert_int_equal(RUN("f", returns[i][0], returns[i][1]), 0);
		assert_true(fake.options.returns);
	}
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		char *const *w = stacks[i].words;

		assert_int_equal(RUN("f", w[0], w[1], w[2], w[3], w[4]), 0);
		if (fake.options.want_kernel_stack != stacks[i].kernel ||
			fake.options.want_user_stack != stacks[i].user)
			fail_msg("stack case %zu", i);
	}
}

/* Each says what to write instead. */
static void test_usage(void **state)
{
	static const struct {
		char *words[6];
		const char *says;
	} wrong[] = {
		{{"--ret"}, "no function; name one or more"},
		{{"f", "--pid", "0"}, "not a process number"},
		{{"f", "--for", "ten"}, "write 10s"},
		{{"f", "--slow", "1"}, "not a duration with its unit"},
		{{"f", "--slow", "0ms"}, "not a duration"},
		{{"f", "--count", "0"}, "not a number of calls"},
		{{"f", "--count=x"}, "not a number of calls"},
		{{"f", "--depth", "9"}, "from 0 to 8"},
		{{"f", "--depth", "-1"}, "from 0 to 8"},
		{{"f", "--maxactive", "1000000", "--ret"}, "at most 65536 calls"},
		{{"f", "--maxactive", "64"}, "write --ret too"},
		{{"f", "--stack", "kernle"}, "did you mean kernel?"},
		{{"f", "--if", " "}, "an expression is missing"},
		{{"f", "--by", "comm"}, "write --count --by EXPR"},
		{{"f", "--rate", "--by", "comm"}, "write --count --by EXPR"},
		{{"f", "--linear", "0,9,1"}, "write --hist EXPR --linear"},
		{{"f", "--hist", "x", "--linear", "nonsense"}, "write MIN,MAX,STEP"},
		{{"f", "--hist", "x", "--linear", "0,9"}, "write MIN,MAX,STEP"},
		{{"f", "--hist", "x", "--linear", "0,9,1,"}, "write MIN,MAX,STEP"},
		{{"f", "--hist", "x", "--linear", "0,9,99999999999999999999"}, "three numbers"},
		{{"f", "--hist", "x", "--linear", "0,9,0"}, "more than 0"},
		{{"f", "--hist", "x", "--linear", "9,9,1"}, "MIN must be less than MAX"},
		{{"f", "--hist", "x", "--linear", "0,257,1"}, "at most 256 bars"},
		{{"f", "--count", "--rate"}, "exclude each other"},
		{{"f", "--count", "--hist", "dur"}, "exclude each other"},
		{{"f", "--count", "--count", "5"}, "end it by --for"},
		{{"f", "--rate", "--count=5"}, "--rate shows none; end it by --for"},
		{{"f", "--count", "--args", "x"}, "--count --by EXPR"},
		{{"f", "--hist", "x", "--diff"}, "not with --hist"},
		{{"f", "--rate", "--stack", "user"}, "not with --rate"},
		{{"f", "--kernel"}, "--kernel goes with -p PID or -- CMD"},
		{{"f", "-p1", "--", "ls"}, "exclude each other"},
		{{"f", "--"}, "no command after --"},
		{{"f", "-p1", "--inject", "-12"}, "write --kernel too"},
		{{"f", "--ret", "--inject", "-12"}, "keeps functions from being called"},
		{{"f+4", "--after", "--ret"}, "need the whole function"},
		{{"f+4", "--after", "--count"}, "call by call"},
		{{"f", "--return"}, "unknown option '--return'"},
		{{"f", "--json=1"}, "takes no value"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cul_autofree char *text = NULL;
		char *const *w = wrong[i].words;

		if (run((char *[]){w[0], w[1], w[2], w[3], w[4], w[5], NULL}, &text) != 2)
			fail_msg("usage case %zu", i);
		assert_int_equal(fake.calls, 0);
		if (!strstr(text, wrong[i].says))
			fail_msg("'%s' is not in:\n%s", wrong[i].says, text);
	}
}

static void test_statuses(void **state)
{
	fake.answer = -ENOENT;
	assert_int_equal(RUN("f"), 1);
	fake.answer = 0;
	assert_int_equal(RUN("f", "-o", "/no/such/file"), 1);
	assert_int_equal(fake.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_implied),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
