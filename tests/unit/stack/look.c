/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "stack/tasks.h"
#include "sys/fault.h"

void list_threads(pid_t pid, struct tids *out)
{
	struct cul_tasks_dir dir;
	pid_t tid;

	out->n = 0;
	assert_int_equal(cul_tasks_open(pid, &dir), 0);
	while ((tid = cul_tasks_next(&dir)) > 0 && out->n < 4096)
		out->tid[out->n++] = tid;
	cul_tasks_close(&dir);
}

void await_state(pid_t pid, pid_t tid, char state)
{
	for (int i = 0; i < PATIENCE_MS && cul_task_state(pid, tid) != state; i++)
		usleep(1000);
	assert_int_equal(cul_task_state(pid, tid), state);
}

static void *tracer(void *data)
{
	struct look *l = data;
	uint64_t begin = cul_clock_now();

	cul_alloc_fail_after(l->fail_alloc);
	l->ret = cul_stop_threads(l->pid, &l->stop, &l->err);
	cul_alloc_fail_after(-1);
	l->took_ns = cul_clock_now() - begin;
	if (l->meanwhile)
		l->meanwhile(l);
	cul_stop_release(&l->stop);
	return NULL;
}

struct look look_failing(pid_t pid, long fail_alloc, void (*meanwhile)(struct look *l))
{
	struct look l = {.pid = pid, .meanwhile = meanwhile, .fail_alloc = fail_alloc};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, tracer, &l), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	cul_sys_fail_none();
	if (l.problem[0])
		fail_msg("%s", l.problem);
	return l;
}

struct look look(pid_t pid, void (*meanwhile)(struct look *l))
{
	return look_failing(pid, -1, meanwhile);
}

struct cul_stop_thread *of(struct look *l, pid_t tid)
{
	for (size_t i = 0; i < l->stop.threads.len; i++)
		if (l->stop.threads.data[i].tid == tid)
			return &l->stop.threads.data[i];
	return NULL;
}

size_t in_state(const struct look *l, enum cul_stop_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < l->stop.threads.len; i++)
		n += l->stop.threads.data[i].state == state;
	return n;
}

void all_stand_still(struct look *l)
{
	static struct tids tids;

	list_threads(l->pid, &tids);
	for (size_t i = 0; i < tids.n; i++) {
		const struct cul_stop_thread *t = of(l, tids.tid[i]);
		char state = cul_task_state(l->pid, tids.tid[i]);

		if (state == 0 || state == 'Z' || state == 'X')
			continue;
		if (!t || (t->state == CUL_STOP_STOPPED) != (state == 't'))
			snprintf(l->problem, sizeof(l->problem), "thread %d is '%c', and was %s",
				(int)tids.tid[i], state,
				!t                             ? "not listed"
				: t->state == CUL_STOP_STOPPED ? "told to be stopped"
							       : "not told to be stopped");
	}
}

void assert_let_go(pid_t pid)
{
	static struct tids tids;
	char path[64], line[256];
	int tracer_pid;

	list_threads(pid, &tids);
	for (size_t i = 0; i < tids.n; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)tids.tid[i]);
		f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "TracerPid: %d", &tracer_pid) == 1)
				assert_int_equal(tracer_pid, 0);
		if (f)
			fclose(f);
	}
}
