/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of a call that passed all filters: a group is counted, a record
 * is sent. A part of probe.bpf.c.
 */
#ifndef CUL_BPF_PROBE_TELL_H
#define CUL_BPF_PROBE_TELL_H

#include "bpf/bars.h"
#include "bpf/probe_maps.bpf.h"
#include "bpf/probe_texts.bpf.h"
#include "bpf/task.h"

/* What could not be read is no 0: it is told apart. */
static __always_inline void put_values(
	struct cul_probe_event *e, struct cul_probe_totals *sum, struct cul_probe_tally_key *key)
{
	__u64 faults = e->in.faults;
	__s64 v = e->in.values[CUL_PROBE_MEASURE_AT];

	if (want_bars && faults >> CUL_PROBE_MEASURE_AT & 1)
		key->bar = CUL_BAR_UNREAD;
	else if (want_bars)
		key->bar = linear_step ? cul_bar_linear(v, linear_min, linear_max, linear_step)
				       : cul_bar_of(v);
	for (__u32 i = 0; i < CUL_PROBE_BY; i++)
		if (i < n_by) {
			__u64 unread = faults >> (CUL_PROBE_BY_AT + i) & 1;

			key->unread |= unread << i;
			key->by[i] = unread ? 0 : e->in.values[CUL_PROBE_BY_AT + i];
		}
	if (key->unread || key->bar == CUL_BAR_UNREAD)
		ADD(sum->unread, 1);
}

/* Of a bar: the values in it, from the least to the greatest. */
static __always_inline void widen(struct cul_probe_tally *g, __s64 v)
{
	if (!g->count || v < g->low)
		g->low = v;
	if (!g->count || v > g->high)
		g->high = v;
}

/* User space looks at the process while it is there. */
static __always_inline void introduce(struct scratch *s, __u32 tgid)
{
	bpf_get_current_comm(s->comm, sizeof(s->comm));
	bpf_map_update_elem(&callers, &tgid, s->comm, BPF_ANY);
}

enum { USER_AT = CUL_PROBE_STACK_DEPTH }; /* in the data, where a group has its stacks */

/*
 * The stack's key. Not bpf_get_stackid(): of two stacks that its table has the same place for, it
 * gives up the second.
 */
static __always_inline __u64 take_stack(void *ctx, __u64 *frames, __u64 flags)
{
	long n = bpf_get_stack(ctx, frames, CUL_PROBE_STACK_DEPTH * 8, flags);
	__u64 key = 0;

	if (n <= 0)
		return 0;
	n /= 8;
	for (long i = 0; i < CUL_PROBE_STACK_DEPTH && i < n; i++)
		key = mix(key, frames[i]);
	OPAQUE(n);
	if (n < CUL_PROBE_STACK_DEPTH)
		frames[n & (CUL_PROBE_STACK_DEPTH - 1)] = 0;
	return key ? key : 1;
}

/* A new group has a place in the table of stacks for each of its own. */
static __always_inline void keep_stacks(struct scratch *s, const struct cul_probe_tally_key *key)
{
	__u64 *frames = (__u64 *)s->data;

	if (want_kernel_stack && key->stack)
		bpf_map_update_elem(&stacks, &key->stack, frames, BPF_NOEXIST);
	if (want_user_stack && key->user_stack)
		bpf_map_update_elem(&stacks, &key->user_stack, frames + USER_AT, BPF_NOEXIST);
}

static __always_inline void count_group(
	void *ctx, struct scratch *s, struct cul_probe_totals *sum, __u32 site)
{
	struct cul_probe_event *e = &s->event;
	struct cul_probe_tally_key key = {.site = site};
	__u64 *frames = (__u64 *)s->data;
	struct cul_probe_tally *g;
	void *from = (void *)&key + key_from;

	if (want_texts && e->in.faults & CUL_PROBE_NO_TEXT) {
		ADD(sum->ungrouped, 1);
		return;
	}
	if (want_kernel_stack)
		key.stack = take_stack(ctx, frames, 0);
	if (want_user_stack) {
		key.user_stack = take_stack(ctx, frames + USER_AT, BPF_F_USER_STACK);
		key.tgid = task_id() >> 32;
		if (user_target && want_caller && !returns)
			key.caller = e->in.caller;
		if (user_target)
			key.renewed = bpf_map_lookup_elem(&renewed, &key.tgid) != 0;
	}
	put_values(e, sum, &key);
	g = bpf_map_lookup_elem(&groups, from);
	if (!g) {
		__builtin_memset(&s->fresh, 0, sizeof(s->fresh));
		bpf_map_update_elem(&groups, from, &s->fresh, BPF_NOEXIST);
		if (want_user_stack)
			introduce(s, key.tgid);
		g = bpf_map_lookup_elem(&groups, from);
		if (!g) {
			ADD(sum->ungrouped, 1);
			return;
		}
		keep_stacks(s, &key);
	}
	if (want_bars)
		widen(g, e->in.values[CUL_PROBE_MEASURE_AT]);
	ADD(g->count, 1);
	if (e->flags & CUL_CALL_ERROR)
		ADD(g->errors, 1);
	if (!returns)
		return;
	ADD(g->sum, e->in.dur);
	if (e->in.dur > g->max)
		g->max = e->in.dur;
}

static __always_inline __u64 add_frames(void *ctx, struct scratch *s, __u64 at, __u64 flags)
{
	long n;

	OPAQUE(at);
	if (at > DATA)
		return 0;
	n = bpf_get_stack(ctx, &s->data[at], CUL_PROBE_FRAMES * 8, flags);
	return n > 0 ? (__u64)n / 8 : 0;
}

static __always_inline void emit(void *ctx, struct scratch *s, struct cul_probe_totals *sum,
	const struct cul_probe_recipe *recipe, const struct cul_pt_regs *regs)
{
	struct cul_probe_event *e = &s->event;
	__u64 at = recipe->payload, size, wake = BPF_RB_NO_WAKEUP;
	__u32 cpu = e->in.cpu, tgid;
	void *ring = bpf_map_lookup_elem(&rings, &cpu);

	if (at > CUL_PROBE_PAYLOAD)
		at = CUL_PROBE_PAYLOAD;
	e->payload = at;
	if (e->flags & CUL_CALL_AFTER) {
		/* Fetched at a fixed place; it follows the first payload in what is sent. */
		at &= ~7ull;
		OPAQUE(at);
		if (at <= CUL_PROBE_PAYLOAD)
			bpf_probe_read_kernel(&s->data[at], at, &s->data[CUL_PROBE_PAYLOAD]);
		at *= 2;
	}
	if (want_regs && regs) {
		OPAQUE(at);
		if (at <= 2 * CUL_PROBE_PAYLOAD) {
			bpf_probe_read_kernel(&s->data[at], CUL_PROBE_REGS * 8, regs);
			e->flags |= CUL_CALL_REGS;
			at += CUL_PROBE_REGS * 8;
		}
	}
	e->n_kernel = e->n_user = 0;
	if (want_kernel_stack) {
		e->n_kernel = add_frames(ctx, s, at, 0);
		at += e->n_kernel * 8;
	}
	if (want_user_stack) {
		e->n_user = add_frames(ctx, s, at, BPF_F_USER_STACK);
		at += e->n_user * 8;
		tgid = e->in.pid;
		if (user_target && bpf_map_lookup_elem(&renewed, &tgid))
			e->flags |= CUL_CALL_RENEWED;
	}
	size = sizeof(*e) + at;
	OPAQUE(size);
	if (!ring || size > sizeof(*e) + DATA) {
		ADD(sum->dropped, 1);
		return;
	}
	if (bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) * 2 > ring_bytes)
		wake = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(ring, e, size, wake))
		ADD(sum->dropped, 1);
	else
		ADD(sum->emitted, 1);
}

/* A call that passed all filters. */
static __always_inline void tell(void *ctx, struct scratch *s, struct cul_probe_totals *sum,
	const struct cul_probe_recipe *recipe, __u32 site, const struct cul_pt_regs *regs)
{
	struct cul_probe_event *e = &s->event;

	ADD(sum->matched, 1);
	if (e->flags & CUL_CALL_ERROR)
		ADD(sum->errors, 1);
	if (returns) {
		ADD(sum->sum_ns, e->in.dur);
		if (e->in.dur > sum->max_ns)
			sum->max_ns = e->in.dur;
	}
	if (want_groups)
		count_group(ctx, s, sum, site);
	if (want_events)
		emit(ctx, s, sum, recipe, regs);
}

#endif
