/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/arm.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/perf.h"
#include "trace/breakpoint.h"
#include "watch/holders.h"
#include "watch/prove.h"

enum { SCANS = 50 };

struct tids {
	pid_t *data;
	size_t len, cap;
};

static struct cul_breakpoint piece_breakpoint(
	const struct cul_watch_arm *a, unsigned target, unsigned piece, int cpu, pid_t tid)
{
	const struct cul_watch_target *t = &a->targets[target];

	return (struct cul_breakpoint){
		.addr = cul_watch_target_addr(t, cpu < 0 ? 0 : cpu) + t->pieces[piece].offset,
		.len = t->pieces[piece].len,
		.access = a->access,
		.tid = tid,
		.cpu = cpu,
		.inherit = tid >= 0,
		/* Our own reading of the value would be one more access. */
		.user_only = tid >= 0 && a->access == CUL_ACCESS_READ_WRITE,
	};
}

unsigned cul_watch_arm_slots(const struct cul_watch_arm *a)
{
	unsigned n = 0;

	for (size_t i = 0; i < a->n_targets; i++)
		n += a->targets[i].n_pieces;
	return n;
}

static void close_from(struct cul_watch_arm *a, size_t first)
{
	while (a->events.len > first)
		close(a->events.data[--a->events.len].fd);
}

/* A full set of registers is told with who may hold them. */
static int refused(const struct cul_watch_arm *a, int code, int cpu, struct cul_error *err)
{
	cul_autostr struct cul_str holders = {0}, who = {0};

	if (code != -ENOSPC || !err)
		return code;
	if (cpu >= 0)
		cul_str_addf(&who, "CPU %d", cpu);
	else
		cul_str_addf(&who, "process %d", a->pid);
	cul_watch_holders(&holders);
	return cul_fail(err, code,
		"%s has no free debug register (%u needed, the machine has %u%s%s); end one of "
		"those%s",
		cul_str_text(&who), cul_watch_arm_slots(a), a->arch->watch_slots,
		holders.len ? "; taken perhaps by " : "", cul_str_text(&holders),
		cpu >= 0 ? ", or leave this CPU out with --cpu" : "");
}

static struct cul_watch_event_fd *add_event(
	struct cul_watch_arm *a, int fd, int cpu, pid_t tid, unsigned target)
{
	struct cul_watch_event_fd *e = cul_vec_push(&a->events);

	if (!e) {
		close(fd);
		return NULL;
	}
	e->fd = fd;
	e->cpu = cpu;
	e->tid = tid;
	e->target = target;
	return e;
}

/* When it cannot be read, its CPU went offline: the last count stands. */
static uint64_t count_of(struct cul_watch_event_fd *e)
{
	struct cul_perf_count count;

	if (!cul_sys_perf_read(e->fd, &count))
		e->count = count.value;
	return e->count;
}

/* One register of one CPU: opened on our own memory, seen to fire, moved to its place. */
static int arm_piece(
	struct cul_watch_arm *a, int cpu, unsigned target, unsigned piece, struct cul_error *err)
{
	enum cul_watch_proof proof = cul_watch_proof_for(a->access, true);
	struct cul_breakpoint to = piece_breakpoint(a, target, piece, cpu, -1);
	struct cul_breakpoint own = to;
	struct cul_watch_event_fd *e;
	struct cul_perf_count proofs;
	uint64_t cost;
	int fd, r;

	own.addr = a->program->heres[cpu].cpu.proof_addr;
	own.len = to.len;
	fd = cul_breakpoint_open(&own, cul_watch_program_fd(a->program), err);
	if (fd < 0)
		return fd;
	e = add_event(a, fd, cpu, -1, target);
	if (!e)
		return cul_fail(err, -ENOMEM, "out of memory");
	r = cul_sys_perf_enable(fd);
	if (r)
		return cul_fail(
			err, r, "CPU %d: enabling the breakpoint: %s", cpu, cul_strerror(r));
	r = cul_watch_prove(a->program, proof, cpu, &cost, err);
	if (r)
		return r;
	if (!a->hit_cost_ns || cost < a->hit_cost_ns)
		a->hit_cost_ns = cost;
	r = cul_sys_perf_read(fd, &proofs);
	if (r)
		return cul_fail(
			err, r, "CPU %d: reading the breakpoint's count: %s", cpu, cul_strerror(r));
	e->base = e->count = proofs.value;
	return cul_breakpoint_move(fd, &to, err);
}

/* What the program must know of a CPU: where its registers will point. */
static void fill_cpu(struct cul_watch_arm *a, int cpu, uint64_t proof_addr)
{
	struct cul_watch_cpu c = {.proof_addr = proof_addr};
	unsigned slot = 0;

	for (unsigned i = 0; i < a->n_targets; i++) {
		const struct cul_watch_target *t = &a->targets[i];

		c.base[i] = cul_watch_target_addr(t, cpu);
		c.own_copy[i] = t->percpu && t->copy < 0;
		for (unsigned p = 0; p < t->n_pieces; p++, slot++) {
			c.slot_addr[slot] = c.base[i] + t->pieces[p].offset;
			c.slot_target[slot] = i;
		}
	}
	a->program->heres[cpu].cpu = c;
}

/* A CPU that comes back holds its old events' registers, though they are dead, until they close. */
static void close_cpu(struct cul_watch_arm *a, int cpu)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->events.len; i++) {
		struct cul_watch_event_fd *e = &a->events.data[i];

		if (e->cpu != cpu) {
			a->events.data[kept++] = *e;
			continue;
		}
		a->hits_gone += count_of(e) - e->base;
		close(e->fd);
	}
	a->events.len = kept;
}

/* The copies were asked for when the run began, for the CPUs that were online. */
static int check_copies(const struct cul_watch_arm *a, int cpu, struct cul_error *err)
{
	for (size_t i = 0; i < a->n_targets; i++)
		if (a->targets[i].percpu && !cul_watch_target_addr(&a->targets[i], cpu))
			return cul_fail(err, -ENXIO,
				"where CPU %d has its copy of %s is not known; start again", cpu,
				a->targets[i].text);
	return 0;
}

int cul_watch_arm_cpu(struct cul_watch_arm *a, int cpu, struct cul_error *err)
{
	enum cul_watch_proof proof = cul_watch_proof_for(a->access, true);
	uint64_t proof_addr;
	size_t before;
	int r;

	close_cpu(a, cpu);
	before = a->events.len;
	r = check_copies(a, cpu, err);
	if (!r)
		r = cul_watch_proof_addr(a->program, proof, &proof_addr, err);
	if (r)
		return r;
	fill_cpu(a, cpu, proof_addr);
	for (unsigned i = 0; !r && i < a->n_targets; i++)
		for (unsigned p = 0; !r && p < a->targets[i].n_pieces; p++)
			r = arm_piece(a, cpu, i, p, err);
	if (r) {
		close_from(a, before);
		return refused(a, r, cpu, err);
	}
	cul_cpus_add(&a->armed, cpu);
	return 0;
}

/* The thread ids of a process, in the directory's order. */
static int list_threads(pid_t pid, struct tids *out, struct cul_error *err)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return cul_fail(err, errno == ENOENT ? -ESRCH : -errno, "process %d: %s", pid,
			errno == ENOENT ? "there is no such process" : cul_strerror(errno));
	out->len = 0;
	while ((entry = readdir(dir))) {
		pid_t *slot;

		if (entry->d_name[0] == '.')
			continue;
		slot = cul_vec_push(out);
		if (!slot) {
			closedir(dir);
			return cul_fail(err, -ENOMEM, "out of memory");
		}
		*slot = atoi(entry->d_name);
	}
	closedir(dir);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

/* Whether every thread of `after` was in `before`: then none was made unseen in between. */
static bool none_new(const struct tids *before, const struct tids *after)
{
	for (size_t i = 0; i < after->len; i++)
		if (!bsearch(&after->data[i], before->data, before->len, sizeof(pid_t), by_number))
			return false;
	return true;
}

static int arm_thread(struct cul_watch_arm *a, pid_t tid, struct cul_error *err)
{
	for (unsigned i = 0; i < a->n_targets; i++) {
		for (unsigned p = 0; p < a->targets[i].n_pieces; p++) {
			struct cul_breakpoint bp = piece_breakpoint(a, i, p, -1, tid);
			int fd = cul_breakpoint_open(&bp, cul_watch_program_fd(a->program), err);
			int r;

			if (fd < 0)
				return fd;
			if (!add_event(a, fd, -1, tid, i))
				return cul_fail(err, -ENOMEM, "out of memory");
			r = cul_sys_perf_enable(fd);
			if (r)
				return cul_fail(err, r, "thread %d: enabling the breakpoint: %s",
					tid, cul_strerror(r));
		}
	}
	return 0;
}

/* What the program has counted so far, for all targets. */
static uint64_t program_hits(struct cul_watch_arm *a)
{
	struct cul_watch_totals sum;
	uint64_t hits = 0;

	for (unsigned i = 0; i < a->n_targets; i++) {
		cul_watch_program_totals(a->program, i, &sum);
		hits += sum.hits + sum.own;
	}
	return hits;
}

/*
 * A thread made by one that was not armed yet would be missed, one made by an armed thread has
 * inherited its events and must not get them twice. Which of the two a new one is cannot be told:
 * start again until no new one appears.
 */
static int arm_threads(
	struct cul_watch_arm *a, struct tids *before, struct tids *after, struct cul_error *err)
{
	int r;

	for (int scan = 0; scan < SCANS; scan++) {
		r = list_threads(a->pid, before, err);
		if (r)
			return r;
		a->hits_before = program_hits(a);
		qsort(before->data, before->len, sizeof(pid_t), by_number);
		a->n_threads = 0;
		for (size_t i = 0; i < before->len; i++) {
			r = arm_thread(a, before->data[i], err);
			if (r && r != -ESRCH)
				return refused(a, r, -1, err);
			a->n_threads += !r;
		}
		r = list_threads(a->pid, after, err);
		if (r)
			return r;
		if (none_new(before, after))
			return a->events.len
				       ? 0
				       : cul_fail(err, -ESRCH, "process %d has ended", a->pid);
		close_from(a, 0);
	}
	return cul_fail(err, -EAGAIN,
		"process %d makes threads faster than they can be armed one by one (%d tries); "
		"stop it "
		"with SIGSTOP for a moment, or start it under culprit: culprit watch TARGET -- CMD",
		a->pid, SCANS);
}

/* A register of a thread of ours, seen to fire on each CPU we may run on. */
static int prove_for_process(struct cul_watch_arm *a, struct cul_error *err)
{
	enum cul_watch_proof proof = cul_watch_proof_for(a->access, false);
	struct cul_breakpoint own = {
		.len = 8, .access = a->access, .tid = 0, .cpu = -1, .inherit = false};
	struct cul_cpus online;
	uint64_t cost;
	int fd, r;

	r = cul_watch_proof_addr(a->program, proof, &own.addr, err);
	if (!r)
		r = cul_cpus_online(&online, err);
	if (r)
		return r;
	for (unsigned cpu = 0; cpu < a->program->n_possible; cpu++)
		fill_cpu(a, (int)cpu, own.addr);
	fd = cul_breakpoint_open(&own, cul_watch_program_fd(a->program), err);
	if (fd < 0)
		return fd;
	r = cul_sys_perf_enable(fd);
	if (r)
		cul_fail(err, r, "enabling the self-test's breakpoint: %s", cul_strerror(r));
	cul_for_each_cpu(cpu, &online)
	{
		if (r)
			break;
		r = cul_watch_prove(a->program, proof, cpu, &cost, err);
		if (r == -EPERM) { /* our cpuset leaves this CPU out */
			r = 0;
			continue;
		}
		if (r)
			break;
		cul_cpus_add(&a->armed, cpu);
		if (!a->hit_cost_ns || cost < a->hit_cost_ns)
			a->hit_cost_ns = cost;
	}
	close(fd);
	if (!r && !cul_cpus_count(&a->armed))
		return cul_fail(err, -ENXIO,
			"the self-test may run on none of the online CPUs; widen the CPU affinity "
			"(taskset, cpuset) of culprit");
	return r;
}

int cul_watch_arm_process(struct cul_watch_arm *a, struct cul_error *err)
{
	struct tids before = {0}, after = {0};
	int r;

	r = prove_for_process(a, err);
	if (!r)
		r = arm_threads(a, &before, &after, err);
	free(before.data);
	free(after.data);
	if (r)
		close_from(a, 0);
	return r;
}

uint64_t cul_watch_arm_hits(struct cul_watch_arm *a)
{
	uint64_t sum = a->hits_gone;

	for (size_t i = 0; i < a->events.len; i++)
		sum += count_of(&a->events.data[i]) - a->events.data[i].base;
	return sum;
}

uint64_t cul_watch_arm_busy(struct cul_watch_arm *a)
{
	uint64_t registers = cul_watch_arm_hits(a), program = program_hits(a) - a->hits_before;

	return registers > program ? registers - program : 0;
}

unsigned cul_watch_arm_share(struct cul_watch_arm *a)
{
	struct cul_perf_count count;
	unsigned least = 100;

	for (size_t i = 0; i < a->events.len; i++) {
		unsigned share;

		if (cul_sys_perf_read(a->events.data[i].fd, &count) || !count.enabled_ns)
			continue;
		share = (unsigned)((double)count.running_ns * 100 / (double)count.enabled_ns);
		if (share < least)
			least = share;
	}
	return least;
}

void cul_watch_arm_disable(struct cul_watch_arm *a)
{
	for (size_t i = 0; i < a->events.len; i++)
		cul_sys_perf_disable(a->events.data[i].fd);
}

void cul_watch_arm_free(struct cul_watch_arm *a)
{
	close_from(a, 0);
	free(a->events.data);
	a->events.data = NULL;
	a->events.cap = 0;
}
