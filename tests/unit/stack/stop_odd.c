/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stops of processes that are not easy to stop: asleep for good, half ended, never the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "look.h"
#include "stack/tasks.h"

enum { MS = 1000 * 1000 };

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
	return 0;
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, share, unshare_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(uninterruptible_sleep_is_told_soon),
		TEST(who_stops_late_is_let_go),
		TEST(threads_that_come_and_go_are_all_stopped),
		TEST(the_first_thread_may_have_ended),
		TEST(a_signal_on_its_way_arrives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
