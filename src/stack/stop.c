/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stack/stop.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <time.h>

#include "base/clock.h"
#include "stack/tasks.h"
#include "sys/process.h"

enum {
	NAP_NS = 50 * 1000,
	LONG_NAP_NS = 1000 * 1000,
	/* With no thread stopping: then it is looked at why; how long at most; the same of threads
	 * that only wait for a processor. */
	SUSPECT_NS = 10 * 1000 * 1000,
	PATIENCE_NS = 200 * 1000 * 1000,
	READY_NS = 2000 * 1000 * 1000,
	PASSES_MOST = 64, /* of looking for new threads */
	MISSES_MOST = 8, /* threads looked at that have not stopped: those behind have not either */
};

static int by_tid(const void *a, const void *b)
{
	const struct cul_stop_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static struct cul_stop_thread *find(struct cul_stop *stop, size_t n, pid_t tid)
{
	const struct cul_stop_thread key = {.tid = tid};

	return n ? bsearch(&key, stop->threads.data, n, sizeof(key), by_tid) : NULL;
}

/* Adds the threads that are not known yet; how many, or a negative errno. */
static int list(struct cul_stop *stop)
{
	size_t known = stop->threads.len;
	struct cul_tasks_dir dir;
	int ret = cul_tasks_open(stop->pid, &dir);
	pid_t tid;

	if (ret < 0)
		return ret;
	while ((tid = cul_tasks_next(&dir)) > 0) {
		struct cul_stop_thread *t;

		if (find(stop, known, tid))
			continue;
		t = cul_vec_push(&stop->threads);
		if (!t) {
			ret = -ENOMEM;
			break;
		}
		t->tid = tid;
	}
	cul_tasks_close(&dir);
	return ret < 0 ? ret : (int)(stop->threads.len - known);
}

/* Seizing alone disturbs nobody. */
static void seize(struct cul_stop *stop, size_t from)
{
	for (size_t i = from; i < stop->threads.len; i++) {
		struct cul_stop_thread *t = &stop->threads.data[i];
		int r = cul_sys_ptrace(PTRACE_SEIZE, t->tid, 0);

		if (r == 0)
			continue;
		t->state = r == -ESRCH ? CUL_STOP_GONE : CUL_STOP_REFUSED;
		t->error = r;
	}
}

static void interrupt(struct cul_stop *stop, size_t from)
{
	if (!stop->since_ns)
		stop->since_ns = cul_clock_now();
	for (size_t i = from; i < stop->threads.len; i++) {
		struct cul_stop_thread *t = &stop->threads.data[i];
		int r = t->state == CUL_STOP_SEIZED ? cul_sys_ptrace(PTRACE_INTERRUPT, t->tid, 0)
						    : 0;

		if (r == -ESRCH)
			t->state = CUL_STOP_GONE;
		else if (r < 0)
			t->error = r;
	}
}

/* Whether its state is known now. */
static bool look(struct cul_stop_thread *t)
{
	int stop = 0, r = cul_sys_ptrace_stop(t->tid, &stop);

	if (r == -EAGAIN || r == -EINTR)
		return false;
	if (r < 0) {
		t->state = r == -ECHILD ? CUL_STOP_GONE : CUL_STOP_REFUSED;
		t->error = r;
		return true;
	}
	t->state = CUL_STOP_STOPPED;
	t->signal = stop >> 8 == 0 ? stop : 0;
	return true;
}

static bool is_awaited(const struct cul_stop_thread *t)
{
	return t->state == CUL_STOP_SEIZED && !t->error;
}

/* From `*first` on, which is moved behind those that are known; how many have become known. */
static size_t look_at(struct cul_stop *stop, size_t *first, size_t misses_most)
{
	size_t known = 0, misses = 0;

	for (size_t i = *first; i < stop->threads.len && misses < misses_most; i++) {
		struct cul_stop_thread *t = &stop->threads.data[i];

		if (is_awaited(t) && look(t))
			known++;
		misses += is_awaited(t);
		if (misses == 0)
			*first = i + 1;
	}
	return known;
}

/* How long to wait with no thread stopping, by what those do that have not. */
static uint64_t patience(const struct cul_stop *stop)
{
	uint64_t most = SUSPECT_NS;

	for (size_t i = 0; i < stop->threads.len; i++) {
		const struct cul_stop_thread *t = &stop->threads.data[i];
		char state;

		if (!is_awaited(t))
			continue;
		state = cul_task_state(stop->pid, t->tid);
		if (state == 'R')
			return READY_NS;
		if (state != 'D')
			most = PATIENCE_NS;
	}
	return most;
}

static void await(struct cul_stop *stop)
{
	const struct timespec nap = {.tv_nsec = NAP_NS}, long_nap = {.tv_nsec = LONG_NAP_NS};
	uint64_t progress = cul_clock_now();
	size_t first = 0, known = look_at(stop, &first, MISSES_MOST);

	while (first < stop->threads.len) {
		uint64_t idle = known ? 0 : cul_clock_now() - progress;
		bool slow = idle > SUSPECT_NS;

		if (known)
			progress = cul_clock_now();
		if (slow && (idle > patience(stop) || (stop->is_over && stop->is_over(stop->data))))
			return;
		nanosleep(slow ? &long_nap : &nap, NULL);
		known = look_at(stop, &first, slow ? SIZE_MAX : MISSES_MOST);
	}
}

/* All that there are have stopped: nobody is left who could have made another. */
static bool is_all(const struct cul_stop *stop)
{
	for (size_t i = 0; i < stop->threads.len; i++) {
		if (stop->threads.data[i].state != CUL_STOP_STOPPED)
			return false;
	}
	return cul_tasks_count(stop->pid) == stop->threads.len;
}

static int list_or_say(struct cul_stop *stop, struct cul_error *err)
{
	int n = list(stop);

	if (n == -ENOENT || n == -ESRCH)
		return cul_fail(err, -ESRCH, "process %d has ended", (int)stop->pid);
	if (n < 0)
		return cul_fail(err, n, "process %d: its threads cannot be listed: %s",
			(int)stop->pid, cul_strerror(n));
	return n;
}

int cul_stop_nobody(pid_t pid, struct cul_stop *out, struct cul_error *err)
{
	int n;

	out->pid = pid;
	n = list_or_say(out, err);
	if (n <= 0)
		return n;
	for (size_t i = 0; i < out->threads.len; i++) {
		out->threads.data[i].state = CUL_STOP_REFUSED;
		out->threads.data[i].error = -EBUSY;
	}
	qsort(out->threads.data, out->threads.len, sizeof(*out->threads.data), by_tid);
	return 0;
}

int cul_stop_threads(pid_t pid, struct cul_stop *out, struct cul_error *err)
{
	out->pid = pid;
	for (unsigned pass = 0; pass < PASSES_MOST; pass++) {
		size_t known = out->threads.len;
		int n = known && is_all(out) ? 0 : list_or_say(out, err);

		if (n <= 0)
			return n;
		seize(out, known);
		interrupt(out, known);
		qsort(out->threads.data, out->threads.len, sizeof(*out->threads.data), by_tid);
		await(out);
	}
	out->incomplete = true;
	return 0;
}

void cul_stop_reap(pid_t pid)
{
	struct cul_tasks_dir dir;
	pid_t tid;

	if (cul_tasks_open(pid, &dir) != 0)
		return;
	while ((tid = cul_tasks_next(&dir)) > 0)
		if (tid != pid) /* that one is its parent's */
			cul_sys_ptrace_reap(tid);
	cul_tasks_close(&dir);
}

void cul_stop_release(struct cul_stop *stop)
{
	for (size_t i = 0; i < stop->threads.len; i++) {
		struct cul_stop_thread *t = &stop->threads.data[i];

		if (is_awaited(t))
			look(t); /* late */
		if (t->state == CUL_STOP_STOPPED)
			cul_sys_ptrace(PTRACE_DETACH, t->tid, (uintptr_t)t->signal);
	}
}

void cul_stop_free(struct cul_stop *stop)
{
	free(stop->threads.data);
	*stop = (struct cul_stop){0};
}
