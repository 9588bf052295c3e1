// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A probed place was reached, or came back.
 *
 * Templates: see CUL_PATCH_* in probe.h. It counts first (exact whatever
 * happens later), then asks the filter, then remembers the call until its
 * return, or tells of it. Every map is preallocated.
 */
#include "bpf/helpers.h"
#include "bpf/probe.h"
#include "bpf/probe_fetch.bpf.h"
#include "bpf/probe_maps.bpf.h"
#include "bpf/probe_tell.bpf.h"
#include "bpf/task.h"

char LICENSE[] SEC("license") = "GPL";

/* What expressions ask of the task, and once a call has passed them, what its record tells. */
static __always_inline void note_task(struct cul_probe_event *e, __u64 id, int task, int comm)
{
	if (task) {
		e->in.pid = id >> 32;
		e->in.tid = (__u32)id;
		e->in.cpu = bpf_get_smp_processor_id();
	}
	if (comm)
		bpf_get_current_comm(e->in.comm, sizeof(e->in.comm));
}

/* The process that is followed, which in a PID namespace has another number to the kernel. */
static __always_inline int is_first(__u64 id)
{
	return pidns_ino && id >> 32 == only_followed;
}

static __always_inline int is_others(__u64 id)
{
	__u32 tgid = task_key(id) >> 32;

	return only_followed && !is_first(id) && !bpf_map_lookup_elem(&followed, &tgid);
}

static __always_inline int is_elsewhere(void)
{
	__u64 cpu;

	if (!some_cpus)
		return 0;
	cpu = bpf_get_smp_processor_id();
	return !(cpus[cpu / 64 % 64] >> cpu % 64 & 1);
}

/*
 * The call is counted, and nothing else is wanted of it. What this asks for is known before the
 * program runs: the verifier removes either this way or the other.
 */
static __always_inline int counts_alone(void)
{
	return !want_events && !want_groups && !returns && !PATCHED(CUL_PATCH_CODED);
}

static __always_inline int count_alone(__u32 site, __u64 id)
{
	struct cul_probe_totals *sum = bpf_map_lookup_elem(&totals, &site);

	if (!sum)
		return 0;
	if (is_elsewhere())
		return 0;
	if (id >> 32 == own_tgid) {
		ADD(sum->own, 1);
		return 0;
	}
	ADD(sum->calls, 1);
	ADD(sum->matched, 1);
	return 0;
}

/* The place of this call: that of one before it, or a new one. */
static __always_inline struct cul_probe_open *find_place(
	struct scratch *s, const struct cul_probe_open_key *key)
{
	struct cul_probe_open *c = bpf_map_lookup_elem(&calls, key);

	if (c)
		return c;
	/* Any bytes will do: all that is read later is written below. */
	bpf_map_update_elem(&calls, key, s->data, BPF_NOEXIST);
	c = bpf_map_lookup_elem(&calls, key);
	if (c)
		c->stays = 0;
	return c;
}

/* The first `n` of `most`, and for a constant `n` nothing but those copies. */
static __always_inline void copy_some(__u64 *to, const __u64 *from, __u32 most, __u32 n)
{
	for (__u32 i = 0; i < most; i++)
		if (i < n)
			to[i] = from[i];
}

/* The call waits for its return. */
static __always_inline void remember(struct scratch *s, struct cul_probe_totals *sum,
	const struct cul_probe_recipe *recipe, const struct cul_probe_open_key *key)
{
	struct cul_probe_event *e = &s->event;
	struct cul_probe_open *c = find_place(s, key);

	if (!c) {
		ADD(sum->lone, 1);
		return;
	}
	ADD(sum->waited, 1);
	c->caller = e->in.caller;
	c->faults = e->in.faults;
	copy_some(c->words, e->in.words, CUL_PROBE_WORDS, keep_words);
	copy_some(c->values, e->in.values, CUL_PROBE_VALUES, keep_values);
	carry_texts(c, s);
	if (carry && recipe) {
		__u64 n = recipe->payload;

		__builtin_memcpy(c->got, e->got, sizeof(c->got));
		OPAQUE(n);
		if (n <= CUL_PROBE_PAYLOAD)
			bpf_probe_read_kernel(c->payload, n, s->data);
	}
	c->ns = bpf_ktime_get_ns();
}

/* A few places stay: as a rule it is the same tasks that call again, from the same depth. */
static __always_inline void forget(struct cul_probe_open *c, const struct cul_probe_open_key *key)
{
	if (!c->stays && places_kept < places_most) {
		c->stays = 1;
		__sync_fetch_and_add(&places_kept, 1);
	}
	if (c->stays)
		c->ns = 0;
	else
		bpf_map_delete_elem(&calls, key);
}

/*
 * A call that is not waited for: one before it may have left its place open, since that one's
 * return was missed, or it never came back; this one's return is not that one's.
 */
static __always_inline void leave_out(const struct cul_probe_open_key *key)
{
	struct cul_probe_open *c = bpf_map_lookup_elem(&calls, key);

	if (c && c->ns)
		forget(c, key);
}

static __always_inline int is_error(__s64 ret, __u32 kind)
{
	return kind != CUL_RET_NONE && ret < 0 && ret >= -4095;
}

/*
 * A number for each call, on whatever CPU: user space makes the addition one that gives the old
 * value back, which the compiler does not know of for the kernels that it is told to write for.
 */
static __always_inline __u64 take_number(void)
{
	__u64 n = 1, *seen = &inject_seen;

	__asm__ volatile("lock *(u64 *)(%1 + 0) += %0" : "+r"(n) : "r"(seen) : "memory");
	return n;
}

static __always_inline void inject(struct cul_pt_regs *ctx, struct cul_probe_event *e,
	struct cul_probe_totals *sum, __u32 kind)
{
	if (inject_every > 1 && (take_number() + 1) % inject_every)
		return;
	bpf_override_return((struct pt_regs *)ctx, inject_ret);
	e->in.ret = inject_ret;
	e->flags |= CUL_CALL_INJECTED;
	if (is_error(inject_ret, kind))
		e->flags |= CUL_CALL_ERROR;
	ADD(sum->injected, 1);
}

/*
 * The words are in place. `id`: of the task. `injects`: a constant, since only some kernels have
 * what it takes.
 */
static __always_inline int enter_as(void *ctx, struct scratch *s, __u32 site, __u64 id, __u64 sp,
	__u64 caller, const struct cul_pt_regs *regs, int injects)
{
	struct cul_probe_totals *sum = bpf_map_lookup_elem(&totals, &site);
	struct cul_probe_recipe *recipe = 0;
	struct cul_probe_event *e = &s->event;
	struct cul_probe_open_key key = {.sp = sp, .site = site};
	__u64 waits = returns && PATCHED(CUL_PATCH_PAIRED);

	if (!sum)
		return 0;
	if (user_target)
		key.tgid = task_key(id) >> 32;
	if (is_elsewhere()) {
		if (waits)
			leave_out(&key);
		return 0;
	}
	if (id >> 32 == own_tgid) {
		ADD(sum->own, 1);
		return 0;
	}
	ADD(sum->calls, 1);
	note_outsider(id);
	note_task(e, id, want_task, want_comm);
	e->in.caller = caller;
	e->in.faults = 0;
	forget_texts(s);
	/* What never comes back is no error and not slow. */
	if (!passes(s) || (!waits && (errors_only || slow_ns))) {
		ADD(sum->filtered, 1);
		if (waits)
			leave_out(&key);
		return 0;
	}
	take_texts(s);
	e->site = site;
	e->flags = regs && regs->cs & 3 ? CUL_CALL_USER : 0;
	e->in.ret = e->in.dur = 0;
	if ((want_events && (!waits || most_fetches)) || injects) {
		recipe = bpf_map_lookup_elem(&recipes, &site);
		if (!recipe)
			return 0;
	}
	if (want_events && !waits) {
		e->ns = e->sent_ns = bpf_ktime_get_ns();
		note_task(e, id, !want_task, !want_comm);
	}
	if (want_events && recipe)
		fetch(s, recipe, e->got, 0, 0);
	if (injects)
		inject(ctx, e, sum, recipe->ret);
	if (!waits) {
		keep_texts(s);
		tell(ctx, s, sum, recipe, site, regs);
		return 0;
	}
	remember(s, sum, recipe, &key);
	return 0;
}

static __always_inline int enter(void *ctx, struct scratch *s, __u32 site, __u64 id, __u64 sp,
	__u64 caller, const struct cul_pt_regs *regs)
{
	return enter_as(ctx, s, site, id, sp, caller, regs, 0);
}

/* `v` as its type has it: what lies above 32 bits is not defined. */
static __always_inline __s64 extend(__u64 v, __u32 kind)
{
	return kind == CUL_RET_INT32 ? (__s64)(__s32)v : (__s64)v;
}

/* What was known at the entry is in place again. */
static __always_inline void recall(
	struct scratch *s, const struct cul_probe_recipe *recipe, const struct cul_probe_open *c)
{
	struct cul_probe_event *e = &s->event;

	e->in.caller = c->caller;
	e->in.faults = c->faults;
	recall_texts(s, c);
	copy_some(e->in.words, c->words, CUL_PROBE_WORDS, keep_words);
	copy_some(e->in.values, c->values, CUL_PROBE_VALUES, keep_values);
	if (carry) {
		__u64 n = recipe->payload;

		__builtin_memcpy(e->got, c->got, sizeof(e->got));
		OPAQUE(n);
		if (n <= CUL_PROBE_PAYLOAD)
			bpf_probe_read_kernel(s->data, n, c->payload);
	}
}

/* `here`: registers that the expressions speak of, in place of those at the entry; 0: none. */
static __always_inline int leave(void *ctx, struct scratch *s, __u32 site, __u64 id, __u64 sp,
	__u64 ret, const struct cul_pt_regs *regs, __u64 here)
{
	struct cul_probe_recipe *recipe = bpf_map_lookup_elem(&recipes, &site);
	struct cul_probe_totals *sum = bpf_map_lookup_elem(&totals, &site);
	struct cul_probe_event *e = &s->event;
	struct cul_probe_open_key key = {.sp = sp, .site = site};
	struct cul_probe_open *c;
	int wanted;

	if (!sum || !recipe)
		return 0;
	if (id >> 32 == own_tgid)
		return 0;
	if (user_target)
		key.tgid = task_key(id) >> 32;
	c = bpf_map_lookup_elem(&calls, &key);
	if (!c || !c->ns) {
		ADD(sum->strays, 1);
		return 0;
	}
	ADD(sum->returns, 1);
	e->ns = c->ns;
	e->sent_ns = bpf_ktime_get_ns();
	e->in.dur = e->sent_ns - e->ns;
	e->in.ret = extend(ret, recipe->ret);
	e->site = site;
	e->flags = CUL_CALL_RETURN | (regs && regs->cs & 3 ? CUL_CALL_USER : 0);
	if (is_error(e->in.ret, recipe->ret))
		e->flags |= CUL_CALL_ERROR;
	/* Most calls are neither: nothing is made ready for those. */
	wanted = !(errors_only && !(e->flags & CUL_CALL_ERROR)) && e->in.dur >= slow_ns;
	if (wanted) {
		note_task(e, id, want_task, want_comm);
		recall(s, recipe, c);
	}
	forget(c, &key);
	if (here)
		e->in.words[0] = here;
	if (!wanted || !passes(s)) {
		ADD(sum->filtered_late, 1);
		return 0;
	}
	take_texts(s);
	keep_texts(s);
	if (want_events)
		note_task(e, id, !want_task, !want_comm);
	if (carry)
		fetch(s, recipe, e->got, 0, 1);
	if (diff) {
		fetch(s, recipe, e->after, CUL_PROBE_PAYLOAD, 0);
		e->flags |= CUL_CALL_AFTER;
	}
	tell(ctx, s, sum, recipe, site, regs);
	return 0;
}

static __always_inline void words_of_regs(struct scratch *s, const struct cul_pt_regs *ctx)
{
	__u64 *w = s->event.in.words;
	__u64 n = PATCHED(CUL_PATCH_ARGS);

	if (!n)
		return;
	w[0] = ctx->di;
	w[1] = ctx->si;
	w[2] = ctx->dx;
	w[3] = ctx->cx;
	w[4] = ctx->r8;
	w[5] = ctx->r9;
	if (n > CUL_PROBE_REG_WORDS)
		read_memory(&w[CUL_PROBE_REG_WORDS],
			(CUL_PROBE_WORDS - CUL_PROBE_REG_WORDS) * sizeof(__u64), ctx->sp + 8);
}

/* kprobe, kprobe-multi, uprobe */
SEC("culprit/entry")
int probe_entry(struct cul_pt_regs *ctx)
{
	__u64 id = task_id();
	struct scratch *s;
	__u64 caller = 0;

	if (!live || is_others(id))
		return 0;
	if (counts_alone())
		return count_alone(own_site(ctx), id);
	s = own_scratch();
	if (!s)
		return 0;
	words_of_regs(s, ctx);
	if (want_caller)
		read_memory(&caller, sizeof(caller), ctx->sp);
	return give_back(s, enter(ctx, s, own_site(ctx), id, ctx->sp, caller, ctx));
}

/* kprobe: the function's body is left out */
SEC("culprit/inject")
int probe_inject(struct cul_pt_regs *ctx)
{
	__u64 id = task_id(), caller = 0;
	struct scratch *s;

	if (!live || is_others(id))
		return 0;
	s = own_scratch();
	if (!s)
		return 0;
	words_of_regs(s, ctx);
	if (want_caller)
		read_memory(&caller, sizeof(caller), ctx->sp);
	return give_back(s, enter_as(ctx, s, own_site(ctx), id, ctx->sp, caller, ctx, 1));
}

/* kretprobe and its kin: the return address is popped already */
SEC("culprit/return")
int probe_return(struct cul_pt_regs *ctx)
{
	__u64 id = task_id();
	struct scratch *s;

	if (!live || is_others(id))
		return 0;
	s = own_scratch();
	if (!s)
		return 0;
	return give_back(s, leave(ctx, s, own_site(ctx), id, ctx->sp - 8, ctx->ax, ctx, 0));
}

/* One task, whatever the instruction did to its stack; idle tasks have a number for all CPUs. */
static __always_inline __u64 instruction_key(__u64 id)
{
	__u32 tid = task_key(id);

	return tid ? tid : 1ull << 32 | bpf_get_smp_processor_id();
}

/* The instruction after the one that is probed. */
SEC("culprit/after")
int probe_after(struct cul_pt_regs *ctx)
{
	__u64 id = task_id();
	struct scratch *s;

	if (!live || is_others(id))
		return 0;
	s = own_scratch();
	if (!s)
		return 0;
	return give_back(
		s, leave(ctx, s, own_site(ctx), id, instruction_key(id), ctx->ax, ctx, (__u64)ctx));
}

/* An instruction has registers, and nothing else that is known of it. */
SEC("culprit/before")
int probe_before(struct cul_pt_regs *ctx)
{
	__u64 id = task_id();
	struct scratch *s;

	if (!live || is_others(id))
		return 0;
	if (counts_alone())
		return count_alone(own_site(ctx), id);
	s = own_scratch();
	if (!s)
		return 0;
	s->event.in.words[0] = (__u64)ctx;
	return give_back(s, enter(ctx, s, own_site(ctx), id, instruction_key(id), 0, ctx));
}

/* Both have the same place on the stack as their context: the trampoline's frame. */
SEC("culprit/fentry")
int probe_fentry(__u64 *ctx)
{
	__u64 id = task_id();
	struct scratch *s;
	__u64 n = PATCHED(CUL_PATCH_ARGS), direct = PATCHED(CUL_PATCH_DIRECT);

	if (!live || is_others(id))
		return 0;
	if (counts_alone())
		return count_alone(own_site(ctx), id);
	s = own_scratch();
	if (!s)
		return 0;
	for (__u32 i = 0; i < CUL_PROBE_REG_WORDS; i++) {
		if (i < n && direct >> i & 1)
			s->event.in.words[i] = ((volatile __u64 *)ctx)[i];
		else if (i < n)
			bpf_get_func_arg(ctx, i, &s->event.in.words[i]);
	}
	return give_back(s, enter(ctx, s, own_site(ctx), id, (__u64)ctx, 0, 0));
}

SEC("culprit/fexit")
int probe_fexit(__u64 *ctx)
{
	__u64 id = task_id();
	struct scratch *s;
	__u64 ret = 0;

	if (!live || is_others(id))
		return 0;
	s = own_scratch();
	if (!s)
		return 0;
	bpf_get_func_ret(ctx, &ret);
	return give_back(s, leave(ctx, s, own_site(ctx), id, (__u64)ctx, ret, 0, 0));
}

SEC("culprit/tracepoint")
int probe_tracepoint(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 id = task_id();
	struct scratch *s;
	__u64 n = PATCHED(CUL_PATCH_ARGS);

	if (!live || is_others(id))
		return 0;
	if (counts_alone())
		return count_alone(own_site(ctx), id);
	s = own_scratch();
	if (!s)
		return 0;
	/* A program that could read beyond the last one is refused. */
	for (__u32 i = 0; i < CUL_PROBE_TRACEPOINT_ARGS; i++)
		if (i < n)
			s->event.in.words[i] =
				((volatile struct bpf_raw_tracepoint_args *)ctx)->args[i];
	return give_back(s, enter(ctx, s, own_site(ctx), id, 0, 0, 0));
}

/* sched_process_fork: a child of a followed process is followed, a new thread is already. */
SEC("culprit/fork")
int probe_fork(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 parent = 0, child = 0;

	bpf_probe_read_kernel(&parent, sizeof(parent), (void *)(ctx->args[0] + offsets.task_tgid));
	bpf_probe_read_kernel(&child, sizeof(child), (void *)(ctx->args[1] + offsets.task_tgid));
	if (child != parent && (is_first(task_id()) || bpf_map_lookup_elem(&followed, &parent)) &&
		bpf_map_update_elem(&followed, &child, &child, BPF_ANY))
		__sync_fetch_and_add(&unfollowed, 1);
	return 0;
}

/*
 * sched_process_free(task): nothing will be called by it any more, and its number is free for
 * others. A process's first task is the last one that is released (release_task() of kernel/exit.c,
 * v6.12), and has both numbers the same: at an exec it changes with whoever made it.
 */
SEC("culprit/free")
int probe_free(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 pid = 0, tgid = 0;

	bpf_probe_read_kernel(&pid, sizeof(pid), (void *)(ctx->args[0] + offsets.task_pid));
	bpf_probe_read_kernel(&tgid, sizeof(tgid), (void *)(ctx->args[0] + offsets.task_tgid));
	if (pid == tgid)
		bpf_map_delete_elem(&followed, &tgid);
	return 0;
}

/*
 * Of a process whose functions are probed, its kin: all tasks that it and they make. By their
 * address: what a struct task_struct looks like is not asked for.
 */
static __always_inline int is_kin(__u64 task)
{
	return task_id() >> 32 == parent_tgid || bpf_map_lookup_elem(&kin, &task);
}

/* task_newtask(task, clone_flags): without CLONE_VM it has memory of its own. */
SEC("culprit/child")
int probe_child(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 child = ctx->args[0], one = 1;

	if (!is_kin(bpf_get_current_task()))
		return 0;
	if (live && !(ctx->args[1] & 0x100))
		__sync_fetch_and_add(&children, 1);
	if (bpf_map_update_elem(&kin, &child, &one, BPF_ANY))
		__sync_fetch_and_add(&unfollowed, 1);
	return 0;
}

/* sched_process_exec(task, ...): it has other code from here on. */
SEC("culprit/exec")
int probe_exec(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 tgid = task_id() >> 32;

	if (!is_kin(ctx->args[0]))
		return 0;
	if (live && tgid != parent_tgid)
		__sync_fetch_and_add(&execs, 1);
	bpf_map_update_elem(&renewed, &tgid, &tgid, BPF_ANY);
	return 0;
}

/* sched_process_exit(task): another one may have its address. */
SEC("culprit/exit")
int probe_exit(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 task = ctx->args[0];

	bpf_map_delete_elem(&kin, &task);
	return 0;
}
