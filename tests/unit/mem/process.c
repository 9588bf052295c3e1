/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "mem/mem.h"
#include "sys/fault.h"

static int reset(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	return 0;
}

/* Three pages: readable, without any permission, not mapped. Filled with 'm'. */
static char *three_pages(void)
{
	char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	memset(p, 'm', 3 * 4096);
	assert_int_equal(mprotect(p + 4096, 4096, PROT_NONE), 0);
	assert_int_equal(munmap(p + 2 * 4096, 4096), 0);
	return p;
}

static void our_own_memory_is_read(void **state)
{
	struct cul_error err = {0};
	struct cul_mem *mem;
	char *p = three_pages(), buf[16] = {0};

	assert_int_equal(cul_mem_process(getpid(), &mem, &err), 0);
	assert_int_equal(cul_mem_read(mem, (uintptr_t)p, buf, 15), 0);
	assert_string_equal(buf, "mmmmmmmmmmmmmmm");
	assert_int_equal(cul_mem_read(mem, (uintptr_t)p + 2 * 4096, buf, 1), -EFAULT);
	assert_int_equal(cul_mem_read(mem, (uintptr_t)p + 2 * 4096, buf, 0), 0);
	assert_int_equal(cul_mem_read(mem, UINT64_MAX - 3, buf, 8), -EFAULT);
	cul_mem_free(mem);
	munmap(p, 2 * 4096);
}

static void pages_without_permission_are_read(void **state)
{
	struct cul_mem *mem;
	char *p = three_pages(), buf[16] = {0};

	assert_int_equal(cul_mem_process(getpid(), &mem, NULL), 0);
	assert_int_equal(cul_mem_read(mem, (uintptr_t)p + 4096 - 8, buf, 15), 0);
	assert_string_equal(buf, "mmmmmmmmmmmmmmm");
	assert_int_equal(cul_mem_read(mem, (uintptr_t)p + 2 * 4096 - 8, buf, 15), -EFAULT);
	cul_mem_free(mem);
	munmap(p, 2 * 4096);
}

static void a_process_that_went_away_is_no_process(void **state)
{
	struct cul_error err = {0};
	struct cul_mem *mem;
	static char bytes[4] = "abc";
	char buf[4];
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(cul_mem_process(pid, &mem, &err), 0);
	assert_int_equal(cul_mem_read(mem, (uintptr_t)bytes, buf, 4), 0);
	assert_string_equal(buf, "abc");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(cul_mem_read(mem, (uintptr_t)bytes, buf, 4), -ESRCH);
	cul_mem_free(mem);
	assert_int_equal(cul_mem_process(pid, &mem, &err), -ESRCH);
	assert_non_null(strstr(err.text, "no such process"));
}

static void a_refusal_says_the_way_out(void **state)
{
	struct cul_error err = {0};
	struct cul_mem *mem = NULL;

	cul_sys_fail(CUL_SYS_OPEN, 0, EACCES);
	assert_int_equal(cul_mem_process(1, &mem, &err), -EPERM);
	assert_non_null(strstr(err.text, "CAP_SYS_PTRACE"));
	cul_sys_fail(CUL_SYS_OPEN, 0, EMFILE);
	assert_int_equal(cul_mem_process(1, &mem, &err), -EMFILE);
	cul_sys_fail_none();
	cul_alloc_fail_after(0);
	assert_int_equal(cul_mem_process(getpid(), &mem, &err), -ENOMEM);
	assert_null(mem);
}

static void either_way_of_reading_is_enough(void **state)
{
	struct cul_mem *mem;
	char bytes[4] = "abc", buf[4] = "";

	assert_int_equal(cul_mem_process(getpid(), &mem, NULL), 0);
	cul_sys_fail(CUL_SYS_PROCESS_VM_READV, 0, ENOSYS);
	assert_int_equal(cul_mem_read(mem, (uintptr_t)bytes, buf, 4), 0);
	assert_string_equal(buf, "abc");
	cul_sys_fail(CUL_SYS_PREAD, 0, EIO);
	assert_int_equal(cul_mem_read(mem, (uintptr_t)bytes, buf, 4), -EFAULT);
	cul_sys_fail(CUL_SYS_PROCESS_VM_READV, -1, 0);
	assert_int_equal(cul_mem_read(mem, (uintptr_t)bytes, buf, 4), 0);
	cul_mem_free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(our_own_memory_is_read, reset),
		cmocka_unit_test_teardown(pages_without_permission_are_read, reset),
		cmocka_unit_test_teardown(a_process_that_went_away_is_no_process, reset),
		cmocka_unit_test_teardown(a_refusal_says_the_way_out, reset),
		cmocka_unit_test_teardown(either_way_of_reading_is_enough, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
