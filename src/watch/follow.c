/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPUs that come and go while the kernel's memory is watched, and those whose registers others
 * have: they are tried again, and it is said how long they were not watched.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "watch/run.h"

/* What is refused costs some system calls, and on a free CPU a proof. */
static const uint64_t AGAIN_NS = 2000000000;

static double seconds(const struct cul_watch_run *run, uint64_t ns)
{
	return (double)cul_watch_since(run, ns) / 1e9;
}

void cul_watch_unarmed_add(
	struct cul_watch_run *run, int cpu, uint64_t now, const struct cul_error *why)
{
	struct cul_watch_unarmed *u = cul_vec_push(&run->unarmed);

	if (!u || !(u->why = cul_strdup(why->text))) {
		run->unarmed.len -= u != NULL;
		cul_gaps_add(&run->gaps, "CPU %d was not watched: %s", cpu, why->text);
		return;
	}
	u->cpu = cpu;
	u->since_ns = u->tried_ns = now;
	u->tries = 1;
}

/* It is armed, offline (`how`), or the run has ended. */
static void settle(struct cul_watch_run *run, size_t i, uint64_t now, const char *how)
{
	struct cul_watch_unarmed *u = &run->unarmed.data[i];
	double from = seconds(run, u->since_ns), to = seconds(run, now);

	cul_gaps_add(&run->gaps,
		"CPU %d was not watched for %.3f s, from %.3f s in until %s (tried %u time%s): %s",
		u->cpu, to - from, from, how, u->tries, u->tries == 1 ? "" : "s", u->why);
	free(u->why);
	*u = run->unarmed.data[--run->unarmed.len];
}

static void try_again(
	struct cul_watch_run *run, const struct cul_cpus *online, bool changed, uint64_t now)
{
	for (size_t i = run->unarmed.len; i-- > 0;) {
		struct cul_watch_unarmed *u = &run->unarmed.data[i];
		char how[64];

		if (!cul_cpus_has(online, u->cpu)) {
			settle(run, i, now, "it went offline");
			continue;
		}
		if (!changed && now - u->tried_ns < AGAIN_NS)
			continue;
		u->tried_ns = now;
		u->tries++;
		if (cul_watch_arm_cpu(&run->arm, u->cpu, NULL))
			continue;
		now = cul_clock_now();
		snprintf(how, sizeof(how), "it could be armed, %.3f s in", seconds(run, now));
		settle(run, i, now, how);
	}
}

static void came(struct cul_watch_run *run, int cpu, uint64_t now)
{
	struct cul_error err = {0};

	if (cul_watch_arm_cpu(&run->arm, cpu, &err))
		cul_watch_unarmed_add(run, cpu, now, &err);
	else
		cul_gaps_add(&run->gaps,
			"CPU %d came online and is watched since %.3f s; what it wrote in the %d "
			"ms before may have been missed",
			cpu, seconds(run, now), CUL_WATCH_CPUS_MS);
}

void cul_watch_follow_cpus(struct cul_watch_run *run)
{
	struct cul_cpus online, now_on = {0};
	uint64_t now = cul_clock_now();
	bool listed = cul_cpus_count(&run->named) > 0, changed = false;

	if (run->pid || run->disarmed || cul_cpus_online(&online, NULL))
		return;
	for (int cpu = 0; cpu < (int)run->program.n_possible; cpu++)
		changed |= cul_cpus_has(&online, cpu) != cul_cpus_has(&run->wanted, cpu);
	try_again(run, &online, changed, now);
	for (int cpu = 0; cpu < (int)run->program.n_possible; cpu++) {
		bool is_on = cul_cpus_has(&online, cpu), was_on = cul_cpus_has(&run->wanted, cpu);

		if (listed && !cul_cpus_has(&run->named, cpu))
			continue;
		if (is_on)
			cul_cpus_add(&now_on, cpu);
		if (is_on && !was_on)
			came(run, cpu, now);
		else if (!is_on && was_on)
			cul_gaps_add(&run->gaps, "CPU %d went offline about %.3f s in", cpu,
				seconds(run, now));
	}
	run->wanted = now_on;
}

void cul_watch_unarmed_end(struct cul_watch_run *run)
{
	while (run->unarmed.len)
		settle(run, run->unarmed.len - 1, run->end_ns, "the end");
}

void cul_watch_unarmed_free(struct cul_watch_run *run)
{
	while (run->unarmed.len)
		free(run->unarmed.data[--run->unarmed.len].why);
	free(run->unarmed.data);
}
