/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of a probe: what its stages share. Made by run.c, which alone owns
 * and frees it.
 */
#ifndef CUL_PROBE_RUN_H
#define CUL_PROBE_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/vec.h"
#include "expr/scope.h"
#include "probe/generate.h"
#include "probe/inject.h"
#include "probe/instruction.h"
#include "probe/plan.h"
#include "probe/probe.h"
#include "probe/program.h"
#include "probe/users.h"
#include "sym/sites.h"
#include "trace/attach.h"
#include "trace/child.h"
#include "trace/cpus.h"
#include "trace/gaps.h"
#include "trace/kretprobe.h"
#include "trace/seen.h"

/* What was attached, by the site it is for; the first of many for one of many. */
struct cul_probe_link {
	struct cul_attachment attachment;
	unsigned site;
	unsigned n_sites; /* KPROBE_MULTI: as many */
	size_t kretprobe; /* TRACEFS: its number */
};

enum { CUL_PROBE_FORK_LINKS = 3 };

struct cul_probe_run {
	const struct cul_probe_options *options;
	struct cul_sink *sink;
	const struct cul_arch *arch;
	struct cul_scope *scope;
	struct cul_users users; /* whose frames are not the scope's */
	struct cul_sites sites;
	struct cul_plan *plans;          /* by site */
	struct cul_generated *generated; /* by site */
	struct cul_probe_program program;
	bool opened;  /* the program is */
	bool *absent; /* by site: the kernel refused it when it was to be attached */
	bool *bare;   /* by site: seen that the kernel does not find its caller */
	CUL_VEC(struct cul_probe_link) links;
	struct cul_attachment fork_links[CUL_PROBE_FORK_LINKS]; /* tell of children */
	struct cul_kretprobes *kretprobes;
	bool inherits; /* children of `pid` are probed as it is; `kretprobes` has the lines */
	struct cul_error barren; /* why not */
	struct cul_child child;
	pid_t pid;      /* a process's functions are probed; 0: the kernel's */
	pid_t only_pid; /* the kernel's functions, called by this process and children to come */
	int pid_fd;
	bool returns, after;
	struct cul_inject inject; /* every 0: nothing is */
	struct cul_instruction_regs regs;
	struct cul_insn insn; /* of the last one that is probed; len 0: not known */
	struct cul_cpus cpus; /* --cpu */
	unsigned words;       /* of arguments: so many are taken at the entry */
	uint64_t attach_ns;
	uint64_t start_ns, end_ns, detached_ns; /* CLOCK_MONOTONIC */
	uint64_t arrived, shown;
	struct cul_seen seen;
	struct cul_probe_totals *rated; /* by site: what --rate has told already */
	uint64_t rated_ns;
	bool done, enough;
	enum cul_end end;
	struct cul_gaps gaps;
};

uint64_t cul_probe_since(const struct cul_probe_run *run, uint64_t ns);

/* Says what takes its time now; NULL: nothing. */
void cul_probe_busy(struct cul_probe_run *run, const char *what);
/*
 * Around what names code for the sink, which may read a program's debug information: says so once
 * the run is over. While it goes on nobody waits, and there may be thousands of calls.
 */
void cul_probe_naming(struct cul_probe_run *run, bool begins);

/*
 * Between two sites of what may take long: tells how far it is. -EINTR with a sentence when the
 * user wants it to end.
 */
int cul_probe_step(struct cul_probe_run *run, const char *what, size_t done, struct cul_error *err);

/* select.c: scope, sites, and where the command stands. */
int cul_probe_select(struct cul_probe_run *run, struct cul_error *err);

/*
 * Says of site `i`, one of many, that it is not probed: `why`, to the end of its first sentence.
 * 0 or -ENOMEM.
 */
int cul_probe_leave_out(struct cul_probe_run *run, size_t i, const struct cul_error *why);

/* prepare.c: plans, expressions, maps. */
int cul_probe_prepare(struct cul_probe_run *run, struct cul_error *err);

enum { CUL_PROBE_FENTRY_MOST = 8 }; /* sites: each takes programs of its own */

/* Whether what is called there comes back. */
static inline bool cul_probe_returns(const struct cul_site *site)
{
	return site->kind <= CUL_SITE_CLONE;
}

/* Sites of one function stand side by side. */
static inline bool cul_probe_same_function(const struct cul_site *a, const struct cul_site *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->module, b->module);
}

/* Whether a run tells of it only then, if it tells so of any. */
static inline bool cul_probe_is_paired(const struct cul_probe_run *run, const struct cul_site *site)
{
	return run->after || (run->returns && cul_probe_returns(site));
}

/* ways.c: how site `i` is to be attached; what the kernel says to it is arm.c's. */
enum cul_attach_kind cul_probe_way(const struct cul_probe_run *run, size_t i);

/* arm.c: programs and attachments; and back. After disarm nothing counts any more. */
int cul_probe_arm(struct cul_probe_run *run, struct cul_error *err);
int cul_probe_disarm(struct cul_probe_run *run, struct cul_error *err);
/* Closes all that was attached, which may take the kernel seconds. */
void cul_probe_detach(struct cul_probe_run *run);
void cul_probe_arm_free(struct cul_probe_run *run);

/* process.c: a process's functions, and what becomes of its children. */
int cul_probe_follow(struct cul_probe_run *run, struct cul_error *err);
/* A uprobe `step` behind site `i`. */
int cul_probe_attach_user(struct cul_probe_run *run, size_t i, unsigned step, bool at_return,
	int prog_fd, struct cul_attachment *out, struct cul_error *err);
/* What the ledger has to say of children. */
void cul_probe_say_children(struct cul_probe_run *run);

/* attached.c: the first line. */
int cul_probe_say_attached(struct cul_probe_run *run);

/* calls.c: a record from the kernel becomes a call in the report; a cul_rings_fn. */
int cul_probe_on_event(void *run, const void *record, size_t size);

/* frames.c: whose user frames they are. */
struct cul_probe_owner {
	pid_t pid;
	const char *comm; /* as in cul_users_where */
	bool renewed;     /* it ran another program than the one that is probed */
};

struct cul_probe_frame {
	uint64_t addr;
	bool user;
	enum {
		CUL_FRAME_INNERMOST, /* where it is */
		CUL_FRAME_ENTRY,     /* its return address, at a function's first instruction */
		CUL_FRAME_OUTER,     /* any other return address */
	} at;
	const struct cul_probe_owner *owner;
	const struct cul_site *site; /* it is there, whatever is known of it else; NULL */
};

/* Before user frames are named; as cul_users_open. */
void cul_probe_open_user(struct cul_probe_run *run, const struct cul_probe_owner *owner);
void cul_probe_name_frame(
	struct cul_probe_run *run, const struct cul_probe_frame *from, struct cul_shown_frame *out);
/* How many of the innermost frames are not the function's, but of what probes it. */
size_t cul_probe_skip_ours(
	const struct cul_site *site, const struct cul_shown_frame *frames, size_t n);
/* Whether `caller` belongs between the first and the second of these user frames. */
bool cul_probe_lacks_caller(struct cul_probe_run *run, unsigned site, uint64_t caller,
	const uint64_t *frames, size_t n);
/* Opens processes whose stacks are counted, as long as they are there. */
void cul_probe_meet_callers(struct cul_probe_run *run);

/* rate.c: once a second, when it is asked for. */
int cul_probe_say_rate(struct cul_probe_run *run, uint64_t now);

/* views.c: groups and histograms, when they are asked for. */
int cul_probe_say_views(struct cul_probe_run *run, struct cul_error *err);

/* summary.c: the views, the functions and the ledger. */
int cul_probe_summary(struct cul_probe_run *run, struct cul_error *err);

#endif
