/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attach_own.h"
#include "sys/fault.h"
#include "trace/kprobe_events.h"
#include "trace/kretprobe.h"

/* A directory that looks like tracefs: lines that are written to it stay. */
static char fake[] = "/tmp/culprit-kretprobe-XXXXXX";

static void put(const char *file, const char *text, const char *mode)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", fake, file);
	f = fopen(path, mode);
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static bool contains(const char *tracefs, const char *text)
{
	char path[128], line[512];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/kprobe_events", tracefs);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, text);
	if (f)
		fclose(f);
	return found;
}

/* Waits, on a slow machine for half a minute, for a line to be there, or to be gone. */
static bool becomes(const char *tracefs, const char *text, bool there)
{
	const struct timespec moment = {.tv_nsec = 5000000};

	for (int i = 0; i < 6000; i++) {
		if (contains(tracefs, text) == there)
			return true;
		nanosleep(&moment, NULL);
	}
	return false;
}

static int make_fake(void **state)
{
	strcpy(fake + sizeof(fake) - 7, "XXXXXX");
	if (!mkdtemp(fake))
		return -1;
	put("kprobe_events", "", "w");
	return 0;
}

static int drop_fake(void **state)
{
	static const char *const files[] = {"kprobe_events", "kprobe_profile"};
	char path[128];

	cul_sys_fail_none();
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", fake, files[i]);
		unlink(path);
	}
	return rmdir(fake);
}

static void no_child_is_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* The group of a process that has been there. */
static void group_of_dead(char group[CUL_KPROBE_EVENTS_GROUP])
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		cul_kprobe_events_own_group(group);
		_exit(write(fds[1], group, CUL_KPROBE_EVENTS_GROUP) < 0);
	}
	assert_int_equal(read(fds[0], group, CUL_KPROBE_EVENTS_GROUP), CUL_KPROBE_EVENTS_GROUP);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
}

static void only_lines_of_the_dead_are_taken(void **state)
{
	char dead[CUL_KPROBE_EVENTS_GROUP], own[CUL_KPROBE_EVENTS_GROUP], line[128];
	struct cul_kretprobes *k = NULL;
	struct cul_error err = {0};
	int files = own_open_files();

	group_of_dead(dead);
	assert_int_equal(cul_kprobe_events_own_group(own), 0);
	assert_true(cul_kprobe_events_is_dead(dead, NULL));
	assert_false(cul_kprobe_events_is_dead(own, NULL));
	assert_false(cul_kprobe_events_is_dead("culprit", NULL));
	assert_false(cul_kprobe_events_is_dead("culprit_0_1_2", NULL));
	assert_false(cul_kprobe_events_is_dead("culprit_-1_1_2", NULL));
	/* Of another PID namespace: nothing is known. */
	assert_false(cul_kprobe_events_is_dead("culprit_999999_1_2", NULL));
	snprintf(line, sizeof(line), "r8:%s/%s_0 vfs_read\n", dead, dead);
	put("kprobe_events", line, "a");
	/* Our own number, used by somebody who started at another time. */
	snprintf(line, sizeof(line), "culprit_%d_1%s", getpid(), strrchr(own, '_'));
	assert_true(cul_kprobe_events_is_dead(line, NULL));
	put("kprobe_events", "p:kprobes/mine do_sys_open a=%di b=\"x:culprit_1_2_3/y\"\n", "a");
	put("kprobe_events", "r16:culprit_999999_1_2/x vfs_read\nnonsense\nr:\n\n/ : /\n", "a");
	assert_int_equal(cul_kretprobes_new_at(fake, &k, &err), 0);
	snprintf(line, sizeof(line), "-:%s/%s_0", dead, dead);
	assert_true(contains(fake, line));
	assert_false(contains(fake, "-:kprobes"));
	assert_false(contains(fake, "-:culprit_999999"));
	assert_false(contains(fake, "-:culprit_1_2_3"));
	cul_kretprobes_free(k);
	cul_kretprobes_free(NULL);
	no_child_is_left();
	assert_int_equal(own_open_files(), files);
}

/* A child that holds a line; returns once the line stands. It lets go of its stdout. */
static pid_t holder(char out_group[CUL_KPROBE_EVENTS_GROUP], int stdout_fd)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		struct cul_kretprobes *k;
		char group[CUL_KPROBE_EVENTS_GROUP], line[128];

		setpgid(0, 0);
		if (stdout_fd >= 0)
			dup2(stdout_fd, 1);
		if (cul_kretprobes_new_at(fake, &k, NULL))
			_exit(1);
		cul_kprobe_events_own_group(group);
		snprintf(line, sizeof(line), "r8:%s/%s_0 vfs_read\n", group, group);
		if (cul_kprobe_events_write(fake, CUL_KPROBE_EVENTS, line))
			_exit(2);
		close(1);
		if (stdout_fd >= 0)
			close(stdout_fd);
		if (write(fds[1], group, sizeof(group)) < 0)
			_exit(3);
		for (;;)
			pause();
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], out_group, CUL_KPROBE_EVENTS_GROUP), CUL_KPROBE_EVENTS_GROUP);
	close(fds[0]);
	return pid;
}

static void the_keeper_takes_back_what_a_killed_one_held(void **state)
{
	for (int whole_group = 0; whole_group <= 1; whole_group++) {
		char group[CUL_KPROBE_EVENTS_GROUP], line[128];
		pid_t pid = holder(group, -1);

		snprintf(line, sizeof(line), "-:%s/%s_0", group, group);
		assert_false(contains(fake, line));
		kill(whole_group ? -pid : pid, SIGKILL);
		assert_true(becomes(fake, line, true));
		waitpid(pid, NULL, 0);
	}
}

static void the_keeper_holds_nobody_up(void **state)
{
	char group[CUL_KPROBE_EVENTS_GROUP];
	struct pollfd end = {.events = POLLIN};
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = holder(group, fds[1]);
	close(fds[1]);
	/* The holder has closed its stdout and lives, as its keeper does. */
	end.fd = fds[0];
	assert_int_equal(poll(&end, 1, 1000), 1);
	assert_true(end.revents & POLLHUP);
	close(fds[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void lines_are_refused_before_they_are_written(void **state)
{
	static const char *const places[] = {"", "a b", "a\n-:x", "a#b", "a\tb"};
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct cul_kretprobes *k = NULL;
	struct cul_error err = {0};
	size_t number = 77;

	assert_int_equal(cul_kretprobes_new_at(fake, &k, &err), 0);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		assert_int_equal(
			cul_kretprobe_attach(k, places[i], 1, -1, 0, &number, &a, &err), -EINVAL);
	assert_int_equal(
		cul_kretprobe_attach(k, "vfs_read", 4097, -1, 0, &number, &a, &err), -ERANGE);
	assert_non_null(strstr(err.text, "4096"));
	assert_false(contains(fake, "culprit"));
	/* No such event: the line is taken back. */
	assert_int_equal(cul_kretprobe_attach(k, "vfs_read", 9, -1, 0, &number, &a, &err), -ENOENT);
	assert_true(contains(fake, "r9:culprit_"));
	assert_true(contains(fake, "-:culprit_"));
	assert_int_equal(number, 77);
	assert_int_equal(a.link_fd, -1);
	cul_kretprobes_free(k);
}

static void every_refused_write_has_its_words(void **state)
{
	static const struct {
		int error;
		const char *words;
	} refusals[] = {{ENOENT, "no such function"}, {EADDRNOTAVAIL, "several functions"},
		{EINVAL, "notrace"}, {EPERM, "run as root"}, {E2BIG, "too many"},
		{EIO, "Input/output"}};
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct cul_kretprobes *k = NULL;
	struct cul_error err = {0};
	size_t number;

	assert_int_equal(cul_kretprobes_new_at(fake, &k, &err), 0);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		cul_sys_fail(CUL_SYS_WRITE, 0, refusals[i].error);
		assert_int_equal(cul_kretprobe_attach(k, "vfs_read", 1, -1, 0, &number, &a, &err),
			-refusals[i].error);
		assert_non_null(strstr(err.text, refusals[i].words));
	}
	cul_sys_fail_none();
	cul_kretprobes_free(k);
}

static void no_failure_leaks(void **state)
{
	static const enum cul_sys_call calls[] = {CUL_SYS_OPEN, CUL_SYS_READ, CUL_SYS_WRITE};
	char dead[CUL_KPROBE_EVENTS_GROUP], line[128];
	int files;

	group_of_dead(dead);
	snprintf(line, sizeof(line), "r8:%s/%s_0 vfs_read\n", dead, dead);
	files = own_open_files();
	for (int i = 0; i < 3; i++)
		for (int after = 0, r = -1; r; after++) {
			struct cul_kretprobes *k = NULL;
			struct cul_error err = {0};

			put("kprobe_events", line, "w");
			cul_sys_fail(calls[i], after, EIO);
			r = cul_kretprobes_new_at(fake, &k, &err);
			cul_sys_fail_none();
			assert_true(!r || (r == -EIO && !k && *err.text));
			cul_kretprobes_free(k);
			assert_int_equal(own_open_files(), files);
			no_child_is_left();
		}
}

static void misses_are_read_from_the_profile(void **state)
{
	uint64_t missed = 7;

	put("kprobe_profile",
		"  ab                  1               2\n"
		"  a                                                          10              3\n"
		"  broken x y\n",
		"w");
	assert_int_equal(cul_kprobe_events_missed(fake, "a", &missed), 0);
	assert_int_equal(missed, 3);
	assert_int_equal(cul_kprobe_events_missed(fake, "b", &missed), -ENOENT);
	assert_int_equal(cul_kprobe_events_missed(fake, "broken", &missed), -EINVAL);
	assert_int_equal(missed, 3);
}

/* Against the kernel */

static const char *need_tracefs(void)
{
	struct cul_error err = {0};
	const char *tracefs = NULL;

	if (!own_has_kprobes())
		skip();
	if (cul_kprobe_events_find(CUL_KPROBE_EVENTS, &tracefs, &err)) {
		print_message("skipped: %s\n", err.text);
		skip();
	}
	return tracefs;
}

enum { THREADS = 4, WAITS = 20, CALLS = THREADS * WAITS };

static void *wait_in_kernel(void *arg)
{
	const struct timespec time = {.tv_nsec = 20000000};
	uint64_t none = 1ULL << (SIGUSR2 - 1);

	for (int i = 0; i < WAITS; i++)
		syscall(SYS_rt_sigtimedwait, &none, NULL, &time, sizeof(none));
	return NULL;
}

/* On one CPU: the kernel counts its misses without a lock, and of two at once may lose one. */
static void wait_together(void)
{
	pthread_t threads[THREADS];
	cpu_set_t before, one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_in_kernel, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

#define TIMEDWAIT "__x64_sys_rt_sigtimedwait"

static void too_few_instances_are_told(void **state)
{
	static const unsigned instances[] = {1, 64};
	const char *tracefs = need_tracefs();
	char by_address[32];
	struct cul_kretprobes *k = NULL;
	struct cul_error err = {0};
	int map = own_map(), prog = own_program(OWN_KPROBE, NULL, map), files = own_open_files();

	snprintf(by_address, sizeof(by_address), "0x%lx", own_symbol(TIMEDWAIT));
	assert_int_equal(cul_kretprobes_new(CUL_KPROBE_EVENTS, &k, &err), 0);
	for (size_t i = 0; i < 2; i++) {
		struct cul_attachment a = CUL_ATTACHMENT_NONE;
		struct own_count before = own_read(map), count;
		struct cul_attach_misses misses;
		uint64_t missed = 0;
		size_t number = 0;
		int r = cul_kretprobe_attach(
			k, i ? by_address : TIMEDWAIT, instances[i], prog, 11, &number, &a, &err);

		if (r)
			fail_msg("%d: %s", r, err.text);
		assert_int_equal(number, i);
		assert_true(contains(tracefs, i ? "r64:culprit_" : "r1:culprit_"));
		wait_together();
		assert_int_equal(cul_kretprobe_missed(k, number, &missed), 0);
		cul_attachment_misses(&a, &misses);
		count = own_read(map);
		count.hits -= before.hits;
		count.cookies -= before.cookies;
		print_message("%u instances: %lu seen, %lu missed; the link: %d %lu\n",
			instances[i], count.hits, missed, misses.probe_known, misses.probe);
		assert_int_equal(count.hits + missed, CALLS);
		assert_int_equal(count.cookies, count.hits * 11);
		assert_true(i ? !missed : missed > 0);
		assert_true(!misses.probe_known || misses.probe == missed);
		cul_attachment_detach(&a);
	}
	cul_kretprobes_free(k);
	assert_false(contains(tracefs, "culprit_"));
	no_child_is_left();
	assert_int_equal(own_open_files(), files);
	close(prog);
	close(map);
}

static void refusals_of_the_kernel(void **state)
{
	const char *tracefs = need_tracefs();
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct cul_kretprobes *k = NULL;
	struct cul_error err = {0};
	int map = own_map(), prog = own_program(OWN_KPROBE, NULL, map);
	static const char *const places[] = {"no_such_function_", "vfs_read+8",
		"asm_exc_page_fault", "get_kprobe", "nomodule:nofunc"};
	size_t number = 0;

	assert_int_equal(cul_kretprobes_new(CUL_KPROBE_EVENTS, &k, &err), 0);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int r;

		memset(&err, 0, sizeof(err));
		r = cul_kretprobe_attach(k, places[i], 4, prog, 0, &number, &a, &err);
		print_message("%s: %d: %s\n", places[i], r, err.text);
		assert_true(r < 0);
		cul_attachment_detach(&a);
	}
	/* A program that does not fit: the line does not stay. */
	assert_true(cul_kretprobe_attach(k, TIMEDWAIT, 4, map, 0, &number, &a, &err) < 0);
	assert_false(contains(tracefs, TIMEDWAIT));
	cul_kretprobes_free(k);
	assert_false(contains(tracefs, "culprit_"));
	close(prog);
	close(map);
}

/* The child holds attached kretprobes; killed, its lines go within a second. */
static void a_killed_one_leaves_no_line(void **state)
{
	const char *tracefs = need_tracefs();

	for (int whole_group = 0; whole_group <= 1; whole_group++) {
		int fds[2], status = 0;
		pid_t pid;
		char byte;

		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		pid = fork();
		if (!pid) {
			struct cul_attachment a[8];
			struct cul_kretprobes *k;
			int map = own_map(), prog = own_program(OWN_KPROBE, NULL, map);
			size_t number;

			setpgid(0, 0);
			if (cul_kretprobes_new(CUL_KPROBE_EVENTS, &k, NULL))
				_exit(1);
			for (int i = 0; i < 8; i++)
				if (cul_kretprobe_attach(
					    k, TIMEDWAIT, 2, prog, 1, &number, &a[i], NULL))
					_exit(2);
			if (write(fds[1], "", 1) != 1)
				_exit(3);
			for (;;)
				pause();
		}
		close(fds[1]);
		assert_int_equal(read(fds[0], &byte, 1), 1);
		close(fds[0]);
		assert_true(contains(tracefs, "_7 " TIMEDWAIT));
		kill(whole_group ? -pid : pid, SIGKILL);
		assert_true(becomes(tracefs, "culprit_", false));
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
	}
}

/* Lines whose culprit and keeper are both dead; and those of a live one. */
static void a_new_run_takes_what_the_dead_left(void **state)
{
	const char *tracefs = need_tracefs();
	char dead[CUL_KPROBE_EVENTS_GROUP], own[CUL_KPROBE_EVENTS_GROUP], line[160];
	struct cul_kretprobes *k = NULL;
	struct cul_error err = {0};
	pid_t pid;

	group_of_dead(dead);
	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "r1:%s/%s_%d " TIMEDWAIT "\n", dead, dead, i);
		assert_int_equal(cul_kprobe_events_write(tracefs, CUL_KPROBE_EVENTS, line), 0);
	}
	assert_int_equal(cul_kprobe_events_own_group(own), 0);
	snprintf(line, sizeof(line), "r1:%s/%s_0 " TIMEDWAIT "\n", own, own);
	assert_int_equal(cul_kprobe_events_write(tracefs, CUL_KPROBE_EVENTS, line), 0);
	pid = fork(); /* another run, while this one lives */
	if (!pid) {
		if (cul_kretprobes_new(CUL_KPROBE_EVENTS, &k, NULL))
			_exit(1);
		cul_kretprobes_free(k);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	assert_false(contains(tracefs, dead));
	assert_true(contains(tracefs, own));
	assert_int_equal(cul_kretprobes_new(CUL_KPROBE_EVENTS, &k, &err), 0);
	cul_kretprobes_free(k);
	assert_false(contains(tracefs, own));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			only_lines_of_the_dead_are_taken, make_fake, drop_fake),
		cmocka_unit_test_setup_teardown(
			the_keeper_takes_back_what_a_killed_one_held, make_fake, drop_fake),
		cmocka_unit_test_setup_teardown(the_keeper_holds_nobody_up, make_fake, drop_fake),
		cmocka_unit_test_setup_teardown(
			lines_are_refused_before_they_are_written, make_fake, drop_fake),
		cmocka_unit_test_setup_teardown(
			every_refused_write_has_its_words, make_fake, drop_fake),
		cmocka_unit_test_setup_teardown(no_failure_leaks, make_fake, drop_fake),
		cmocka_unit_test_setup_teardown(
			misses_are_read_from_the_profile, make_fake, drop_fake),
		cmocka_unit_test(too_few_instances_are_told),
		cmocka_unit_test(refusals_of_the_kernel),
		cmocka_unit_test(a_killed_one_leaves_no_line),
		cmocka_unit_test(a_new_run_takes_what_the_dead_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
