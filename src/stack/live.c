/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A live process: what /proc tells of its threads is read first, and its files are opened. Then all
 * of it stands still while registers, stacks and mappings are taken (live_take.c), and goes on.
 * The rest of the work is done on what was taken.
 */
#include "stack/live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"

enum {
	STACK_TEXT = 8192,
	STATUS_MOST = 16384,
	TRIES = 8,
	NAP_NS = 4000000,
	TICK = 64, /* threads between two looks at the user */
};

static int by_number(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* A number in /proc/PID/status. */
static int status_number(pid_t pid, const char *field, int *out)
{
	cul_autofree char *text = NULL;
	char path[64];
	size_t size;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	r = cul_sys_read_file(path, STATUS_MOST, &text, &size);
	return r < 0 ? r : cul_task_parse_status(text, field, out);
}

static int read_stat(pid_t pid, struct cul_task_stat *out)
{
	char text[512];
	int r = cul_task_read(pid, pid, "stat", text, sizeof(text));

	return r < 0 ? r : cul_task_parse_stat(text, out);
}

/* Where it is in the kernel, if it sleeps there. */
static int read_kernel(
	struct cul_live *live, struct cul_source_thread *t, struct cul_live_before *b)
{
	struct cul_stack_source *source = live->source;
	char text[STACK_TEXT];
	int r;

	if (cul_task_read_in(&live->tasks, t->about.tid, "syscall", text, sizeof(text)) != 0)
		return 0;
	b->is_blocked = cul_task_parse_syscall(text, &b->at) == 0;
	if (b->is_blocked && source->syms && !live->ahead) {
		live->ahead = cul_process_object_at(source->syms, b->at.pc, NULL);
		if (live->ahead)
			cul_objfile_debug_ahead(live->ahead);
	}
	if (!b->is_blocked || live->no_kernel)
		return 0;
	r = cul_task_read_in(&live->tasks, t->about.tid, "stack", text, sizeof(text));
	if (r == -EPERM || r == -EACCES || r == -ENOENT)
		live->no_kernel = true;
	if (r < 0)
		return 0;
	r = cul_task_parse_stack(text, &source->arena, &t->kernel);
	if (r < 0)
		t->kernel.len = 0;
	return r == -ENOMEM ? r : 0;
}

int cul_live_add(struct cul_live *live, pid_t tid)
{
	struct cul_source_thread *t = cul_vec_push(&live->source->threads);
	struct cul_live_before *b = cul_vec_push(&live->before);
	struct cul_task_stat stat;
	char text[512];

	if (!t || !b)
		return -ENOMEM;
	t->about.tid = tid;
	t->about.pid = live->pid;
	b->stop = SIZE_MAX;
	if (cul_task_read_in(&live->tasks, tid, "stat", text, sizeof(text)) != 0 ||
		cul_task_parse_stat(text, &stat) != 0)
		return 0;
	t->about.state = stat.state;
	t->about.name = cul_arena_strdup(&live->source->arena, stat.name);
	if (!t->about.name)
		return -ENOMEM;
	return read_kernel(live, t, b);
}

struct tids {
	pid_t *data;
	size_t len, cap;
};

static int list_tids(struct cul_live *live, struct tids *out)
{
	int r = cul_tasks_open(live->pid, &live->tasks);
	pid_t tid, *slot;

	if (r < 0)
		return r;
	while (r == 0 && (tid = cul_tasks_next(&live->tasks)) > 0) {
		slot = cul_vec_push(out);
		if (slot)
			*slot = tid;
		else
			r = -ENOMEM;
	}
	if (out->len)
		qsort(out->data, out->len, sizeof(*out->data), by_number);
	return r;
}

static int list_threads(struct cul_live *live, struct cul_error *err)
{
	struct tids tids = {0};
	int r = list_tids(live, &tids);

	for (size_t i = 0; i < tids.len && r == 0; i++) {
		if (i % TICK == 0 && cul_stack_is_over(live->options))
			r = -EINTR;
		else
			r = cul_live_add(live, tids.data[i]);
	}
	free(tids.data);
	if (r == -EINTR)
		return cul_fail(
			err, r, "interrupted before process %d was stopped", (int)live->pid);
	if (r == -ENOMEM)
		return cul_fail(err, r, "process %d: out of memory", (int)live->pid);
	if (r < 0 || live->source->threads.len == 0)
		return cul_fail(err, -ESRCH, "process %d has ended", (int)live->pid);
	return 0;
}

static bool is_dead(char state)
{
	return state == 'Z' || state == 'X';
}

/* What was asked for: a process, one of its threads, or something that has no stack to show. */
static int examine(struct cul_live *live, pid_t asked, struct cul_error *err)
{
	struct cul_stack_source *source = live->source;
	struct cul_task_stat stat;
	int tgid;

	if (status_number(asked, "Tgid", &tgid) != 0 || read_stat(tgid, &stat) != 0)
		return cul_fail(err, -ESRCH, "there is no process %d", (int)asked);
	live->pid = tgid;
	live->is_kernel_thread = stat.kernel_thread;
	live->alive = is_dead(stat.state) ? 0 : tgid;
	source->about.pid = tgid;
	source->about.process = cul_arena_strdup(&source->arena, stat.name);
	if (!source->about.process)
		return cul_fail(err, -ENOMEM, "process %d: out of memory", tgid);
	if (tgid != asked)
		cul_stack_note(live->source, "%d is a thread of process %d, of which all are shown",
			(int)asked, tgid);
	return 0;
}

/* The first thread may have ended: then its memory is found by another. */
static int find_alive(struct cul_live *live, struct cul_error *err)
{
	struct cul_tasks_dir dir;
	int parent = 0;
	pid_t tid;

	if (live->alive)
		return 0;
	if (cul_tasks_open(live->pid, &dir) == 0) {
		while (!live->alive && (tid = cul_tasks_next(&dir)) > 0) {
			char state = cul_task_state(live->pid, tid);

			live->alive = state && !is_dead(state) ? tid : 0;
		}
		cul_tasks_close(&dir);
	}
	if (live->alive)
		return 0;
	status_number(live->pid, "PPid", &parent);
	return cul_fail(err, -ESRCH,
		"%s (%d) is a zombie: it has ended, and its parent, process %d, has not asked how",
		live->source->about.process, (int)live->pid, parent);
}

/* What a function calls for another piece of stack (libgcc, config/i386/morestack.S). */
static bool has_split_stacks(struct cul_process_syms *syms)
{
	struct cul_objfile *program;
	struct cul_elf_symbol symbol;

	return cul_process_object(syms, NULL, &program, NULL) == 0 &&
	       cul_objfile_symbol(program, "__morestack", &symbol, NULL) == 0;
}

/* qemu-arm, qemu-mipsel-static: their own stacks are not what was asked for. */
static void note_emulator(struct cul_live *live)
{
	static const char prefix[] = "qemu-";
	struct cul_objfile *program;
	const char *name, *slash;
	char arch[16];

	if (cul_process_object(live->source->syms, NULL, &program, NULL) != 0)
		return;
	name = cul_objfile_name(program);
	slash = strrchr(name, '/');
	name = slash ? slash + 1 : name;
	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0 ||
		sscanf(name + sizeof(prefix) - 1, "%15[a-z0-9_]", arch) != 1 ||
		!cul_arch_find(arch))
		return;
	cul_stack_note(live->source,
		"these are the stacks of %s itself, which emulates a program of %s: where that is "
		"tells the core that it writes (ulimit -c unlimited before it starts, kill -ABRT "
		"%d)",
		name, arch, (int)live->pid);
}

int cul_live_ended(const struct cul_live *live, struct cul_error *err)
{
	return cul_fail(err, -ESRCH, "process %d has ended", (int)live->pid);
}

static int open_process(struct cul_live *live, struct cul_error *err)
{
	struct cul_stack_source *source = live->source;
	int r = cul_mem_process(live->alive, &live->mem, err);

	if (r == 0)
		r = cul_process_open(live->alive, live->options->debug_paths, &source->syms, err);
	if (r == -ESRCH)
		return cul_live_ended(live, err);
	if (r < 0)
		return r;
	cul_process_keep(source->syms);
	live->is_split = has_split_stacks(source->syms);
	note_emulator(live);
	return 0;
}

static int make_room(struct cul_live *live, struct cul_error *err)
{
	struct cul_stack_source *source = live->source;

	if (cul_snapshot_new(live->alive, live->mem, source->threads.len, &live->snapshot) != 0)
		return cul_fail(err, -ENOMEM, "process %d: out of memory", (int)live->pid);
	source->mem = cul_snapshot_mem(live->snapshot);
	/* Its threads need the processors for as long as they are to stop. */
	if (live->ahead)
		cul_objfile_debug_await(live->ahead);
	return 0;
}

void cul_live_check(struct cul_live *live, pid_t tid)
{
	struct cul_task_stat stat;
	int tracer = 0;

	live->refused = "ptrace is not permitted";
	if (status_number(tid, "TracerPid", &tracer) != 0 || tracer <= 0)
		return;
	cul_stack_note(live->source,
		"%s (%d) traces it already, and one tracer is all that a thread can have: "
		"what is shown of its threads is what /proc tells, and not of one instant",
		read_stat(tracer, &stat) == 0 ? stat.name : "another process", tracer);
	live->refused = "it is traced by another process";
}

/* What the reader should know, once all is taken. */
static void conclude(struct cul_live *live)
{
	struct cul_stack_about *about = &live->source->about;

	about->n_threads = live->source->threads.len;
	if (live->no_kernel)
		cul_stack_note(live->source,
			"without kernel frames: /proc/PID/stack is for root (CAP_SYS_ADMIN)");
	if (live->n_narrow)
		cul_stack_note(live->source,
			"%zu thread%s run%s 32-bit code, for which there is no unwinder here: "
			"only where they are is shown",
			live->n_narrow, live->n_narrow == 1 ? "" : "s",
			live->n_narrow == 1 ? "s" : "");
	if (live->n_asleep)
		cul_stack_note(live->source,
			"%zu thread%s in uninterruptible sleep (D) cannot stop; frames are "
			"followed from where they left user space",
			live->n_asleep, live->n_asleep == 1 ? "" : "s");
	if (live->stop.incomplete)
		cul_stack_note(live->source, "new threads came faster than they could be stopped");
}

static void live_free(struct cul_stack_source *source)
{
	struct cul_live *live = source->data;

	cul_process_free(source->syms);
	cul_snapshot_free(live->snapshot);
	cul_mem_free(live->mem);
	cul_maps_free(&live->maps);
	cul_stop_free(&live->stop);
	cul_tasks_close(&live->tasks);
	free(live->before.data);
	free(live);
}

static int kernel_thread(struct cul_live *live, struct cul_error *err)
{
	struct cul_stack_source *source = live->source;

	if (source->threads.data[0].kernel.len == 0)
		return cul_fail(err, -ESRCH,
			"%s (%d) is a kernel thread: it has no stack in user space; culprit stack "
			"--kernel %d shows where it is in the kernel",
			source->about.process, (int)live->pid, (int)live->pid);
	cul_stack_note(live->source,
		"a kernel thread: it has no stack in user space; this is /proc/%d/stack, "
		"culprit stack --kernel %d reads the kernel's memory",
		(int)live->pid, (int)live->pid);
	conclude(live);
	return 0;
}

static int fill(struct cul_live *live, struct cul_error *err)
{
	int r = examine(live, live->options->pid, err);

	if (r == 0 && live->is_kernel_thread) {
		r = list_threads(live, err);
		return r < 0 ? r : kernel_thread(live, err);
	}
	if (r == 0)
		r = find_alive(live, err);
	if (r == 0)
		r = open_process(live, err);
	if (r == 0)
		r = list_threads(live, err);
	if (r == 0)
		r = make_room(live, err);
	if (r == 0)
		r = cul_live_take(live, err);
	if (r < 0)
		return r;
	cul_snapshot_close(live->snapshot, &live->maps);
	conclude(live);
	return 0;
}

static int from_process(const struct cul_stack_options *options, struct cul_stack_source *out,
	struct cul_error *err)
{
	struct cul_stack_source source = {0};
	struct cul_live *live = cul_calloc(1, sizeof(*live));
	struct utsname host;
	int r;

	if (!live)
		return cul_fail(err, -ENOMEM, "process %d: out of memory", (int)options->pid);
	live->source = out;
	live->options = options;
	source.data = live;
	source.free = live_free;
	source.arch = uname(&host) == 0 ? cul_arch_find(host.machine) : NULL;
	*out = source;
	if (!out->arch) {
		r = cul_fail(
			err, -ENOTSUP, "stacks of a %s machine are not known here", host.machine);
	} else {
		out->about.arch = out->arch->name;
		r = fill(live, err);
	}
	if (r < 0)
		cul_stack_source_free(out);
	return r;
}

/* The thread that all was read by may have ended because another one executes a program. */
int cul_stack_from_process(const struct cul_stack_options *options, struct cul_stack_source *out,
	struct cul_error *err)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};
	int r = from_process(options, out, err);

	/* The first thread is a zombie until the one that executes has its number. */
	for (unsigned i = 1; i < TRIES && r == -ESRCH; i++) {
		if (!cul_task_state(options->pid, options->pid))
			return r;
		nanosleep(&nap, NULL);
		r = from_process(options, out, err);
	}
	return r;
}
