/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel stacks of tasks that do not run, from the kernel's memory. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "stack/source.h"
#include "stack/ktasks.h"

enum {
	TRIES = 4,
	PAUSE_NS = 1000000, /* between them */
	NAMES_CACHED = 1024,
};

/* Names of addresses: tasks wait in the same places. */
struct named {
	uint64_t lookup;
	bool valid;
	struct cul_where where;
};

struct data {
	struct cul_kernel *k;
	struct cul_kstack *frames;
	struct cul_ktasks *tasks;
	struct cul_ktask_list list;
	struct named *names;
};

static void free_data(struct cul_stack_source *source)
{
	struct data *d = source->data;

	if (!d)
		return;
	free(d->list.tasks.data);
	free(d->names);
	cul_ktasks_free(d->tasks);
	cul_kstack_free(d->frames);
	cul_kernel_free(d->k);
	free(d);
	source->data = NULL;
}

static void name_address(struct data *d, const struct cul_frame *frame, struct cul_where *out)
{
	uint64_t lookup = cul_frame_lookup(frame);
	struct named *n = &d->names[(lookup ^ lookup >> 10) % NAMES_CACHED];

	if (!n->valid || n->lookup != lookup) {
		cul_kernel_where(d->k, lookup, &n->where);
		n->lookup = lookup;
		n->valid = true;
	}
	*out = n->where;
	out->addr = frame->pc;
	if (out->function)
		out->offset += frame->pc - lookup;
}

struct walk {
	struct data *d;
	struct cul_source_thread *thread;
	bool no_memory;
};

static int take_frame(void *data, const struct cul_frame *frame)
{
	struct walk *w = data;
	struct cul_kernel_frame *f = cul_vec_push(&w->thread->kernel);

	if (!f) {
		w->no_memory = true;
		return -ENOMEM;
	}
	name_address(w->d, frame, &f->where);
	f->method = cul_unwind_method_name(frame->method);
	f->certainty = frame->certainty;
	return 0;
}

/* 0, -EAGAIN: it ran meanwhile; -ENOMEM. */
static int walk_task(struct cul_stack_source *s, const struct cul_stack_options *options,
	const struct cul_ktask_listed *listed, const struct cul_ktask *task,
	struct cul_source_thread *thread)
{
	const struct cul_unwind_options how = {
		.methods = options->methods, .max_frames = options->max_frames};
	struct data *d = s->data;
	struct walk w = {.d = d, .thread = thread};
	struct cul_unwind_end end = {0};
	char text[96];

	thread->kernel.len = 0;
	cul_kstack_walk(s->arch, cul_kstack_of_task(d->frames, task->bytes, task->size),
		&task->start, &task->stack, &how, take_frame, &w, &end);
	if (w.no_memory)
		return -ENOMEM;
	if (!cul_ktasks_stood_still(d->tasks, listed, task)) {
		thread->kernel.len = 0;
		return -EAGAIN;
	}
	if (end.why == CUL_UNWIND_END_OUTERMOST)
		return 0;
	thread->kernel_end =
		cul_arena_strdup(&s->arena, cul_unwind_end_text(&end, text, sizeof(text)));
	return thread->kernel_end ? 0 : -ENOMEM;
}

static const char *why_missing(struct cul_stack_source *s, const struct cul_ktask *task)
{
	char text[96];

	switch (task->stands) {
	case CUL_KTASK_RUNS:
		if (task->tid == getpid())
			return "this is culprit itself";
		snprintf(
			text, sizeof(text), "running on CPU %d: nothing is saved of it", task->cpu);
		return cul_arena_strdup(
			&s->arena, task->cpu < 0 ? "running: nothing is saved of it" : text);
	case CUL_KTASK_RAN:
		return "it ran on each time it was read";
	case CUL_KTASK_STRANGE:
		return "its stack cannot be read";
	default:
		return "it has ended, and has no stack any more";
	}
}

/* 0; -EAGAIN: another time it may be blocked, and `missing` holds until then; -ENOMEM. */
static int take_task(struct cul_stack_source *s, const struct cul_stack_options *options,
	const struct cul_ktask_listed *listed, struct cul_source_thread *thread)
{
	struct data *d = s->data;
	struct cul_ktask task;
	int ret = 0;

	cul_ktasks_read(d->tasks, listed, &task);
	if (task.stands == CUL_KTASK_BLOCKED) {
		ret = walk_task(s, options, listed, &task, thread);
		task.stands = ret == -EAGAIN ? CUL_KTASK_RAN : task.stands;
	}
	if (ret == -ENOMEM)
		return ret;
	thread->about.tid = task.tid;
	thread->about.pid = task.pid;
	thread->about.state = task.state;
	if (!thread->about.name && task.name[0])
		thread->about.name = cul_arena_strdup(&s->arena, task.name);
	thread->missing = NULL;
	if (task.stands == CUL_KTASK_BLOCKED)
		return 0;
	thread->missing = why_missing(s, &task);
	if (!thread->missing)
		return -ENOMEM;
	return task.stands == CUL_KTASK_ENDED || task.tid == getpid() ? 0 : -EAGAIN;
}

static int take_all(struct cul_stack_source *s, const struct cul_stack_options *options)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct data *d = s->data;
	size_t n = d->list.tasks.len, left = n;
	cul_autofree bool *done = cul_calloc(n, sizeof(*done));

	if (!done)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!cul_vec_push(&s->threads))
			return -ENOMEM;
	for (unsigned try = 0; try < TRIES && left; try++) {
		if (try)
			nanosleep(&pause, NULL);
		for (size_t i = 0; i < n; i++) {
			int ret = done[i] ? 0
					  : take_task(s, options, &d->list.tasks.data[i],
						    &s->threads.data[i]);

			if (ret == -ENOMEM)
				return ret;
			left -= ret == 0 && !done[i];
			done[i] = done[i] || ret == 0;
		}
	}
	return 0;
}

static int open_all(
	struct cul_stack_source *s, const struct cul_stack_options *options, struct cul_error *err)
{
	struct data *d = s->data;
	int ret = cul_kernel_open(options->debug_paths, &d->k, err);

	if (ret == 0)
		ret = cul_kstack_open(d->k, s->arch, &d->frames, err);
	if (ret == 0)
		ret = cul_ktasks_open(d->k, s->arch, &d->tasks, err);
	if (ret == 0)
		ret = cul_ktasks_list(
			d->tasks, options->all_tasks ? 0 : options->pid, &d->list, err);
	return ret;
}

static void describe(struct cul_stack_source *s, const struct cul_stack_options *options)
{
	struct data *d = s->data;

	s->about = (struct cul_stack_about){
		.pid = options->all_tasks ? 0 : options->pid,
		.process = options->all_tasks ? NULL : s->threads.data[0].about.name,
		.arch = s->arch->name,
		.n_threads = s->threads.len,
	};
	if (!d->list.whole)
		cul_stack_note(
			s, "the list of tasks changed while it was read: some may be missing");
	if (s->arch == &cul_arch_x86_64 && !cul_kstack_has_orc(d->frames))
		cul_stack_note(s,
			"this kernel has no ORC tables: frames are found by the frame pointer, and "
			"none but the first is certain");
}

int cul_stack_from_kernel(const struct cul_stack_options *options, struct cul_stack_source *out,
	struct cul_error *err)
{
	struct utsname uts = {0};
	struct data *d = cul_calloc(1, sizeof(*d));
	int ret;

	if (!d)
		return cul_fail(err, -ENOMEM, "out of memory");
	out->data = d;
	out->free = free_data;
	uname(&uts);
	out->arch = cul_arch_find(uts.machine);
	d->names = cul_calloc(NAMES_CACHED, sizeof(*d->names));
	if (!out->arch || !d->names)
		ret = !out->arch ? cul_fail(err, -ENOTSUP,
					   "the kernel's stacks: %s is not known here", uts.machine)
				 : cul_fail(err, -ENOMEM, "out of memory");
	else
		ret = open_all(out, options, err);
	if (ret == 0 && take_all(out, options) != 0)
		ret = cul_fail(err, -ENOMEM, "out of memory");
	if (ret == 0)
		describe(out, options);
	return ret;
}
