/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loaded side of a run: maps, rings, and programs made of the templates in
 * bpf/probe.bpf.c, as many as there are different ways to attach and different
 * expressions.
 */
#ifndef CUL_PROBE_PROGRAM_H
#define CUL_PROBE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>

#include "base/error.h"
#include "base/vec.h"
#include "bpf/probe.h"
#include "expr/bpf.h"
#include "probe/probe.h"
#include "sys/process.h"
#include "trace/cpus.h"
#include "trace/rings.h"

enum cul_probe_template {
	CUL_TEMPLATE_ENTRY, /* kprobe, kprobe-multi, uprobe */
	CUL_TEMPLATE_RETURN,
	CUL_TEMPLATE_FENTRY,
	CUL_TEMPLATE_FEXIT,
	CUL_TEMPLATE_BEFORE, /* an instruction, and the one after it */
	CUL_TEMPLATE_AFTER,
	CUL_TEMPLATE_TRACEPOINT,
	CUL_TEMPLATE_INJECT, /* as ENTRY, for kprobes alone */
	CUL_TEMPLATE_FORK, /* follows the children of a process; from here on without expressions */
	CUL_TEMPLATE_FREE, /* until they are gone */
	CUL_TEMPLATE_CHILD, /* knows those of a process whose functions are probed, */
	CUL_TEMPLATE_EXEC,  /* which of them run another program, */
	CUL_TEMPLATE_EXIT,  /* and which are gone */
	CUL_TEMPLATES,
};

extern const char *const cul_probe_template_names[CUL_TEMPLATES];

enum { CUL_PROBE_FOLLOWED = 16384 }; /* a process's tasks, or children, that live at one time */

struct cul_probe_insns {
	struct bpf_insn *insns; /* owned */
	size_t n;
};

struct probe_bpf;

/* Of struct task_struct: how a gate knows us, and its CPU. */
struct cul_probe_gate_offsets {
	__u32 tgid, cpu;
};

struct cul_probe_program {
	struct probe_bpf *skel;
	struct cul_probe_insns templates[CUL_TEMPLATES];
	struct cul_rings *rings; /* NULL: the view needs none */
	struct cul_cpus possible;
	unsigned n_possible;
	size_t n_sites;
	unsigned n_gates, gate_cpus; /* places where gates count: sites, and CPUs rounded up */
	struct cul_probe_gate_offsets gate_offsets;
	struct cul_probe_refusals *refused[2]; /* all places, when it went live and when it ended */
	bool ended;
	struct cul_sys_pidns pidns;
	bool grouped;     /* calls are counted by group, not by site alone */
	size_t key_from;  /* where in a struct cul_probe_tally_key the table's keys begin */
	CUL_VEC(int) fds; /* of the programs that were made */
};

/* What the view needs; see the constants of bpf/probe.bpf.c. */
struct cul_probe_program_config {
	size_t n_sites;
	unsigned n_scratches; /* programs that may interrupt one another */
	unsigned n_gates;     /* sites below this number may have one */
	struct cul_probe_gate_offsets gate_offsets;
	bool user_target, returns, keep, carry, diff, errors_only;
	pid_t only_pid;              /* 0: calls of all processes */
	pid_t parent;                /* whose functions are probed; 0: nobody's */
	const struct cul_cpus *cpus; /* NULL: all */
	uint64_t slow_ns;
	bool events, groups, bars, texts, task, comm, caller, regs;
	unsigned words, values; /* of arguments and expressions, that the view needs */
	unsigned by_words, most_fetches;
	const struct cul_probe_scale *scale; /* of bars */
	bool kernel_stack, user_stack;
	int64_t inject_ret;
	uint64_t inject_every; /* 0: nothing is injected */
	struct cul_probe_offsets offsets;
	cul_rings_fn *on_event;
	void *data;
};

int cul_probe_program_open(const struct cul_probe_program_config *config,
	struct cul_probe_program *out, struct cul_error *err);
void cul_probe_program_free(struct cul_probe_program *p);

/* One program to be. */
struct cul_probe_instance {
	enum cul_probe_template from;
	int32_t site;                    /* or CUL_SITE_BY_COOKIE */
	unsigned args;                   /* words of arguments */
	uint32_t direct;                 /* FENTRY: as bits, those that the context has to read */
	unsigned scratch;                /* below config.n_scratches */
	bool paired;                     /* calls are told when they return, if the run does so */
	const struct cul_bpf_code *code; /* the expression function's body; NULL: go on always */
	/*
	 * FENTRY: a condition that is asked before anything else, gate, gate_refused and gated of
	 * a struct cul_generated. FEXIT: the same, with gated 0: of what it refused nothing
	 * returns.
	 */
	const struct cul_bpf_code *gate;
	unsigned gate_site;
	size_t gate_refused, gated;
	enum bpf_attach_type attach; /* 0: none is expected */
	uint32_t btf_id;             /* fentry, fexit: the function */
	int btf_fd;                  /* of the module's BTF, 0: vmlinux */
};

/* make.c: the program's descriptor, which `p` owns; a negative errno with the verifier's last
 * words. */
int cul_probe_program_make(struct cul_probe_program *p, const struct cul_probe_instance *instance,
	struct cul_error *err);

/* Tasks called that have no number in our PID namespace: theirs is 0. */
bool cul_probe_program_met_outsiders(const struct cul_probe_program *p);
/* With config.only_pid: calls of this process count too. */
int cul_probe_program_follow(struct cul_probe_program *p, pid_t pid);
int cul_probe_program_set_recipe(
	struct cul_probe_program *p, unsigned site, const struct cul_probe_recipe *recipe);
/* Once each. 0 or a negative errno. */
int cul_probe_program_go_live(struct cul_probe_program *p);
int cul_probe_program_end(struct cul_probe_program *p);
/* Runs of programs at uprobes that were given up: too many were on one CPU at once. */
uint64_t cul_probe_program_crowded(const struct cul_probe_program *p);
/* With config.parent: children that it and they forked, and how often those ran another program. */
uint64_t cul_probe_program_children(const struct cul_probe_program *p);
uint64_t cul_probe_program_execs(const struct cul_probe_program *p);
/* With one of both: tasks and processes that there was no room for among those that are known. */
uint64_t cul_probe_program_unfollowed(const struct cul_probe_program *p);
/* Sums over all CPUs; `calls` and `filtered` have all kinds. 0 or a negative errno. */
int cul_probe_program_totals(
	struct cul_probe_program *p, unsigned site, struct cul_probe_totals *out);

/*
 * Each group with the sum over CPUs, in no order: sites, where calls were counted by nothing else.
 * Ends early when `fn` returns not 0.
 */
int cul_probe_program_groups(struct cul_probe_program *p,
	int (*fn)(
		void *data, const struct cul_probe_tally_key *key, const struct cul_probe_tally *g),
	void *data);
/* A process that has a new group with a user stack, and its name; each once. False: none. */
bool cul_probe_program_next_caller(
	struct cul_probe_program *p, pid_t *pid, char comm[CUL_PROBE_COMM + 1]);
/* A string of a group's key; false when it was not kept. */
bool cul_probe_program_text(
	struct cul_probe_program *p, uint64_t key, uint8_t text[CUL_PROBE_TEXT]);
/* Frames of a group's stack; 0 when it was not kept. */
size_t cul_probe_program_stack(
	struct cul_probe_program *p, uint64_t key, uint64_t frames[CUL_PROBE_STACK_DEPTH]);

#endif
