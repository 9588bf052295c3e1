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

enum { THREADS = 4, MS = 1000 * 1000 };

/* The victim of most tests: unit-stack-victim, of THREADS threads. */
static struct {
	pid_t pid;
	int to, from;
} victim;

static void start_victim(const char *how)
{
	int to[2], from[2];

	assert_int_equal(pipe(to) | pipe(from), 0);
	victim.pid = fork();
	if (!victim.pid) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[0]);
		close(to[1]);
		close(from[0]);
		close(from[1]);
		execl(STACK_VICTIM, STACK_VICTIM, how, NULL);
		_exit(1);
	}
	close(to[0]);
	close(from[1]);
	victim.to = to[1];
	victim.from = from[0];
}

static bool says(void)
{
	struct pollfd fd = {.fd = victim.from, .events = POLLIN};
	char byte;

	return poll(&fd, 1, PATIENCE_MS) == 1 && read(victim.from, &byte, 1) == 1;
}

/* Every thread of it takes a step. */
static bool goes_on(void)
{
	return write(victim.to, "x", 1) == 1 && says();
}

static int set_up(void **state)
{
	start_victim(NULL);
	return goes_on() ? 0 : -1;
}

static int clean_up(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	return 0;
}

static int tear_down(void **state)
{
	int status;

	clean_up(state);
	close(victim.to);
	close(victim.from);
	return waitpid(victim.pid, &status, 0) == victim.pid && WIFEXITED(status) ? 0 : -1;
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
		assert_true(goes_on());
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
	assert_true(goes_on());
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
		assert_true(goes_on());
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
	assert_true(goes_on());
	cul_sys_fail(CUL_SYS_PTRACE, 0, EPERM);
	l = look(victim.pid, all_stand_still);
	assert_int_equal(l.ret, 0);
	assert_int_equal(in_state(&l, CUL_STOP_REFUSED), THREADS);
	cul_stop_free(&l.stop);
	assert_true(goes_on());
}

static void memory_may_run_out(void **state)
{
	long after = 0;

	for (;; after++) {
		struct look l = look_failing(victim.pid, after, NULL);

		assert_let_go(victim.pid);
		assert_true(goes_on());
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
	assert_true(goes_on());
}

static unsigned still_told;

static void reap(struct look *l)
{
	int stop;

	cul_stop_reap(l->pid);
	for (size_t i = 0; i < l->stop.threads.len; i++)
		still_told += cul_sys_ptrace_stop(l->stop.threads.data[i].tid, &stop) == 0;
}

/* A stop that is taken is a signal that is lost when the tracer ends. */
static void who_has_stopped_is_not_reaped(void **state)
{
	struct look l;

	still_told = 0;
	l = look(victim.pid, reap);
	assert_int_equal(l.ret, 0);
	assert_int_equal(still_told, THREADS);
	cul_stop_free(&l.stop);
	assert_true(goes_on());
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
	assert_true(goes_on());
}

static void kill_it(struct look *l)
{
	kill(l->pid, SIGKILL);
}

static void who_is_killed_meanwhile_ends(void **state)
{
	struct look l;
	int status;

	start_victim(NULL);
	assert_true(goes_on());
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
	assert_true(goes_on());
}

/* A process made by us with what it and we know of in common. */
static struct shared {
	atomic_int child, sent, got, over;
} * shared;

static int share(void **state)
{
	shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED ? -1 : 0;
}

static int unshare_it(void **state)
{
	munmap(shared, sizeof(*shared));
	return clean_up(state);
}

static void pause_for_ever(void)
{
	shared->child = (int)syscall(SYS_getpid);
	for (;;)
		syscall(SYS_pause);
}

/* Its parent waits in vfork() until it ends, which no signal but SIGKILL can change. */
static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (!pid) {
		if (vfork() == 0)
			pause_for_ever();
		_exit(7);
	}
	for (int i = 0; i < PATIENCE_MS && !shared->child; i++)
		usleep(1000);
	await_state(pid, pid, 'D');
	return pid;
}

static void assert_exits(pid_t pid)
{
	int status = 0;

	for (int i = 0; i < PATIENCE_MS && waitpid(pid, &status, WNOHANG) == 0; i++)
		usleep(1000);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void uninterruptible_sleep_is_told_soon(void **state)
{
	pid_t pid = sleeper();
	struct look l = look(pid, all_stand_still);

	assert_int_equal(l.ret, 0);
	assert_int_equal(l.stop.threads.len, 1);
	assert_int_equal(l.stop.threads.data[0].state, CUL_STOP_SEIZED);
	assert_int_equal(l.stop.threads.data[0].error, 0);
	assert_true(l.took_ns < 1900ull * MS);
	cul_stop_free(&l.stop);
	/* What it was asked for in its sleep is forgotten with who asked. */
	assert_let_go(pid);
	kill(shared->child, SIGKILL);
	assert_exits(pid);
}

static void wake_it(struct look *l)
{
	kill(shared->child, SIGKILL);
	for (int i = 0; i < PATIENCE_MS && cul_task_state(l->pid, l->pid) != 't'; i++)
		usleep(1000);
}

/* Between the stop and the release it has left its sleep, and stops after all. */
static void who_stops_late_is_let_go(void **state)
{
	pid_t pid = sleeper();
	struct look l = look(pid, wake_it);

	assert_int_equal(l.stop.threads.data[0].state, CUL_STOP_STOPPED);
	cul_stop_free(&l.stop);
	assert_exits(pid);
}

static void *end_soon(void *data)
{
	return NULL;
}

static void *make_threads(void *data)
{
	pthread_t one;

	while (!shared->over) {
		if (!pthread_create(&one, NULL, end_soon, NULL))
			pthread_detach(one);
		shared->got++;
	}
	return NULL;
}

/* Threads are made and end all the time: whoever there is while it lasts stands still. */
static void threads_that_come_and_go_are_all_stopped(void **state)
{
	pid_t pid = fork();
	int status, before;

	if (!pid) {
		pthread_t more;

		pthread_create(&more, NULL, make_threads, NULL);
		make_threads(NULL);
		_exit(0);
	}
	while (shared->got < 100)
		usleep(1000);
	for (int i = 0; i < 25; i++) {
		struct look l = look(pid, all_stand_still);

		assert_int_equal(l.ret, 0);
		assert_false(l.stop.incomplete);
		assert_true(in_state(&l, CUL_STOP_STOPPED) >= 2);
		cul_stop_free(&l.stop);
		before = shared->got;
		for (int k = 0; k < PATIENCE_MS && shared->got < before + 20; k++)
			usleep(1000);
		assert_true(shared->got >= before + 20);
	}
	shared->over = 1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
}

static void *wait_for_the_end(void *data)
{
	while (!shared->over)
		usleep(1000);
	_exit(0);
}

static void the_first_thread_may_have_ended(void **state)
{
	pid_t pid = fork();
	struct look l;
	int status;

	if (!pid) {
		pthread_t other;

		pthread_create(&other, NULL, wait_for_the_end, NULL);
		pthread_exit(NULL);
	}
	await_state(pid, pid, 'Z');
	l = look(pid, all_stand_still);
	assert_int_equal(l.ret, 0);
	assert_int_equal(l.stop.threads.len, 2);
	assert_int_equal(l.stop.threads.data[1].state, CUL_STOP_STOPPED);
	assert_int_not_equal(l.stop.threads.data[0].state, CUL_STOP_STOPPED);
	assert_true(l.took_ns < 5000ull * MS);
	cul_stop_free(&l.stop);
	shared->over = 1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void count(int number)
{
	shared->got++;
}

static void *signal_itself(void *data)
{
	while (!shared->over) {
		shared->sent++;
		syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), SIGUSR1);
	}
	return NULL;
}

/* A signal that one was just about to get is told, and gets there. */
static void a_signal_on_its_way_arrives(void **state)
{
	pid_t pid = fork();
	unsigned seen = 0;
	int status;

	if (!pid) {
		pthread_t more[3];

		signal(SIGUSR1, count);
		for (int i = 0; i < 3; i++)
			pthread_create(&more[i], NULL, signal_itself, NULL);
		signal_itself(NULL);
		for (int i = 0; i < 3; i++)
			pthread_join(more[i], NULL);
		_exit(shared->sent == shared->got ? 7 : 1);
	}
	while (shared->sent < 1000)
		usleep(1000);
	for (int i = 0; i < 4000 && (i < 20 || !seen); i++) {
		struct look l = look(pid, NULL);

		assert_int_equal(in_state(&l, CUL_STOP_STOPPED), l.stop.threads.len);
		for (size_t k = 0; k < l.stop.threads.len; k++) {
			if (l.stop.threads.data[k].signal)
				assert_int_equal(l.stop.threads.data[k].signal, SIGUSR1);
			seen += l.stop.threads.data[k].signal == SIGUSR1;
		}
		cul_stop_free(&l.stop);
	}
	assert_true(seen);
	shared->over = 1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

/*
 * Its second thread makes another program of it, again and again: threads end in the middle of the
 * stop, and another takes the number of the first. None is left stopped, none gets a signal.
 */
static void another_program_meanwhile(void **state)
{
	int status;

	start_victim("exec");
	for (int i = 0; i < 60; i++) {
		struct look l;

		assert_true(says());
		usleep((unsigned)(i * 53 % 1500));
		l = look(victim.pid, NULL);
		assert_int_equal(l.ret, 0);
		assert_true(l.stop.threads.len > 0);
		for (size_t k = 0; k < l.stop.threads.len; k++)
			assert_int_equal(l.stop.threads.data[k].signal, 0);
		cul_stop_free(&l.stop);
	}
	assert_true(says());
	kill(victim.pid, SIGKILL);
	assert_int_equal(waitpid(victim.pid, &status, 0), victim.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(victim.to);
	close(victim.from);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define OWN(f)  cmocka_unit_test_setup_teardown(f, share, unshare_it)

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
		OWN(uninterruptible_sleep_is_told_soon),
		OWN(who_stops_late_is_let_go),
		OWN(threads_that_come_and_go_are_all_stopped),
		OWN(the_first_thread_may_have_ended),
		OWN(a_signal_on_its_way_arrives),
		OWN(another_program_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
