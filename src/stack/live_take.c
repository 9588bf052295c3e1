/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done while a process stands still. */
#include "stack/live.h"

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sys/process.h"
#include "unwind/process.h"

enum {
	REGSET_MOST = 1024,
	NS = 1000 * 1000 * 1000,
	NAP_NS = 1000 * 1000,
	EXEC_NS = 200 * 1000 * 1000,
	REAP_NS = 100 * 1000 * 1000,
	DEEP_NS = 1000 * 1000 * 1000, /* that long it may stand still for stacks that are deep */
	DEEP_KEPT = 2 << 20,          /* frames of such stacks in all */
	COPIED_AT_ONCE = 256,         /* stacks */
};

/* Whether it is where it was when /proc was read: its kernel stack is then what it was. */
static bool is_where_it_was(const struct cul_arch *arch, const struct cul_thread_regs *regs,
	const struct cul_live_before *b)
{
	uint64_t pc = regs->regs.r[arch->reg_ip];

	if (!b->is_blocked || b->at.sp != regs->regs.r[arch->reg_sp])
		return false;
	if (b->at.nr < 0) /* not in a call: a fault */
		return b->at.pc == pc;
	return (b->at.pc == pc || b->at.pc == pc + arch->syscall_back) &&
	       (!arch->syscall_regs || regs->regs.r[arch->syscall_regs[0]] == (uint64_t)b->at.nr);
}

/* The kernel hands them out in the order of pt_regs. */
static bool take_regs(
	const struct cul_arch *arch, const uint8_t *bytes, size_t size, struct cul_thread_regs *out)
{
	if (size < (size_t)arch->n_regs * arch->word)
		return false;
	*out = (struct cul_thread_regs){.known = ~0ull};
	for (unsigned i = 0; i < arch->n_regs; i++)
		memcpy(&out->regs.r[i], bytes + (size_t)i * arch->word, arch->word);
	return true;
}

/* One frame is all that can be said. */
static void only_pc(struct cul_source_thread *t, uint64_t pc, uint64_t sp)
{
	struct cul_stack *stack = cul_calloc(1, sizeof(*stack));
	struct cul_stack_frame *f = stack ? cul_vec_push(&stack->frames) : NULL;

	if (!f) {
		free(stack);
		return;
	}
	*f = (struct cul_stack_frame){.frame = {.pc = pc,
					      .sp = sp,
					      .exact = true,
					      .method = CUL_UNWIND_REGS,
					      .certainty = CUL_CERTAIN},
		.times = 1,
		.period = 1};
	stack->depth = 1;
	stack->end = (struct cul_unwind_end){CUL_UNWIND_END_NO_RULE, pc};
	t->walked = stack;
}

/* The same by /proc, which tells it of a thread that stands still too. */
static bool is_still_there(const struct cul_live *live, pid_t tid, const struct cul_live_before *b)
{
	struct cul_task_blocked now;
	char text[256];

	return b->is_blocked && cul_task_read(live->pid, tid, "syscall", text, sizeof(text)) == 0 &&
	       cul_task_parse_syscall(text, &now) == 0 && !memcmp(&now, &b->at, sizeof(now));
}

/* It depends on the kernel's configuration how many bits addresses have. */
static void read_signature(struct cul_live *live, pid_t tid)
{
	uint64_t mask[2]; /* struct user_pac_mask: of data, of code */
	size_t size = sizeof(mask);

	if (live->source->arch->elf_machine == EM_AARCH64 && !live->source->signature &&
		cul_sys_ptrace_regset(tid, NT_ARM_PAC_MASK, mask, &size) == 0 &&
		size == sizeof(mask))
		live->source->signature = mask[1];
}

static void read_regs(
	struct cul_live *live, struct cul_source_thread *t, const struct cul_live_before *b)
{
	const struct cul_arch *arch = live->source->arch;
	uint8_t bytes[REGSET_MOST];
	size_t size = sizeof(bytes);
	int r = cul_sys_ptrace_regset(t->about.tid, NT_PRSTATUS, bytes, &size);

	if (r == -ESRCH) {
		t->missing = "it ended while it was looked at";
	} else if (r < 0) {
		t->missing = "its registers could not be read";
	} else if (take_regs(arch, bytes, size, &t->regs)) {
		t->has_regs = true;
		read_signature(live, t->about.tid);
	} else {
		live->n_narrow++;
		if (is_still_there(live, t->about.tid, b))
			only_pc(t, b->at.pc, b->at.sp);
		else
			t->kernel.len = 0;
		if (t->walked)
			t->user_end = "it runs 32-bit code, whose frames are not followed";
		else
			t->missing = "it runs 32-bit code, whose frames are not followed";
		return;
	}
	if (!t->has_regs || !is_where_it_was(arch, &t->regs, b))
		t->kernel.len = 0;
}

static void set_reg(struct cul_thread_regs *regs, unsigned reg, uint64_t value)
{
	regs->regs.r[reg] = value;
	regs->known |= 1ull << reg;
}

static void regs_of_call(
	const struct cul_arch *arch, const struct cul_task_blocked *at, struct cul_thread_regs *out)
{
	*out = (struct cul_thread_regs){0};
	set_reg(out, arch->reg_ip, at->pc);
	set_reg(out, arch->reg_sp, at->sp);
	for (size_t i = 0; i < 6 && at->nr >= 0 && arch->syscall_regs; i++)
		set_reg(out, arch->syscall_regs[1 + i], at->args[i]);
}

static const char *why_refused(struct cul_live *live, pid_t tid)
{
	if (!live->refused)
		cul_live_check(live, tid);
	return live->refused;
}

static void not_stopped(struct cul_live *live, struct cul_source_thread *t,
	const struct cul_live_before *b, const struct cul_stop_thread *s)
{
	char state = cul_task_state(live->pid, s->tid);

	if (state == 'Z' || state == 'X')
		t->missing = "it has ended; what is left has no stack";
	else if (s->state == CUL_STOP_GONE || !state)
		t->missing = "it ended while it was looked at";
	else if (s->state == CUL_STOP_REFUSED)
		t->missing = why_refused(live, s->tid);
	else if (state == 'D')
		t->missing = "it is in uninterruptible sleep (D) and cannot stop: its registers "
			     "cannot be read";
	else
		t->missing = "it did not stop: its registers cannot be read";
	if (state == 'Z' || state == 'X' || !state || !is_still_there(live, t->about.tid, b)) {
		t->kernel.len = 0;
		return;
	}
	/* Where it left user space is known all the same. */
	regs_of_call(live->source->arch, &b->at, &t->regs);
	t->has_regs = true;
	t->missing = NULL;
	t->moving = state != 'D';
	if (state == 'D')
		live->n_asleep++;
	else
		live->n_refused++;
}

/* Both lists are by number. New threads are added at the end. */
static int match(struct cul_live *live)
{
	struct cul_stack_source *source = live->source;
	size_t n = source->threads.len, at = 0;

	for (size_t i = 0; i < live->stop.threads.len; i++) {
		pid_t tid = live->stop.threads.data[i].tid;
		size_t mine;

		while (at < n && source->threads.data[at].about.tid < tid)
			at++;
		mine = at;
		if (at == n || source->threads.data[at].about.tid != tid) {
			int r = cul_live_add(live, tid);

			if (r < 0)
				return r;
			mine = source->threads.len - 1;
			source->threads.data[mine].about.state = 0;
			source->threads.data[mine].kernel.len = 0;
			live->before.data[mine].is_blocked = false;
		}
		live->before.data[mine].stop = i;
	}
	return 0;
}

/* Those that ended before the stop were not there at its time. */
static void forget_ended(struct cul_live *live)
{
	struct cul_source_thread *t = live->source->threads.data;
	size_t kept = 0;

	for (size_t i = 0; i < live->source->threads.len; i++) {
		if (live->before.data[i].stop == SIZE_MAX) {
			free(t[i].kernel.data);
			continue;
		}
		t[kept] = t[i];
		live->before.data[kept++] = live->before.data[i];
	}
	live->source->threads.len = kept;
}

static bool is_over(void *data)
{
	return cul_stack_is_over(data);
}

static const char too_deep[] =
	"the stack is too deep to be followed while the process stands still";

/* Once it is late code is not read either: what the walk takes that for says nothing. */
static bool ended_late(const struct cul_live *live, enum cul_unwind_why why)
{
	if (why == CUL_UNWIND_END_OUTERMOST || why == CUL_UNWIND_END_LIMIT)
		return false;
	return why == CUL_UNWIND_END_LATE || cul_snapshot_is_late(live->snapshot);
}

/* Until live->until; `*kept`: frames of all of them. False: it is late, or the user wants no more.
 */
static bool walk(
	struct cul_live *live, struct cul_unwinder *u, struct cul_source_thread *t, size_t *kept)
{
	const struct cul_unwind_options options = {.methods = live->options->methods,
		.max_frames = live->options->max_frames,
		.until = live->until,
		.is_over = is_over,
		.data = (void *)live->options};
	struct cul_stack *stack = cul_calloc(1, sizeof(*stack));
	bool late;
	int r;

	if (!stack)
		return true;
	r = cul_stack_walk(u, &t->regs, &options, stack);
	*kept += stack->frames.len;
	t->walked = stack;
	late = ended_late(live, stack->end.why);
	if (late)
		t->user_end = too_deep;
	return r != -EINTR && !late;
}

/*
 * What is deeper than was copied is walked now, for as long and as far as that may be. Of others
 * the copies will do.
 */
static void walk_deep(struct cul_live *live)
{
	struct cul_stack_source *source = live->source;
	struct cul_unwind_process *code = NULL;
	struct cul_unwinder *u = NULL;
	struct cul_code_space space;
	const char *why = NULL;
	size_t kept = 0;

	live->until = cul_clock_now() + DEEP_NS;
	cul_snapshot_until(live->snapshot, live->until);
	if (cul_unwind_process_new(source->syms, source->mem, &code) != 0)
		return;
	space = cul_unwind_process_space(code);
	if (cul_unwinder_new(source->arch, source->mem, &space, &u) == 0) {
		cul_unwinder_signature(u, source->signature);
		for (size_t i = 0; i < source->threads.len; i++) {
			struct cul_source_thread *t = &source->threads.data[i];

			if (!live->before.data[i].is_deep)
				continue;
			if (!why && kept > DEEP_KEPT)
				why = "the stack is deep, and others have millions of frames "
				      "already (--frames N)";
			t->cut = why;
			if (!why && !walk(live, u, t, &kept))
				why = too_deep;
		}
	}
	cul_unwinder_free(u);
	cul_unwind_process_free(code);
}

/*
 * Whoever else wants the processors would make the stop longer, ten times where they are busy: for
 * these milliseconds this thread comes first. Where that is not permitted it takes its turn.
 */
static void come_first(struct cul_live *live)
{
	const struct sched_param least = {.sched_priority = 1};

	live->is_first = sched_getscheduler(0) == SCHED_OTHER &&
			 sched_setscheduler(0, SCHED_RR, &least) == 0;
}

static void take_turns(struct cul_live *live)
{
	const struct sched_param none = {0};

	if (live->is_first)
		sched_setscheduler(0, SCHED_OTHER, &none);
}

/* Of all that have registers. Returns whether any has a stack that was not copied whole. */
static bool copy_stacks(struct cul_live *live)
{
	struct cul_stack_source *source = live->source;
	size_t of[COPIED_AT_ONCE], n = 0;
	uint64_t sps[COPIED_AT_ONCE];
	bool whole[COPIED_AT_ONCE], is_deep = false;

	for (size_t i = 0; i < source->threads.len; i++) {
		const struct cul_source_thread *t = &source->threads.data[i];

		if (t->has_regs) {
			sps[n] = t->regs.regs.r[source->arch->reg_sp];
			of[n++] = i;
		}
		if (n < COPIED_AT_ONCE && i + 1 < source->threads.len)
			continue;
		cul_snapshot_copy_all(live->snapshot, &live->maps, sps, whole, n);
		while (n-- > 0) {
			bool deep = !whole[n] || live->is_split;

			live->before.data[of[n]].is_deep = deep;
			is_deep |= deep;
		}
		n = 0;
	}
	return is_deep;
}

static void take_threads(struct cul_live *live)
{
	struct cul_stack_source *source = live->source;

	for (size_t i = 0; i < source->threads.len; i++) {
		struct cul_source_thread *t = &source->threads.data[i];
		const struct cul_live_before *b = &live->before.data[i];
		const struct cul_stop_thread *s = &live->stop.threads.data[b->stop];

		if (s->state == CUL_STOP_STOPPED)
			read_regs(live, t, b);
		else
			not_stopped(live, t, b, s);
	}
	if (!copy_stacks(live))
		return;
	take_turns(live);
	walk_deep(live);
	come_first(live);
}

/* Another program since it was opened. */
static int follow_exec(struct cul_live *live, struct cul_error *err)
{
	struct cul_mem *fresh;
	int r;

	if (!cul_mem_is_gone(live->mem))
		return 0;
	r = cul_mem_process(live->alive, &fresh, err);
	if (r == -ESRCH)
		return cul_live_ended(live, err);
	if (r < 0)
		return r;
	cul_mem_free(live->mem);
	live->mem = fresh;
	cul_snapshot_of(live->snapshot, fresh);
	return 0;
}

static const struct cul_map *next_file(const struct cul_maps *maps, size_t *at)
{
	while (*at < maps->maps.len) {
		const struct cul_map *map = &maps->maps.data[(*at)++];

		if (map->inode)
			return map;
	}
	return NULL;
}

static bool same_files(const struct cul_maps *a, const struct cul_maps *b)
{
	size_t in_a = 0, in_b = 0;

	for (;;) {
		const struct cul_map *x = next_file(a, &in_a), *y = next_file(b, &in_b);

		if (!x || !y)
			return x == y;
		if (x->start != y->start || x->end != y->end || x->offset != y->offset ||
			x->prot != y->prot || !cul_maps_same_file(x, y))
			return false;
	}
}

static int take(struct cul_live *live, struct cul_error *err)
{
	int r = match(live);

	if (r < 0)
		return cul_fail(err, r, "process %d: out of memory", (int)live->pid);
	forget_ended(live);
	r = follow_exec(live, err);
	if (r == 0)
		r = cul_maps_read(live->alive, &live->maps, err);
	if (r == 0 && !same_files(&live->maps, cul_process_maps(live->source->syms)))
		r = cul_process_refresh(live->source->syms, err);
	if (r < 0)
		return r;
	take_threads(live);
	return 0;
}

static bool is_executing(const struct cul_task_blocked *at)
{
	return at->nr == SYS_execve || at->nr == SYS_execveat;
}

/*
 * Whether a thread is in execve() and stays there: nobody can attach to its process then, and who
 * tries waits for as long as that does (for a file server, say).
 */
static bool is_held(struct cul_live *live)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};
	uint64_t until = cul_clock_now() + EXEC_NS;

	for (size_t i = 0; i < live->before.len; i++) {
		pid_t tid = live->source->threads.data[i].about.tid;
		struct cul_task_blocked *at = &live->before.data[i].at;

		if (!live->before.data[i].is_blocked || !is_executing(at))
			continue;
		while (is_still_there(live, tid, &live->before.data[i])) {
			if (cul_clock_now() > until) {
				cul_stack_note(live->source,
					"thread %d is in execve() and not through with it, which "
					"keeps everybody from attaching: what is shown is what "
					"/proc tells, and not of one instant",
					(int)tid);
				live->refused = "a thread of its process is in execve()";
				return true;
			}
			nanosleep(&nap, NULL);
		}
	}
	return false;
}

static void *tracer(void *data)
{
	struct cul_live *live = data;
	int r;

	live->stop.is_over = is_over;
	live->stop.data = (void *)live->options;
	if (is_held(live)) {
		r = cul_stop_nobody(live->pid, &live->stop, &live->err);
	} else {
		come_first(live);
		r = cul_stop_threads(live->pid, &live->stop, &live->err);
	}
	if (r == 0 && cul_stack_is_over(live->options))
		r = cul_fail(&live->err, -EINTR, "interrupted before all threads were walked");
	if (r == 0)
		r = take(live, &live->err);
	cul_stop_release(&live->stop);
	if (live->stop.since_ns)
		live->source->about.stopped_ns = cul_clock_now() - live->stop.since_ns;
	live->result = r;
	return NULL;
}

int cul_live_take(struct cul_live *live, struct cul_error *err)
{
	struct timespec until;
	pthread_t thread;
	int r = pthread_create(&thread, NULL, tracer, live);

	if (r != 0)
		return cul_fail(err, -r, "process %d: no thread to stop it from: %s",
			(int)live->pid, cul_strerror(r));
	do {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += REAP_NS;
		until.tv_sec += until.tv_nsec / NS;
		until.tv_nsec %= NS;
		r = pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until);
		if (r == ETIMEDOUT)
			cul_stop_reap(live->pid);
	} while (r == ETIMEDOUT);
	if (live->result < 0 && err)
		*err = live->err;
	return live->result;
}
