/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
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
	/* Unknown code: looked at again, and not for ever. */
	for (int i = 0; i < 2 * CUL_USERS_LOOKS; i++) {
		cul_users_where(&users, getpid(), "self", 0x10, &where);
		cul_users_open(&users, getpid(), "self");
	}
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

/* The first byte of code of the file whose name ends so, as /proc has it; 0: it is not mapped. */
static uint64_t code_of(pid_t pid, const char *name)
{
	char path[64], line[512], rights[8];
	unsigned long start = 0, found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%lx-%*x %7s", &start, rights) == 2 && rights[2] == 'x' &&
			strlen(line) > strlen(name) &&
			!strcmp(line + strlen(line) - strlen(name), name))
			found = start;
	}
	if (f)
		fclose(f);
	return found;
}

static void threads_names_are_no_other_program(void **state)
{
	struct cul_users users = {0};
	struct cul_where where;
	uint64_t addr = 0;
	int go[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (read(go[0], &byte, 1) == 1)
			execlp("sleep", "sleep", "60", NULL);
		_exit(1);
	}
	for (int i = 0; i < 2 * CUL_USERS_LOOKS; i++)
		cul_users_open(&users, pid, i % 2 ? "main" : "worker");
	assert_int_equal(users.users[0].looks, 0);
	assert_int_equal(write(go[1], "", 1), 1);
	for (int i = 0; i < 2000 && !addr; i++) {
		addr = code_of(pid, "/sleep");
		usleep(1000);
	}
	assert_true(addr);
	cul_users_open(&users, pid, "sleep");
	assert_int_equal(users.users[0].looks, 1);
	cul_users_where(&users, pid, "", addr, &where);
	assert_non_null(where.module);
	assert_non_null(strstr(where.module, "sleep"));
	cul_users_where(&users, pid, "", (uint64_t)make_child, &where);
	assert_null(where.module);
	/* Then these are its threads. */
	for (int i = 0; i < 2 * CUL_USERS_LOOKS; i++)
		cul_users_open(&users, pid, i % 2 ? "sleep" : "worker");
	assert_in_range(users.users[0].looks, 1, 2);
	end_child(pid);
	close(go[0]);
	close(go[1]);
	cul_users_free(&users);
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
		cmocka_unit_test(threads_names_are_no_other_program),
		cmocka_unit_test(it_has_names_when_it_has_ended),
		cmocka_unit_test(not_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
