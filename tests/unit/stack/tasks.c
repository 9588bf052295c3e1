/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc tells of threads, as it is and as nobody should write it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stack/tasks.h"

static void test_stat(void **state)
{
	struct cul_task_stat stat;

	assert_int_equal(cul_task_parse_stat("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0\n", &stat), 0);
	assert_string_equal(stat.name, "kthreadd");
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.parent, 0);
	assert_true(stat.kernel_thread);
	assert_int_equal(
		cul_task_parse_stat("81 (a) R (b)\n) c) D 7 81 81 0 -1 4194304 9\n", &stat), 0);
	assert_string_equal(stat.name, "a) R (b)\n) c");
	assert_int_equal(stat.state, 'D');
	assert_int_equal(stat.parent, 7);
	assert_false(stat.kernel_thread);
}

static void test_stat_is_hostile(void **state)
{
	static const char *const bad[] = {"", "(", ")", "1 ) S (", "1 (x)", "1 (x) ", "1 (x) S",
		"1 (x) S 1", "1 (x) S 1 2 3 4 5", "1 (x) S 1 2 3 4 5 x", "1 (x)S 1 2 3 4 5 6"};
	struct cul_task_stat stat;
	char long_name[400];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cul_task_parse_stat(bad[i], &stat), -EBADMSG);
	memset(long_name, 'n', sizeof(long_name));
	memcpy(long_name, "1 (", 3);
	memcpy(long_name + sizeof(long_name) - 20, ") S 1 2 3 4 5 6 7\n", 19);
	assert_int_equal(cul_task_parse_stat(long_name, &stat), 0);
	assert_int_equal(strlen(stat.name), sizeof(stat.name) - 1);
}

static void test_status(void **state)
{
	static const char text[] = "Name:\tTgid:\\nTgid:\nUmask:\t0022\nState:\tR (running)\n"
				   "Tgid:\t812\nNgid:\t0\nPid:\t813\nTracerPid:\t-1\nlast:\t7";
	int value = 5;

	assert_int_equal(cul_task_parse_status(text, "Tgid", &value), 0);
	assert_int_equal(value, 812);
	assert_int_equal(cul_task_parse_status(text, "Pid", &value), 0);
	assert_int_equal(value, 813);
	assert_int_equal(cul_task_parse_status(text, "TracerPid", &value), 0);
	assert_int_equal(value, -1);
	assert_int_equal(cul_task_parse_status(text, "last", &value), 0);
	assert_int_equal(value, 7);
	assert_int_equal(cul_task_parse_status(text, "Tgi", &value), -ENOENT);
	assert_int_equal(cul_task_parse_status(text, "PPid", &value), -ENOENT);
	assert_int_equal(cul_task_parse_status("", "Tgid", &value), -ENOENT);
	assert_int_equal(cul_task_parse_status("\n\n", "Tgid", &value), -ENOENT);
	assert_int_equal(cul_task_parse_status("Tgid", "Tgid", &value), -ENOENT);
	assert_int_equal(cul_task_parse_status("Tgid:", "Tgid", &value), -EBADMSG);
	assert_int_equal(cul_task_parse_status("Tgid:\tx\n", "Tgid", &value), -EBADMSG);
	assert_int_equal(cul_task_parse_status("Tgid:\t2147483648\n", "Tgid", &value), -EBADMSG);
	assert_int_equal(value, 7);
}

static void test_own_stat(void **state)
{
	struct cul_task_stat stat;
	char text[512];

	assert_int_equal(cul_task_read(getpid(), getpid(), "stat", text, sizeof(text)), 0);
	assert_int_equal(cul_task_parse_stat(text, &stat), 0);
	assert_int_equal(stat.parent, getppid());
	assert_int_equal(stat.state, 'R');
	assert_int_equal(cul_task_state(getpid(), getpid()), 'R');
	assert_int_equal(cul_task_state(getpid(), 0x7ffffff0), 0);
}

static void test_syscall(void **state)
{
	struct cul_task_blocked at;

	assert_int_equal(cul_task_parse_syscall("0 0x3 0x7f6109ff3000 0x20000 0x1 0xffffffff 0x0 "
						"0x7ffea9f81f68 0x7f610a16c2ad\n",
				 &at),
		0);
	assert_int_equal(at.nr, 0);
	assert_true(at.args[1] == 0x7f6109ff3000 && at.args[4] == 0xffffffff);
	assert_true(at.sp == 0x7ffea9f81f68 && at.pc == 0x7f610a16c2ad);
	assert_int_equal(cul_task_parse_syscall("-1 0x7ffe 0x401000\n", &at), 0);
	assert_int_equal(at.nr, -1);
	assert_true(at.sp == 0x7ffe && at.pc == 0x401000 && at.args[0] == 0);
	assert_int_equal(cul_task_parse_syscall("running\n", &at), -EAGAIN);
	assert_int_equal(cul_task_parse_syscall("", &at), -EBADMSG);
	assert_int_equal(cul_task_parse_syscall("5 0x1 0x2\n", &at), -EBADMSG);
	assert_int_equal(cul_task_parse_syscall("-1 0x1\n", &at), -EBADMSG);
	assert_int_equal(cul_task_parse_syscall("x 0x1 0x2\n", &at), -EBADMSG);
}

static void test_stack(void **state)
{
	struct cul_kernel_frames frames = {0};
	struct cul_arena arena = {0};

	assert_int_equal(cul_task_parse_stack("[<0>] do_wait+0x4c/0xe0\n"
					      "[<0>] ext4_sync.part.0+0x10/0x20 [ext4]\n"
					      "[<ffffffff81000000>] old_form+0x1/0x2\n"
					      "[<0>] 0xffffffffc0001234+0x0/0x1",
				 &arena, &frames),
		0);
	assert_int_equal(frames.len, 4);
	assert_string_equal(frames.data[0].where.function, "do_wait");
	assert_int_equal(frames.data[0].where.offset, 0x4c);
	assert_string_equal(frames.data[0].where.module, "vmlinux");
	assert_string_equal(frames.data[0].method, "/proc");
	assert_string_equal(frames.data[1].where.function, "ext4_sync.part.0");
	assert_string_equal(frames.data[1].where.module, "ext4");
	assert_string_equal(frames.data[2].where.function, "old_form");
	free(frames.data);
	cul_arena_free(&arena);
}

static void test_stack_is_hostile(void **state)
{
	static const char *const bad[] = {"\n", "x", "[<0>]", "[<0>]\nname+0x1/0x2", "[<0>] name",
		"[<0>] +0x1/0x2", "[<0>] name+", "[<0>] name+0x1", "[<0>] name+\n0x1/0x2",
		"[<0>] a+0x1/0x2\nrubbish"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct cul_kernel_frames frames = {0};
		struct cul_arena arena = {0};

		assert_int_equal(cul_task_parse_stack(bad[i], &arena, &frames), -EBADMSG);
		free(frames.data);
		cul_arena_free(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_stat_is_hostile),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_own_stat),
		cmocka_unit_test(test_syscall),
		cmocka_unit_test(test_stack),
		cmocka_unit_test(test_stack_is_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
