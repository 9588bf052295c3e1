/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BPF side of a watch: loaded with the targets' shapes, its filters, rings
 * and tables. Owns all maps and programs; freeing it leaves nothing in the
 * kernel.
 */
#ifndef CUL_WATCH_PROGRAM_H
#define CUL_WATCH_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "bpf/watch.h"
#include "trace/cpus.h"
#include "trace/rings.h"
#include "watch/target.h"

struct watch_bpf;
struct bpf_program;

struct cul_watch_program {
	struct watch_bpf *skel;
	struct bpf_program *hit; /* what breakpoints run */
	struct cul_rings *rings;
	int filter_fds[CUL_WATCH_SLOTS]; /* -1: none */
	struct cul_cpus possible;
	unsigned n_possible; /* CPU numbers go up to n_possible - 1 */
	/* Mapped from the kernel, by CPU number: each CPU's, and its table of writers. */
	struct cul_watch_here *heres;
	struct cul_watch_writer_entry *writers;
	unsigned writers_per_cpu; /* a power of two */
	bool user;                /* a process's memory */
	bool expect_uses_old;
	volatile uint64_t proof_cell; /* what the self-test of a process target writes */
};

struct cul_watch_program_config {
	const struct cul_watch_target *targets;
	size_t n_targets;
	struct cul_scope *scope;
	enum cul_access_kind access;
	bool kernel_stack, user_stack;
	const char *condition, *expect; /* NULL: none */
	struct cul_cpus possible;
	cul_rings_fn *on_event; /* gets struct cul_watch_event */
	void *data;
};

int cul_watch_program_load(const struct cul_watch_program_config *config,
	struct cul_watch_program *out, struct cul_error *err);
void cul_watch_program_free(struct cul_watch_program *p);

int cul_watch_program_fd(
	const struct cul_watch_program *p); /* of the program that breakpoints run */

/* The state of a kernel target, which the program writes; of the copy that is `cpu`'s own, or -1.
 */
volatile struct cul_watch_state *cul_watch_program_state(
	const struct cul_watch_program *p, unsigned target, int cpu);

/* The state of a process's target. 0 or a negative errno. */
int cul_watch_program_get_process_state(
	struct cul_watch_program *p, pid_t pid, unsigned target, struct cul_watch_state *out);
int cul_watch_program_set_process_state(struct cul_watch_program *p, pid_t pid, unsigned target,
	const struct cul_watch_state *state);

/*
 * Whether another process's last store left exactly `words`: a child that shares the memory, as by
 * vfork, is counted by its own number.
 */
bool cul_watch_program_left_by_another(
	struct cul_watch_program *p, pid_t pid, unsigned target, const __u64 *words);

/* Sums of all CPUs for one target. One CPU's are in `heres`. */
void cul_watch_program_totals(
	const struct cul_watch_program *p, unsigned target, struct cul_watch_totals *out);

/*
 * Adds what one CPU (or one process) counted of a writer to the whole. `is_signed`: how minimum and
 * maximum compare.
 */
void cul_watch_writer_merge(struct cul_watch_writer_count *sum,
	const struct cul_watch_writer_count *one, bool is_signed);

/* Each writer, its CPUs merged, while nothing is armed. A negative result of `fn` ends it. */
int cul_watch_program_writers(const struct cul_watch_program *p,
	int (*fn)(void *data, const struct cul_watch_key *key,
		const struct cul_watch_writer_count *w),
	void *data);

#endif
