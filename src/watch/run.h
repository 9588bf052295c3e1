/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of a watch: what its stages share. Made by run.c, which alone owns
 * and frees it.
 */
#ifndef CUL_WATCH_RUN_H
#define CUL_WATCH_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "expr/scope.h"
#include "report/model.h"
#include "trace/child.h"
#include "trace/cpus.h"
#include "trace/gaps.h"
#include "trace/seen.h"
#include "watch/arm.h"
#include "watch/program.h"
#include "watch/target.h"
#include "watch/watch.h"

struct cul_watch_site;

/* An online CPU that is not watched: its registers are taken. */
struct cul_watch_unarmed {
	int cpu;
	uint64_t since_ns, tried_ns;
	unsigned tries;
	char *why; /* owned; as the first try said it */
};

struct cul_watch_run {
	const struct cul_watch_options *options;
	struct cul_sink *sink;
	const struct cul_arch *arch;
	struct cul_scope *scope;
	struct cul_watch_target targets[CUL_WATCH_SLOTS];
	size_t n_targets;
	struct cul_watch_program program;
	struct cul_watch_arm arm;
	struct cul_child child;
	pid_t pid;              /* process target; 0: kernel */
	int pid_fd;             /* readable when it has ended; -1: none */
	struct cul_cpus wanted; /* kernel: CPUs to arm */
	struct cul_cpus named;  /* no others, also when they come online; empty: all */
	uint64_t start_ns;      /* CLOCK_MONOTONIC when the run went live */
	uint64_t end_ns;
	uint64_t looked_ns;   /* when memory was last compared */
	uint64_t busy;        /* cul_watch_arm_busy() at that time */
	uint64_t shown;       /* hits handed to the sink */
	uint64_t arrived;     /* records of hits that came from the kernel */
	uint64_t behind;      /* changes with no store seen */
	unsigned rounds_gone; /* looks at the process's memory since it is no more */
	bool violated;
	bool disarmed; /* by the rate budget */
	bool trapped;  /* the process (not a command) was seen to die of SIGTRAP */
	bool execed;   /* the process became another program, which is not watched */
	bool done, enough;
	enum cul_end end;
	int64_t max_rate; /* in force */
	void *sites;      /* tsearch: struct cul_watch_site by address */
	struct cul_seen seen;
	struct cul_gaps gaps;
	CUL_VEC(struct cul_watch_unarmed) unarmed;
	char notes[CUL_WATCH_SLOTS][256];
};

/*
 * From the start of the run to `ns`; 0 before it: the clock that is read in a debug exception may
 * be behind by a little (ktime_get_mono_fast_ns in kernel/time/timekeeping.c).
 */
uint64_t cul_watch_since(const struct cul_watch_run *run, uint64_t ns);

/*
 * Around what names code for the sink, which may read a program's debug information: says so once
 * the run is over. While it goes on nobody waits, and there may be thousands of hits.
 */
void cul_watch_naming(struct cul_watch_run *run, bool begins);

/* resolve.c: scope, targets, and where the command stands. */
int cul_watch_resolve(struct cul_watch_run *run, struct cul_error *err);

/* follow.c: looks which CPUs are online, arms those that are not; to be called every so often. */
enum { CUL_WATCH_CPUS_MS = 250 };
void cul_watch_follow_cpus(struct cul_watch_run *run);
/* That CPU could not be armed. `why` is copied. */
void cul_watch_unarmed_add(
	struct cul_watch_run *run, int cpu, uint64_t now, const struct cul_error *why);
/* Tells of those that are not watched to the last. */
void cul_watch_unarmed_end(struct cul_watch_run *run);
void cul_watch_unarmed_free(struct cul_watch_run *run);

/* behind.c: reads what is in memory as the first value, and from then on compares. */
int cul_watch_first_values(struct cul_watch_run *run, struct cul_error *err);
int cul_watch_look_behind(struct cul_watch_run *run);

/* sites.c: the instruction behind a trap address. `e` NULL: by address alone. NULL: no memory. */
struct cul_watch_site {
	uint64_t ip;
	bool user;
	struct cul_insn insn;   /* certainty UNKNOWN: not found */
	struct cul_where where; /* of the instruction, or of `ip` when it was not found */
	bool guilty;            /* a hit of it broke --expect */
};

struct cul_watch_site *cul_watch_site(struct cul_watch_run *run, uint64_t ip, bool user,
	unsigned target, const struct cul_watch_event *e);
/* What it does to the target: the instruction tells where the debug register does not. */
enum cul_access_kind cul_watch_site_access(
	const struct cul_watch_run *run, const struct cul_watch_site *site);
/*
 * Whether what it left as it was is a store without effect: a load leaves everything as it was, and
 * with --rw an instruction that was not found may be one.
 */
bool cul_watch_site_stores(const struct cul_watch_run *run, const struct cul_watch_site *site);
void cul_watch_sites_free(struct cul_watch_run *run);

/* hits.c: a record from the kernel becomes a hit in the report; a cul_rings_fn. */
int cul_watch_on_event(void *run, const void *record, size_t size);

/* summary.c: the writers and the ledger. `err` is set when the counts could not be read. */
int cul_watch_summary(struct cul_watch_run *run, struct cul_error *err);

/* Prints a value of a target; `bits` as its isolated scalar, or `bytes` when not NULL. */
void cul_watch_print(struct cul_watch_run *run, unsigned target, const void *bytes, uint64_t bits,
	struct cul_str *out, struct cul_shown *shown);

#endif
