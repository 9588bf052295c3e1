/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A skipped test is none that passed. cmocka ends with 0 all the same; linked
 * with --wrap, each test program tells how many it skipped, and ends with
 * meson's status for a skip where there was nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { SKIPPED = 77 };

static size_t skips;

void __real__skip(const char *file, int line);
void __wrap__skip(const char *file, int line);
int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t n,
	CMFixtureFunction set_up, CMFixtureFunction tear_down);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t n,
	CMFixtureFunction set_up, CMFixtureFunction tear_down);

void __wrap__skip(const char *file, int line)
{
	skips++;
	__real__skip(file, line);
}

int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t n,
	CMFixtureFunction set_up, CMFixtureFunction tear_down)
{
	int failed = __real__cmocka_run_group_tests(name, tests, n, set_up, tear_down);

	/* ./check adds these up. */
	if (skips)
		print_message("%zu of %zu tests were skipped\n", skips, n);
	return !failed && skips == n ? SKIPPED : failed;
}
