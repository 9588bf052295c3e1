// SPDX-License-Identifier: GPL-2.0-or-later
/* A per-CPU counter: each CPU adds to its own copy, and once a CPU writes another's. */
#include <linux/cpu.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/string.h>

#include "victim.h"

DECLARE_PER_CPU(u64, victim_ticks);
DEFINE_PER_CPU(u64, victim_ticks);

static u64 own_writes[NR_CPUS];
static s64 copies[NR_CPUS]; /* what each copy should hold */
static s64 remote_shadow;   /* the copy written last */

BOOK(count_tick, victim_ticks, 'u', "this-cpu-inc", remote_shadow);
BOOK(write_remote, victim_ticks, 'u', "mov-reg", remote_shadow);

static VICTIM void count_tick(void *unused)
{
	GUILTY(count_tick, this_cpu_inc(victim_ticks));
	remote_shadow = copies[book_count_tick.cpu];
	own_writes[book_count_tick.cpu]++;
	book_store(&book_count_tick, ++copies[book_count_tick.cpu]);
}

struct tally {
	u64 count;
};

static void count_here(void *arg)
{
	const struct tally *tally = arg;
	u64 i;

	for (i = 1; i <= tally->count; i++) {
		count_tick(NULL);
		victim_pause(i);
	}
}

static int count_everywhere(const struct run *run)
{
	struct tally tally = {.count = run->count};
	int cpu, err = 0;

	for_each_online_cpu(cpu)
	{
		if (!run->has_arg || run->arg == cpu)
			err = err ?: victim_on_cpu(cpu, count_here, &tally);
	}
	return err;
}

struct remote {
	int cpu;
	u64 value;
};

static VICTIM void write_remote(void *arg)
{
	const struct remote *remote = arg;
	u64 *copy = per_cpu_ptr(&victim_ticks, remote->cpu);

	book_write_remote.addr = copy;
	remote_shadow = copies[remote->cpu];
	GUILTY(write_remote, st_reg(*copy, remote->value));
	copies[remote->cpu] = remote->value;
	book_store(&book_write_remote, remote->value);
}

/* The second CPU writes the first one's copy. */
static int write_remotely(const struct run *run)
{
	struct remote remote = {.cpu = victim_nth_cpu(0)};
	int err = 0;
	u64 i;

	for (i = 1; i <= run->count && !err; i++) {
		remote.value = run->has_arg ? run->arg : 1000000 + i;
		err = victim_on_cpu(victim_nth_cpu(1), write_remote, &remote);
	}
	return err;
}

static void more_copies(struct seq_file *m, const struct book *book)
{
	int cpu;

	for_each_online_cpu(cpu)
	{
		seq_printf(m, " cpu%d_writes=%llu cpu%d_value=%lld cpu%d_addr=0x%px", cpu,
			own_writes[cpu], cpu, copies[cpu], cpu, per_cpu_ptr(&victim_ticks, cpu));
	}
}

static void percpu_reset(void)
{
	memset(own_writes, 0, sizeof(own_writes));
}

static int percpu_init(void)
{
	book_count_tick.more = more_copies;
	book_count_tick.unchecked = true;
	book_write_remote.unchecked = true;
	return 0;
}

static const struct fault faults[] = {
	{.name = "count_tick",
		.run = count_everywhere,
		.max = 1000000,
		.help = "each CPU (or CPU ARG) adds COUNT to its copy of victim_ticks"},
	{.name = "write_remote",
		.run = write_remotely,
		.max = 100000,
		.help = "the second CPU writes the first one's copy"},
	{},
};

static struct book *const books[] = {&book_count_tick, &book_write_remote, NULL};

const struct family percpu_family = {
	.faults = faults,
	.books = books,
	.init = percpu_init,
	.reset = percpu_reset,
};
