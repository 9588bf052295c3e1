/* SPDX-License-Identifier: GPL-2.0-or-later */
/* No register is armed here: every change comes from behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "own.h"
#include "sys/fault.h"

static struct own own;

static int set_up(void **state)
{
	own_start(&own);
	return 0;
}

static int tear_down(void **state)
{
	cul_sys_fail_none();
	own_end(&own);
	return 0;
}

static void start(void)
{
	struct cul_error err = {0};

	if (!own.loaded)
		skip();
	*(volatile int64_t *)&own_cell = 5;
	if (cul_watch_first_values(&own.run, &err))
		fail_msg("%s", err.text);
	own.run.looked_ns = own.run.start_ns;
}

static void a_change_with_no_store_is_told_once(void **state)
{
	struct cul_watch_state now;

	start();
	assert_int_equal(
		cul_watch_program_get_process_state(&own.run.program, getpid(), 0, &now), 0);
	assert_int_equal(now.known, 1);
	assert_int_equal(now.value[0], 5);
	assert_int_equal(cul_watch_look_behind(&own.run), 0);
	assert_int_equal(own.record.behind, 0);
	*(volatile int64_t *)&own_cell = 6;
	assert_int_equal(cul_watch_look_behind(&own.run), 0);
	assert_int_equal(cul_watch_look_behind(&own.run), 0);
	assert_int_equal(own.record.behind, 1);
	assert_int_equal(own.run.behind, 1);
	assert_true(own.run.looked_ns > own.run.start_ns);
	assert_int_equal(
		cul_watch_program_get_process_state(&own.run.program, getpid(), 0, &now), 0);
	assert_int_equal(now.value[0], 6);
	own.record.fail = -EPIPE;
	*(volatile int64_t *)&own_cell = 7;
	assert_int_equal(cul_watch_look_behind(&own.run), -EPIPE);
}

static void it_happened_after_the_last_store_that_was_seen(void **state)
{
	struct cul_watch_state now;

	start();
	assert_int_equal(
		cul_watch_program_get_process_state(&own.run.program, getpid(), 0, &now), 0);
	now.hits = 1;
	now.last_ns = cul_clock_now();
	cul_watch_program_set_process_state(&own.run.program, getpid(), 0, &now);
	*(volatile int64_t *)&own_cell = 6;
	assert_int_equal(cul_watch_look_behind(&own.run), 0);
	assert_int_equal(own.record.behind, 1);
	assert_int_equal(own.record.behind_from, now.last_ns - own.run.start_ns);
	assert_true(own.record.behind_to > own.record.behind_from);
	/* No store since: the last look. */
	now.last_ns = own.run.looked_ns;
	*(volatile int64_t *)&own_cell = 7;
	assert_int_equal(cul_watch_look_behind(&own.run), 0);
	assert_int_equal(own.record.behind_from, now.last_ns - own.run.start_ns);
}

static void a_value_that_is_being_stored_is_left_alone(void **state)
{
	struct cul_watch_state now;

	start();
	cul_watch_program_get_process_state(&own.run.program, getpid(), 0, &now);
	now.in_flight = 1;
	cul_watch_program_set_process_state(&own.run.program, getpid(), 0, &now);
	*(volatile int64_t *)&own_cell = 8;
	assert_int_equal(cul_watch_look_behind(&own.run), 0);
	now.in_flight = 0;
	now.known = 0;
	cul_watch_program_set_process_state(&own.run.program, getpid(), 0, &now);
	assert_int_equal(cul_watch_look_behind(&own.run), 0);
	assert_int_equal(own.record.behind, 0);
}

static void nobody_looks_when_there_is_nothing_to_see(void **state)
{
	start();
	*(volatile int64_t *)&own_cell = 9;
	own.run.disarmed = true;
	assert_int_equal(cul_watch_look_behind(&own.run), 0);
	own.run.disarmed = false;
	own.options.access = CUL_ACCESS_EXECUTE;
	assert_int_equal(cul_watch_look_behind(&own.run), 0);
	assert_int_equal(own.record.behind, 0);
}

static void first_values_that_cannot_be_handed_over_are_told(void **state)
{
	struct cul_error err = {0};

	if (!own.loaded)
		skip();
	cul_sys_fail(CUL_SYS_BPF, 0, EPERM);
	assert_int_equal(cul_watch_first_values(&own.run, &err), -EPERM);
	assert_non_null(strstr(err.text, "first values"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_change_with_no_store_is_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			it_happened_after_the_last_store_that_was_seen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_value_that_is_being_stored_is_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			nobody_looks_when_there_is_nothing_to_see, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			first_values_that_cannot_be_handed_over_are_told, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
