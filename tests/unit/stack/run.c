/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole runs against a small process, while the n-th call of a kind fails. Each is made in a
 * process of its own. Whatever fails, all threads of the victim go on.
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
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "stack/stack.h"
#include "stack/tasks.h"
#include "support/files.h"
#include "sys/fault.h"
#include "victims.h"

enum { FAILED = 40, TOLERATED, NOT_REACHED, WRONG };

/* A sink that remembers. */
struct record {
	struct cul_sink sink;
	unsigned abouts, stacks, summaries;
	size_t n_threads, of_groups;
	uint64_t stopped_ns;
	struct cul_stack_summary summary;
	size_t in_step; /* threads */
	int fail, fail_after;
};

static int may_fail(struct record *r)
{
	if (!r->fail || r->fail_after-- > 0)
		return 0;
	return r->fail;
}

static int on_about(struct cul_sink *s, const struct cul_stack_about *about)
{
	struct record *r = (struct record *)s;

	r->abouts++;
	r->n_threads = about->n_threads;
	r->stopped_ns = about->stopped_ns;
	return may_fail(r);
}

static int on_threads(struct cul_sink *s, const struct cul_stack_threads *g)
{
	struct record *r = (struct record *)s;

	r->stacks++;
	r->of_groups += g->n_threads;
	for (size_t i = 0; i < g->n_frames; i++) {
		if (g->frames[i].where.function && !strcmp(g->frames[i].where.function, "step"))
			r->in_step += g->n_threads;
	}
	return may_fail(r);
}

static int on_summary(struct cul_sink *s, const struct cul_stack_summary *summary)
{
	struct record *r = (struct record *)s;

	r->summaries++;
	r->summary = *summary;
	return may_fail(r);
}

static const struct cul_sink_ops record_ops = {
	.stack_about = on_about, .stack_threads = on_threads, .stack_summary = on_summary};

static struct victim victim;

/* Whether all of them wait to be told: then they are where they are expected. */
static bool is_asleep(void)
{
	unsigned asleep = 0;
	struct cul_tasks_dir dir;
	pid_t tid;

	if (cul_tasks_open(victim.pid, &dir) != 0)
		return false;
	while ((tid = cul_tasks_next(&dir)) > 0)
		asleep += cul_task_state(victim.pid, tid) == 'S';
	cul_tasks_close(&dir);
	return asleep == THREADS;
}

struct fault {
	enum { NO_FAULT, ALLOC, CALL, SINK } kind;
	enum cul_sys_call call;
	int after, error;
	bool once;
};

static int wrong(const struct fault *f, const char *what, const char *text)
{
	fprintf(stderr, "fault %d of call %d after %d (errno %d%s): %s: %s\n", f->kind, f->call,
		f->after, f->error, f->once ? ", once" : "", what, text);
	return WRONG;
}

static void inject(const struct fault *f, struct record *record)
{
	if (f->kind == ALLOC)
		cul_alloc_fail_after(f->after);
	else if (f->kind == CALL)
		(f->once ? cul_sys_fail_once : cul_sys_fail)(f->call, f->after, f->error);
	else if (f->kind == SINK)
		*record = (struct record){
			.sink.ops = &record_ops, .fail = -f->error, .fail_after = f->after};
}

static bool was_reached(const struct fault *f, const struct record *record)
{
	void *p;

	if (f->kind == ALLOC) {
		p = cul_calloc(1, 1);
		free(p);
		return !p;
	}
	if (f->kind == SINK)
		return record->fail_after < 0;
	if (!f->once)
		return cul_sys_faulted(f->call) != 0;
	for (int i = 0; i <= f->after; i++) {
		if (cul_sys_faulted(f->call))
			return false;
	}
	return true;
}

static int run_with(const struct fault *f)
{
	const char *const no_debug[] = {NULL};
	const struct cul_stack_options options = {
		.pid = victim.pid, .stop_fd = -1, .debug_paths = no_debug};
	struct record record = {.sink.ops = &record_ops};
	struct cul_error err = {0};
	unsigned files = open_files();
	const struct cul_stack_summary *s = &record.summary;
	bool reached;
	int r;

	inject(f, &record);
	r = cul_stack_run(&options, &record.sink, &err);
	reached = was_reached(f, &record);
	cul_alloc_fail_after(-1);
	cul_sys_fail_none();
	if (open_files() != files)
		return wrong(f, "descriptors are left open", err.text);
	if (r < 0 && (r != err.code || strlen(err.text) < 12))
		return wrong(f, "no sentence", err.text);
	if (r < 0)
		return FAILED;
	if (f->kind == SINK)
		return reached ? TOLERATED : NOT_REACHED;
	if (record.summaries != 1 || record.n_threads != THREADS || record.of_groups != THREADS ||
		s->n_complete + s->n_truncated + s->n_missing != THREADS)
		return wrong(f, "the sums are wrong", err.text);
	if (!reached &&
		(record.in_step != THREADS - 1 || s->n_complete != THREADS || !record.stopped_ns))
		return wrong(f, "frames are missing without a reason", err.text);
	return reached ? TOLERATED : NOT_REACHED;
}

static int run_in_process(const struct fault *f)
{
	int status;
	pid_t pid;

	for (int i = 0; i < PATIENCE_MS && !is_asleep(); i++)
		usleep(1000);
	pid = fork();
	if (!pid)
		exit(run_with(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status))
		fail_msg(
			"call %d after %d: died of signal %d", f->call, f->after, WTERMSIG(status));
	if (!victim_goes_on(&victim))
		fail_msg("kind %d, call %d after %d (errno %d): the victim does not go on", f->kind,
			f->call, f->after, f->error);
	assert_in_range(WEXITSTATUS(status), FAILED, NOT_REACHED);
	return WEXITSTATUS(status);
}

static void a_run_shows_all_threads(void **state)
{
	const struct fault none = {.kind = NO_FAULT};

	assert_int_equal(run_in_process(&none), NOT_REACHED);
}

/* Every call at first, then more sparsely. */
static void walk(struct fault f, int most)
{
	static const int errors[] = {EPERM, ESRCH, ENOMEM, EINTR, EIO};

	for (f.after = 0; f.after < most; f.after += 1 + f.after / 24) {
		f.error = errors[(f.after + 2 * f.once) % 5];
		if (run_in_process(&f) == NOT_REACHED)
			return;
	}
	fail_msg("call %d is made more than %d times", f.call, most);
}

static void each_allocation_may_fail(void **state)
{
	walk((struct fault){.kind = ALLOC}, 1000000);
}

static void each_call_may_fail(enum cul_sys_call call)
{
	walk((struct fault){.kind = CALL, .call = call, .once = true}, 100000);
	walk((struct fault){.kind = CALL, .call = call}, 100000);
}

static void ptrace_may_fail(void **state)
{
	each_call_may_fail(CUL_SYS_PTRACE);
	each_call_may_fail(CUL_SYS_WAIT);
}

static void memory_may_fail(void **state)
{
	each_call_may_fail(CUL_SYS_PROCESS_VM_READV);
	each_call_may_fail(CUL_SYS_PREAD);
	each_call_may_fail(CUL_SYS_MMAP);
}

static void files_may_fail(void **state)
{
	each_call_may_fail(CUL_SYS_OPEN);
	each_call_may_fail(CUL_SYS_READ);
}

static void the_reader_may_go_away(void **state)
{
	struct fault f = {.kind = SINK, .error = ENOSPC};

	for (f.after = 0; f.after < 4; f.after++)
		assert_int_equal(run_in_process(&f), FAILED);
	assert_int_equal(run_in_process(&f), NOT_REACHED);
	f.error = EPIPE;
	for (f.after = 0; f.after < 4; f.after++)
		assert_int_equal(run_in_process(&f), TOLERATED);
}

static void who_cannot_be_shown_is_an_error(void **state)
{
	struct cul_stack_options options = {.pid = 0x7ffffff0, .stop_fd = -1};
	struct record record = {.sink.ops = &record_ops};
	struct cul_error err = {0};
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(cul_stack_run(&options, &record.sink, &err), -ESRCH);
	assert_non_null(strstr(err.text, "2147483632"));
	assert_int_equal(cul_stack_run(&options, &record.sink, NULL), -ESRCH);
	options.pid = pid;
	for (int i = 0; i < 1000 && !strstr(err.text, "zombie"); i++) {
		assert_true(cul_stack_run(&options, &record.sink, &err) <= 0);
		usleep(1000);
	}
	assert_non_null(strstr(err.text, "is a zombie"));
	waitpid(pid, &status, 0);
}

static int set_up(void **state)
{
	victim_start(&victim, NULL);
	return victim_goes_on(&victim) ? 0 : -1;
}

static int tear_down(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	return victim_ends(&victim) ? 0 : -1;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_run_shows_all_threads),
		TEST(who_cannot_be_shown_is_an_error),
		TEST(the_reader_may_go_away),
		TEST(ptrace_may_fail),
		TEST(memory_may_fail),
		TEST(files_may_fail),
		TEST(each_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
