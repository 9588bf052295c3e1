/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the debug registers cannot see: the value in memory is read now and
 * then, and one that changed with no store seen is a finding.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "watch/run.h"
#include "watch.skel.h"

enum { TRIES = 5, SETTLE_NS = 2 * 1000 * 1000 };

/* One copy of one target: a state in the kernel, and where its memory is. */
struct copy {
	unsigned target;
	int cpu; /* per-CPU; -1 otherwise */
	uint64_t addr;
};

static int get_state(struct cul_watch_run *run, const struct copy *c, struct cul_watch_state *state)
{
	if (run->pid)
		return cul_watch_program_get_process_state(
			&run->program, run->pid, c->target, state);
	*state = *cul_watch_program_state(&run->program, c->target, c->cpu);
	return 0;
}

static int set_state(
	struct cul_watch_run *run, const struct copy *c, const struct cul_watch_state *state)
{
	if (run->pid)
		return cul_watch_program_set_process_state(
			&run->program, run->pid, c->target, state);
	*cul_watch_program_state(&run->program, c->target, c->cpu) = *state;
	return 0;
}

/* Calls `fn` for each copy of each target. */
static int for_each_copy(struct cul_watch_run *run,
	int (*fn)(struct cul_watch_run *run, const struct copy *c, void *data), void *data)
{
	int r = 0;

	for (unsigned i = 0; !r && i < run->n_targets; i++) {
		const struct cul_watch_target *t = &run->targets[i];

		if (!t->percpu || t->copy >= 0) {
			struct copy c = {.target = i, .cpu = -1, .addr = t->addr};

			r = fn(run, &c, data);
			continue;
		}
		cul_for_each_cpu(cpu, &run->arm.armed)
		{
			struct copy c = {.target = i, .cpu = cpu, .addr = t->copies[cpu]};

			r = r ? r : fn(run, &c, data);
		}
	}
	return r;
}

static int read_value(struct cul_watch_run *run, const struct copy *c, __u64 *words)
{
	struct cul_mem *mem = cul_scope_mem(run->scope, NULL);

	__u32 *reader = &run->program.skel->bss->reader;
	int r;

	memset(words, 0, CUL_WATCH_BYTES);
	if (!mem)
		return -EIO;
	if (run->options->access == CUL_ACCESS_READ_WRITE)
		__atomic_store_n(reader, (__u32)gettid(), __ATOMIC_RELEASE);
	r = cul_mem_read(mem, c->addr, words, run->targets[c->target].size);
	__atomic_store_n(reader, 0, __ATOMIC_RELEASE);
	return r;
}

static uint64_t early_hits(struct cul_watch_run *run, unsigned target)
{
	struct cul_watch_totals sum;

	cul_watch_program_totals(&run->program, target, &sum);
	return sum.early;
}

static uint64_t all_hits(struct cul_watch_run *run, unsigned target)
{
	struct cul_watch_totals sum;

	cul_watch_program_totals(&run->program, target, &sum);
	return sum.hits;
}

static void settle(void)
{
	const struct timespec while_it_settles = {.tv_nsec = SETTLE_NS};

	nanosleep(&while_it_settles, NULL);
}

/*
 * Writes a state that the program may be at as well: it has, when there were hits since `hits` were
 * counted, before the state was read. What it wrote is mixed with ours then: until the next hit
 * nothing is known.
 */
static void correct_state(struct cul_watch_run *run, const struct copy *c,
	struct cul_watch_state *state, uint64_t hits)
{
	set_state(run, c, state);
	if (all_hits(run, c->target) == hits)
		return;
	settle();
	state->known = 0;
	state->in_flight = 0;
	set_state(run, c, state);
}

static int first_value(struct cul_watch_run *run, const struct copy *c, void *data)
{
	struct cul_watch_state state = {0};

	for (int i = 0; i < TRIES; i++) {
		uint64_t before = early_hits(run, c->target);

		state.known = !read_value(run, c, state.value);
		if (before == early_hits(run, c->target))
			break;
	}
	state.last_ns = cul_clock_now();
	return set_state(run, c, &state);
}

/* Written between the reading and the start: then the first `old` is not certain. */
static int doubt_first(struct cul_watch_run *run, const struct copy *c, void *data)
{
	const uint64_t *early = data;
	uint64_t hits = all_hits(run, c->target);
	struct cul_watch_state state;
	__u64 words[CUL_WATCH_WORDS];

	if (early[c->target] == early_hits(run, c->target) || get_state(run, c, &state) ||
		state.hits)
		return 0;
	if (!read_value(run, c, words) && !memcmp(words, state.value, sizeof(words)))
		return 0;
	state.known = 0;
	correct_state(run, c, &state, hits);
	return 0;
}

int cul_watch_first_values(struct cul_watch_run *run, struct cul_error *err)
{
	uint64_t early[CUL_WATCH_SLOTS];
	int r;

	if (run->options->access == CUL_ACCESS_EXECUTE) {
		run->start_ns = cul_clock_now();
		__atomic_store_n(&run->program.skel->bss->live, 1, __ATOMIC_RELEASE);
		return 0;
	}
	for (unsigned i = 0; i < run->n_targets; i++)
		early[i] = early_hits(run, i);
	r = for_each_copy(run, first_value, NULL);
	if (r)
		return cul_fail(
			err, r, "handing the first values to the program: %s", cul_strerror(r));
	run->start_ns = cul_clock_now();
	__atomic_store_n(&run->program.skel->bss->live, 1, __ATOMIC_RELEASE);
	return for_each_copy(run, doubt_first, early);
}

static bool same_moment(const struct cul_watch_state *a, const struct cul_watch_state *b)
{
	return a->hits == b->hits && !a->in_flight && !b->in_flight && a->known && b->known &&
	       !memcmp(a->value, b->value, sizeof(a->value));
}

/*
 * Whether memory differs from what the last hit left, with no hit in between. A CPU may have
 * stored and not have taken its trap yet, so that a difference has to last a little.
 */
static bool differs(struct cul_watch_run *run, const struct copy *c, struct cul_watch_state *state,
	__u64 *words)
{
	struct cul_watch_state again;
	__u64 later[CUL_WATCH_WORDS];

	if (get_state(run, c, state) || !state->known || read_value(run, c, words) ||
		!memcmp(words, state->value, sizeof(state->value)))
		return false;
	settle();
	return !read_value(run, c, later) && !get_state(run, c, &again) &&
	       same_moment(state, &again) && !memcmp(words, later, sizeof(later));
}

static int report(struct cul_watch_run *run, const struct copy *c, const __u64 *old,
	const __u64 *new, uint64_t from_ns, uint64_t to_ns)
{
	cul_autostr struct cul_str old_text = {0}, new_text = {0};
	struct cul_watch_behind behind = {
		.target = run->targets[c->target].text,
		.from_ns = from_ns,
		.to_ns = to_ns,
		.copy = c->cpu,
	};

	cul_watch_print(run, c->target, old, 0, &old_text, &behind.old);
	cul_watch_print(run, c->target, new, 0, &new_text, &behind.new);
	run->behind++;
	return run->sink->ops->watch_behind(run->sink, &behind);
}

/* The process has ended or is another program now: what stands at that address is not the target.
 */
static bool is_gone(struct cul_watch_run *run)
{
	struct cul_mem *mem = run->pid ? cul_scope_mem(run->scope, NULL) : NULL;

	return mem && cul_mem_is_gone(mem);
}

/* Since when it may have changed: at the last look, or at the last store after it, it had not. */
static uint64_t unchanged_at(const struct cul_watch_run *run, const struct cul_watch_state *state)
{
	return state->hits && state->last_ns > run->looked_ns ? state->last_ns : run->looked_ns;
}

static int look(struct cul_watch_run *run, const struct copy *c, void *data)
{
	const uint64_t *busy_before = data;
	struct cul_watch_state state;
	__u64 words[CUL_WATCH_WORDS], old[CUL_WATCH_WORDS];
	uint64_t now, since, hits = all_hits(run, c->target);

	if (!differs(run, c, &state, words) || is_gone(run))
		return 0;
	now = cul_clock_now();
	since = unchanged_at(run, &state);
	memcpy(old, state.value, sizeof(old));
	memcpy(state.value, words, sizeof(words));
	/* A store that comes just now finds its old value in doubt. */
	state.last_cpu = UINT32_MAX;
	state.last_tid = 0;
	state.last_ns = now;
	correct_state(run, c, &state, hits);
	/* A store that the register did see, while another BPF program kept ours out, is no secret.
	 */
	if (cul_watch_arm_busy(&run->arm) != *busy_before)
		return 0;
	if (run->pid &&
		cul_watch_program_left_by_another(&run->program, run->pid, c->target, words))
		return 0;
	return report(run, c, old, words, cul_watch_since(run, since), cul_watch_since(run, now));
}

int cul_watch_look_behind(struct cul_watch_run *run)
{
	uint64_t busy = run->busy;
	int r;

	if (run->options->access == CUL_ACCESS_EXECUTE || run->disarmed)
		return 0;
	if (is_gone(run)) {
		run->rounds_gone++;
		return 0;
	}
	r = for_each_copy(run, look, &busy);
	run->busy = cul_watch_arm_busy(&run->arm);
	run->looked_ns = cul_clock_now();
	return r;
}
