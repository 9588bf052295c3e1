/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/users.h"

static void own_code_is_named(void **state)
{
	struct cul_users users = {0};
	struct cul_where where;

	cul_users_open(&users, getpid(), "self");
	cul_users_where(&users, getpid(), "self", (uint64_t)own_code_is_named, &where);
	assert_string_equal(where.function, "own_code_is_named");
	cul_users_where(&users, getpid(), "self", 0x10, &where);
	assert_null(where.function);
	assert_string_equal(where.module, "self");
	/* Another name: looked at again, and not for ever. */
	for (int i = 0; i < 2 * CUL_USERS_LOOKS; i++)
		cul_users_open(&users, getpid(), i % 2 ? "self" : "other");
	assert_int_equal(users.users[0].looks, CUL_USERS_LOOKS);
	cul_users_where(&users, getpid(), "self", (uint64_t)own_code_is_named, &where);
	assert_string_equal(where.function, "own_code_is_named");
	assert_int_equal(users.n, 1);
	assert_string_equal(cul_users_comm(&users, getpid()), "self");
	assert_string_equal(cul_users_comm(&users, 1), "");
	cul_users_free(&users);
}

static pid_t make_child(void)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void it_has_names_when_it_has_ended(void **state)
{
	struct cul_users users = {0};
	struct cul_where where;
	pid_t pid = make_child(), gone = make_child();

	end_child(gone);
	cul_users_open(&users, pid, "child");
	end_child(pid);
	cul_users_where(&users, pid, "child", (uint64_t)make_child, &where);
	assert_string_equal(where.function, "make_child");
	cul_users_open(&users, gone, "gone");
	cul_users_where(&users, gone, "gone", (uint64_t)make_child, &where);
	assert_null(where.function);
	assert_string_equal(where.module, "gone");
	cul_users_free(&users);
}

static void not_too_many(void **state)
{
	struct cul_users users = {0};
	struct cul_where where;

	/* There are no such processes. */
	for (int i = 0; i < CUL_USERS_MOST; i++)
		cul_users_open(&users, INT32_MAX - i, "x");
	assert_false(users.refused);
	cul_users_open(&users, getpid(), "self");
	assert_true(users.refused);
	cul_users_where(&users, getpid(), "self", (uint64_t)not_too_many, &where);
	assert_null(where.function);
	cul_users_free(&users);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_code_is_named),
		cmocka_unit_test(it_has_names_when_it_has_ended),
		cmocka_unit_test(not_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
