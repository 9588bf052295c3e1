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

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 user_target; /* a process's functions: all memory is user memory */
const volatile __u32 only_tgid;   /* calls of this process alone; 0: of all */
const volatile __u32 returns;     /* a call is told when it returns */
const volatile __u32 carry;       /* what is fetched at the entry is kept until the return */
const volatile __u32 diff;        /* pointees are fetched again at the return */
const volatile __u32 errors_only;
const volatile __u64 slow_ns;
const volatile __u32 want_events, want_groups, want_bars;
const volatile __u32 want_comm, want_caller, want_regs;
const volatile __u32 want_kernel_stack, want_user_stack;
const volatile __u32 by_at, n_by, measure_at; /* among the values */
const volatile __u64 ring_bytes;              /* of one CPU's ring */
const volatile struct cul_probe_offsets offsets;

__u32 live; /* everything is attached: calls count */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cul_probe_totals);
} totals SEC(".maps"); /* by site */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cul_probe_recipe);
} recipes SEC(".maps"); /* by site */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct cul_probe_open_key);
	__type(value, struct cul_probe_open);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1);
	__type(key, struct cul_probe_tally_key);
	__type(value, struct cul_probe_tally);
} groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, CUL_PROBE_STACK_DEPTH * sizeof(__u64));
} stacks SEC(".maps");

enum {
	DATA = 2 * CUL_PROBE_PAYLOAD + CUL_PROBE_REGS * 8 + 2 * CUL_PROBE_FRAMES * 8,
	NAMES_MOST = 16,              /* of one path */
	NAME_MOST = 64,               /* characters of one, with its end */
	SLACK = CUL_PROBE_FRAMES * 8, /* so that a bounded start is enough for the verifier */
};

/* The call in the making: too large for the stack. */
struct scratch {
	struct cul_probe_event event;
	__u8 data[DATA + SLACK];
	struct cul_probe_open call;
	struct cul_probe_tally fresh;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

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

/* Replaced by generated code. Weak, so that the compiler believes nothing of it. */
__attribute__((noinline, weak)) int expression(struct scratch *s)
{
	__asm__ volatile("" : "+r"(s));
	return CUL_PATCH_CODE;
}

#define PATCHED(number)                                                                            \
	({                                                                                         \
		__u64 patched_;                                                                    \
		__asm__ volatile("%0 = %1" : "=r"(patched_) : "i"(number));                        \
		patched_;                                                                          \
	})

/* The verifier must see the very register that was compared. */
#define OPAQUE(v) __asm__ volatile("" : "+r"(v))

static __always_inline struct scratch *own_scratch(void)
{
	__u32 index = PATCHED(CUL_PATCH_SCRATCH);

	return bpf_map_lookup_elem(&scratches, &index);
}

static __always_inline __u32 own_site(void *ctx)
{
	__s64 site = PATCHED(CUL_PATCH_SITE);

	if (site == CUL_SITE_BY_COOKIE)
		site = bpf_get_attach_cookie(ctx);
	return site;
}

static __always_inline long read_memory(void *to, __u64 size, __u64 from)
{
	long r = -1;

	if (!user_target)
		r = bpf_probe_read_kernel(to, size, (void *)from);
	return r ? bpf_probe_read_user(to, size, (void *)from) : 0;
}

static __always_inline long read_string(void *to, __u64 size, __u64 from)
{
	long r = -1;

	if (!user_target)
		r = bpf_probe_read_kernel_str(to, size, (void *)from);
	return r < 0 ? bpf_probe_read_user_str(to, size, (void *)from) : r;
}

/* What lies before the end of the page, when the whole does not. */
static __always_inline long read_part(void *to, __u64 size, __u64 from)
{
	__u64 part = 4096 - (from & 4095);

	if (!read_memory(to, size, from))
		return size;
	OPAQUE(part);
	if (!part || part > CUL_PROBE_FETCH_MOST || part >= size)
		return -14; /* EFAULT */
	return read_memory(to, part, from) ? -14 : part;
}

/* Where a fetch starts. */
static __always_inline __u64 fetch_from(struct scratch *s, const struct cul_probe_recipe *recipe,
	const struct cul_probe_fetch *f, const __s16 *got, __u64 base)
{
	__u64 source = f->source, through = f->through, at;
	__u64 *words = s->event.in.words;

	if (!through) {
		OPAQUE(source);
		if (source >= CUL_PROBE_SOURCES)
			return 0;
		/* words, values and ret are one array */
		return words[source] ? words[source] + f->offset : 0;
	}
	through--;
	OPAQUE(through);
	if (through >= CUL_PROBE_FETCHES || got[through] < (long)f->offset + 8)
		return 0;
	at = recipe->fetch[through].pos + f->offset;
	OPAQUE(at);
	if (at >= CUL_PROBE_PAYLOAD)
		return 0;
	return *(__u64 *)&s->data[base + (at & ~7ull)];
}

static __always_inline __u64 follow(__u64 from, __u32 offset)
{
	__u64 to = 0;

	bpf_probe_read_kernel(&to, sizeof(to), (void *)(from + offset));
	return to;
}

/* Names of a dentry's file system, when it has none itself: ":pipefs". */
static __always_inline long file_system_name(void *to, __u64 dentry)
{
	__u64 name = follow(
		follow(follow(dentry, offsets.dentry_sb), offsets.sb_type), offsets.type_name);
	long n;

	*(char *)to = ':';
	n = bpf_probe_read_kernel_str(to + 1, NAME_MOST, (void *)name);
	return n > 0 ? n + 1 : -14;
}

/* From a dentry up, and with its vfsmount on through the places where that is mounted. */
static __always_inline long names_up(__u8 *to, __u64 dentry, __u64 mnt)
{
	__u64 used = 0, first = dentry;

	for (int i = 0; i < NAMES_MOST; i++) {
		__u64 parent = follow(dentry, offsets.dentry_parent);
		long n;

		if (!parent)
			return -14;
		if (mnt && dentry == follow(mnt, offsets.mnt_root)) {
			__u64 mount = mnt - offsets.mount_mnt;
			__u64 above = follow(mount, offsets.mount_parent);

			if (!above || above == mount)
				break;
			dentry = follow(mount, offsets.mount_mountpoint);
			mnt = above + offsets.mount_mnt;
			continue;
		}
		if (parent == dentry)
			break;
		OPAQUE(used);
		if (used > CUL_PROBE_FETCH_MOST - NAME_MOST)
			break;
		n = bpf_probe_read_kernel_str(
			to + used, NAME_MOST, (void *)follow(dentry, offsets.dentry_name));
		if (n <= 0)
			return -14;
		used += n;
		dentry = parent;
	}
	if (used)
		return used;
	if (first == dentry && !mnt)
		return file_system_name(to, dentry);
	/* A root: of everything, or of what is mounted nowhere. */
	if (follow(first, offsets.dentry_parent) == first &&
		follow(follow(first, offsets.dentry_name), 0) & 0xff) {
		to[0] = '/';
		to[1] = 0;
		return 2;
	}
	return file_system_name(to, first);
}

static __always_inline long fetch_path(void *to, __u64 from, int is_file)
{
	if (!offsets.known)
		return -95; /* EOPNOTSUPP */
	if (is_file)
		return names_up(
			to, follow(from, offsets.file_dentry), follow(from, offsets.file_mnt));
	return names_up(to, from, 0);
}

static __always_inline long fetch_one(
	struct scratch *s, const struct cul_probe_fetch *f, __u64 from, __u64 base)
{
	__u64 pos = f->pos, size = f->size;
	void *to;

	if (!from)
		return -14;
	OPAQUE(pos);
	if (pos >= CUL_PROBE_PAYLOAD)
		return -22;
	to = &s->data[base + pos];
	OPAQUE(size);
	if (!size || size > CUL_PROBE_FETCH_MOST)
		return -22;
	if (f->kind == CUL_FETCH_STR)
		return read_string(to, size, from);
	if (f->kind == CUL_FETCH_FILE || f->kind == CUL_FETCH_DENTRY)
		return fetch_path(to, from, f->kind == CUL_FETCH_FILE);
	return read_part(to, size, from);
}

/* What stands for a fetch of this kind at the entry or at the return. */
static __always_inline void fetch(struct scratch *s, const struct cul_probe_recipe *recipe,
	__s16 *got, __u64 base, int at_return)
{
	for (int i = 0; i < CUL_PROBE_FETCHES; i++) {
		const struct cul_probe_fetch *f = &recipe->fetch[i];

		if (i >= recipe->n_fetches)
			break;
		/* At the return: what belongs there, and what could not be read before. */
		if (at_return ? !f->at_return && got[i] >= 0 : f->at_return) {
			if (f->at_return)
				got[i] = -61; /* ENODATA: not yet */
			continue;
		}
		got[i] = fetch_one(s, f, fetch_from(s, recipe, f, got, base), base);
	}
}

static __always_inline __u64 log2_of(__u64 v)
{
	__u64 e = 0;

	if (v >> 32)
		e += 32, v >>= 32;
	if (v >> 16)
		e += 16, v >>= 16;
	if (v >> 8)
		e += 8, v >>= 8;
	if (v >> 4)
		e += 4, v >>= 4;
	if (v >> 2)
		e += 2, v >>= 2;
	return e + (v >> 1);
}

static __always_inline __u32 bar_of(__u64 v)
{
	__u64 e;

	if ((__s64)v < 0)
		return 0;
	if (v < 16)
		return v;
	e = log2_of(v);
	return (e - 3) * 16 + ((v >> ((e - 4) & 63)) & 15);
}

static __always_inline void count_group(
	void *ctx, struct scratch *s, struct cul_probe_totals *sum, __u32 site)
{
	struct cul_probe_event *e = &s->event;
	struct cul_probe_tally_key key = {.site = site, .stack = -1, .user_stack = -1};
	struct cul_probe_tally *g;

	if (want_kernel_stack)
		key.stack = bpf_get_stackid(ctx, &stacks, BPF_F_FAST_STACK_CMP);
	if (want_user_stack)
		key.user_stack =
			bpf_get_stackid(ctx, &stacks, BPF_F_FAST_STACK_CMP | BPF_F_USER_STACK);
	if (want_bars)
		key.bar = bar_of(e->in.values[measure_at & (CUL_PROBE_VALUES - 1)]);
	for (__u32 i = 0; i < CUL_PROBE_BY; i++)
		if (i < n_by)
			key.by[i] = e->in.values[(by_at + i) & (CUL_PROBE_VALUES - 1)];
	g = bpf_map_lookup_elem(&groups, &key);
	if (!g) {
		__builtin_memset(&s->fresh, 0, sizeof(s->fresh));
		bpf_map_update_elem(&groups, &key, &s->fresh, BPF_NOEXIST);
		g = bpf_map_lookup_elem(&groups, &key);
		if (!g) {
			sum->ungrouped++;
			return;
		}
	}
	g->count++;
	if (e->flags & CUL_CALL_ERROR)
		g->errors++;
	g->sum += e->in.dur;
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
	__u32 cpu = e->in.cpu;
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
	}
	size = sizeof(*e) + at;
	OPAQUE(size);
	if (!ring || size > sizeof(*e) + DATA) {
		sum->dropped++;
		return;
	}
	if (bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) * 2 > ring_bytes)
		wake = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(ring, e, size, wake))
		sum->dropped++;
	else
		sum->emitted++;
}

/* A call that passed all filters. */
static __always_inline void tell(void *ctx, struct scratch *s, struct cul_probe_totals *sum,
	const struct cul_probe_recipe *recipe, __u32 site, const struct cul_pt_regs *regs)
{
	struct cul_probe_event *e = &s->event;

	sum->matched++;
	if (e->flags & CUL_CALL_ERROR)
		sum->errors++;
	if (returns) {
		sum->sum_ns += e->in.dur;
		if (e->in.dur > sum->max_ns)
			sum->max_ns = e->in.dur;
	}
	if (want_groups)
		count_group(ctx, s, sum, site);
	if (want_events)
		emit(ctx, s, sum, recipe, regs);
}

static __always_inline void note_task(struct cul_probe_event *e)
{
	__u64 id = bpf_get_current_pid_tgid();

	e->in.pid = id >> 32;
	e->in.tid = (__u32)id;
	e->in.cpu = bpf_get_smp_processor_id();
	if (want_comm)
		bpf_get_current_comm(e->in.comm, sizeof(e->in.comm));
}

static __always_inline int is_others(void)
{
	return only_tgid && bpf_get_current_pid_tgid() >> 32 != only_tgid;
}

/* The words are in place. */
static __always_inline int enter(void *ctx, struct scratch *s, __u32 site, __u64 sp, __u64 caller,
	const struct cul_pt_regs *regs)
{
	struct cul_probe_recipe *recipe = bpf_map_lookup_elem(&recipes, &site);
	struct cul_probe_totals *sum = bpf_map_lookup_elem(&totals, &site);
	struct cul_probe_event *e = &s->event;
	struct cul_probe_open_key key = {.sp = sp, .site = site};

	if (!sum || !recipe)
		return 0;
	sum->calls++;
	note_task(e);
	e->site = site;
	e->flags = regs && regs->cs & 3 ? CUL_CALL_USER : 0;
	e->in.caller = caller;
	e->in.ret = e->in.dur = 0;
	e->in.faults = 0;
	e->ns = e->sent_ns = bpf_ktime_get_ns();
	if (!expression(s)) {
		sum->filtered++;
		return 0;
	}
	fetch(s, recipe, e->got, 0, 0);
	if (!returns) {
		tell(ctx, s, sum, recipe, site, regs);
		return 0;
	}
	__builtin_memcpy(s->call.words, e->in.words, sizeof(s->call.words));
	__builtin_memcpy(s->call.values, e->in.values, sizeof(s->call.values));
	s->call.faults = e->in.faults;
	s->call.ns = e->ns;
	s->call.caller = caller;
	if (carry) {
		__u64 n = recipe->payload;

		__builtin_memcpy(s->call.got, e->got, sizeof(s->call.got));
		OPAQUE(n);
		if (n <= CUL_PROBE_PAYLOAD)
			bpf_probe_read_kernel(s->call.payload, n, s->data);
	}
	if (user_target)
		key.tgid = e->in.pid;
	if (bpf_map_update_elem(&calls, &key, &s->call, BPF_ANY))
		sum->lone++;
	return 0;
}

/* `v` as its type has it: what lies above 32 bits is not defined. */
static __always_inline __s64 extend(__u64 v, __u32 kind)
{
	return kind == CUL_RET_INT32 ? (__s64)(__s32)v : (__s64)v;
}

static __always_inline int is_error(__s64 ret, __u32 kind)
{
	return kind != CUL_RET_NONE && ret < 0 && ret >= -4095;
}

static __always_inline int leave(void *ctx, struct scratch *s, __u32 site, __u64 sp, __u64 ret,
	const struct cul_pt_regs *regs)
{
	struct cul_probe_recipe *recipe = bpf_map_lookup_elem(&recipes, &site);
	struct cul_probe_totals *sum = bpf_map_lookup_elem(&totals, &site);
	struct cul_probe_event *e = &s->event;
	struct cul_probe_open_key key = {.sp = sp, .site = site};
	struct cul_probe_open *c;

	if (!sum || !recipe)
		return 0;
	note_task(e);
	if (user_target)
		key.tgid = e->in.pid;
	c = bpf_map_lookup_elem(&calls, &key);
	if (!c) {
		sum->strays++;
		return 0;
	}
	sum->returns++;
	__builtin_memcpy(e->in.words, c->words, sizeof(e->in.words));
	__builtin_memcpy(e->in.values, c->values, sizeof(e->in.values));
	e->in.faults = c->faults;
	e->in.caller = c->caller;
	e->ns = c->ns;
	e->sent_ns = bpf_ktime_get_ns();
	e->in.dur = e->sent_ns - c->ns;
	if (carry) {
		__u64 n = recipe->payload;

		__builtin_memcpy(e->got, c->got, sizeof(e->got));
		OPAQUE(n);
		if (n <= CUL_PROBE_PAYLOAD)
			bpf_probe_read_kernel(s->data, n, c->payload);
	}
	bpf_map_delete_elem(&calls, &key);
	e->site = site;
	e->flags = CUL_CALL_RETURN | (regs && regs->cs & 3 ? CUL_CALL_USER : 0);
	e->in.ret = extend(ret, recipe->ret);
	if (is_error(e->in.ret, recipe->ret))
		e->flags |= CUL_CALL_ERROR;
	if ((errors_only && !(e->flags & CUL_CALL_ERROR)) || e->in.dur < slow_ns ||
		!expression(s)) {
		sum->filtered++;
		return 0;
	}
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
	struct scratch *s = own_scratch();
	__u64 caller = 0;

	if (!s || !live || is_others())
		return 0;
	words_of_regs(s, ctx);
	if (want_caller)
		read_memory(&caller, sizeof(caller), ctx->sp);
	return enter(ctx, s, own_site(ctx), ctx->sp, caller, ctx);
}

/* kretprobe and its kin: the return address is popped already */
SEC("culprit/return")
int probe_return(struct cul_pt_regs *ctx)
{
	struct scratch *s = own_scratch();

	if (!s || !live || is_others())
		return 0;
	return leave(ctx, s, own_site(ctx), ctx->sp - 8, ctx->ax, ctx);
}

/* The instruction after the one that is probed: the same task, whatever it did to its stack. */
SEC("culprit/after")
int probe_after(struct cul_pt_regs *ctx)
{
	struct scratch *s = own_scratch();

	if (!s || !live || is_others())
		return 0;
	return leave(ctx, s, own_site(ctx), (__u32)bpf_get_current_pid_tgid(), ctx->ax, ctx);
}

SEC("culprit/before")
int probe_before(struct cul_pt_regs *ctx)
{
	struct scratch *s = own_scratch();

	if (!s || !live || is_others())
		return 0;
	words_of_regs(s, ctx);
	return enter(ctx, s, own_site(ctx), (__u32)bpf_get_current_pid_tgid(), 0, ctx);
}

/* Both have the same place on the stack as their context: the trampoline's frame. */
SEC("culprit/fentry")
int probe_fentry(__u64 *ctx)
{
	struct scratch *s = own_scratch();
	__u64 n = PATCHED(CUL_PATCH_ARGS);

	if (!s || !live || is_others())
		return 0;
	for (__u32 i = 0; i < CUL_PROBE_REG_WORDS; i++)
		if (i < n)
			bpf_get_func_arg(ctx, i, &s->event.in.words[i]);
	return enter(ctx, s, own_site(ctx), (__u64)ctx, 0, 0);
}

SEC("culprit/fexit")
int probe_fexit(__u64 *ctx)
{
	struct scratch *s = own_scratch();
	__u64 ret = 0;

	if (!s || !live || is_others())
		return 0;
	bpf_get_func_ret(ctx, &ret);
	return leave(ctx, s, own_site(ctx), (__u64)ctx, ret, 0);
}

SEC("culprit/tracepoint")
int probe_tracepoint(struct bpf_raw_tracepoint_args *ctx)
{
	struct scratch *s = own_scratch();

	if (!s || !live || is_others())
		return 0;
	for (int i = 0; i < 12; i++)
		s->event.in.words[i] = ctx->args[i];
	return enter(ctx, s, own_site(ctx), 0, 0, 0);
}
