// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hardware watchpoint was hit.
 *
 * Runs in the debug exception, where nothing may sleep, wait or allocate:
 * every map is preallocated, every ring belongs to one CPU. It counts first
 * (exact whatever happens later), then asks the filter, then sends details.
 */
#include "bpf/helpers.h"
#include "bpf/task.h"
#include "bpf/watch.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 want_kernel_stack;
const volatile __u32 want_user_stack;
const volatile __u64 ring_bytes; /* of one CPU's ring */

/* Each hit needs it: in the page that is read anyway (see struct cul_watch_here). */
struct cul_watch_shape shapes[CUL_WATCH_SLOTS];
struct cul_watch_state states[CUL_WATCH_SLOTS]; /* of kernel targets that all CPUs share */
__u32 want_comm;   /* a filter asks for it; who emits a hit has it anyway */
__u32 writer_mask; /* places in a CPU's table of writers, less one */

/* Written by user space while we run, and by us for it. */
__u32 live;        /* every CPU is armed: hits count */
__u32 reader;      /* with --rw: our thread that reads a target just now; 0: none does */
__u64 reader_ip;   /* the instruction that it does so with, known before `live` */
__u32 tripped;     /* a CPU went over its budget */
__u64 budget_hits; /* hits a CPU may take in a second, 0: no limit */
__u64 trap_ns;     /* what a trap takes at most, if nobody holds the CPU */
__u64 race_ns;     /* closer than this on two CPUs: which came first is not certain */
__u64 proof_cell;  /* what the self-test writes */
__u64 proof_cell_addr;
__u64 proof_ns; /* how long that store took, with its trap */

/* By CPU. An ordinary array: its lookup is a few instructions, and user space has it mapped. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cul_watch_here);
} heres SEC(".maps");

/* Process targets: by process and target. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct cul_watch_state);
} process_states SEC(".maps");

/* A hash table for each CPU, one after the other: no other CPU writes to it, nothing is removed. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cul_watch_writer_entry);
} writers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, CUL_WATCH_EMIT + 1);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

/* Known when a program is built: each does without the others' part. */
enum kind {
	KERNEL,
	PROCESS, /* one state per address space */
	EXECUTE, /* nothing is written: no values */
};

/* Verifiers forget the range of a 32-bit number that was spilled: it is bounded at each use. */
static __always_inline __u64 bounded(__u64 target)
{
	__asm__ volatile("" : "+r"(target));
	return target & (CUL_WATCH_SLOTS - 1);
}

static __always_inline struct cul_watch_here *find_here(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&heres, &cpu);
}

static __always_inline struct cul_watch_state *find_process_state(
	struct cul_watch_here *here, __u32 target)
{
	__u32 shared = shapes[bounded(target)].shared;
	__u64 owner = shared ? 0 : here->event.in.pid;
	__u64 key;
	struct cul_watch_state *st;

	/* Nobody asks for its values by a number, but they are its own. */
	if (pidns_ino && !owner && !shared)
		owner = 1ull << 31 | bpf_get_current_pid_tgid() >> 32;
	key = (owner << 32) | target;
	st = bpf_map_lookup_elem(&process_states, &key);
	if (st)
		return st;
	__builtin_memset(&here->lone, 0, sizeof(here->lone));
	bpf_map_update_elem(&process_states, &key, &here->lone, BPF_NOEXIST);
	st = bpf_map_lookup_elem(&process_states, &key);
	return st ? st : &here->lone;
}

static __always_inline struct cul_watch_state *find_state(
	struct cul_watch_here *here, __u32 target, enum kind kind)
{
	if (kind == PROCESS)
		return find_process_state(here, target);
	return here->cpu.own_copy[bounded(target)] ? &here->states[bounded(target)]
						   : &states[bounded(target)];
}

static __always_inline __u64 isolate(__u64 word, const struct cul_watch_shape *shape)
{
	__u64 v = word << (shape->left & 63);

	return shape->is_signed ? (__u64)((__s64)v >> (shape->right & 63))
				: v >> (shape->right & 63);
}

/* Fetching atomics came with 5.12; adding and then looking does as well here. */
static __always_inline int alone(const struct cul_watch_state *st)
{
	return *(const volatile __u32 *)&st->in_flight == 1;
}

/*
 * Whether the last hit was on a CPU that may have stored once more since, and not have trapped yet.
 * Not where this thread came from: it took its traps before it left.
 */
static __always_inline int is_other(
	const struct cul_watch_event *e, const struct cul_watch_state *st)
{
	return st->hits && st->last_cpu != (__u32)e->in.cpu &&
	       (!e->in.tid || st->last_tid != (__u32)e->in.tid);
}

#define PATCHED(number)                                                                            \
	({                                                                                         \
		__u64 patched_;                                                                    \
		__asm__ volatile("%0 = %1" : "=r"(patched_) : "i"(number));                        \
		patched_;                                                                          \
	})

/*
 * A scalar of kernel memory by a load, which gives 0 where it faults, in place of a helper's way
 * through many functions: the kernel lets one take an address for a pointer to a type of its own,
 * since 6.2. 0: to be read otherwise.
 */
static __always_inline __u64 load(__u64 addr, __u32 size)
{
	void *(*const cast)(__u64 addr, __u64 type) = (void *)CUL_WATCH_PATCH_CAST;
	void *words;

	if (!PATCHED(CUL_WATCH_PATCH_DIRECT))
		return 0;
	words = cast(addr, PATCHED(CUL_WATCH_PATCH_WORDS));
	switch (size) {
	case 1:
		return *(volatile __u8 *)words;
	case 2:
		return *(volatile __u16 *)words;
	case 4:
		return *(volatile __u32 *)words;
	case 8:
		return *(volatile __u64 *)words;
	default:
		return 0;
	}
}

/* Reads the object; 0, or it cannot be read. */
static __always_inline long fetch(
	struct cul_watch_event *e, __u64 addr, __u32 size, __u32 words, enum kind kind)
{
	if (kind == KERNEL && (e->new[0] = load(addr, size)))
		return 0;
	e->new[(words - 1) & (CUL_WATCH_WORDS - 1)] = 0; /* it may not be read wholly */
	if (size > CUL_WATCH_BYTES)
		size = CUL_WATCH_BYTES;
	return kind == PROCESS ? bpf_probe_read_user(e->new, size, (void *)addr)
			       : bpf_probe_read_kernel(e->new, size, (void *)addr);
}

/* Takes the object from memory, and what it was from the state. 0, or it cannot be read. */
static __always_inline long take(struct cul_watch_event *e, struct cul_watch_state *st, __u64 base,
	const struct cul_watch_shape *shape, enum kind kind, __u64 *differ)
{
	__u32 words = shape->words;
	long failed = fetch(e, base, shape->size, words, kind);

	for (__u32 i = 0; i < CUL_WATCH_WORDS && i < words; i++) {
		__u64 old = st->value[i];

		e->old[i] = old;
		/* Unread, the value that was there last is in the writers' range already. */
		if (failed)
			e->new[i] = old;
		*differ |= old ^ e->new[i];
		st->value[i] = e->new[i];
	}
	return failed;
}

/* Reads the object after the access; fills old, new and the flags that compare them. */
static __always_inline void values(struct cul_watch_event *e, struct cul_watch_state *st,
	__u64 base, const struct cul_watch_shape *shape, enum kind kind)
{
	__u32 flags = 0;
	__u64 differ = 0;
	long failed;

	__sync_fetch_and_add(&st->in_flight, 1);
	if (!alone(st))
		flags |= CUL_HIT_RACED;
	failed = take(e, st, base, shape, kind, &differ);
	/* Its store may have come before user space read the value, only its trap after. */
	if (!st->hits && st->last_ns && e->ns - st->last_ns < trap_ns)
		st->known = 0;
	if (is_other(e, st))
		st->other_ns = st->last_ns;
	/* Signed: who took the time first may come here last. */
	if (st->other_ns && (__s64)(e->ns - st->other_ns) < (__s64)race_ns)
		flags |= CUL_HIT_RACED;
	e->in.old = isolate(e->old[0], shape);
	e->in.new = isolate(e->new[0], shape);
	if (failed)
		flags |= CUL_HIT_UNREADABLE;
	else if (st->known && !differ)
		flags |= CUL_HIT_UNCHANGED;
	else if (st->known && shape->scalar && e->in.old == e->in.new)
		flags |= CUL_HIT_UNCHANGED | CUL_HIT_NEIGHBOUR;
	if (st->known)
		flags |= CUL_HIT_OLD_KNOWN;
	st->known = !failed;
	st->last_ns = e->ns;
	st->last_cpu = e->in.cpu;
	st->last_tid = e->in.tid;
	st->hits++;
	if (!alone(st))
		flags |= CUL_HIT_RACED;
	__sync_fetch_and_add(&st->in_flight, -1);
	e->flags |= flags;
}

/* This CPU's entry of a writer, a free one when it is new; NULL: all its places are taken. */
static __always_inline struct cul_watch_writer_entry *find_writer(
	const struct cul_watch_event *e, __u32 target)
{
	__u64 own = e->ip ^ (e->in.pid << 32) ^ ((__u64)target << 56);
	__u32 place = own * 0x9e3779b97f4a7c15 >> 32;

	for (__u32 i = 0; i < CUL_WATCH_PROBES; i++) {
		__u32 index = e->in.cpu * (writer_mask + 1) + ((place + i) & writer_mask);
		struct cul_watch_writer_entry *w = bpf_map_lookup_elem(&writers, &index);

		if (!w || !w->count.hits ||
			(w->key.ip == e->ip && w->key.tgid == (__u32)e->in.pid &&
				w->key.target == target))
			return w;
	}
	return NULL;
}

static __always_inline int below(__u64 a, __u64 b, int is_signed)
{
	return is_signed ? (__s64)a < (__s64)b : a < b;
}

/* 1: the first hit of this writer on this CPU. */
static __always_inline int count_writer(
	struct cul_watch_event *e, struct cul_watch_totals *sum, __u32 target, int is_signed)
{
	struct cul_watch_writer_entry *entry = find_writer(e, target);
	struct cul_watch_writer_count *w;
	__u64 v = e->in.new;

	if (!entry) {
		sum->unattributed++;
		return 0;
	}
	w = &entry->count;
	if (!w->hits) {
		entry->key.ip = e->ip;
		entry->key.tgid = e->in.pid;
		entry->key.target = target;
		w->first_ns = e->ns;
		w->min = w->max = v;
		bpf_get_current_comm(w->comm, sizeof(w->comm));
	}
	w->hits++;
	w->last_ns = e->ns;
	w->last = v;
	if (below(v, w->min, is_signed))
		w->min = v;
	if (below(w->max, v, is_signed))
		w->max = v;
	if (e->flags & CUL_HIT_UNCHANGED)
		w->unchanged++;
	if (e->flags & CUL_HIT_NEIGHBOUR)
		w->neighbour++;
	return w->hits == 1;
}

static __always_inline void spend(struct cul_watch_here *here, __u64 ns)
{
	if (ns - here->window_ns > 1000000000) {
		here->window_ns = ns;
		here->window_hits = 0;
	}
	if (++here->window_hits > budget_hits && budget_hits)
		tripped = 1;
}

/* Sends the hit with its stacks; 0 or not. */
static __always_inline int send(struct cul_perf_event_ctx *ctx, struct cul_watch_event *e)
{
	__u32 cpu = e->in.cpu;
	void *ring = bpf_map_lookup_elem(&rings, &cpu);
	__u64 size = __builtin_offsetof(struct cul_watch_event, frames), wake = BPF_RB_NO_WAKEUP;
	long n;

	bpf_get_current_comm(e->in.comm, sizeof(e->in.comm));
	__builtin_memcpy(e->regs, &ctx->regs, sizeof(e->regs));
	e->n_kernel = e->n_user = 0;
	/* In user mode there are no kernel frames, and the helper would clear its buffer for that.
	 */
	if (want_kernel_stack && !(e->flags & CUL_HIT_USER)) {
		n = bpf_get_stack(ctx, e->frames, CUL_WATCH_FRAMES * 8, 0);
		if (n > 0 && n <= CUL_WATCH_FRAMES * 8)
			e->n_kernel = n / 8;
	}
	size += e->n_kernel * 8;
	if (want_user_stack) {
		__u64 at = e->n_kernel;

		/* The verifier must see the very register that was compared. */
		__asm__ volatile("" : "+r"(at));
		if (at <= CUL_WATCH_FRAMES) {
			n = bpf_get_stack(
				ctx, &e->frames[at], CUL_WATCH_FRAMES * 8, BPF_F_USER_STACK);
			if (n > 0 && n <= CUL_WATCH_FRAMES * 8)
				e->n_user = n / 8;
		}
	}
	size += e->n_user * 8;
	if (!ring || size > sizeof(*e))
		return -1;
	/* Waking the reader at each hit would cost more than the hit: it comes by itself, often. */
	if (bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) * 2 > ring_bytes)
		wake = BPF_RB_FORCE_WAKEUP;
	return bpf_ringbuf_output(ring, e, size, wake);
}

static __always_inline void emit(
	struct cul_perf_event_ctx *ctx, struct cul_watch_event *e, struct cul_watch_totals *sum)
{
	if (send(ctx, e))
		sum->dropped++;
	else
		sum->emitted++;
}

SEC("perf_event")
int watch_emit(struct cul_perf_event_ctx *ctx)
{
	struct cul_watch_here *here = find_here();
	struct cul_watch_totals *sum;

	if (!here)
		return 0;
	sum = &here->totals[bounded(here->event.target)];
	sum->filtered--;
	emit(ctx, &here->event, sum);
	return 0;
}

static __always_inline int find_slot(const struct cul_watch_cpu *cpu, __u64 addr)
{
	for (int i = 0; i < CUL_WATCH_SLOTS; i++)
		if (cpu->slot_addr[i] == addr)
			return i;
	return -1;
}

/* Who, where and when. */
static __always_inline void identify(struct cul_perf_event_ctx *ctx, struct cul_watch_event *e)
{
	__u64 id = task_id();

	note_outsider(id);
	e->in.pid = id >> 32;
	e->in.tid = (__u32)id;
	e->in.cpu = bpf_get_smp_processor_id();
	if (want_comm)
		bpf_get_current_comm(e->in.comm, sizeof(e->in.comm));
	e->flags = ctx->regs.cs & 3 ? CUL_HIT_USER : 0;
	e->ip = ctx->regs.ip;
	e->in.old = e->in.new = 0;
}

/* By its instruction: an interrupt meanwhile, in our thread, is somebody else's. */
static __always_inline int is_own_load(struct cul_perf_event_ctx *ctx)
{
	if ((__u32)task_id() != reader)
		return 0;
	if (!live)
		reader_ip = ctx->regs.ip;
	return ctx->regs.ip == reader_ip;
}

static __always_inline int hit(struct cul_perf_event_ctx *ctx, enum kind kind)
{
	struct cul_watch_here *here = find_here();
	const struct cul_watch_shape *shape;
	struct cul_watch_totals *sum;
	struct cul_watch_state *st;
	struct cul_watch_event *e;
	__u64 target;
	int slot, fresh;

	if (!here)
		return 0;
	e = &here->event;
	e->addr = ctx->addr;
	if (e->addr == here->cpu.proof_addr) {
		here->totals[0].proofs++;
		return 0;
	}
	slot = find_slot(&here->cpu, e->addr);
	if (slot < 0)
		return 0;
	target = bounded(here->cpu.slot_target[bounded(slot)]);
	sum = &here->totals[target];
	shape = &shapes[target];
	if (reader && is_own_load(ctx)) {
		sum->own++;
		return 0;
	}
	sum->hits++;
	if (!live) {
		sum->early++;
		return 0;
	}
	e->ns = bpf_ktime_get_ns();
	e->target = target;
	e->slot = slot;
	spend(here, e->ns);
	identify(ctx, e);
	if (kind != EXECUTE) {
		st = find_state(here, target, kind);
		values(e, st, here->cpu.base[bounded(target)], shape, kind);
	}
	if (e->flags & CUL_HIT_UNREADABLE)
		sum->unreadable++;
	fresh = count_writer(e, sum, target, shape->is_signed);
	if (shape->wanted == CUL_WATCH_ALL) {
		emit(ctx, e, sum);
		return 0;
	}
	if (fresh) {
		e->flags |= CUL_HIT_SAMPLE;
		send(ctx, e);
		e->flags &= ~CUL_HIT_SAMPLE;
	}
	/* The filter ends the hit, or goes on to watch_emit, which takes this back. */
	sum->filtered++;
	if (shape->wanted == CUL_WATCH_FILTERED)
		bpf_tail_call(ctx, &programs, target);
	return 0;
}

SEC("?perf_event")
int watch_kernel(struct cul_perf_event_ctx *ctx)
{
	return hit(ctx, KERNEL);
}

SEC("?perf_event")
int watch_process(struct cul_perf_event_ctx *ctx)
{
	return hit(ctx, PROCESS);
}

SEC("?perf_event")
int watch_execute(struct cul_perf_event_ctx *ctx)
{
	return hit(ctx, EXECUTE);
}

/* The self-test's known write to kernel memory, run on one CPU after the other. */
SEC("raw_tp")
int watch_proof(void *ctx)
{
	__u64 start = bpf_ktime_get_ns();

	*(volatile __u64 *)&proof_cell += 1;
	proof_ns = bpf_ktime_get_ns() - start;
	proof_cell_addr = (__u64)&proof_cell;
	return 0;
}
