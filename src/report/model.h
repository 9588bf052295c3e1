/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a case has to say, before anybody decided how it looks. A case fills
 * these structs and hands them to a sink; text, JSON and files are sinks. All
 * strings and arrays are borrowed for the time of the call.
 *
 * Units: times in nanoseconds since the run was armed unless said otherwise,
 * sizes in bytes, addresses as the target sees them.
 */
#ifndef CUL_REPORT_MODEL_H
#define CUL_REPORT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "sym/where.h"

/* One value, printed by its type. */
struct cul_shown {
	const char *text; /* NULL: not known */
	bool is_number;   /* text is a decimal integer, which JSON can carry as such */
};

enum cul_range_kind { CUL_RANGE_NONE, CUL_RANGE_SIGNED, CUL_RANGE_UNSIGNED };

struct cul_watch_armed {
	const char *target; /* as the user wrote it */
	const char *type;   /* "int"; NULL: bytes */
	uint64_t addr, size;
	uint32_t bit_offset, bit_size;  /* bit_size 0: not a bit field */
	enum cul_access_kind access;    /* WRITE, READ_WRITE, EXECUTE */
	bool is_percpu;                 /* copy i watched by CPU i */
	int percpu_copy;                /* this copy, watched by every CPU; -1: see is_percpu */
	int pid;                        /* 0: the kernel's memory */
	const char *process;            /* name of that process */
	unsigned n_cpus, n_cpus_online; /* kernel: CPUs armed */
	unsigned n_threads;             /* process: threads armed at the start */
	unsigned slots, slots_per_cpu;  /* debug registers taken for this target, and there are */
	unsigned proved_cpus;           /* CPUs on which a known write was seen to fire */
	uint64_t hit_cost_ns;           /* measured by the self-test */
	struct cul_shown value;         /* when armed */
	const struct cul_where *code;   /* EXECUTE: what stands there; NULL otherwise */
	const char *note;               /* what it does not see; NULL: nothing to say */
};

struct cul_frame {
	struct cul_where where;
	bool user;
	const char *method; /* how it was found: "regs", "orc", "fp" */
};

struct cul_watch_hit {
	const char *target;
	uint64_t ns;
	int cpu, pid, tid;
	const char *comm;
	struct cul_shown old, new;
	bool old_certain;
	bool unchanged; /* a store left the value as it was; of a load never */
	bool neighbour; /* the bit field kept its value, a neighbour in its word changed */
	bool user_mode;
	enum cul_access_kind access;
	const struct cul_insn *insn; /* NULL: not found */
	struct cul_where store;      /* of the instruction itself */
	const struct cul_frame *frames;
	size_t n_frames;
	uint64_t same_stack_as; /* number of the earlier hit with these frames; 0: the first */
	uint64_t number;        /* of this hit, from 1 */
	bool violation;         /* of --expect */
	const char *expect;     /* that expression */
};

struct cul_watch_process {
	int pid;
	const char *comm;
	uint64_t hits;
};

struct cul_watch_writer {
	const char *target;
	struct cul_where where;
	const struct cul_insn *insn;
	enum cul_access_kind access;
	uint64_t hits;
	uint64_t unchanged; /* of `hits`: stores that left the value; 0 for a load */
	uint64_t neighbour; /* of `unchanged` */
	uint64_t first_ns, last_ns;
	struct cul_shown min, max, last; /* min, max: text NULL when they make no sense */
	const struct cul_watch_process *processes;
	size_t n_processes;
	bool guilty; /* broke --expect */
};

/* The value changed, no store was seen. */
struct cul_watch_behind {
	const char *target;
	uint64_t from_ns, to_ns;
	struct cul_shown old, new;
	int copy; /* per-CPU copy; -1 otherwise */
};

enum cul_end {
	CUL_END_SIGNAL,
	CUL_END_TIME,
	CUL_END_COUNT,
	CUL_END_COMMAND,
	CUL_END_PROCESS,
	CUL_END_VIOLATION,
	CUL_END_RATE
};

/* The ledger at the end of a run. */
struct cul_watch_loss {
	uint64_t hits;           /* that the debug registers reported while the run was on */
	uint64_t seen;           /* of those: counted by the program, old and new compared */
	uint64_t detailed;       /* of `seen`: reached us with value, stack and process */
	uint64_t filtered;       /* of `seen`: --if (or --expect) said no */
	uint64_t dropped;        /* of `seen`: details lost, ring full */
	uint64_t busy;           /* hits while another BPF program ran on that CPU: counted only */
	uint64_t unattributed;   /* of `seen`: not counted by writer, table full */
	uint64_t unreadable;     /* of `seen`: value could not be read at the hit */
	uint64_t unchanged;      /* of `seen`: stores that changed nothing */
	uint64_t behind;         /* changes with no store seen */
	bool disarmed;           /* the rate budget ended the watch */
	uint64_t max_rate;       /* hits a second and CPU that were allowed */
	const char *const *gaps; /* sentences: CPUs, threads, spans of time not covered */
	size_t n_gaps;
	enum cul_end end;
	int command_status; /* CUL_END_COMMAND: as waitpid gives it; -1 otherwise */
	uint64_t ran_ns;
	const char *expect;  /* --expect; NULL: no verdict was asked for */
	uint64_t violations; /* hits that broke it */
};

/* ---- probe ---- */

struct cul_probe_method {
	const char *name; /* "fentry", "kprobe-multi", "kprobe", "uprobe", ... */
	size_t n_sites;
};

struct cul_probe_refused {
	const char *function, *module;
	const char *why;
};

/* What is probed; once for the run, when all is attached. */
struct cul_probe_attached {
	const char *spec; /* as the user wrote it, several by blanks */
	const char
		*signature; /* of a single function: "int open(const char *name)"; NULL: several */
	size_t n_functions; /* by the names in the source */
	size_t n_sites;     /* places that are probed for them */
	size_t n_clones, n_inlined; /* of `n_sites` */
	const struct cul_probe_method *methods;
	size_t n_methods;
	const struct cul_probe_refused *refused; /* some of them */
	size_t n_refused;                        /* all */
	size_t n_refused_shown;
	bool returns; /* the way back is probed too */
	int pid;      /* 0: the kernel's functions */
	const char *process;
	int only_pid;     /* the kernel's functions, called by this process alone; 0: by all */
	uint64_t took_ns; /* attaching */
	const char *note; /* what it does not see; NULL */
};

struct cul_probe_arg {
	const char *name;       /* NULL: the parameter has no name */
	struct cul_shown value; /* text NULL: unreadable, or not where a probe can see it */
	const char *why;        /* value.text NULL: "floating point", "unreadable", ... */
	struct cul_shown after; /* --diff: at the return, when it is another; else text NULL */
};

struct cul_probe_reg {
	const char *name;
	uint64_t value;
};

struct cul_probe_call {
	uint64_t number;        /* from 1 */
	struct cul_where where; /* the site; `function` is the name in the source */
	enum cul_probe_place {
		CUL_PLACE_ENTRY,
		CUL_PLACE_CLONE,
		CUL_PLACE_INLINED,
		CUL_PLACE_INSIDE,
		CUL_PLACE_TRACEPOINT
	} place;
	uint64_t ns; /* of the entry */
	int cpu, pid, tid;
	const char *comm;
	const struct cul_probe_arg *args;
	size_t n_args;
	bool returned;
	struct cul_shown ret;             /* text NULL with `returned`: void, or not to be seen */
	const char *error;                /* "ENOENT": the returned value is this error; NULL */
	uint64_t dur_ns;                  /* with `returned` */
	struct cul_where caller;          /* addr 0: not known */
	const struct cul_probe_reg *regs; /* --after */
	size_t n_regs;
	const struct cul_frame *frames;
	size_t n_frames;
	uint64_t same_stack_as; /* number of the earlier call with these frames; 0: the first */
};

/* --count: calls that have function, stack and --by values in common. */
struct cul_probe_group {
	const char *function, *module;
	const struct cul_probe_arg *by;
	size_t n_by;
	const struct cul_frame *frames;
	size_t n_frames;
	uint64_t calls, errors;
	bool timed; /* the next two are valid */
	uint64_t sum_ns, max_ns;
};

struct cul_probe_bar {
	int64_t low, high; /* [low, high) */
	uint64_t count;
};

struct cul_probe_histogram {
	const char *function, *module; /* NULL: of all functions together */
	const char *measure;           /* "dur", or the expression */
	bool is_time;                  /* nanoseconds */
	const struct cul_probe_arg *by;
	size_t n_by;
	const struct cul_probe_bar *bars; /* without gaps, from the first filled to the last */
	size_t n_bars;
	uint64_t count;
	int64_t min, max; /* bounds of the filled bars, to 6 % */
};

/* --rate: one line a second and function that was called. */
struct cul_probe_rate {
	uint64_t ns, span_ns;
	const char *function, *module;
	uint64_t calls, errors;
};

/* At the end: exact counts of one function. */
struct cul_probe_function {
	const char *function, *module;
	uint64_t calls;
	bool returns_known;
	uint64_t returns, errors;
	uint64_t filtered, matched;
	uint64_t missed; /* the probe was reached and did not run, as far as known */
	uint64_t missed_returns;
	bool timed;
	uint64_t sum_ns, max_ns;
};

struct cul_probe_loss {
	uint64_t calls;
	uint64_t matched;    /* of `calls`: passed the filters */
	uint64_t filtered;   /* of `calls` */
	uint64_t shown;      /* of `matched`: told one by one */
	uint64_t dropped;    /* of `matched`: ring full */
	uint64_t ungrouped;  /* of `matched`: table of groups full */
	uint64_t own;        /* calls by culprit itself, which are not among `calls` */
	uint64_t unreturned; /* calls that had not come back at the end */
	uint64_t lone;       /* calls too many to remember until their return */
	uint64_t missed;     /* probes that did not run: nested, or no instance free */
	uint64_t missed_returns;
	uint64_t recursion;             /* runs refused since the program ran on that CPU already */
	bool misses_known;              /* the kernel tells them all */
	const char *misses_unknown_for; /* what it does not tell, a clause; NULL */
	const char *const *gaps;
	size_t n_gaps;
	enum cul_end end;
	int command_status; /* as in struct cul_watch_loss */
	uint64_t ran_ns;
	uint64_t detached_ns; /* how long detaching took */
};

/* What a machine can do of one thing. */
enum cul_doctor_answer {
	CUL_DOCTOR_YES,
	CUL_DOCTOR_PARTLY,
	CUL_DOCTOR_NO,
	CUL_DOCTOR_UNTRIED, /* because something it needs is not there */
};

struct cul_doctor_check {
	const char *id;   /* for scripts: "breakpoint-user" */
	const char *what; /* "stop at a write in an own process" */
	enum cul_doctor_answer answer;
	const char *found; /* what was seen: "4 of 4 debug registers free"; NULL: nothing to add */
	const char *because; /* why not: the missing option, capability, file; NULL when YES */
	const char *remedy;  /* what to do about it; NULL: nothing */
};

struct cul_doctor_report {
	const char *release, *machine; /* as uname has them */
	unsigned n_cpus;
	const struct cul_doctor_check *checks;
	size_t n_checks;
};

struct cul_sink;

struct cul_sink_ops {
	int (*watch_armed)(struct cul_sink *s, const struct cul_watch_armed *armed);
	int (*watch_hit)(struct cul_sink *s, const struct cul_watch_hit *hit);
	int (*watch_behind)(struct cul_sink *s, const struct cul_watch_behind *behind);
	/* All writers at once, in the order they are to be shown: by target, then by hits. */
	int (*watch_writers)(struct cul_sink *s, const struct cul_watch_writer *w, size_t n);
	int (*watch_loss)(struct cul_sink *s, const struct cul_watch_loss *loss);
	int (*probe_attached)(struct cul_sink *s, const struct cul_probe_attached *attached);
	int (*probe_call)(struct cul_sink *s, const struct cul_probe_call *call);
	int (*probe_rate)(struct cul_sink *s, const struct cul_probe_rate *rates, size_t n);
	/* All groups, the most calls first. */
	int (*probe_groups)(struct cul_sink *s, const struct cul_probe_group *groups, size_t n);
	int (*probe_histogram)(struct cul_sink *s, const struct cul_probe_histogram *h);
	/* Those that were called, the most calls first; n_silent were not. */
	int (*probe_functions)(
		struct cul_sink *s, const struct cul_probe_function *f, size_t n, size_t n_silent);
	int (*probe_loss)(struct cul_sink *s, const struct cul_probe_loss *loss);
	int (*doctor)(struct cul_sink *s, const struct cul_doctor_report *report);
	void (*free)(struct cul_sink *s);
};

/* The first member of each sink. Operations return 0 or a negative errno (-EPIPE: reader gone). */
struct cul_sink {
	const struct cul_sink_ops *ops;
};

static inline void cul_sink_free(struct cul_sink *s)
{
	if (s)
		s->ops->free(s);
}

#endif
