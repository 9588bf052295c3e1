// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hardware watchpoint was hit.
 *
 * Runs in the debug exception, where nothing may sleep, wait or allocate:
 * every map is preallocated, every ring belongs to one CPU. It counts first
 * (exact whatever happens later), then asks the filter, then sends details.
 */
#include "bpf/helpers.h"
#include "bpf/watch.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct cul_watch_shape shapes[CUL_WATCH_SLOTS];
const volatile __u32 user_target; /* a process's memory: one state per address space */
const volatile __u32 execute;     /* nothing is written: no values */
const volatile __u32 want_kernel_stack;
const volatile __u32 want_user_stack;
const volatile __u64 ring_bytes; /* of one CPU's ring */

/* Written by user space while we run, and by us for it. */
__u32 live;        /* every CPU is armed: hits count */
__u32 tripped;     /* a CPU went over its budget */
__u64 budget_hits; /* hits a CPU may take in a second, 0: no limit */
__u64 race_ns;     /* closer than this on two CPUs: which came first is not certain */
__u64 proof_cell;  /* what the self-test writes */
__u64 proof_cell_addr;
__u64 proof_ns; /* how long that store took, with its trap */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cul_watch_cpu);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CUL_WATCH_SLOTS);
	__type(key, __u32);
	__type(value, struct cul_watch_totals);
} totals SEC(".maps");

/* By target, or by target and CPU: user space decides and says which in cul_watch_cpu.state. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CUL_WATCH_SLOTS);
	__type(key, __u32);
	__type(value, struct cul_watch_state);
} states SEC(".maps");

/* Process targets: by process and target. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct cul_watch_state);
} process_states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct cul_watch_key);
	__type(value, struct cul_watch_writer_count);
} writers SEC(".maps");

/* The hit in the making: too large for the stack, and carried across the tail call. */
struct scratch {
	struct cul_watch_event event;
	struct cul_watch_state lone; /* when no state is to be had */
	struct cul_watch_writer_count fresh;
	__u64 window_ns, window_hits; /* the CPU's rate budget, all targets together */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

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

/* Verifiers forget the range of a 32-bit number that was spilled: it is bounded at each use. */
static __always_inline __u64 bounded(__u64 target)
{
	__asm__ volatile("" : "+r"(target));
	return target & (CUL_WATCH_SLOTS - 1);
}

static __always_inline const volatile struct cul_watch_shape *shape_of(__u64 target)
{
	return &shapes[bounded(target)];
}

static __always_inline struct cul_watch_state *find_state(
	struct scratch *s, const struct cul_watch_cpu *cpu, __u32 target, __u32 tgid)
{
	if (user_target) {
		__u64 owner = shape_of(target)->shared ? 0 : tgid;
		__u64 key = (owner << 32) | target;
		struct cul_watch_state *st = bpf_map_lookup_elem(&process_states, &key);

		if (st)
			return st;
		__builtin_memset(&s->lone, 0, sizeof(s->lone));
		bpf_map_update_elem(&process_states, &key, &s->lone, BPF_NOEXIST);
		st = bpf_map_lookup_elem(&process_states, &key);
		return st ? st : &s->lone;
	}
	__u32 index = cpu->state[bounded(target)];

	return bpf_map_lookup_elem(&states, &index);
}

static __always_inline __u64 isolate(__u64 word, __u32 target)
{
	const volatile struct cul_watch_shape *shape = shape_of(target);
	__u64 v = word << (shape->left & 63);

	return shape->is_signed ? (__u64)((__s64)v >> (shape->right & 63))
				: v >> (shape->right & 63);
}

/* Fetching atomics came with 5.12; adding and then looking does as well here. */
static __always_inline int alone(const struct cul_watch_state *st)
{
	return *(const volatile __u32 *)&st->in_flight == 1;
}

/* Reads the object after the access; fills old, new and the flags that compare them. */
static __always_inline void values(
	struct cul_watch_event *e, struct cul_watch_state *st, __u64 base, __u32 target)
{
	__u32 size = shape_of(target)->size, flags = 0;
	long failed;

	if (size > CUL_WATCH_BYTES)
		size = CUL_WATCH_BYTES;
	__sync_fetch_and_add(&st->in_flight, 1);
	if (!alone(st))
		flags |= CUL_HIT_RACED;
	for (int i = 0; i < CUL_WATCH_WORDS; i++)
		e->new[i] = 0;
	if (user_target)
		failed = bpf_probe_read_user(e->new, size, (void *)base);
	else
		failed = bpf_probe_read_kernel(e->new, size, (void *)base);
	for (int i = 0; i < CUL_WATCH_WORDS; i++)
		e->old[i] = st->value[i];
	/* Its store may have come before user space read the value, only its trap after. */
	if (!st->hits && st->last_ns && e->ns - st->last_ns < race_ns)
		st->known = 0;
	if (st->known)
		flags |= CUL_HIT_OLD_KNOWN;
	/* Signed: who took the time first may come here last. */
	if (st->hits && st->last_cpu != (__u32)e->in.cpu &&
		(__s64)(e->ns - st->last_ns) < (__s64)race_ns)
		flags |= CUL_HIT_RACED;
	if (failed) {
		/* The value that was there last is in the writers' range already. */
		flags |= CUL_HIT_UNREADABLE;
		for (int i = 0; i < CUL_WATCH_WORDS; i++)
			e->new[i] = e->old[i];
		st->known = 0;
	}
	e->in.old = isolate(e->old[0], target);
	e->in.new = isolate(e->new[0], target);
	if (!failed) {
		__u64 differ = 0;

		for (int i = 0; i < CUL_WATCH_WORDS; i++) {
			differ |= e->old[i] ^ e->new[i];
			st->value[i] = e->new[i];
		}
		st->known = 1;
		if (!differ)
			flags |= CUL_HIT_UNCHANGED;
		else if (shape_of(target)->scalar && e->in.old == e->in.new)
			flags |= CUL_HIT_UNCHANGED | CUL_HIT_NEIGHBOUR;
		if (!(flags & CUL_HIT_OLD_KNOWN))
			flags &= ~(CUL_HIT_UNCHANGED | CUL_HIT_NEIGHBOUR);
	}
	st->last_ns = e->ns;
	st->last_cpu = e->in.cpu;
	st->hits++;
	if (!alone(st))
		flags |= CUL_HIT_RACED;
	__sync_fetch_and_add(&st->in_flight, -1);
	e->flags |= flags;
}

static __always_inline int below(__u64 a, __u64 b, __u32 target)
{
	return shape_of(target)->is_signed ? (__s64)a < (__s64)b : a < b;
}

/* 1: the first hit of this writer on this CPU. */
static __always_inline int count_writer(
	struct scratch *s, struct cul_watch_totals *sum, __u32 target)
{
	struct cul_watch_event *e = &s->event;
	struct cul_watch_key key = {.ip = e->ip, .tgid = e->in.pid, .target = target};
	struct cul_watch_writer_count *w = bpf_map_lookup_elem(&writers, &key);
	__u64 v = e->in.new;

	if (!w) {
		__builtin_memset(&s->fresh, 0, sizeof(s->fresh));
		bpf_map_update_elem(&writers, &key, &s->fresh, BPF_NOEXIST);
		w = bpf_map_lookup_elem(&writers, &key);
		if (!w) {
			sum->unattributed++;
			return 0;
		}
	}
	if (!w->hits) {
		w->first_ns = e->ns;
		w->min = w->max = v;
		__builtin_memcpy(w->comm, e->in.comm, sizeof(w->comm));
	}
	w->hits++;
	w->last_ns = e->ns;
	w->last = v;
	if (below(v, w->min, target))
		w->min = v;
	if (below(w->max, v, target))
		w->max = v;
	if (e->flags & CUL_HIT_UNCHANGED)
		w->unchanged++;
	if (e->flags & CUL_HIT_NEIGHBOUR)
		w->neighbour++;
	return w->hits == 1;
}

static __always_inline void spend(struct scratch *s, __u64 ns)
{
	if (ns - s->window_ns > 1000000000) {
		s->window_ns = ns;
		s->window_hits = 0;
	}
	if (++s->window_hits > budget_hits && budget_hits)
		tripped = 1;
}

/* Sends the hit with its stacks; 0 or not. */
static __always_inline int send(struct cul_perf_event_ctx *ctx, struct scratch *s)
{
	struct cul_watch_event *e = &s->event;
	__u32 cpu = e->in.cpu;
	void *ring = bpf_map_lookup_elem(&rings, &cpu);
	__u64 size = __builtin_offsetof(struct cul_watch_event, frames), wake = BPF_RB_NO_WAKEUP;
	long n;

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
	struct cul_perf_event_ctx *ctx, struct scratch *s, struct cul_watch_totals *sum)
{
	if (send(ctx, s))
		sum->dropped++;
	else
		sum->emitted++;
}

SEC("perf_event")
int watch_emit(struct cul_perf_event_ctx *ctx)
{
	__u32 zero = 0, target;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
	struct cul_watch_totals *sum;

	if (!s)
		return 0;
	target = bounded(s->event.target);
	sum = bpf_map_lookup_elem(&totals, &target);
	if (!sum)
		return 0;
	sum->filtered--;
	emit(ctx, s, sum);
	return 0;
}

static __always_inline int find_slot(const struct cul_watch_cpu *cpu, __u64 addr)
{
	for (int i = 0; i < CUL_WATCH_SLOTS; i++)
		if (cpu->slot_addr[i] == addr)
			return i;
	return -1;
}

SEC("perf_event")
int watch_hit(struct cul_perf_event_ctx *ctx)
{
	__u32 zero = 0, target;
	struct cul_watch_cpu *cpu = bpf_map_lookup_elem(&cpus, &zero);
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
	struct cul_watch_totals *sum;
	struct cul_watch_state *st;
	struct cul_watch_event *e;
	__u64 id;
	int slot, fresh;

	if (!cpu || !s)
		return 0;
	e = &s->event;
	e->addr = ctx->addr;
	if (e->addr == cpu->proof_addr) {
		sum = bpf_map_lookup_elem(&totals, &zero);
		if (sum)
			sum->proofs++;
		return 0;
	}
	slot = find_slot(cpu, e->addr);
	if (slot < 0)
		return 0;
	target = bounded(cpu->slot_target[bounded(slot)]);
	sum = bpf_map_lookup_elem(&totals, &target);
	if (!sum)
		return 0;
	sum->hits++;
	if (!live) {
		sum->early++;
		return 0;
	}
	e->ns = bpf_ktime_get_ns();
	spend(s, e->ns);
	id = bpf_get_current_pid_tgid();
	e->in.pid = id >> 32;
	e->in.tid = (__u32)id;
	e->in.cpu = bpf_get_smp_processor_id();
	bpf_get_current_comm(e->in.comm, sizeof(e->in.comm));
	e->target = target;
	e->slot = slot;
	e->flags = ctx->regs.cs & 3 ? CUL_HIT_USER : 0;
	e->ip = ctx->regs.ip;
	e->in.old = e->in.new = 0;
	if (!execute) {
		st = find_state(s, cpu, target, e->in.pid);
		if (st)
			values(e, st, cpu->base[bounded(target)], target);
	}
	if (e->flags & CUL_HIT_UNREADABLE)
		sum->unreadable++;
	fresh = count_writer(s, sum, target);
	if (!shape_of(target)->filtered) {
		emit(ctx, s, sum);
		return 0;
	}
	if (fresh) {
		e->flags |= CUL_HIT_SAMPLE;
		send(ctx, s);
		e->flags &= ~CUL_HIT_SAMPLE;
	}
	/* The filter ends the hit, or goes on to watch_emit, which takes this back. */
	sum->filtered++;
	bpf_tail_call(ctx, &programs, target);
	return 0;
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
