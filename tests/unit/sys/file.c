/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
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

/* What is no regular file is not even opened, says whoever watches it. */
static void only_regular_files_are_opened(void **state)
{
	char dir[] = "/tmp/culprit-test-XXXXXX", path[64], link[64];
	struct inotify_event event;
	int fd, watch;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(symlink(path, link), 0);
	watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	assert_true(inotify_add_watch(watch, path, IN_OPEN) >= 0);
	assert_int_equal(cul_sys_open_regular(path), -ENOEXEC);
	assert_int_equal(cul_sys_open_regular(link), -ENOEXEC);
	assert_int_equal(read(watch, &event, sizeof(event)), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(cul_sys_open_regular("/dev/null"), -ENOEXEC);
	assert_int_equal(cul_sys_open_regular(dir), -EISDIR);
	unlink(path);
	assert_int_equal(cul_sys_open_regular(link), -ENOENT);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	assert_true(inotify_add_watch(watch, path, IN_OPEN) >= 0);
	fd = cul_sys_open_regular(link);
	assert_int_equal(read(fd, path, 1), 1);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	assert_int_equal(read(watch, &event, sizeof(event)), sizeof(event));
	close(watch);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	unlink(path);
	unlink(link);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_file_in_proc_is_read_whole, reset),
		cmocka_unit_test_teardown(a_file_longer_than_allowed_is_refused, reset),
		cmocka_unit_test_teardown(calls_fail_when_told_to, reset),
		cmocka_unit_test_teardown(reading_stops_at_the_end_of_the_file, reset),
		cmocka_unit_test_teardown(only_regular_files_are_opened, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
