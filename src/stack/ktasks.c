/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stack/ktasks.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

enum {
	MAX_TASKS = 4 << 20,       /* PID_MAX_LIMIT */
	MAX_TASK_SIZE = 256 << 10, /* of struct task_struct, up to what is wanted of it */
	MIN_STACK = 16 << 10,
	MAX_STACK = 128 << 10,
	LIST_TRIES = 3,
};

/* include/linux/sched.h: bits of __state and exit_state, the same since 4.14. */
enum {
	TASK_UNINTERRUPTIBLE = 0x2,
	TASK_REPORT = 0x7f,
	TASK_DEAD = 0x80,
	TASK_NOLOAD = 0x400,
	TASK_RTLOCK_WAIT = 0x1000,
	TASK_FROZEN = 0x8000,
};

/* Places in struct task_struct. `size` 0: this kernel has no such member. */
struct places {
	struct cul_extent tasks, pid, tgid, leader, signal, thread_node;
	struct cul_extent state, exit_state, on_cpu, cpu, comm, stack, vm_area, nvcsw, nivcsw;
	struct cul_extent sp, fp, pc; /* what is saved of a task that is switched away */
};

struct cul_ktasks {
	struct cul_kernel *k;
	struct cul_mem *mem;
	const struct cul_arch *arch;
	struct places at;
	uint64_t thread_head;       /* in struct signal_struct */
	struct cul_extent vm_size;  /* in struct vm_struct */
	struct cul_extent switched; /* struct inactive_task_frame; size 0: registers are in `at` */
	uint64_t switched_bp, switched_pc;
	uint64_t stack_size;          /* THREAD_SIZE; 0: not found out yet */
	size_t list_first, list_size; /* the part of a task that lists are made of */
	size_t task_size;             /* the part that all is in */
	uint8_t *part, *bytes, *again;
	uint8_t *stack;
};

static uint64_t number(const uint8_t *bytes, struct cul_extent e)
{
	uint64_t value = 0;

	memcpy(&value, bytes + e.at, e.size < sizeof(value) ? e.size : sizeof(value));
	return le64toh(value);
}

/* Of the part that lists are made of. */
static uint64_t part_number(const struct cul_ktasks *t, struct cul_extent e)
{
	e.at -= t->list_first;
	return number(t->part, e);
}

static bool is_kernel(uint64_t addr)
{
	return addr >> 63 && addr % 8 == 0;
}

struct wanted {
	struct cul_extent *to;
	const char *path, *other; /* other: in other kernels; NULL */
	bool optional;
};

static int find_places(
	const struct cul_type *t, const struct wanted *wanted, size_t n, struct cul_error *err)
{
	struct cul_error why = {0};

	for (size_t i = 0; i < n; i++) {
		const struct wanted *w = &wanted[i];
		int ret = cul_type_extent(t, w->path, w->to, &why);

		if (ret != 0 && w->other)
			ret = cul_type_extent(t, w->other, w->to, NULL);
		if (ret != 0 && !w->optional)
			return cul_fail(err, -ENOTSUP, "tasks of this kernel: %s", why.text);
		if (ret == 0 && (w->to->at > MAX_TASK_SIZE || w->to->size > MAX_TASK_SIZE))
			return cul_fail(err, -EBADMSG,
				"tasks of this kernel: '%s' is where no kernel has it", w->path);
	}
	return 0;
}

static int find_task_places(
	struct cul_ktasks *t, const struct cul_type *task, struct cul_error *err)
{
	struct places *at = &t->at;
	bool arm64 = t->arch->elf_machine == EM_AARCH64;
	const struct wanted wanted[] = {
		{&at->tasks, "tasks", NULL, false},
		{&at->pid, "pid", NULL, false},
		{&at->tgid, "tgid", NULL, false},
		{&at->leader, "group_leader", NULL, false},
		{&at->signal, "signal", NULL, false},
		{&at->thread_node, "thread_node", NULL, false},
		{&at->state, "__state", "state", false},
		{&at->exit_state, "exit_state", NULL, false},
		{&at->on_cpu, "on_cpu", NULL, true}, /* a kernel for one CPU */
		{&at->cpu, "thread_info.cpu", "cpu", true},
		{&at->comm, "comm", NULL, false},
		{&at->stack, "stack", NULL, false},
		{&at->vm_area, "stack_vm_area", NULL, true},
		{&at->nvcsw, "nvcsw", NULL, false},
		{&at->nivcsw, "nivcsw", NULL, false},
		{&at->sp, arm64 ? "thread.cpu_context.sp" : "thread.sp", NULL, false},
		{&at->fp, "thread.cpu_context.fp", NULL, !arm64},
		{&at->pc, "thread.cpu_context.pc", NULL, !arm64},
	};
	size_t n = sizeof(wanted) / sizeof(wanted[0]);
	const struct cul_extent *listed[] = {
		&at->tasks, &at->pid, &at->tgid, &at->signal, &at->thread_node};
	uint64_t first = UINT64_MAX, end = 0;
	int ret = find_places(task, wanted, n, err);

	if (ret != 0)
		return ret;
	if (at->tasks.size != 16 || at->thread_node.size != 16)
		return cul_fail(err, -EBADMSG, "tasks of this kernel: their lists are no lists");
	for (size_t i = 0; i < n; i++)
		if (wanted[i].to->at + wanted[i].to->size > t->task_size)
			t->task_size = wanted[i].to->at + wanted[i].to->size;
	for (size_t i = 0; i < sizeof(listed) / sizeof(listed[0]); i++) {
		first = listed[i]->at < first ? listed[i]->at : first;
		end = listed[i]->at + listed[i]->size > end ? listed[i]->at + listed[i]->size : end;
	}
	t->list_first = first;
	t->list_size = end - first;
	return 0;
}

/* What is beside the task: its signal_struct's list, the area of its stack, what a switch leaves.
 */
static int find_other_places(struct cul_ktasks *t, struct cul_error *err)
{
	const struct cul_type *signal = cul_kernel_type(t->k, CUL_KIND_STRUCT, "signal_struct");
	const struct cul_type *area = cul_kernel_type(t->k, CUL_KIND_STRUCT, "vm_struct");
	const struct cul_type *frame =
		cul_kernel_type(t->k, CUL_KIND_STRUCT, "inactive_task_frame");
	struct cul_extent head, bp, pc;

	if (!signal || cul_type_extent(signal, "thread_head", &head, err) != 0)
		return cul_fail(err, -ENOTSUP,
			"tasks of this kernel: struct signal_struct has no list of threads");
	t->thread_head = head.at;
	if (!area || cul_type_extent(area, "size", &t->vm_size, NULL) != 0)
		t->at.vm_area.size = 0;
	if (t->arch->elf_machine == EM_AARCH64)
		return 0;
	if (!frame || frame->size > 1024 || cul_type_extent(frame, "bp", &bp, NULL) != 0 ||
		cul_type_extent(frame, "ret_addr", &pc, NULL) != 0)
		return cul_fail(err, -ENOTSUP,
			"tasks of this kernel: what is saved of one that does not run (struct "
			"inactive_task_frame) is not described");
	t->switched.size = frame->size;
	t->switched_bp = bp.at;
	t->switched_pc = pc.at;
	return 0;
}

int cul_ktasks_open(struct cul_kernel *k, const struct cul_arch *arch, struct cul_ktasks **out,
	struct cul_error *err)
{
	const struct cul_type *task = cul_kernel_type(k, CUL_KIND_STRUCT, "task_struct");
	struct cul_ktasks *t = task ? cul_calloc(1, sizeof(*t)) : NULL;
	int ret;

	if (!task)
		return cul_fail(err, -ENOTSUP, "tasks of this kernel: nothing tells their layout");
	if (!t)
		return cul_fail(err, -ENOMEM, "out of memory");
	t->k = k;
	t->arch = arch;
	t->mem = cul_kernel_mem(k, err);
	ret = t->mem ? find_task_places(t, task, err) : err ? err->code : -EPERM;
	if (ret == 0)
		ret = find_other_places(t, err);
	if (ret == 0) {
		t->part = cul_calloc(1, t->list_size);
		t->bytes = cul_calloc(1, t->task_size);
		t->again = cul_calloc(1, t->task_size);
		t->stack = cul_calloc(1, MAX_STACK);
		if (!t->part || !t->bytes || !t->again || !t->stack)
			ret = cul_fail(err, -ENOMEM, "out of memory");
	}
	if (ret != 0) {
		cul_ktasks_free(t);
		return ret;
	}
	*out = t;
	return 0;
}

void cul_ktasks_free(struct cul_ktasks *t)
{
	if (!t)
		return;
	free(t->part);
	free(t->bytes);
	free(t->again);
	free(t->stack);
	free(t);
}

/* One task of a list: what lists are made of. */
struct node {
	struct cul_ktask_listed task;
	uint64_t next_task, next_thread, thread_head;
};

static int read_node(struct cul_ktasks *t, uint64_t addr, struct node *out)
{
	const struct places *at = &t->at;
	int ret = cul_mem_read(t->mem, addr + t->list_first, t->part, t->list_size);

	if (ret != 0)
		return ret;
	*out = (struct node){
		.task = {.addr = addr,
			.tid = (int)part_number(t, at->pid),
			.pid = (int)part_number(t, at->tgid)},
		.next_task = part_number(t, (struct cul_extent){at->tasks.at, 8}),
		.next_thread = part_number(t, (struct cul_extent){at->thread_node.at, 8}),
		.thread_head = part_number(t, at->signal) + t->thread_head,
	};
	if (out->task.tid < 0 || out->task.tid > MAX_TASKS || out->task.pid < 0 ||
		out->task.pid > MAX_TASKS || !is_kernel(out->next_task) ||
		!is_kernel(out->next_thread))
		return -EBADMSG;
	return 0;
}

/* Brent's: a list that leads back to another place than its head has no end. */
struct loop {
	uint64_t mark;
	size_t steps, limit;
};

static bool loops(struct loop *l, uint64_t addr)
{
	if (addr == l->mark)
		return true;
	if (++l->steps > l->limit) {
		l->mark = addr;
		l->limit = l->limit ? 2 * l->limit : 1;
		l->steps = 0;
	}
	return false;
}

static int add_listed(struct cul_ktask_list *list, const struct cul_ktask_listed *task)
{
	struct cul_ktask_listed *slot =
		list->tasks.len < MAX_TASKS ? cul_vec_push(&list->tasks) : NULL;

	if (!slot)
		return -ENOMEM;
	*slot = *task;
	return 0;
}

/* Threads of a process, but for its leader. */
static int list_threads(
	struct cul_ktasks *t, const struct node *leader, struct cul_ktask_list *list)
{
	uint64_t first = leader->task.addr + t->at.thread_node.at, link = leader->next_thread;
	struct loop loop = {0};
	int ret = 0;

	while (link != first) {
		struct node node;

		if (loops(&loop, link))
			return -EBADMSG;
		if (link == leader->thread_head) {
			ret = cul_mem_read(t->mem, link, &link, sizeof(link));
			link = le64toh(link);
			if (ret == 0 && !is_kernel(link))
				ret = -EBADMSG;
		} else {
			ret = read_node(t, link - t->at.thread_node.at, &node);
			if (ret == 0 && node.task.pid != leader->task.pid)
				ret = -EBADMSG;
			if (ret == 0)
				ret = add_listed(list, &node.task);
			link = node.next_thread;
		}
		if (ret != 0)
			return ret;
	}
	return 0;
}

/* The ring that all processes are in, from ours on. */
static int find_ring(struct cul_ktasks *t, uint64_t *leader)
{
	int ret = cul_mem_kernel_own_task(t->mem, t->bytes, t->task_size);

	if (ret == 0)
		*leader = number(t->bytes, t->at.leader);
	return ret == 0 && !is_kernel(*leader) ? -EBADMSG : ret;
}

enum which { ALL, ONE_PROCESS, ONE_THREAD };

static bool wants(enum which which, int pid, const struct cul_ktask_listed *task)
{
	return which == ALL || (which == ONE_PROCESS ? task->pid : task->tid) == pid;
}

static int list_process(struct cul_ktasks *t, const struct node *leader, enum which which, int pid,
	struct cul_ktask_list *list)
{
	struct cul_ktask_list all = {0};
	int ret;

	if (leader->task.tid == 0) /* the idle task of the first CPU */
		return 0;
	ret = add_listed(&all, &leader->task);
	if (ret == 0)
		ret = list_threads(t, leader, &all);
	for (size_t i = 0; i < all.tasks.len && ret != -ENOMEM; i++)
		if (wants(which, pid, &all.tasks.data[i]) &&
			add_listed(list, &all.tasks.data[i]) != 0)
			ret = -ENOMEM;
	free(all.tasks.data);
	return ret;
}

static int list_once(struct cul_ktasks *t, enum which which, int pid, struct cul_ktask_list *list)
{
	struct loop loop = {0};
	struct node node;
	uint64_t first = 0, addr;
	int ret = find_ring(t, &first);

	list->tasks.len = 0;
	list->whole = true;
	if (ret != 0)
		return ret;
	addr = first;
	do {
		ret = loops(&loop, addr) ? -EBADMSG : read_node(t, addr, &node);
		if (ret != 0) {
			list->whole = false;
			return list->tasks.len ? 0 : ret;
		}
		if (which != ONE_PROCESS || node.task.pid == pid)
			ret = list_process(t, &node, which, pid, list);
		if (ret == -ENOMEM)
			return ret;
		list->whole = list->whole && ret == 0;
		if (which != ALL && list->tasks.len)
			return 0;
		addr = node.next_task - t->at.tasks.at;
	} while (addr != first);
	return 0;
}

int cul_ktasks_list(
	struct cul_ktasks *t, int pid, struct cul_ktask_list *list, struct cul_error *err)
{
	int ret = 0;

	*list = (struct cul_ktask_list){0};
	for (unsigned i = 0; i < LIST_TRIES && !list->whole && ret != -ENOMEM; i++)
		ret = list_once(t, pid ? ONE_PROCESS : ALL, pid, list);
	if (ret == 0 && pid && !list->tasks.len) {
		list->whole = false;
		for (unsigned i = 0; i < LIST_TRIES && !list->whole && ret != -ENOMEM; i++)
			ret = list_once(t, ONE_THREAD, pid, list);
	}
	if (ret == 0 && list->tasks.len)
		return 0;
	free(list->tasks.data);
	*list = (struct cul_ktask_list){0};
	if (ret == 0)
		return cul_fail(err, -ESRCH, "the kernel has no task with the number %d", pid);
	if (ret == -ENOTSUP)
		return cul_fail(err, ret, "%s does not tell where the list of tasks is",
			cul_mem_name(t->mem));
	return cul_fail(err, ret, "the list of tasks in the kernel's memory cannot be read: %s",
		cul_strerror(ret));
}

static char state_letter(uint64_t state, uint64_t exit_state)
{
	static const char letters[] = "RSDTtXZP"; /* of the highest bit */
	uint64_t idle = TASK_UNINTERRUPTIBLE | TASK_NOLOAD;
	unsigned report = (unsigned)(state | exit_state) & TASK_REPORT;

	if ((state & idle) == idle)
		return 'I';
	if (state & (TASK_RTLOCK_WAIT | TASK_FROZEN))
		return 'D';
	return letters[report ? 32 - __builtin_clz(report) : 0];
}

/* THREAD_SIZE, which no type tells: by the area that a stack is mapped in, or by where it is used.
 */
static uint64_t stack_size(struct cul_ktasks *t, uint64_t base, uint64_t sp)
{
	uint64_t area = t->at.vm_area.size ? number(t->bytes, t->at.vm_area) : 0, size = 0;

	if (!t->stack_size && is_kernel(area) && t->vm_size.size == 8 &&
		cul_mem_read(t->mem, area + t->vm_size.at, &size, sizeof(size)) == 0) {
		size = le64toh(size);
		for (uint64_t s = 4096; s <= MAX_STACK; s *= 2)
			if (s < size && size <= 2 * s) /* with its guard page */
				t->stack_size = s;
	}
	if (t->stack_size)
		return t->stack_size;
	for (size = MIN_STACK; size < MAX_STACK && sp - base >= size; size *= 2)
		;
	return size;
}

static bool take_start(struct cul_ktasks *t, uint64_t sp, struct cul_ktask *out)
{
	struct cul_ksym sym;

	out->start = (struct cul_kstack_start){.sp = sp};
	if (t->switched.size == 0) {
		out->start.fp = number(t->bytes, t->at.fp);
		out->start.pc = number(t->bytes, t->at.pc);
	} else if (cul_stack_word(&out->stack, sp + t->switched_bp, &out->start.fp) &&
		   cul_stack_word(&out->stack, sp + t->switched_pc, &out->start.pc)) {
		out->start.sp += t->switched.size;
	} else {
		return false;
	}
	/* One that has not run yet begins at a function. */
	out->start.exact =
		cul_kernel_function(t->k, out->start.pc, &sym) == 0 && sym.addr == out->start.pc;
	return true;
}

static enum cul_ktask_stands take_stack(struct cul_ktasks *t, struct cul_ktask *out)
{
	uint64_t base = number(t->bytes, t->at.stack), sp = number(t->bytes, t->at.sp), size;

	if (base == 0)
		return CUL_KTASK_ENDED;
	if (!is_kernel(base) || sp % 8 || sp < base || sp - base >= MAX_STACK)
		return CUL_KTASK_STRANGE;
	size = stack_size(t, base, sp);
	if (sp - base >= size)
		return CUL_KTASK_STRANGE;
	size -= sp - base;
	if (cul_mem_read(t->mem, sp, t->stack, size) != 0)
		return CUL_KTASK_STRANGE;
	out->stack = (struct cul_stack_bytes){.addr = sp, .size = size, .bytes = t->stack};
	return take_start(t, sp, out) ? CUL_KTASK_BLOCKED : CUL_KTASK_STRANGE;
}

static bool is_running(const struct cul_ktasks *t, const uint8_t *task)
{
	return t->at.on_cpu.size && number(task, t->at.on_cpu) != 0;
}

void cul_ktasks_read(
	struct cul_ktasks *t, const struct cul_ktask_listed *listed, struct cul_ktask *out)
{
	const struct places *at = &t->at;
	uint64_t state, exit_state;

	*out = (struct cul_ktask){.stands = CUL_KTASK_ENDED,
		.tid = listed->tid,
		.pid = listed->pid,
		.cpu = -1,
		.bytes = t->bytes,
		.size = t->task_size};
	if (cul_mem_read(t->mem, listed->addr, t->bytes, t->task_size) != 0 ||
		(int)number(t->bytes, at->pid) != listed->tid)
		return;
	state = number(t->bytes, at->state);
	exit_state = number(t->bytes, at->exit_state);
	out->state = state_letter(state, exit_state);
	memcpy(out->name, t->bytes + at->comm.at,
		at->comm.size < sizeof(out->name) ? at->comm.size : sizeof(out->name) - 1);
	out->name[sizeof(out->name) - 1] = '\0';
	if (is_running(t, t->bytes)) {
		out->stands = CUL_KTASK_RUNS;
		out->cpu = at->cpu.size ? (int)number(t->bytes, at->cpu) : -1;
	} else if (!exit_state && !(state & TASK_DEAD)) {
		out->stands = take_stack(t, out);
	}
}

bool cul_ktasks_stood_still(
	struct cul_ktasks *t, const struct cul_ktask_listed *listed, const struct cul_ktask *task)
{
	const struct cul_extent same[] = {
		t->at.pid, t->at.nvcsw, t->at.nivcsw, t->at.stack, t->at.sp};

	if (cul_mem_read(t->mem, listed->addr, t->again, t->task_size) != 0 ||
		is_running(t, t->again))
		return false;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (number(t->again, same[i]) != number(task->bytes, same[i]))
			return false;
	return true;
}
