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
#include "report/model_parts.h"
#include "report/model_probe.h"
#include "report/model_stack.h"
#include "sym/where.h"

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
	const struct cul_shown_frame *frames;
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
	/* Also with n 0 where a view counts calls and there was nothing to count. */
	int (*probe_rate)(struct cul_sink *s, const struct cul_probe_rate *rates, size_t n);
	/* All groups, the most calls first. */
	int (*probe_groups)(struct cul_sink *s, const struct cul_probe_group *groups, size_t n);
	int (*probe_histogram)(struct cul_sink *s, const struct cul_probe_histogram *h);
	/* Those that were called, the most calls first; n_silent were not. */
	int (*probe_functions)(
		struct cul_sink *s, const struct cul_probe_function *f, size_t n, size_t n_silent);
	int (*probe_loss)(struct cul_sink *s, const struct cul_probe_loss *loss);
	int (*stack_about)(struct cul_sink *s, const struct cul_stack_about *about);
	/* Groups in the order they are to be shown. */
	int (*stack_threads)(struct cul_sink *s, const struct cul_stack_threads *threads);
	int (*stack_summary)(struct cul_sink *s, const struct cul_stack_summary *summary);
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
