/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole runs while the n-th call of a kind fails: of a function of a command, and of one of the
 * kernel, where the machine can be probed. Each run is made in a process of its own, so that a leak
 * and a command that was left behind are seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "probe/probe.h"
#include "record.h"
#include "sys/fault.h"

/* What a process that made a run has to say. */
enum {
	FAILED = 40, /* the run, with a sentence */
	TOLERATED,   /* the call failed and the run went on */
	NOT_REACHED, /* the run went through with fewer calls */
	WRONG,
};

/* What is run. */
enum subject {
	OF_COMMAND, /* write_level() of a command, by uprobes */
	OF_KERNEL,  /* two functions by kprobes, fentry and all */
	OF_LIMITED, /* a kretprobe with maxactive, by tracefs */
	SUBJECTS,
};

struct fault {
	enum { NO_FAULT, ALLOC, CALL, SINK } kind;
	enum cul_sys_call call;
	int after, error;
	bool once;
	enum subject subject;
};

static bool has_uprobes, has_kprobes; /* this machine, and we are root */

static int wrong(const struct fault *f, const char *what, const char *text)
{
	fprintf(stderr, "subject %d, fault %d of call %d after %d (errno %d%s): %s: %s\n",
		f->subject, f->kind, f->call, f->after, f->error, f->once ? ", once" : "", what,
		text);
	return WRONG;
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
	case SINK:
		record->fail = -f->error;
		record->fail_after = f->after;
		break;
	default:
		break;
	}
}

/* The keeper of tracefs' lines is there for when all calls of the run fail: its own do not. */
static void spare_the_keeper(void)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
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

/* Lines of tracefs that a run may have left. */
static void expect_clean_tracefs(const struct fault *fault)
{
	cul_autofclose FILE *f = fopen("/sys/kernel/tracing/kprobe_events", "re");
	char line[256];

	if (f && fgets(line, sizeof(line), f))
		fail_msg("subject %d, call %d after %d left %s", fault->subject, fault->call,
			fault->after, line);
}

static char *const victim[] = {(char *)VICTIM, (char *)"3", NULL};
static const char *const of_command[] = {"write_level"}, *const of_kernel[] = {"__x64_sys_getpgid",
								 "__x64_sys_getsid"};

static void choose(enum subject subject, struct cul_probe_options *o)
{
	*o = (struct cul_probe_options){.specs = of_command,
		.n_specs = 1,
		.command = victim,
		.returns = true,
		.depth = 1,
		.for_ns = 5000000000u,
		.stop_fd = -1};
	if (subject == OF_COMMAND)
		return;
	o->command = NULL;
	o->specs = of_kernel;
	o->n_specs = 2;
	o->condition = "pid != 0 && dur >= 0";
	o->for_ns = 1000000;
	if (subject == OF_LIMITED) {
		o->n_specs = 1;
		o->maxactive = 2;
	}
}

static int run_with(const struct fault *f)
{
	struct cul_probe_options options;
	struct cul_probe_outcome outcome = {0};
	struct cul_error err = {0};
	unsigned files = open_files();
	struct record record;
	bool reached;
	int r;

	choose(f->subject, &options);
	record_init(&record);
	if (f->subject == OF_LIMITED)
		pthread_atfork(NULL, NULL, spare_the_keeper);
	inject(f, &record);
	r = cul_probe_run(&options, &record.sink, &outcome, &err);
	reached = was_reached(f, &record);
	cul_alloc_fail_after(-1);
	cul_sys_fail_none();
	if (open_files() != files)
		return wrong(f, "descriptors are left open", err.text);
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
		fail_msg("subject %d, call %d after %d: died of signal %d", f->subject, f->call,
			f->after, WTERMSIG(status));
	expect_no_child();
	expect_clean_tracefs(f);
	assert_in_range(WEXITSTATUS(status), FAILED, NOT_REACHED);
	return WEXITSTATUS(status);
}

static void need(bool condition)
{
	if (!condition)
		skip();
}

/* Every call at first, then more sparsely: many do the same, and a run takes a second or more. */
static int next(int after)
{
	return after + 1 + after / 2;
}

static void each_call_of(enum subject subject, enum cul_sys_call call, int most)
{
	static const int errors[] = {EPERM, EMFILE, ENOMEM, EINVAL};
	struct fault f = {.kind = CALL, .call = call, .subject = subject};

	for (int once = 0; once < (subject == OF_COMMAND ? 2 : 1); once++) {
		int last = FAILED, n = 0;

		for (f.after = 0; last != NOT_REACHED; f.after = next(f.after), n++) {
			assert_true(f.after < most);
			f.error = errors[(n + 2 * once) % 4];
			f.once = subject == OF_COMMAND ? once : n % 2;
			last = run_in_process(&f);
		}
	}
}

static void a_run_tells_each_call(void **state)
{
	struct cul_probe_options options;
	struct cul_probe_outcome outcome = {0};
	struct cul_error err = {0};
	struct record r;

	need(has_uprobes);
	choose(OF_COMMAND, &options);
	record_init(&r);
	if (cul_probe_run(&options, &r.sink, &outcome, &err))
		fail_msg("%s", err.text);
	assert_int_equal(r.attached, 1);
	assert_string_equal(r.method, "uprobe");
	assert_int_equal(r.calls, 3);
	assert_string_equal(r.call[0].function, "write_level");
	assert_true(r.call[2].returned);
	assert_int_equal(r.n_functions, 1);
	assert_int_equal(r.function.calls, 3);
	assert_int_equal(r.function.returns, 3);
	assert_int_equal(r.loss.calls, 3);
	assert_int_equal(r.loss.shown, 3);
	assert_int_equal(r.loss.dropped + r.loss.lone + r.loss.unreturned, 0);
	assert_int_equal(WEXITSTATUS(r.loss.command_status), 7);
	assert_int_equal(outcome.end, CUL_END_COMMAND);
	expect_no_child();
}

static void names_that_take_long_are_told_before_the_view(void **state)
{
	struct cul_probe_options options;
	struct cul_probe_outcome outcome = {0};
	struct cul_error err = {0};
	struct record r;

	need(has_uprobes);
	choose(OF_COMMAND, &options);
	options.view = CUL_VIEW_COUNT;
	options.want_user_stack = true;
	options.progress = record_progress;
	options.progress_data = &r;
	record_init(&r);
	if (cul_probe_run(&options, &r.sink, &outcome, &err))
		fail_msg("%s", err.text);
	assert_int_equal(r.group[0].calls, 3);
	assert_int_equal(r.namings, 1);
	/* The line on the terminal is gone before anything else is written there. */
	assert_false(r.talked_over || r.busy);
	expect_no_child();
}

static void perf_of(enum subject subject)
{
	each_call_of(subject, CUL_SYS_PERF_EVENT_OPEN, 10000);
	each_call_of(subject, CUL_SYS_OPEN, 10000);
	each_call_of(subject, CUL_SYS_READ, 10000);
}

static void perf_may_fail(void **state)
{
	need(has_uprobes);
	perf_of(OF_COMMAND);
}

static void perf_may_fail_in_the_kernel(void **state)
{
	need(has_kprobes);
	perf_of(OF_KERNEL);
	perf_of(OF_LIMITED);
}

static void bpf_may_fail(void **state)
{
	need(has_uprobes);
	each_call_of(OF_COMMAND, CUL_SYS_BPF, 10000);
}

static void bpf_may_fail_in_the_kernel(void **state)
{
	need(has_kprobes);
	each_call_of(OF_KERNEL, CUL_SYS_BPF, 10000);
	each_call_of(OF_LIMITED, CUL_SYS_BPF, 10000);
}

static void ptrace_may_fail(void **state)
{
	need(has_uprobes);
	each_call_of(OF_COMMAND, CUL_SYS_PTRACE, 10000);
	each_call_of(OF_COMMAND, CUL_SYS_PIDFD_OPEN, 10000);
	each_call_of(OF_COMMAND, CUL_SYS_PROCESS_VM_READV, 10000);
}

static void writing_may_fail_in_the_kernel(void **state)
{
	need(has_kprobes);
	each_call_of(OF_LIMITED, CUL_SYS_WRITE, 10000);
}

/* The kernel's symbols take thousands: of them a few. */
static void each_allocation_may_fail(void **state)
{
	struct fault f = {.kind = ALLOC, .subject = OF_COMMAND};
	int last = FAILED, all;

	need(has_uprobes);
	for (f.after = 0; last != NOT_REACHED; f.after += 1 + f.after / 8)
		last = run_in_process(&f);
	/* The last ones: programs, attaching, the report. */
	all = f.after;
	for (f.after = all - all / 8; f.after < all; f.after += 1 + all / 120)
		run_in_process(&f);
}

static void allocations_may_fail_in_the_kernel(void **state)
{
	struct fault f = {.kind = ALLOC, .subject = OF_KERNEL};
	int last = FAILED;

	need(has_kprobes);
	for (f.after = 0; last != NOT_REACHED; f.after += 1 + f.after)
		last = run_in_process(&f);
}

static void the_reader_may_go_away(void **state)
{
	struct fault f = {.kind = SINK, .error = ENOSPC, .subject = OF_COMMAND};

	need(has_uprobes);
	for (f.after = 0; f.after < 6; f.after++)
		assert_int_equal(run_in_process(&f), FAILED);
	assert_int_equal(run_in_process(&f), NOT_REACHED);
	f.error = EPIPE;
	for (f.after = 0; f.after < 6; f.after++)
		assert_int_equal(run_in_process(&f), TOLERATED);
}

/* Who wants it to end is heard before all of them are attached. */
static void an_end_is_heard_while_attaching(void **state)
{
	static const char *const many[] = {"vfs_*"};
	struct cul_probe_options options;
	struct cul_probe_outcome outcome;
	struct cul_error err = {0};
	struct record r;
	unsigned files;

	if (geteuid())
		skip();
	choose(OF_KERNEL, &options);
	options.specs = many;
	options.n_specs = 1;
	files = open_files();
	options.stop_fd = eventfd(1, EFD_CLOEXEC);
	record_init(&r);
	assert_int_equal(cul_probe_run(&options, &r.sink, &outcome, &err), -EINTR);
	assert_non_null(strstr(err.text, "nothing stays attached"));
	assert_int_equal(r.attached, 0);
	close(options.stop_fd);
	assert_int_equal(open_files(), files);
}

/* Before anything is attached; on any machine. */
static void what_is_not_there_is_an_error(void **state)
{
	static char *const missing[] = {(char *)"/nonexistent/program", NULL};
	static const char *const nothing[] = {"no_such_function_anywhere"};
	struct cul_probe_options options;
	struct cul_probe_outcome outcome;
	struct cul_error err = {0};
	struct record r;

	choose(OF_COMMAND, &options);
	record_init(&r);
	options.command = missing;
	assert_int_equal(cul_probe_run(&options, &r.sink, &outcome, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/program"));
	assert_int_equal(cul_probe_run(&options, &r.sink, &outcome, NULL), -ENOENT);
	options.command = victim;
	options.specs = nothing;
	assert_true(cul_probe_run(&options, &r.sink, &outcome, &err) < 0);
	assert_non_null(strstr(err.text, "no_such_function_anywhere"));
	options.specs = of_command;
	options.cpus = "0-";
	assert_int_equal(cul_probe_run(&options, &r.sink, &outcome, &err), -EINVAL);
	assert_non_null(strstr(err.text, "--cpu"));
	options.cpus = "4095";
	assert_int_equal(cul_probe_run(&options, &r.sink, &outcome, &err), -ENODEV);
	options.cpus = NULL;
	options.condition = "no_such_name > 1";
	assert_int_equal(cul_probe_run(&options, &r.sink, &outcome, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no_such_name"));
	options.condition = NULL;
	options.command = NULL;
	options.pid = 0x3fffffff;
	assert_int_equal(cul_probe_run(&options, &r.sink, &outcome, &err), -ESRCH);
	assert_int_equal(r.attached, 0);
	expect_no_child();
}

/* How far a machine without probes gets: each failure before it is a clean error too. */
static void calls_before_attaching_may_fail(void **state)
{
	static const struct {
		enum cul_sys_call call;
		int most;
	} calls[] = {{CUL_SYS_BPF, 60}, {CUL_SYS_PTRACE, 20}, {CUL_SYS_PERF_EVENT_OPEN, 3},
		{CUL_SYS_OPEN, 20}, {CUL_SYS_READ, 40}};
	struct fault f = {.kind = CALL, .error = EMFILE, .subject = OF_COMMAND};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		f.call = calls[i].call;
		for (f.after = 0; f.after < calls[i].most; f.after += 1 + f.after / 8)
			run_in_process(&f);
	}
	f.kind = ALLOC;
	for (f.after = 0; f.after < 100000; f.after += 1 + f.after / 6)
		run_in_process(&f);
}

static int reset(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_is_not_there_is_an_error, reset),
		cmocka_unit_test_teardown(calls_before_attaching_may_fail, reset),
		cmocka_unit_test_teardown(a_run_tells_each_call, reset),
		cmocka_unit_test_teardown(names_that_take_long_are_told_before_the_view, reset),
		cmocka_unit_test_teardown(an_end_is_heard_while_attaching, reset),
		cmocka_unit_test_teardown(the_reader_may_go_away, reset),
		cmocka_unit_test_teardown(perf_may_fail, reset),
		cmocka_unit_test_teardown(bpf_may_fail, reset),
		cmocka_unit_test_teardown(ptrace_may_fail, reset),
		cmocka_unit_test_teardown(each_allocation_may_fail, reset),
		cmocka_unit_test_teardown(perf_may_fail_in_the_kernel, reset),
		cmocka_unit_test_teardown(bpf_may_fail_in_the_kernel, reset),
		cmocka_unit_test_teardown(writing_may_fail_in_the_kernel, reset),
		cmocka_unit_test_teardown(allocations_may_fail_in_the_kernel, reset),
	};

	/* What a run leaves behind becomes ours. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	has_kprobes = !geteuid() && !access("/sys/bus/event_source/devices/kprobe/type", R_OK);
	/* A run tells of forks, for which it listens to the whole machine: this is for guests. */
	has_uprobes = has_kprobes && !access("/sys/bus/event_source/devices/uprobe/type", R_OK);
	if (!has_uprobes || !has_kprobes)
		fprintf(stderr, "no %s on this machine, or not root: a part is skipped\n",
			has_uprobes ? "kprobes" : "probes");
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
