// SPDX-License-Identifier: GPL-2.0-or-later
/* Stores in quantity: a million at once, a storm without an end, a slow tick. */
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/timer.h>
#include <linux/version.h>

#include "victim.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_delete_sync del_timer_sync
#endif

#define STORM_MAX_MS 10000

extern int victim_million, victim_storm, victim_tick;
int victim_million, victim_storm, victim_tick;

static s64 million_shadow, storm_shadow, tick_shadow;
static u64 loop_ns;

BOOK(write_million, victim_million, 'd', "mov-reg", million_shadow);
BOOK(write_storm, victim_storm, 'd', "mov-reg", storm_shadow);
BOOK(write_tick, victim_tick, 'd', "inc", tick_shadow);

static VICTIM u64 write_million(u64 count)
{
	u64 i;

	book_write_million.func = __func__;
	book_write_million.line = __LINE__ + 2;
	for (i = 1; i <= count; i++) {
		st_reg(victim_million, i);
		if (victim_pause(i))
			break;
	}
	return i <= count ? i : count;
}

static int run_million(const struct run *run)
{
	u64 count = run->has_count ? run->count : 1000000;
	u64 start = ktime_get_ns();
	bool silent = million_shadow == 1;

	count = write_million(count);
	loop_ns = ktime_get_ns() - start;
	book_write_million.cpu = raw_smp_processor_id();
	book_stores(
		&book_write_million, count, silent, count > 1 ? count - 1 : million_shadow, count);
	return 0;
}

static void more_million(struct seq_file *m, const struct book *book)
{
	seq_printf(m, " loop_ns=%llu", loop_ns);
}

static struct task_struct *storm_task;
static unsigned long storm_end;

static VICTIM u64 write_storm(u64 from, u64 count)
{
	u64 i;

	book_write_storm.func = __func__;
	book_write_storm.line = __LINE__ + 2;
	for (i = from + 1; i <= from + count; i++)
		st_reg(victim_storm, i);
	return i - 1;
}

static int run_storm(void *unused)
{
	u64 now = (u32)storm_shadow;
	u64 next;

	while (!kthread_should_stop() && time_before(jiffies, storm_end)) {
		next = write_storm(now, 256);
		book_stores(&book_write_storm, 256, 0, (int)(next - 1), (int)next);
		book_write_storm.cpu = raw_smp_processor_id();
		now = next;
		cond_resched();
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void stop_storm(void)
{
	if (storm_task)
		kthread_stop(storm_task);
	storm_task = NULL;
}

/* Returns at once; the storm goes on. */
static int start_storm(const struct run *run)
{
	struct task_struct *task;

	stop_storm();
	storm_end = jiffies + msecs_to_jiffies(run->has_count ? run->count : STORM_MAX_MS);
	task = kthread_run(run_storm, NULL, "victim_storm");
	if (IS_ERR(task))
		return PTR_ERR(task);
	storm_task = task;
	return 0;
}

static int end_storm(const struct run *run)
{
	stop_storm();
	return 0;
}

static u64 ticks_left;
static unsigned long tick_period;
static DECLARE_COMPLETION(ticked);

static VICTIM void write_tick(struct timer_list *timer)
{
	GUILTY(write_tick, st_inc(victim_tick));
	book_store(&book_write_tick, (int)(tick_shadow + 1));
	if (--ticks_left)
		mod_timer(timer, jiffies + tick_period);
	else
		complete(&ticked);
}

static DEFINE_TIMER(tick_timer, write_tick);

static int run_ticks(const struct run *run)
{
	if (!run->count)
		return 0;
	ticks_left = run->count;
	tick_period = msecs_to_jiffies(run->has_arg ? clamp_t(s64, run->arg, 1, 1000) : 10);
	reinit_completion(&ticked);
	mod_timer(&tick_timer, jiffies + tick_period);
	wait_for_completion(&ticked);
	return 0;
}

static int load_init(void)
{
	book_write_million.more = more_million;
	return 0;
}

static void load_exit(void)
{
	stop_storm();
	timer_delete_sync(&tick_timer);
}

static const struct fault faults[] = {
	{.name = "million",
		.run = run_million,
		.help = "victim_million = 1, 2, ... COUNT (1000000) in a tight loop"},
	{.name = "storm",
		.run = start_storm,
		.max = STORM_MAX_MS,
		.help = "a kthread stores to victim_storm for COUNT ms (10000); returns at once"},
	{.name = "storm_stop", .run = end_storm, .help = "ends the storm"},
	{.name = "tick",
		.run = run_ticks,
		.max = 6000,
		.help = "victim_tick + 1 from a timer every ARG (10) ms, COUNT times"},
	{},
};

static struct book *const books[] = {
	&book_write_million,
	&book_write_storm,
	&book_write_tick,
	NULL,
};

const struct family load_family = {
	.faults = faults,
	.books = books,
	.init = load_init,
	.exit = load_exit,
};
