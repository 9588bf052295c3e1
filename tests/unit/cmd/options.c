/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/options.h"

enum { FOR = 1, JSON, PID, VERBOSE, SECRET, TIMES };

static const struct cul_option table[] = {
	{FOR, "for", 0, "DURATION", "end after this"},
	{JSON, "json", 'j', NULL, "objects"},
	{PID, "pid", 'p', "PID", "a process"},
	{VERBOSE, "verbose", 'v', NULL, "an option whose name is rather long"},
	{SECRET, "secret", 0, NULL, NULL},
	{TIMES, "times", 't', "N", "this often", .optional = true},
	CUL_OPTIONS_TAIL,
};

struct step {
	int id;
	const char *value;
};

static void expect(char **argv, const struct step *steps, const char *command)
{
	struct cul_options_reader r;
	struct cul_error err = {0};
	const char *value;
	int id;

	cul_options_start(&r, table, argv);
	do {
		id = cul_options_next(&r, &value, &err);
		assert_int_equal(id, steps->id);
		if (steps->value)
			assert_string_equal(id < 0 ? err.text : value, steps->value);
		else
			assert_null(value);
		steps++;
	} while (id > 0);
	if (id < 0)
		return;
	if (command)
		assert_string_equal(r.command[0], command);
	else
		assert_null(r.command);
	assert_int_equal(cul_options_next(&r, &value, &err), CUL_OPTIONS_END);
}

#define ARGS(...)  ((char *[]){__VA_ARGS__, NULL})
#define STEPS(...) ((const struct step[]){__VA_ARGS__, {CUL_OPTIONS_END, NULL}})
#define OPERAND(s)                                                                                 \
	{                                                                                          \
		CUL_OPTIONS_OPERAND, s                                                             \
	}
#define WRONG(s)                                                                                   \
	{                                                                                          \
		-EINVAL, s                                                                         \
	}

static void test_forms(void **state)
{
	expect((char *[]){NULL}, STEPS({CUL_OPTIONS_END, NULL}), NULL);
	expect(ARGS("--for", "10s", "x", "--json"), STEPS({FOR, "10s"}, OPERAND("x"), {JSON, NULL}),
		NULL);
	expect(ARGS("--for=10s", "--for="), STEPS({FOR, "10s"}, {FOR, ""}), NULL);
	expect(ARGS("-p5", "-p", "6", "-p=7"), STEPS({PID, "5"}, {PID, "6"}, {PID, "7"}), NULL);
	expect(ARGS("-jvp", "8", "-vj", "y"),
		STEPS({JSON, NULL}, {VERBOSE, NULL}, {PID, "8"}, {VERBOSE, NULL}, {JSON, NULL},
			OPERAND("y")),
		NULL);
	expect(ARGS("-jp9"), STEPS({JSON, NULL}, {PID, "9"}), NULL);
	expect(ARGS("-", "-h"), STEPS(OPERAND("-"), {CUL_OPTION_HELP, NULL}), NULL);
	expect(ARGS("--secret"), STEPS({SECRET, NULL}), NULL);
}

/* A number that may be left out is taken only when it is one. */
static void test_optional(void **state)
{
	expect(ARGS("--times"), STEPS({TIMES, NULL}), NULL);
	expect(ARGS("--times", "12", "x"), STEPS({TIMES, "12"}, OPERAND("x")), NULL);
	expect(ARGS("--times", "12x"), STEPS({TIMES, NULL}, OPERAND("12x")), NULL);
	expect(ARGS("--times", "0x12"), STEPS({TIMES, NULL}, OPERAND("0x12")), NULL);
	expect(ARGS("--times", ""), STEPS({TIMES, NULL}, OPERAND("")), NULL);
	expect(ARGS("--times", "-j"), STEPS({TIMES, NULL}, {JSON, NULL}), NULL);
	expect(ARGS("--times=12x", "--times="), STEPS({TIMES, "12x"}, {TIMES, ""}), NULL);
	expect(ARGS("--times", "--times", "3"), STEPS({TIMES, NULL}, {TIMES, "3"}), NULL);
	expect(ARGS("--times", "--", "3"), STEPS({TIMES, NULL}), "3");
	expect(ARGS("-t"), STEPS({TIMES, NULL}), NULL);
	expect(ARGS("-t", "4", "-t5"), STEPS({TIMES, "4"}, {TIMES, "5"}), NULL);
	expect(ARGS("-jtv", "6"), STEPS({JSON, NULL}, {TIMES, NULL}, {VERBOSE, NULL}, OPERAND("6")),
		NULL);
}

static void test_command(void **state)
{
	expect(ARGS("x", "--", "ls", "--json"), STEPS(OPERAND("x")), "ls");
	expect(ARGS("--for", "--", "--", "ls"), STEPS({FOR, "--"}), "ls");
}

static void test_errors(void **state)
{
	expect(ARGS("--fro"), STEPS(WRONG("unknown option '--fro'; did you mean --for?")), NULL);
	expect(ARGS("--verb=1"), STEPS(WRONG("unknown option '--verb'; did you mean --verbose?")),
		NULL);
	expect(ARGS("--secre"), STEPS(WRONG("unknown option '--secre'")), NULL);
	expect(ARGS("--xylophone"), STEPS(WRONG("unknown option '--xylophone'")), NULL);
	expect(ARGS("-x"), STEPS(WRONG("unknown option '-x'")), NULL);
	expect(ARGS("-jx"), STEPS({JSON, NULL}, WRONG("unknown option '-x'")), NULL);
	expect(ARGS("--json=1"), STEPS(WRONG("--json takes no value")), NULL);
	expect(ARGS("--for"), STEPS(WRONG("--for needs a value: --for DURATION")), NULL);
	expect(ARGS("-p"), STEPS(WRONG("--pid needs a value: --pid PID")), NULL);
}

static void test_nearest(void **state)
{
	static const char *const names[] = {"watch", "doctor", "help", NULL};

	assert_string_equal(cul_options_nearest("wacth", names), "watch");
	assert_string_equal(cul_options_nearest("doc", names), "doctor");
	assert_string_equal(cul_options_nearest("hlp", names), "help");
	assert_null(cul_options_nearest("unwatchable", names));
	assert_null(cul_options_nearest("ls", names));
}

static void test_help(void **state)
{
	const struct cul_style style = {.width = 44};
	struct cul_lines lines = {.style = &style};

	cul_options_help(&lines, table);
	assert_string_equal(cul_str_text(&lines.text),
		"  --for DURATION        end after this\n"
		"  -j, --json            objects\n"
		"  -p, --pid PID         a process\n"
		"  -v, --verbose         an option whose name\n"
		"                        is rather long\n"
		"  -t, --times [N]       this often\n"
		"  -h, --help            show this help\n");
	cul_lines_free(&lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_optional),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
