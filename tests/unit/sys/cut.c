/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/cut.h"
#include "sys/file.h"

static const char *mapped(char *path, size_t size, int *fd)
{
	cul_autofree char *bytes = malloc(size);
	void *map = NULL;

	*fd = mkstemp(path);
	assert_true(*fd >= 0 && bytes);
	memset(bytes, 'x', size);
	assert_int_equal(write(*fd, bytes, size), size);
	assert_int_equal(cul_sys_mmap(*fd, size, &map), 0);
	return map;
}

static void what_is_gone_reads_as_zeros(void **state)
{
	char path[] = "/tmp/culprit-test-XXXXXX";
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const char *map;
	int fd;

	cul_sys_cut_guard();
	map = mapped(path, 4 * page, &fd);
	assert_int_equal(map[3 * page], 'x');
	assert_null(cul_sys_cut_file());
	assert_int_equal(ftruncate(fd, (off_t)page + 10), 0);
	assert_int_equal(map[page - 1], 'x');
	assert_int_equal(map[page + 9], 'x');
	assert_null(cul_sys_cut_file());
	for (size_t i = 2 * page; i < 4 * page; i++)
		assert_int_equal(map[i], 0);
	assert_string_equal(cul_sys_cut_file(), path);
	assert_int_equal(map[page + 9], 'x');
	munmap((void *)map, 4 * page);
	close(fd);
	unlink(path);
}

/* From somebody, or of a misaligned access: it ends us as ever. */
static void other_signals_end_us(void **state)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		cul_sys_cut_guard();
		raise(SIGBUS);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_gone_reads_as_zeros),
		cmocka_unit_test(other_signals_end_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
