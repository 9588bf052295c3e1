/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole runs against a small command, while the n-th call of a kind fails. Each run is made in a
 * process of its own, so that a leak and a command that was left behind are seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "record.h"
#include "sys/fault.h"
#include "watch/watch.h"

/* What a process that made a run has to say. */
enum {
	FAILED = 40, /* the run, with a sentence */
	TOLERATED,   /* the call failed and the run went on */
	NOT_REACHED, /* the run went through with fewer calls */
	WRONG,
};

enum { FILES_MOST = 200 };

struct fault {
	enum { NO_FAULT, ALLOC, CALL, FILES, SINK } kind;
	enum cul_sys_call call;
	int after, error;
	bool once;
};

static unsigned registers; /* free on this machine */
static int occupied[FILES_MOST], n_occupied;

static int wrong(const struct fault *f, const char *what, const char *text)
{
	fprintf(stderr, "fault %d of call %d after %d (errno %d%s): %s: %s\n", f->kind, f->call,
		f->after, f->error, f->once ? ", once" : "", what, text);
	return WRONG;
}

/* Leaves room for `more` descriptors. */
static void occupy(int more)
{
	const struct rlimit few = {FILES_MOST, FILES_MOST};
	int fd;

	setrlimit(RLIMIT_NOFILE, &few);
	for (n_occupied = 0; (fd = dup(0)) >= 0; n_occupied++)
		occupied[n_occupied] = fd;
	while (more-- && n_occupied)
		close(occupied[--n_occupied]);
}

static void give_back(void)
{
	while (n_occupied)
		close(occupied[--n_occupied]);
}

static void inject(const struct fault *f, struct record *record)
{
	switch (f->kind) {
	case ALLOC:
		cul_alloc_fail_after(f->after);
		break;
	case CALL:
		(f->once ? cul_sys_fail_once : cul_sys_fail)(f->call, f->after, f->error);
		break;
	case FILES:
		occupy(f->after);
		break;
	case SINK:
		record->fail = -f->error;
		record->fail_after = f->after;
		break;
	default:
		break;
	}
}

static bool was_reached(const struct fault *f, const struct record *record)
{
	void *p;

	switch (f->kind) {
	case ALLOC:
		p = cul_calloc(1, 1);
		free(p);
		return !p;
	case CALL:
		if (!f->once)
			return cul_sys_faulted(f->call) != 0;
		for (int i = 0; i <= f->after; i++)
			if (cul_sys_faulted(f->call))
				return false;
		return true;
	case SINK:
		return record->fail_after < 0;
	default:
		return false;
	}
}

static int run_with(const struct fault *f)
{
	char *command[] = {(char *)VICTIM, (char *)"3", NULL};
	const char *targets[] = {"level"};
	const struct cul_watch_options options = {.targets = targets,
		.n_targets = 1,
		.access = CUL_ACCESS_WRITE,
		.command = command,
		.max_rate = CUL_RATE_UNLIMITED,
		.for_ns = 3000000000u,
		.stop_fd = -1};
	struct cul_watch_outcome outcome = {0};
	struct cul_error err = {0};
	unsigned files = open_files();
	struct record record;
	bool reached;
	int r;

	record_init(&record);
	inject(f, &record);
	r = cul_watch_run(&options, &record.sink, &outcome, &err);
	reached = was_reached(f, &record);
	cul_alloc_fail_after(-1);
	cul_sys_fail_none();
	give_back();
	if (open_files() != files)
		return wrong(f, "descriptors are left open", err.text);
	if (free_registers() != registers)
		return wrong(f, "debug registers are not free", err.text);
	if (r < 0 && (r != err.code || strlen(err.text) < 12))
		return wrong(f, "no sentence", err.text);
	if (r < 0)
		return FAILED;
	if (f->kind != SINK && record.losses != 1)
		return wrong(f, "no ledger", err.text);
	return reached ? TOLERATED : NOT_REACHED;
}

/* All that came of it has to end by itself: nothing is stopped, nothing runs on. */
static void expect_no_child(void)
{
	int status;
	pid_t pid = 0;

	for (int i = 0; i < 1000 && pid >= 0; i++) {
		pid = waitpid(-1, &status, WNOHANG | WUNTRACED);
		assert_false(pid > 0 && WIFSTOPPED(status));
		if (pid == 0)
			usleep(5000);
	}
	assert_int_equal(pid, -1);
}

static int run_in_process(const struct fault *f)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		exit(run_with(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status))
		fail_msg(
			"call %d after %d: died of signal %d", f->call, f->after, WTERMSIG(status));
	expect_no_child();
	assert_in_range(WEXITSTATUS(status), FAILED, NOT_REACHED);
	return WEXITSTATUS(status);
}

static void need(void **state)
{
	if (registers == 0)
		skip();
}

static void a_run_names_its_writer(void **state)
{
	char *command[] = {(char *)VICTIM, (char *)"3", NULL};
	const char *targets[] = {"level"};
	struct cul_watch_options options = {.targets = targets,
		.n_targets = 1,
		.access = CUL_ACCESS_WRITE,
		.command = command,
		.max_rate = CUL_RATE_UNLIMITED,
		.stop_fd = -1};
	struct cul_watch_outcome outcome = {0};
	struct cul_error err = {0};
	struct record r;

	need(state);
	record_init(&r);
	options.progress = record_progress;
	options.progress_data = &r;
	if (cul_watch_run(&options, &r.sink, &outcome, &err))
		fail_msg("%s", err.text);
	/* The line on the terminal is gone before anything else is written there. */
	assert_false(r.talked_over || r.busy);
	assert_true(r.namings > 0);
	assert_int_equal(r.armed, 1);
	assert_int_equal(r.hits, 3);
	assert_string_equal(r.hit[0].old, "0");
	assert_string_equal(r.hit[0].new, "1");
	assert_string_equal(r.hit[2].new, "3");
	assert_string_equal(r.hit[1].function, "write_level");
	assert_int_equal(r.hit[1].same_stack_as, 1);
	assert_true(r.hit[0].ns < r.hit[1].ns && r.hit[1].ns < r.loss.ran_ns);
	assert_int_equal(r.writers, 1);
	assert_int_equal(r.writer[0].hits, 3);
	assert_int_equal(r.loss.hits, 3);
	assert_int_equal(r.loss.seen, 3);
	assert_int_equal(r.loss.detailed, 3);
	assert_int_equal(r.loss.busy + r.loss.dropped + r.loss.filtered + r.loss.behind, 0);
	assert_int_equal(r.loss.n_gaps, 0);
	assert_int_equal(WEXITSTATUS(r.loss.command_status), 7);
	assert_int_equal(outcome.end, CUL_END_COMMAND);

	options.expect = "new < 2";
	record_init(&r);
	assert_int_equal(cul_watch_run(&options, &r.sink, &outcome, &err), 0);
	assert_true(outcome.violated);
	assert_int_equal(outcome.end, CUL_END_VIOLATION);
	assert_int_equal(r.hits, 1);
	assert_string_equal(r.hit[0].new, "2");
	assert_true(r.hit[0].violation && r.writer[0].guilty);
	expect_no_child();
}

static void a_command_that_cannot_be_watched_is_an_error(void **state)
{
	char *missing[] = {(char *)"/nonexistent/program", NULL};
	char *command[] = {(char *)VICTIM, NULL};
	const char *targets[] = {"level", "level", "level", "level", "level"};
	struct cul_watch_options options = {
		.targets = targets, .n_targets = 1, .command = missing, .stop_fd = -1};
	struct cul_watch_outcome outcome;
	struct cul_error err = {0};
	struct record r;

	record_init(&r);
	options.access = CUL_ACCESS_WRITE;
	assert_int_equal(cul_watch_run(&options, &r.sink, &outcome, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/program"));
	assert_int_equal(cul_watch_run(&options, &r.sink, &outcome, NULL), -ENOENT);
	options.command = command;
	options.n_targets = 2;
	assert_int_equal(cul_watch_run(&options, &r.sink, &outcome, &err), -EINVAL);
	assert_non_null(strstr(err.text, "share memory"));
	options.n_targets = 5;
	assert_int_equal(cul_watch_run(&options, &r.sink, &outcome, &err), -E2BIG);
	assert_int_equal(r.armed, 0);
	expect_no_child();
}

/* Every call at first, then more sparsely: thousands of them do the same. */
static int walk(struct fault f, int most)
{
	int last = 0;

	for (f.after = 0; f.after < most; f.after += 1 + f.after / 24) {
		last = run_in_process(&f);
		if (last == NOT_REACHED)
			return f.after;
	}
	fail_msg("call %d is made more than %d times", f.call, most);
	return 0;
}

static void each_allocation_may_fail(void **state)
{
	struct fault f = {.kind = ALLOC};
	int all;

	need(state);
	all = walk(f, 1000000);
	/* The last ones: the report. */
	for (f.after = all - 40; f.after < all; f.after++)
		if (f.after > 0)
			run_in_process(&f);
}

static void each_call_may_fail(enum cul_sys_call call, int most)
{
	static const int errors[] = {ENOSPC, EPERM, EMFILE, ENOMEM, EINTR};
	struct fault f = {.kind = CALL, .call = call};

	for (int once = 0; once < 2; once++) {
		f.once = once;
		for (f.after = 0; f.after < most; f.after++) {
			f.error = errors[(f.after + 2 * once) % 5];
			if (run_in_process(&f) == NOT_REACHED)
				break;
		}
	}
}

static void perf_may_fail(void **state)
{
	need(state);
	each_call_may_fail(CUL_SYS_PERF_EVENT_OPEN, 50);
	each_call_may_fail(CUL_SYS_PERF_IOCTL, 50);
	each_call_may_fail(CUL_SYS_PERF_READ, 5);
	for (int error = 0; error < 5; error++) {
		static const int errors[] = {ENOSPC, EPERM, EMFILE, ENOMEM, EINTR};
		const struct fault f = {.kind = CALL,
			.call = CUL_SYS_PERF_EVENT_OPEN,
			.after = error % 2,
			.error = errors[error]};

		assert_int_equal(run_in_process(&f), FAILED);
	}
}

static void bpf_may_fail(void **state)
{
	need(state);
	each_call_may_fail(CUL_SYS_BPF, 80);
}

static void ptrace_may_fail(void **state)
{
	need(state);
	each_call_may_fail(CUL_SYS_PTRACE, 20);
	each_call_may_fail(CUL_SYS_PIDFD_OPEN, 5);
}

static void descriptors_may_run_out(void **state)
{
	struct fault f = {.kind = FILES};
	int r = FAILED;

	need(state);
	for (f.after = 0; r != NOT_REACHED && f.after < FILES_MOST / 2; f.after++)
		r = run_in_process(&f);
	assert_int_equal(r, NOT_REACHED);
}

static void the_reader_may_go_away(void **state)
{
	struct fault f = {.kind = SINK, .error = ENOSPC};

	need(state);
	for (f.after = 0; f.after < 6; f.after++)
		assert_int_equal(run_in_process(&f), FAILED);
	assert_int_equal(run_in_process(&f), NOT_REACHED);
	f.error = EPIPE;
	for (f.after = 0; f.after < 6; f.after++)
		assert_int_equal(run_in_process(&f), TOLERATED);
}

static int reset(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_run_names_its_writer, reset),
		cmocka_unit_test_teardown(a_command_that_cannot_be_watched_is_an_error, reset),
		cmocka_unit_test_teardown(the_reader_may_go_away, reset),
		cmocka_unit_test_teardown(perf_may_fail, reset),
		cmocka_unit_test_teardown(bpf_may_fail, reset),
		cmocka_unit_test_teardown(ptrace_may_fail, reset),
		cmocka_unit_test_teardown(descriptors_may_run_out, reset),
		cmocka_unit_test_teardown(each_allocation_may_fail, reset),
	};

	/* What a run leaves behind becomes ours. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	registers = geteuid() ? 0 : free_registers();
	if (!registers)
		fprintf(stderr, "no debug register to be had, or not root: most is skipped\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
