/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the probe programs and user space tell each other: recipes, counters,
 * groups and the record of a call. Included by both sides.
 *
 * A site is one place that is probed; its number is the attach cookie. Sites of
 * one function share a recipe, which says what to copy from memory at a call.
 */
#ifndef CUL_BPF_PROBE_H
#define CUL_BPF_PROBE_H

#include <linux/types.h>

enum {
	CUL_PROBE_REG_WORDS = 6, /* words[0..5]: argument registers; the rest from the stack */
	CUL_PROBE_WORDS = 16,
	CUL_PROBE_VALUES = 8, /* results of --args, --hist and --by expressions */
	CUL_PROBE_SOURCES = CUL_PROBE_WORDS + CUL_PROBE_VALUES + 1,
	CUL_PROBE_FROM_RET = CUL_PROBE_SOURCES - 1,
	CUL_PROBE_FETCHES = 16,
	CUL_PROBE_PAYLOAD = 2048, /* bytes that all fetches of a function take together */
	CUL_PROBE_FETCH_MOST = 256,
	CUL_PROBE_FRAMES = 64, /* of each of the kernel and the user stack */
	CUL_PROBE_COMM = 16,
	CUL_PROBE_CROWD = 4,      /* programs at uprobes that may interrupt one another on a CPU */
	CUL_PROBE_BY = 4,         /* words of a group's key */
	CUL_PROBE_MEASURE_AT = 0, /* among the values: of --hist, */
	CUL_PROBE_BY_AT = 1,      /* and the first word of --by */
	CUL_PROBE_TEXT = 128,     /* of a string that tells groups apart, with its end */
	CUL_PROBE_STACK_DEPTH = 32,     /* frames that tell groups apart */
	CUL_PROBE_TRACEPOINT_ARGS = 12, /* kernel/trace/bpf_trace.c: bpf_trace_run12 */
	CUL_PROBE_REGS = 21,            /* x86_64 pt_regs, in its order */
};

enum cul_probe_fetch_kind {
	CUL_FETCH_NONE,
	CUL_FETCH_MEM,    /* `size` bytes, or as many as there are up to the page's end */
	CUL_FETCH_STR,    /* a string of at most size-1 characters */
	CUL_FETCH_DENTRY, /* names from a struct dentry up: NUL separated, the innermost first */
	CUL_FETCH_FILE,   /* the same from a struct file, across mounts */
	CUL_FETCH_PATH,   /* the same from a struct path */
	CUL_FETCH_REGS,   /* the registers at an instruction: the first word is where they are */
};

/* One copy from memory. Its place in the payload is fixed, whether it succeeds or not. */
struct cul_probe_fetch {
	__u8 kind;
	__u8 source;     /* pointer: words, then values, then the returned value */
	__u8 through;    /* 1 + an earlier fetch of kind MEM: the pointer lies in what it got */
	__u8 at_return;  /* fetched when the call returns, not at its entry */
	__u16 offset;    /* through: of the pointer in that fetch's bytes; else added to source */
	__u16 pos, size; /* in the payload */
	__u16 add;       /* through: to that pointer */
};

enum cul_probe_ret { CUL_RET_NONE, CUL_RET_INT32, CUL_RET_INT64, CUL_RET_POINTER };

struct cul_probe_recipe {
	__u32 n_fetches;
	__u32 payload; /* bytes in use, at most CUL_PROBE_PAYLOAD, a multiple of 8 */
	__u32 ret;     /* enum cul_probe_ret: how an error is told */
	__u32 pad;
	struct cul_probe_fetch fetch[CUL_PROBE_FETCHES];
};

/* Per CPU and site. calls = filtered + lone + (per view) emitted + dropped + counted ... */
struct cul_probe_totals {
	__u64 calls;   /* the site was reached while the run was live */
	__u64 own;     /* the same by culprit itself: not part of `calls` */
	__u64 waited;  /* of `calls`: remembered until they return */
	__u64 returns; /* of those: came back while it was live */
	__u64 strays;  /* returns of calls that nothing is known of: began before, lost, filtered */
	/*
	 * --if, --slow or --errors said no: at the entry, and at the return. Programs at the two
	 * may interrupt one another on a CPU, and so share no counter.
	 */
	__u64 filtered, filtered_late;
	__u64 lone; /* calls that found no room to be remembered until they return */
	__u64 emitted;
	__u64 dropped;        /* matched, but the ring was full */
	__u64 ungrouped;      /* matched, but the table of groups was full */
	__u64 unread;         /* matched: a value of --by or --hist could not be read */
	__u64 errors;         /* returned an error, matched */
	__u64 matched;        /* passed all filters */
	__u64 injected;       /* of those: returned at once, as --inject says */
	__u64 sum_ns, max_ns; /* of dur, of those matched */
};

/* Calls that a gate refused, by site and CPU; not in the totals. No two CPUs share a line. */
struct cul_probe_refusals {
	__u64 calls, own;
	__u64 pad[6];
};

/* A call that has not returned yet is known by where its return address lies. */
struct cul_probe_open_key {
	__u64 sp;
	__u32 site;
	__u32 tgid; /* of user functions alone: the kernel's stacks do not share addresses */
};

/* What generated code reads and writes: the start of the scratch area. words, values and ret are
 * one array of sources to a fetch. */
struct cul_probe_inputs {
	__u64 words[CUL_PROBE_WORDS];
	__u64 values[CUL_PROBE_VALUES];
	__s64 ret;           /* extended by its type where that is known */
	__u64 dur;           /* ns */
	__u64 cpu, pid, tid; /* pid: the process (tgid) */
	__u64 caller;        /* the return address */
	char comm[CUL_PROBE_COMM];
	__u64 fault;  /* set by generated code when an expression met unreadable memory */
	__u64 faults; /* bit i: values[i] was not readable; CUL_PROBE_NO_TEXT */
	__u8 texts[CUL_PROBE_VALUES]; /* values[i] is where a string of so many bytes lies; 0: none
				       */
};

/* In `faults`: there was no room for a string, or another one has its key. */
#define CUL_PROBE_NO_TEXT (1ull << 63)

/*
 * No longer than what a view needs at the return: the time alone, the inputs too, strings, all of
 * it. When the call has returned its place may stay for the next one, which costs less than to make
 * another.
 */
struct cul_probe_open {
	__u64 ns;    /* 0: returned */
	__u64 stays; /* counted in `places_kept` */
	__u64 caller;
	__u64 faults;
	__u64 strings; /* bit i: the string of word i of the group's key is in the payload */
	__u64 words[CUL_PROBE_WORDS];
	__u64 values[CUL_PROBE_VALUES];
	__s16 got[CUL_PROBE_FETCHES];
	__u8 payload[CUL_PROBE_PAYLOAD]; /* of views by strings: these */
};

/*
 * A group of calls, or one bar of a histogram. A longer key costs more to look for: a view has no
 * more of `by` than it asks for, and begins at user_stack, stack, site, or for a single site at
 * bar.
 */
struct cul_probe_tally_key {
	__u64 user_stack;
	__u64 caller;  /* of user_stack, which may lack it at a function's first instruction */
	__u32 tgid;    /* whose user_stack it is */
	__u32 renewed; /* of a process's function: which ran another program before */
	__u64 stack;   /* key in the table of stacks; 0: not asked for, or there is none */
	__u32 site;
	__u16 bar;              /* bpf/bars.h */
	__u16 unread;           /* bit i: by[i] could not be read, and is 0 */
	__u64 by[CUL_PROBE_BY]; /* of a string: its key in the table of strings */
};

struct cul_probe_tally {
	__u64 count, errors;
	__u64 sum, max;  /* of dur, when the view knows it */
	__s64 low, high; /* of a bar: the least and the greatest value in it */
};

enum cul_probe_flags {
	CUL_CALL_RETURN = 1, /* ret and dur are valid */
	CUL_CALL_ERROR = 2,
	CUL_CALL_USER = 4,      /* the CPU was in user mode */
	CUL_CALL_REGS = 8,      /* the registers stand before the frames */
	CUL_CALL_INJECTED = 32, /* overridden: `ret` is what we made it return */
	CUL_CALL_AFTER = 16,    /* pointees were fetched again at the return (--diff) */
	CUL_CALL_RENEWED = 64,  /* of a process's function: who called it runs another program */
};

/* One call. What follows it: payload, payload after, registers, frames. */
struct cul_probe_event {
	struct cul_probe_inputs in;
	__u64 ns; /* CLOCK_MONOTONIC, of the entry; of the return, with CUL_CALL_RETURN: + dur */
	__u64 sent_ns; /* of this record */
	__u32 site;
	__u32 flags;
	__u16 n_kernel, n_user;
	__u16 payload; /* bytes of each payload that follows */
	__u16 pad;
	__s16 got[CUL_PROBE_FETCHES];   /* bytes fetched, or a negative errno */
	__s16 after[CUL_PROBE_FETCHES]; /* the same at the return */
};

/*
 * Each program is a template: user space takes its instructions, puts a number in the place of each
 * of these constants, its own code in the place of the function that returns CUL_PATCH_CODE, and
 * loads the result as often as it needs to.
 */
enum {
	CUL_PATCH_SITE = 0x51734001,    /* the site, or CUL_SITE_BY_COOKIE */
	CUL_PATCH_ARGS = 0x51734002,    /* argument words of the function */
	CUL_PATCH_SCRATCH = 0x51734003, /* scratch area: programs that may nest have their own */
	CUL_PATCH_CODE = 0x51734004,    /* 1: go on, 0: filtered */
	CUL_PATCH_PAIRED = 0x51734006,  /* 1: this site comes back, if calls are told then */
	CUL_PATCH_CODED = 0x51734005,   /* whether there is code of user space's own */
	CUL_PATCH_DIRECT = 0x51734007,  /* bit i: word i can be read from the context of a fentry */
	CUL_SITE_BY_COOKIE = -1,
};

/* Where things lie in the kernel's structs; from its BTF. 0 in `known`: no paths. */
struct cul_probe_offsets {
	__u32 known;
	__u32 task_tgid, task_pid;           /* struct task_struct */
	__u32 file_dentry, file_mnt;         /* struct file: f_path.dentry, f_path.mnt */
	__u32 file_path;                     /* f_path */
	__u32 dentry_parent, dentry_name;    /* struct dentry: d_parent, d_name.name */
	__u32 dentry_sb, sb_type, type_name; /* d_sb->s_type->name */
	__u32 mnt_root;                      /* struct vfsmount */
	__u32 mount_mnt, mount_parent, mount_mountpoint; /* struct mount: mnt (a vfsmount), ... */
};

#endif
