/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes in all their states are stopped, looked at by way of /proc, and let go again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "look.h"
#include "stack/tasks.h"
#include "sys/fault.h"
#include "sys/process.h"
#include "victims.h"

enum { MS = 1000 * 1000 };

static struct victim victim; /* of most tests */

static int set_up(void **state)
{
	victim_start(&victim, NULL);
	return victim_goes_on(&victim) ? 0 : -1;
}

static int clean_up(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	return 0;
}

static int tear_down(void **state)
{
	clean_up(state);
	return victim_ends(&victim) ? 0 : -1;
}

static void all_stop_at_once_and_go_on(void **state)
{
	static struct tids tids;

	for (int i = 0; i < 20; i++) {
		struct look l = look(victim.pid, all_stand_still);

		assert_int_equal(l.ret, 0);
		assert_int_equal(in_state(&l, CUL_STOP_STOPPED), THREADS);
		list_threads(victim.pid, &tids);
		assert_int_equal(tids.n, l.stop.threads.len);
		for (size_t k = 0; k < tids.n; k++) {
			assert_non_null(of(&l, tids.tid[k]));
			assert_int_equal(l.stop.threads.data[k].signal, 0);
			assert_true(
				!k || l.stop.threads.data[k].tid > l.stop.threads.data[k - 1].tid);
		}
		assert_true(l.stop.since_ns && !l.stop.incomplete);
		assert_let_go(victim.pid);
		cul_stop_free(&l.stop);
		assert_null(l.stop.threads.data);
		assert_true(victim_goes_on(&victim));
	}
}

/* By what call, of those that one thread takes, `state` is what comes of `error`. */
static void one_refused(enum cul_sys_call call, int after, int error, enum cul_stop_state expected)
{
	struct look l;

	cul_sys_fail_once(call, after, error);
	l = look(victim.pid, all_stand_still);
	assert_int_equal(l.ret, 0);
	assert_int_equal(in_state(&l, CUL_STOP_STOPPED), THREADS - 1);
	assert_int_equal(in_state(&l, expected), 1);
	for (size_t i = 0; i < THREADS; i++)
		if (l.stop.threads.data[i].state == expected)
			assert_int_equal(l.stop.threads.data[i].error, -error);
	assert_true(l.took_ns < 10000ull * MS);
	assert_let_go(victim.pid);
	cul_stop_free(&l.stop);
	assert_true(victim_goes_on(&victim));
}

static void who_is_not_seized_does_not_hold_up_the_others(void **state)
{
	for (int i = 0; i < THREADS; i++) {
		one_refused(CUL_SYS_PTRACE, i, EPERM, CUL_STOP_REFUSED);
		one_refused(CUL_SYS_PTRACE, i, ESRCH, CUL_STOP_GONE);
		one_refused(CUL_SYS_PTRACE, THREADS + i, EIO, CUL_STOP_SEIZED);
	}
}

/* A thread of which it cannot be asked whether it has stopped, has: it is let go all the same. */
static void whose_stop_is_not_told_is_let_go(void **state)
{
	static const struct {
		int error;
		enum cul_stop_state state;
	} told[] = {{ECHILD, CUL_STOP_GONE}, {EIO, CUL_STOP_REFUSED}, {EINTR, CUL_STOP_STOPPED},
		{EAGAIN, CUL_STOP_STOPPED}};

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		struct look l;

		cul_sys_fail_once(CUL_SYS_WAIT, 0, told[i].error);
		l = look(victim.pid, NULL);
		assert_int_equal(l.ret, 0);
		assert_int_equal(l.stop.threads.data[0].state, told[i].state);
		assert_int_equal(in_state(&l, CUL_STOP_STOPPED),
			THREADS - (told[i].state != CUL_STOP_STOPPED));
		assert_let_go(victim.pid);
		cul_stop_free(&l.stop);
		assert_true(victim_goes_on(&victim));
	}
}

static void nobody_is_waited_for_for_ever(void **state)
{
	struct look l;

	cul_sys_fail(CUL_SYS_WAIT, 0, EAGAIN);
	l = look(victim.pid, NULL);
	assert_int_equal(l.ret, 0);
	assert_int_equal(in_state(&l, CUL_STOP_SEIZED), THREADS);
	assert_true(l.took_ns > 100ull * MS && l.took_ns < 10000ull * MS);
	assert_let_go(victim.pid);
	cul_stop_free(&l.stop);
	assert_true(victim_goes_on(&victim));
	cul_sys_fail(CUL_SYS_PTRACE, 0, EPERM);
	l = look(victim.pid, all_stand_still);
	assert_int_equal(l.ret, 0);
	assert_int_equal(in_state(&l, CUL_STOP_REFUSED), THREADS);
	cul_stop_free(&l.stop);
	assert_true(victim_goes_on(&victim));
}

static void memory_may_run_out(void **state)
{
	long after = 0;

	for (;; after++) {
		struct look l = look_failing(victim.pid, after, NULL);

		assert_let_go(victim.pid);
		assert_true(victim_goes_on(&victim));
		cul_stop_free(&l.stop);
		if (l.ret == 0)
			break;
		assert_int_equal(l.ret, -ENOMEM);
		assert_int_equal(l.err.code, -ENOMEM);
		assert_true(strlen(l.err.text) > 12);
	}
	assert_true(after > 0);
}

static void who_sigstop_has_stopped_stays_so(void **state)
{
	struct look l;

	assert_int_equal(kill(victim.pid, SIGSTOP), 0);
	await_state(victim.pid, victim.pid, 'T');
	for (int i = 0; i < 5; i++) {
		l = look(victim.pid, all_stand_still);
		assert_int_equal(l.ret, 0);
		assert_int_equal(in_state(&l, CUL_STOP_STOPPED), THREADS);
		for (size_t k = 0; k < THREADS; k++) {
			assert_int_equal(l.stop.threads.data[k].signal, 0);
			await_state(victim.pid, l.stop.threads.data[k].tid, 'T');
		}
		cul_stop_free(&l.stop);
	}
	assert_int_equal(kill(victim.pid, SIGCONT), 0);
	assert_true(victim_goes_on(&victim));
}

static unsigned still_told;

static void reap(struct look *l)
{
	cul_stop_reap(l->pid);
	for (size_t i = 0; i < l->stop.threads.len; i++)
		still_told += !cul_sys_ptrace_stop(l->stop.threads.data[i].tid, &(int){0});
}

static void who_has_stopped_is_not_reaped(void **state)
{
	struct look l = look(victim.pid, reap);

	assert_int_equal(still_told, THREADS);
	cul_stop_free(&l.stop);
}

static void stop_and_continue(struct look *l)
{
	kill(l->pid, SIGSTOP);
	kill(l->pid, SIGCONT);
	kill(l->pid, SIGSTOP);
}

static void sigstop_meanwhile_is_not_lost(void **state)
{
	struct look l = look(victim.pid, stop_and_continue);

	assert_int_equal(in_state(&l, CUL_STOP_STOPPED), THREADS);
	for (size_t k = 0; k < THREADS; k++)
		await_state(victim.pid, l.stop.threads.data[k].tid, 'T');
	cul_stop_free(&l.stop);
	assert_int_equal(kill(victim.pid, SIGCONT), 0);
	assert_true(victim_goes_on(&victim));
}

static void kill_it(struct look *l)
{
	kill(l->pid, SIGKILL);
}

static void who_is_killed_meanwhile_ends(void **state)
{
	struct look l;
	int status;

	victim_start(&victim, NULL);
	assert_true(victim_goes_on(&victim));
	l = look(victim.pid, kill_it);
	assert_int_equal(in_state(&l, CUL_STOP_STOPPED), THREADS);
	cul_stop_free(&l.stop);
	assert_int_equal(waitpid(victim.pid, &status, 0), victim.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(victim.to);
	close(victim.from);
	/* And now there is none. */
	l = look(victim.pid, NULL);
	assert_int_equal(l.ret, -ESRCH);
	assert_int_equal(l.err.code, -ESRCH);
	assert_non_null(strstr(l.err.text, "has ended"));
	assert_int_equal(l.stop.threads.len, 0);
}

static void who_is_traced_already_is_refused(void **state)
{
	int status, ends[2];
	struct look l;
	pid_t pid;
	char byte;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		static struct tids tids;

		list_threads(victim.pid, &tids);
		byte = tids.n > 1 && !ptrace(PTRACE_SEIZE, tids.tid[1], NULL, NULL) ? 'y' : 'n';
		if (write(ends[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	l = look(victim.pid, all_stand_still);
	assert_int_equal(in_state(&l, CUL_STOP_STOPPED), THREADS - 1);
	assert_int_equal(l.stop.threads.data[1].state, CUL_STOP_REFUSED);
	assert_int_equal(l.stop.threads.data[1].error, -EPERM);
	cul_stop_free(&l.stop);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(ends[0]);
	close(ends[1]);
	assert_true(victim_goes_on(&victim));
}

/*
 * Its second thread makes another program of it, again and again: threads end in the middle of the
 * stop, and another takes the number of the first. None is left stopped, none gets a signal.
 */
static void another_program_meanwhile(void **state)
{
	int status;

	victim_start(&victim, "exec");
	for (int i = 0; i < 60; i++) {
		struct look l;

		assert_true(victim_says(&victim));
		usleep((unsigned)(i * 53 % 1500));
		l = look(victim.pid, NULL);
		assert_int_equal(l.ret, 0);
		assert_true(l.stop.threads.len > 0);
		for (size_t k = 0; k < l.stop.threads.len; k++)
			assert_int_equal(l.stop.threads.data[k].signal, 0);
		cul_stop_free(&l.stop);
	}
	assert_true(victim_says(&victim));
	kill(victim.pid, SIGKILL);
	assert_int_equal(waitpid(victim.pid, &status, 0), victim.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(victim.to);
	close(victim.from);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define OWN(f)  cmocka_unit_test_teardown(f, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_stop_at_once_and_go_on),
		TEST(who_is_not_seized_does_not_hold_up_the_others),
		TEST(whose_stop_is_not_told_is_let_go),
		TEST(nobody_is_waited_for_for_ever),
		TEST(memory_may_run_out),
		TEST(who_sigstop_has_stopped_stays_so),
		TEST(who_has_stopped_is_not_reaped),
		TEST(sigstop_meanwhile_is_not_lost),
		TEST(who_is_traced_already_is_refused),
		OWN(who_is_killed_meanwhile_ends),
		OWN(another_program_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
