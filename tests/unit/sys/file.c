/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sys/fault.h"
#include "sys/file.h"

static int reset(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	return 0;
}

static void a_file_in_proc_is_read_whole(void **state)
{
	cul_autofree char *data = NULL;
	size_t size = 0;

	assert_int_equal(cul_sys_read_file("/proc/self/status", 1 << 20, &data, &size), 0);
	assert_int_equal(strlen(data), size);
	assert_memory_equal(data, "Name:", 5);
}

static void a_file_longer_than_allowed_is_refused(void **state)
{
	char *data = NULL;
	size_t size;

	assert_int_equal(cul_sys_read_file("/proc/self/status", 16, &data, &size), -EFBIG);
	assert_null(data);
}

static void calls_fail_when_told_to(void **state)
{
	char *data = NULL;
	size_t size;

	cul_sys_fail(CUL_SYS_OPEN, 0, EMFILE);
	assert_int_equal(cul_sys_read_file("/proc/self/status", 4096, &data, &size), -EMFILE);
	cul_sys_fail(CUL_SYS_OPEN, -1, 0);
	cul_sys_fail(CUL_SYS_READ, 1, EIO);
	assert_int_equal(cul_sys_read_file("/proc/self/status", 1 << 20, &data, &size), -EIO);
	cul_sys_fail_none();
	cul_alloc_fail_after(0);
	assert_int_equal(cul_sys_read_file("/proc/self/status", 1 << 20, &data, &size), -ENOMEM);
	assert_null(data);
}

static void reading_stops_at_the_end_of_the_file(void **state)
{
	cul_autoclose int fd = cul_sys_open("/proc/self/exe", O_RDONLY);
	char buf[8];
	off_t end;

	assert_true(fd >= 0);
	end = lseek(fd, 0, SEEK_END);
	assert_int_equal(cul_sys_pread_full(fd, buf, 8, (uint64_t)end - 3), 3);
	assert_int_equal(cul_sys_pread_full(fd, buf, 8, UINT64_MAX), -EINVAL);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_file_in_proc_is_read_whole, reset),
		cmocka_unit_test_teardown(a_file_longer_than_allowed_is_refused, reset),
		cmocka_unit_test_teardown(calls_fail_when_told_to, reset),
		cmocka_unit_test_teardown(reading_stops_at_the_end_of_the_file, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
