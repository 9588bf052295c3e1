/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fault.h"
#include "trace/child.h"

static int reset(void **state)
{
	cul_sys_fail_none();
	return 0;
}

static char *const *shell(const char *script)
{
	static char *argv[4];

	argv[0] = (char *)"/bin/sh";
	argv[1] = (char *)"-c";
	argv[2] = (char *)script;
	return argv;
}

static void start(struct cul_child *c, const char *script)
{
	struct cul_error err = {0};

	if (cul_child_start(shell(script), c, &err))
		fail_msg("%s", err.text);
	assert_int_equal(c->state, CUL_CHILD_STOPPED);
}

static void wait_for(struct cul_child *c, enum cul_child_state state)
{
	struct pollfd fd = {.fd = c->signal_fd, .events = POLLIN};

	for (int i = 0; i < 100 && c->state != state; i++) {
		poll(&fd, 1, 100);
		cul_child_handle(c);
	}
	assert_int_equal(c->state, state);
}

static char state_of(pid_t pid)
{
	char path[64], state = '-';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = '?';
	if (f)
		fclose(f);
	return state;
}

static void a_command_is_held_at_its_start_and_its_end(void **state)
{
	struct cul_child c = {0};
	bool at_entry = false;

	start(&c, "exit 5");
	for (int i = 0; !at_entry && i < 1000; i++)
		assert_int_equal(cul_child_step(&c, &at_entry, NULL), 0);
	assert_true(at_entry);
	cul_child_end_steps(&c);
	assert_int_equal(c.entry_fd, -1);
	assert_int_equal(cul_child_run(&c, NULL), 0);
	wait_for(&c, CUL_CHILD_EXITING);
	assert_int_equal(WEXITSTATUS(c.status), 5);
	assert_int_equal(state_of(c.pid), 't');
	cul_child_release(&c);
	assert_int_equal(c.state, CUL_CHILD_EXITED);
	assert_int_equal(WEXITSTATUS(c.status), 5);
	cul_child_free(&c);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void steps_that_end_early_leave_no_trap(void **state)
{
	struct cul_child c = {0};
	bool at_entry;

	start(&c, "exit 6");
	assert_int_equal(cul_child_step(&c, &at_entry, NULL), 0);
	cul_child_end_steps(&c);
	assert_int_equal(cul_child_run(&c, NULL), 0);
	wait_for(&c, CUL_CHILD_EXITING);
	assert_true(WIFEXITED(c.status));
	assert_int_equal(WEXITSTATUS(c.status), 6);
	cul_child_free(&c);
}

static void its_signals_are_its_own(void **state)
{
	struct cul_child c = {0};

	start(&c, "trap 'exit 9' USR1; kill -USR1 $$; exit 1");
	assert_int_equal(cul_child_run(&c, NULL), 0);
	wait_for(&c, CUL_CHILD_EXITING);
	assert_int_equal(WEXITSTATUS(c.status), 9);
	cul_child_free(&c);
	start(&c, "kill -TERM $$");
	assert_int_equal(cul_child_run(&c, NULL), 0);
	wait_for(&c, CUL_CHILD_EXITING);
	assert_int_equal(WTERMSIG(c.status), SIGTERM);
	cul_child_free(&c);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void one_that_runs_goes_on_alone(void **state)
{
	struct cul_child c = {0};
	pid_t pid;
	int status;

	start(&c, "while :; do :; done");
	pid = c.pid;
	assert_int_equal(cul_child_run(&c, NULL), 0);
	cul_child_free(&c);
	assert_int_equal(c.state, CUL_CHILD_NONE);
	usleep(20000);
	assert_int_equal(state_of(pid), 'R');
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void one_that_never_ran_is_killed(void **state)
{
	struct cul_child c = {0};
	bool at_entry;

	start(&c, "sleep 100");
	assert_int_equal(cul_child_step(&c, &at_entry, NULL), 0);
	cul_child_free(&c);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	cul_child_free(&c);
}

static void what_cannot_be_started_is_told(void **state)
{
	char *missing[] = {(char *)"/nonexistent", NULL}, *directory[] = {(char *)"/", NULL};
	struct cul_child c = {.pid = 77};
	struct cul_error err = {0};

	assert_int_equal(cul_child_start(missing, &c, &err), -ENOENT);
	assert_string_equal(err.text, "/nonexistent: No such file or directory");
	assert_int_equal(cul_child_start(directory, &c, &err), -EACCES);
	assert_string_equal(err.text, "/: is a directory, not a program");
	cul_sys_fail_once(CUL_SYS_PTRACE, 0, EPERM);
	assert_int_equal(cul_child_start(shell("exit 0"), &c, &err), -EPERM);
	assert_non_null(strstr(err.text, "starting /bin/sh under trace"));
	/* It is held at its exit once more, for lack of a program, and cannot be let go. */
	cul_sys_fail_once(CUL_SYS_PTRACE, 1, EIO);
	assert_int_equal(cul_child_start(missing, &c, &err), -ENOENT);
	assert_int_equal(c.pid, 77);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void one_that_cannot_be_let_run_is_told(void **state)
{
	struct cul_child c = {0};
	struct cul_error err = {0};

	start(&c, "exit 0");
	cul_sys_fail_once(CUL_SYS_PTRACE, 0, EIO);
	assert_int_equal(cul_child_run(&c, &err), -EIO);
	assert_non_null(strstr(err.text, "letting the command run"));
	cul_child_free(&c);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_command_is_held_at_its_start_and_its_end, reset),
		cmocka_unit_test_teardown(steps_that_end_early_leave_no_trap, reset),
		cmocka_unit_test_teardown(its_signals_are_its_own, reset),
		cmocka_unit_test_teardown(one_that_runs_goes_on_alone, reset),
		cmocka_unit_test_teardown(one_that_never_ran_is_killed, reset),
		cmocka_unit_test_teardown(what_cannot_be_started_is_told, reset),
		cmocka_unit_test_teardown(one_that_cannot_be_let_run_is_told, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
