/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "own.h"
#include "sys/fault.h"
#include "watch/filter.h"

static struct own own;

static int set_up(void **state)
{
	own_start(&own);
	return 0;
}

static int tear_down(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	own_end(&own);
	return 0;
}

static int load_and_tell(const char *condition, const char *expect, bool *uses_old, bool *none,
	struct cul_error *err)
{
	const struct cul_watch_filter f = {.target = &own.run.targets[0],
		.scope = own.run.scope,
		.condition = condition,
		.expect = expect,
		.heres_fd = find_map("heres"),
		.programs_fd = find_map("programs")};

	return cul_watch_filter_load(&f, uses_old, none, err);
}

static int load(const char *condition, const char *expect, bool *uses_old, struct cul_error *err)
{
	bool none;

	return load_and_tell(condition, expect, uses_old, &none, err);
}

static void expressions_become_programs(void **state)
{
	static const char *const good[] = {"new > 3", "old != new", "comm == \"cat\" && pid == 1",
		"cpu < 64 || tid == 7", "new == own_cell", "(unsigned char)new == 0x80", NULL};
	struct cul_error err = {0};
	bool uses_old;
	int fd;

	if (!own.loaded)
		skip();
	for (int i = 0; good[i]; i++) {
		fd = load(good[i], NULL, &uses_old, &err);
		if (fd < 0)
			fail_msg("%s: %s", good[i], err.text);
		close(fd);
		uses_old = i != 1;
		fd = load(i % 2 ? good[0] : NULL, good[i], &uses_old, &err);
		assert_true(fd >= 0);
		assert_int_equal(uses_old, i == 1);
		close(fd);
	}
}

static void none_is_wanted_when_nothing_is_asked(void **state)
{
	static const struct {
		const char *condition, *expect;
		bool none;
	} cases[] = {
		{"0", NULL, true},
		{"2 - 1 == 3", NULL, true},
		{"0", "new > 3", true},
		{"new > 3", "1", true},
		{NULL, "1", true},
		{"1", NULL, false},
		{NULL, "0", false},
		{"1", "0", false},
		{"cpu * 0", NULL, false}, /* not looked at so closely */
		{"new != new", NULL, false},
		{"own_cell && 0", NULL, false},
		{"1 / 0", NULL, false},
	};
	struct cul_error err = {0};
	bool uses_old, none;
	int fd;

	if (!own.loaded)
		skip();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		none = !cases[i].none;
		fd = load_and_tell(cases[i].condition, cases[i].expect, &uses_old, &none, &err);
		if (fd < 0 || none != cases[i].none)
			fail_msg("case %zu: %d %s", i, none, err.text);
		close(fd);
	}
}

static void a_fault_has_its_place(void **state)
{
	static const struct {
		const char *text, *words;
	} faults[] = {{"new >", "^"}, {"nwe > 3", "nwe"}, {"new > )", "^"}, {"new.x == 1", "^"},
		{"own_shape.nothing", "^"}};
	struct cul_error err;
	bool uses_old;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		memset(&err, 0, sizeof(err));
		assert_true(load(faults[i].text, NULL, &uses_old, &err) < 0);
		assert_non_null(strstr(err.text, faults[i].words));
		assert_memory_equal(err.text, "--if: ", 6);
		assert_true(load(NULL, faults[i].text, &uses_old, &err) < 0);
		assert_memory_equal(err.text, "--expect: ", 10);
	}
}

static void there_is_not_always_a_value(void **state)
{
	struct cul_watch_filter f = {.target = &own.run.targets[0],
		.scope = own.run.scope,
		.condition = "new > 1",
		.execute = true};
	struct cul_error err = {0};
	bool uses_old, none;

	assert_int_equal(cul_watch_filter_load(&f, &uses_old, &none, &err), -EINVAL);
	assert_non_null(strstr(err.text, "with --exec"));
	f.execute = false;
	own.run.targets[0].size = 16;
	assert_int_equal(cul_watch_filter_load(&f, &uses_old, &none, &err), -EINVAL);
	assert_non_null(strstr(err.text, "watch one member"));
}

static void what_the_kernel_refuses_is_told(void **state)
{
	struct cul_error err = {0};
	bool uses_old;
	int r = -1;

	cul_sys_fail(CUL_SYS_BPF, 0, EPERM);
	assert_int_equal(load("new > 3", NULL, &uses_old, &err), -EPERM);
	assert_non_null(strstr(err.text, "verifier refuses the filter"));
	cul_sys_fail_none();
	if (!own.loaded)
		skip();
	for (int n = 0; n < 200 && r < 0; n++) {
		cul_alloc_fail_after(n);
		memset(&err, 0, sizeof(err));
		r = load("new > old && comm == \"x\"", "own_cell > 1", &uses_old, &err);
		assert_true(r >= 0 || err.text[0]);
	}
	assert_true(r >= 0);
	close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(expressions_become_programs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			none_is_wanted_when_nothing_is_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_fault_has_its_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_is_not_always_a_value, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_the_kernel_refuses_is_told, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
