/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the watchpoint program and user space tell each other: configuration,
 * state, counters and the record of a hit. Included by both sides.
 */
#ifndef CUL_BPF_WATCH_H
#define CUL_BPF_WATCH_H

#include <linux/types.h>

enum {
	CUL_WATCH_SLOTS = 4, /* debug registers we use at most, and so targets */
	CUL_WATCH_WORDS = 4, /* a target spans at most four registers of 8 bytes */
	CUL_WATCH_BYTES = 8 * CUL_WATCH_WORDS,
	CUL_WATCH_FRAMES = 64, /* of each of the kernel and the user stack */
	CUL_WATCH_REGS = 21,   /* x86_64 pt_regs, in its order */
	CUL_WATCH_COMM = 16,
	CUL_WATCH_EMIT = CUL_WATCH_SLOTS, /* index of the emitting program; filters come before */
	CUL_WATCH_PROBES = 64, /* places a writer may have in the table, from its own one on */
	CUL_WATCH_PAGE = 4096,
};

/*
 * Numbers in the program that user space replaces before it is loaded: what the compiler could not
 * know, and the verifier shall.
 */
enum {
	CUL_WATCH_PATCH_DIRECT = 0x57415401, /* 1: kernel memory is read by loads, 0: by a helper */
	CUL_WATCH_PATCH_CAST = 0x57415402,   /* a call of the kernel's bpf_rdonly_cast */
	CUL_WATCH_PATCH_WORDS = 0x57415403,  /* BTF's number of a type that starts with words */
};

/* What becomes of a target's hits once they are counted. */
enum cul_watch_wanted {
	CUL_WATCH_ALL,      /* sent */
	CUL_WATCH_FILTERED, /* a filter program stands at the target's index, and decides */
	CUL_WATCH_NONE,     /* none is sent, whatever it is: there is nothing to ask */
};

/* One target, the same on every CPU: does not change once the program is loaded. */
struct cul_watch_shape {
	__u32 size;        /* bytes read at each hit: the object, or a bit field's storage unit */
	__u32 words;       /* the same in words of 8 bytes, rounded up */
	__u32 scalar;      /* 1: at most 8 bytes, minimum and maximum make sense */
	__u32 left, right; /* shifts that isolate the value in a 64-bit word: v << left >> right */
	__u32 is_signed;   /* the second shift is arithmetic */
	__u32 wanted;      /* enum cul_watch_wanted */
	__u32 shared;      /* processes see one memory here, and share one state */
};

/* Where the registers of one CPU point. Zero address: unused. */
struct cul_watch_cpu {
	__u64 slot_addr[CUL_WATCH_SLOTS];
	__u32 slot_target[CUL_WATCH_SLOTS];
	__u64 base[CUL_WATCH_SLOTS]; /* by target: address of the object (the copy this CPU watches)
				      */
	__u32 own_copy[CUL_WATCH_SLOTS]; /* by target: it is this CPU's copy, with a state of its
					    own */
	__u64 proof_addr;                /* the known write of the self-test */
};

/* What is known of a target's value; for a process one per address space. */
struct cul_watch_state {
	__u64 value[CUL_WATCH_WORDS];
	__u64 last_ns;
	__u64 other_ns; /* last hit of another CPU and thread than the last; 0: there was none */
	__u64 hits;
	__u32 last_cpu;
	__u32 in_flight; /* CPUs that are between their store and their read */
	__u32 known;     /* value was read at least once */
	__u32 last_tid;  /* 0: not known, or an idle CPU */
};

struct cul_watch_key {
	__u64 ip;
	__u32 tgid;
	__u32 target;
};

/* Everything one instruction in one process did to one target, on one CPU. */
struct cul_watch_writer_count {
	__u64 hits;
	__u64 unchanged; /* the value was the same after as before */
	__u64 neighbour; /* of those: other bits of the storage unit did change */
	__u64 first_ns, last_ns;
	__u64 min, max; /* of the isolated value */
	__u64 last;
	char comm[CUL_WATCH_COMM];
};

/* A place in a CPU's table of writers; free while it has no hits. */
struct cul_watch_writer_entry {
	struct cul_watch_key key;
	struct cul_watch_writer_count count;
};

/* Per CPU and target. hits = emitted + dropped + filtered + early. */
struct cul_watch_totals {
	__u64 hits;
	__u64 emitted;
	__u64 dropped;      /* the ring was full or busy: counted, details gone */
	__u64 filtered;     /* the filter said no */
	__u64 early;        /* before every CPU was armed: not part of the run */
	__u64 unattributed; /* counted here but not by writer: the table was full */
	__u64 unreadable;   /* the new value could not be read */
	__u64 proofs;       /* hits of the self-test (target 0 only) */
	__u64 own;          /* loads of ours, with --rw: no hits */
};

enum cul_watch_flags {
	CUL_HIT_OLD_KNOWN = 1, /* `old` was known before */
	CUL_HIT_RACED = 2,     /* another CPU was in between: old and new may be mixed */
	CUL_HIT_UNCHANGED = 4,
	CUL_HIT_NEIGHBOUR = 8, /* the bit field kept its value, its storage unit did not */
	CUL_HIT_UNREADABLE = 16,
	CUL_HIT_SAMPLE = 64, /* first of its writer, sent for its registers: not a hit to show */
	CUL_HIT_USER = 32,   /* the CPU was in user mode */
};

/* What filter programs read, at the start of cul_watch_here. `comm` only when one asks for it. */
struct cul_watch_inputs {
	__s64 old, new;
	__u64 cpu, pid, tid; /* pid: the process (tgid) */
	char comm[CUL_WATCH_COMM];
};

/* One hit. Ends after `n_kernel` + `n_user` frames. */
struct cul_watch_event {
	struct cul_watch_inputs in;
	__u64 ns;
	__u64 ip;
	__u64 addr;
	__u32 target;
	__u32 slot;
	__u32 flags;
	__u16 n_kernel, n_user;
	__u64 old[CUL_WATCH_WORDS], new[CUL_WATCH_WORDS];
	__u64 regs[CUL_WATCH_REGS];
	__u64 frames[2 * CUL_WATCH_FRAMES]; /* kernel, then user */
};

/*
 * All that the hits of one CPU need and leave, in one page: where the processor forgets its
 * translations at each trap, as emulated ones do, a page more is dearer than all that is done in
 * it. The program does not nest and stays on its CPU, so that nothing here is shared. User space
 * writes `cpu` and reads the rest.
 */
struct cul_watch_here {
	struct cul_watch_event event; /* in the making */
	struct cul_watch_cpu cpu;
	struct cul_watch_totals totals[CUL_WATCH_SLOTS];
	__u64 window_ns, window_hits;                   /* the rate budget, all targets together */
	struct cul_watch_state states[CUL_WATCH_SLOTS]; /* of this CPU's own copies */
	struct cul_watch_state lone;                    /* when no state is to be had */
} __attribute__((aligned(CUL_WATCH_PAGE)));

#endif
