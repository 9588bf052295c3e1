/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sys/fault.h"
#include "sys/perf.h"
#include "trace/breakpoint.h"

static volatile uint64_t cells[2];

static int reset(void **state)
{
	cul_sys_fail_none();
	return 0;
}

static struct cul_breakpoint on_cell(int i)
{
	return (struct cul_breakpoint){.addr = (uintptr_t)&cells[i],
		.len = 8,
		.access = CUL_ACCESS_WRITE,
		.tid = 0,
		.cpu = -1,
		.user_only = true};
}

static int open_or_skip(const struct cul_breakpoint *bp)
{
	struct cul_error err = {0};
	int fd = cul_breakpoint_open(bp, -1, &err);

	if (fd < 0) {
		print_message("skipped: %s\n", err.text);
		skip();
	}
	return fd;
}

static void it_counts_and_moves(void **state)
{
	struct cul_breakpoint bp = on_cell(0), to = on_cell(1);
	int fd = open_or_skip(&bp);
	struct cul_perf_count count;

	cells[0] = 1; /* opened disabled */
	assert_int_equal(cul_sys_perf_enable(fd), 0);
	cells[0] = 2;
	cells[1] = 2;
	assert_int_equal(cul_breakpoint_move(fd, &to, NULL), 0);
	cells[0] = 3;
	cells[1] = 3;
	cells[1] = 4;
	assert_int_equal(cul_sys_perf_disable(fd), 0);
	cells[1] = 5;
	assert_int_equal(cul_sys_perf_read(fd, &count), 0);
	assert_int_equal(count.value, 3);
	close(fd);
}

static void a_register_too_many_is_told(void **state)
{
	struct cul_breakpoint bp = on_cell(0);
	struct cul_error err = {0};
	int fds[64], n = 0;

	fds[n++] = open_or_skip(&bp);
	while (n < 64 && (fds[n] = cul_breakpoint_open(&bp, -1, &err)) >= 0)
		n++;
	assert_in_range(n, 1, 63);
	assert_int_equal(fds[n], -ENOSPC);
	assert_non_null(strstr(err.text, "no free debug register"));
	while (n)
		close(fds[--n]);
}

static void every_refusal_has_its_words(void **state)
{
	static const struct {
		int error;
		const char *words;
	} refusals[] = {{ENOSPC, "no free debug register"}, {EPERM, "CAP_PERFMON"},
		{EACCES, "run as root"}, {EINVAL, "allows no breakpoint"}, {ESRCH, "is gone"},
		{ENOENT, "no hardware breakpoints"}, {ENODEV, "no hardware breakpoints"},
		{EOPNOTSUPP, "no hardware breakpoints"}, {EMFILE, "ulimit -n"},
		{EIO, "Input/output error"}};
	struct cul_breakpoint bp = on_cell(0);
	struct cul_error err;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		cul_sys_fail(CUL_SYS_PERF_EVENT_OPEN, 0, refusals[i].error);
		memset(&err, 0, sizeof(err));
		bp.tid = i % 2 ? 0 : -1;
		bp.cpu = i % 2 ? -1 : 1;
		assert_int_equal(cul_breakpoint_open(&bp, -1, &err), -refusals[i].error);
		assert_non_null(strstr(err.text, refusals[i].words));
		assert_non_null(strstr(err.text, i % 2 ? "this thread" : "CPU 1"));
		assert_int_equal(cul_breakpoint_open(&bp, -1, NULL), -refusals[i].error);
	}
	cul_sys_fail(CUL_SYS_PERF_EVENT_OPEN, 0, EINVAL);
	for (bp.len = 1; bp.len <= 2; bp.len++) {
		cul_breakpoint_open(&bp, -1, &err);
		assert_non_null(strstr(err.text, bp.len == 1 ? "of 1 byte at" : "of 2 bytes at"));
	}
}

static void an_older_kernel_does_without_remove_on_exec(void **state)
{
	struct cul_breakpoint bp = on_cell(0);
	int fd;

	close(open_or_skip(&bp));
	cul_sys_fail_once(CUL_SYS_PERF_EVENT_OPEN, 0, E2BIG);
	fd = cul_breakpoint_open(&bp, -1, NULL);
	assert_true(fd >= 0);
	close(fd);
	/* It cannot do without SIGTRAP. */
	bp.sigtrap = true;
	cul_sys_fail_once(CUL_SYS_PERF_EVENT_OPEN, 0, E2BIG);
	assert_int_equal(cul_breakpoint_open(&bp, -1, NULL), -E2BIG);
}

static void a_program_that_cannot_be_attached_leaves_nothing(void **state)
{
	struct cul_breakpoint bp = on_cell(0);
	struct cul_error err = {0};
	int fd = open_or_skip(&bp), again;

	close(fd);
	assert_true(cul_breakpoint_open(&bp, 0, &err) < 0);
	assert_non_null(strstr(err.text, "attaching a BPF program"));
	again = cul_breakpoint_open(&bp, -1, &err);
	assert_int_equal(again, fd);
	cul_sys_fail(CUL_SYS_PERF_IOCTL, 0, EINVAL);
	assert_int_equal(cul_breakpoint_move(again, &bp, &err), -EINVAL);
	close(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(it_counts_and_moves, reset),
		cmocka_unit_test_teardown(a_register_too_many_is_told, reset),
		cmocka_unit_test_teardown(every_refusal_has_its_words, reset),
		cmocka_unit_test_teardown(an_older_kernel_does_without_remove_on_exec, reset),
		cmocka_unit_test_teardown(a_program_that_cannot_be_attached_leaves_nothing, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
