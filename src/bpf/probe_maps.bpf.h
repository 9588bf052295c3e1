/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps, constants and the scratch area of the probe programs: a part of
 * probe.bpf.c. Every map is preallocated.
 */
#ifndef CUL_BPF_PROBE_MAPS_H
#define CUL_BPF_PROBE_MAPS_H

#include "bpf/helpers.h"
#include "bpf/probe.h"
#include "bpf/probe_patch.bpf.h"

const volatile __u32 user_target; /* a process's functions: all memory is user memory */
const volatile __u32 own_tgid;    /* culprit: its calls are counted apart */
const volatile __u32 some_cpus;   /* calls on these alone; 0: on all */
const volatile __u64 cpus[64];
const volatile __u32 only_followed; /* calls of this process, and of those in `followed`; 0: all */
const volatile __u32 returns;       /* a call is told when it returns */
const volatile __u32 keep_words;    /* so many of the entry are kept until the return, */
const volatile __u32 keep_values;   /* and so many of these, */
const volatile __u32 carry;         /* and what was fetched there */
const volatile __u32 diff;          /* pointees are fetched again at the return */
const volatile __u32 errors_only;
const volatile __u64 slow_ns;
const volatile __u32 want_events, want_groups, want_bars;
const volatile __u32 want_task; /* expressions use pid, tid, cpu; want_comm: that */
const volatile __u32 want_comm, want_caller, want_regs;
const volatile __u32 want_kernel_stack, want_user_stack;
const volatile __u32 most_fetches; /* of a recipe: the verifier follows no more */
const volatile __u32 n_by;         /* words of a group's key */
const volatile __u32 key_from;     /* where in a struct cul_probe_tally_key the view's begin */
const volatile __u32 want_texts;   /* among them are strings */
const volatile __s64 linear_min, linear_max;
const volatile __u64 linear_step; /* 0: bars are powers of two */
const volatile __u64 ring_bytes;  /* of one CPU's ring */
const volatile struct cul_probe_offsets offsets;
const volatile __u32 parent_tgid; /* the process whose functions are probed; 0: none */
const volatile __s64 inject_ret;
const volatile __u64 inject_every;
const volatile __u64 places_most; /* of calls that returned */

__u32 live;        /* everything is attached: calls count */
__u64 crowded;     /* runs at uprobes that found no scratch area free */
__u64 children;    /* that it and its children forked */
__u64 execs;       /* of those */
__u64 unfollowed;  /* tasks and processes that there was no room for in the tables of kin */
__u64 inject_seen; /* calls that --inject may choose from */
__u64 places_kept; /* in `calls`, after a return */

/* By the kernel's tgid: the process that was asked for, and what it has forked since and lives. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} followed SEC(".maps");

/* Tasks that descend from the process whose functions are probed, by address. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u64);
} kin SEC(".maps");

/*
 * By tgid: such processes, and the first one, that run another program. Whoever has not called for
 * longest is forgotten when there are too many.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} renewed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cul_probe_totals);
} totals SEC(".maps"); /* by site */

/* One value for all: its address is known when the program is loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cul_probe_refusals);
} refusals SEC(".maps");

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

/* Processes, by tgid, with a group that is new; user space takes them out again. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, char[CUL_PROBE_COMM]);
} callers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u64[CUL_PROBE_STACK_DEPTH]);
} stacks SEC(".maps"); /* of groups; shorter ones end with 0 */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u64[CUL_PROBE_TEXT / 8]);
} texts SEC(".maps"); /* of groups; what lies behind their end is 0 */

enum {
	DATA = 2 * CUL_PROBE_PAYLOAD + CUL_PROBE_REGS * 8 + 2 * CUL_PROBE_FRAMES * 8,
	NAMES_MOST = 16,              /* of one path */
	NAME_MOST = 64,               /* characters of a file system's, with its end */
	SLACK = CUL_PROBE_FRAMES * 8, /* so that a bounded start is enough for the verifier */
};

/* Where a path is being followed. */
struct walk {
	__u64 dentry, mnt, used;
	__s64 more; /* 0: it is whole */
};

/* The call in the making: too large for the stack. */
struct scratch {
	struct cul_probe_event event;
	__u8 data[DATA + SLACK];
	struct cul_probe_tally fresh;
	struct walk walk;
	char comm[CUL_PROBE_COMM];
	__u64 strings; /* bit i: word i of the group's key is a string's, which lies in the data */
	__u64 users;   /* of a process's functions: programs on this CPU that are in it */
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

/*
 * Programs at uprobes can be preempted, by one for another thread on the same CPU: since 6.2 they
 * run by bpf_prog_run_array_uprobe() (include/linux/bpf.h), which keeps to the CPU and no more.
 * Other programs are kept from one another there, or have numbers and a scratch area of their own.
 */
#define ADD(sum, n)                                                                                \
	do {                                                                                       \
		if (user_target)                                                                   \
			__sync_fetch_and_add(&(sum), (n));                                         \
		else                                                                               \
			(sum) += (n);                                                              \
	} while (0)

/* One that nobody on this CPU is in: who adds first and then sees itself alone has it. */
static __always_inline struct scratch *free_scratch(void)
{
	for (__u32 i = 0; i < CUL_PROBE_CROWD; i++) {
		__u32 index = i;
		struct scratch *s = bpf_map_lookup_elem(&scratches, &index);

		if (!s)
			return 0;
		__sync_fetch_and_add(&s->users, 1);
		if (*(volatile __u64 *)&s->users == 1)
			return s;
		__sync_fetch_and_add(&s->users, -1);
	}
	__sync_fetch_and_add(&crowded, 1);
	return 0;
}

static __always_inline struct scratch *own_scratch(void)
{
	__u32 index = PATCHED(CUL_PATCH_SCRATCH);

	return user_target ? free_scratch() : bpf_map_lookup_elem(&scratches, &index);
}

static __always_inline int give_back(struct scratch *s, int result)
{
	if (user_target)
		__sync_fetch_and_add(&s->users, -1);
	return result;
}

static __always_inline __u32 own_site(void *ctx)
{
	__s64 site = PATCHED(CUL_PATCH_SITE);

	if (site == CUL_SITE_BY_COOKIE)
		site = bpf_get_attach_cookie(ctx);
	return site;
}

#endif
