/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "samples.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

#define KERNEL(fn, off)                                                                            \
	{                                                                                          \
		.where = {.function = fn, .offset = off, .module = "vmlinux"}, .method = "/proc",  \
		.certainty = CUL_CERTAIN, .times = 1, .period = 1                                  \
	}
#define USER(fn, off, how, sure)                                                                   \
	{                                                                                          \
		.where = {.addr = 0x401000 + (off),                                                \
			.function = fn,                                                            \
			.offset = off,                                                             \
			.module = "server",                                                        \
			.file = "src/server.c",                                                    \
			.line = 10 + (off)},                                                       \
		.user = true, .method = how, .certainty = sure, .times = 1, .period = 1            \
	}

static const struct cul_stack_frame_shown waiting[] = {KERNEL("futex_wait_queue", 0x64),
	KERNEL("do_syscall_64", 0x58), USER("pthread_cond_wait", 0x10, "registers", CUL_CERTAIN),
	USER("take_job", 0x21, "CFI", CUL_CERTAIN), USER("work", 0x33, "CFI", CUL_CERTAIN)};

/* The first thread, workers, one in a module's system call. */
static int play_process(struct cul_sink *s)
{
	static const struct cul_stack_about about = {.pid = 812,
		.process = "server",
		.command = "server -p 80",
		.arch = "x86_64",
		.n_threads = 23,
		.stopped_ns = 1234000};
	static const struct cul_stack_thread first = {
		.tid = 812, .pid = 812, .name = "server", .state = 'S'};
	static const struct cul_stack_frame_shown loop[] = {
		USER("run_loop", 0x42, "registers", CUL_CERTAIN),
		USER("main", 0x17, "CFI", CUL_CERTAIN)};
	static const struct cul_stack_thread one = {
		.tid = 900, .pid = 812, .name = "disk io", .state = 'D'};
	static const struct cul_stack_frame_shown disk[] = {
		{.where = {.function = "ext4_sync_file", .offset = 0x20, .module = "ext4"},
			.method = "/proc",
			.certainty = CUL_CERTAIN,
			.times = 1,
			.period = 1},
		KERNEL("do_syscall_64", 0x58)};
	struct cul_stack_thread workers[21];
	const struct cul_stack_summary summary = {.n_threads = 23, .n_stacks = 3, .n_complete = 23};

	for (unsigned i = 0; i < N(workers); i++)
		workers[i] = (struct cul_stack_thread){.tid = 813 + (int)i + (i > 9) + (i > 19),
			.pid = 812,
			.name = i < 20 ? "worker" : "logger",
			.state = 'S'};
	return s->ops->stack_about(s, &about)
		?: s->ops->stack_threads(s,
			   &(struct cul_stack_threads){.threads = &first,
				   .n_threads = 1,
				   .frames = loop,
				   .n_frames = N(loop),
				   .depth = N(loop)})
		?: s->ops->stack_threads(s,
			   &(struct cul_stack_threads){.threads = workers,
				   .n_threads = N(workers),
				   .frames = waiting,
				   .n_frames = N(waiting),
				   .depth = N(waiting)})
		?: s->ops->stack_threads(s,
			   &(struct cul_stack_threads){.threads = &one,
				   .n_threads = 1,
				   .frames = disk,
				   .n_frames = N(disk),
				   .depth = N(disk)})
		?: s->ops->stack_summary(s, &summary);
}

/* Inlined, a signal, recursion, no symbol, a frame that may be wrong; nothing at all. */
static int play_marks(struct cul_sink *s)
{
	static const char *const notes[] = {
		"gdb (5000) traces it already, and one tracer is all that a thread can have: what "
		"is shown of its threads is what /proc tells, and not of one instant"};
	static const struct cul_stack_about about = {.pid = 4242,
		.process = "deep",
		.arch = "x86_64",
		.n_threads = 3,
		.stopped_ns = 12,
		.notes = notes,
		.n_notes = 1};
	static const struct cul_stack_thread threads[] = {
		{.tid = 4242, .pid = 4242, .name = "deep"},
		{.tid = 4243, .pid = 4242, .state = 'Z'},
		{.tid = 4250, .pid = 4242, .name = "odd", .state = 'R'}};
	struct cul_stack_frame_shown frames[] = {
		USER("add", 0x4, NULL, CUL_CERTAIN),
		USER("handler", 0x10, "registers", CUL_CERTAIN),
		USER("__restore_rt", 0x0, "CFI", CUL_CERTAIN),
		USER("walk_tree", 0x31, "signal frame", CUL_CERTAIN),
		USER("even", 0x8, "CFI", CUL_CERTAIN),
		USER("odd", 0x9, "CFI", CUL_CERTAIN),
		{.where = {.addr = 0x7f0000001234, .offset = 0x1234, .module = "libodd.so.1"},
			.build_id = "93ac61ec5a8eb1396f9fbd350e3169a558528a40",
			.user = true,
			.method = "CFI",
			.certainty = CUL_CERTAIN,
			.times = 1,
			.period = 1},
		USER("start", 0x77, "frame pointer", CUL_LIKELY),
		{.where = {.addr = 0x10},
			.user = true,
			.method = "stack scan",
			.certainty = CUL_LIKELY,
			.times = 1,
			.period = 1},
	};
	const struct cul_stack_summary summary = {.n_threads = 3,
		.n_stacks = 2,
		.n_complete = 1,
		.n_truncated = 1,
		.n_missing = 1,
		.n_likely = 1};

	frames[0].inlined = true;
	frames[2].signal = true;
	frames[3].times = 11412;
	frames[4].times = 3;
	frames[4].period = 2;
	return s->ops->stack_about(s, &about)
		?: s->ops->stack_threads(s,
			   &(struct cul_stack_threads){.threads = &threads[0],
				   .n_threads = 1,
				   .frames = frames,
				   .n_frames = N(frames),
				   .depth = 11425,
				   .end = "nothing tells how to go on from 0x10"})
		?: s->ops->stack_threads(s,
			   &(struct cul_stack_threads){.threads = &threads[1],
				   .n_threads = 1,
				   .missing = "it has ended; what is left has no stack"})
		?: s->ops->stack_threads(s,
			   &(struct cul_stack_threads){.threads = &threads[2],
				   .n_threads = 1,
				   .frames = &frames[3],
				   .n_frames = 1,
				   .depth = 11412})
		?: s->ops->stack_summary(s, &summary);
}

static int play_core(struct cul_sink *s)
{
	static const struct cul_stack_about about = {.pid = 77,
		.process = "crasher",
		.core = "/var/tmp/core.77",
		.arch = "arm",
		.n_threads = 1,
		.signal = 11,
		.reason = "SEGV_MAPERR at 0x10",
		.command = "crasher --now"};
	static const struct cul_stack_thread thread = {
		.tid = 77, .pid = 77, .name = "crasher", .signal = 11};
	static const struct cul_stack_frame_shown frames[] = {
		USER("poke", 0x2, "registers", CUL_CERTAIN),
		USER("main", 0x17, "EXIDX", CUL_CERTAIN)};
	const struct cul_stack_summary summary = {.n_threads = 1, .n_stacks = 1, .n_complete = 1};

	return s->ops->stack_about(s, &about)
		?: s->ops->stack_threads(s,
			   &(struct cul_stack_threads){.threads = &thread,
				   .n_threads = 1,
				   .frames = frames,
				   .n_frames = N(frames),
				   .depth = N(frames)})
		?: s->ops->stack_summary(s, &summary);
}

/* Tasks of several processes, and names that would like to be more than text. */
static int play_tasks(struct cul_sink *s)
{
	static const struct cul_stack_about about = {.arch = "x86_64", .n_threads = 3};
	static const struct cul_stack_thread threads[] = {
		{.tid = 2, .pid = 2, .name = "kthreadd", .state = 'S'},
		{.tid = 50, .pid = 40, .name = "a;b\033[31m\n", .state = 'S'},
		{.tid = 51, .pid = 41, .name = "a;b\033[31m\n", .state = 'I'}};
	static const struct cul_stack_frame_shown frames[] = {
		{.where = {.function = "wait\xff;x", .offset = 1, .module = "mod\033"},
			.method = "ORC",
			.certainty = CUL_CERTAIN,
			.times = 1,
			.period = 1},
		KERNEL("ret_from_fork", 0x29)};
	const struct cul_stack_summary summary = {.n_threads = 3, .n_stacks = 1, .n_complete = 3};

	return s->ops->stack_about(s, &about)
		?: s->ops->stack_threads(s,
			   &(struct cul_stack_threads){.threads = threads,
				   .n_threads = N(threads),
				   .frames = frames,
				   .n_frames = N(frames),
				   .depth = N(frames)})
		?: s->ops->stack_summary(s, &summary);
}

const struct sample samples_stack[] = {
	{"stack/process", "stack", play_process},
	{"stack/marks", "stack", play_marks},
	{"stack/core", "stack", play_core},
	{"stack/tasks", "stack", play_tasks},
};
const size_t n_samples_stack = N(samples_stack);
