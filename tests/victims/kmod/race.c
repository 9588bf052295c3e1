// SPDX-License-Identifier: GPL-2.0-or-later
/* Two CPUs that add to one int at the same time, with and without atomic instructions. */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/errno.h>
#include <linux/kthread.h>
#include <linux/string.h>

#include "victim.h"

extern int victim_race;
int victim_race;

static s64 race_shadow;

BOOK(race_plain, victim_race, 'd', "inc", race_shadow);
BOOK(race_atomic, victim_race, 'd', "lock-inc", race_shadow);

struct racer {
	struct task_struct *task;
	void (*add)(u64 count);
	u64 count;
	int cpu;
};

static struct racer racers[2];
static atomic_t waiting;
static DECLARE_COMPLETION(finished);
static u64 lost; /* additions of race_plain that another CPU's store undid */
static u64 stores[2][2];

/* The planted fault: what another CPU added between this one's load and store is lost. */
static VICTIM void race_plain(u64 count)
{
	u64 i;

	book_race_plain.func = __func__;
	book_race_plain.line = __LINE__ + 2;
	for (i = 1; i <= count; i++) {
		st_inc(victim_race);
		victim_pause(i);
	}
}

static VICTIM void race_atomic(u64 count)
{
	u64 i;

	book_race_atomic.func = __func__;
	book_race_atomic.line = __LINE__ + 2;
	for (i = 1; i <= count; i++) {
		st_lock_inc(victim_race);
		victim_pause(i);
	}
}

static int run_racer(void *arg)
{
	struct racer *racer = arg;

	atomic_dec(&waiting);
	while (atomic_read(&waiting))
		cond_resched();
	racer->add(racer->count);
	complete(&finished);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int start_racers(void (*add)(u64 count), u64 count)
{
	struct racer *racer;
	int i;

	for (i = 0; i < 2; i++) {
		racer = &racers[i];
		racer->add = add;
		racer->count = count;
		racer->cpu = victim_nth_cpu(i);
		if (racer->cpu < 0)
			return -ENODEV;
	}
	for (i = 0; i < 2; i++) {
		racer = &racers[i];
		racer->task = kthread_create(run_racer, racer, "victim_race/%d", racer->cpu);
		if (IS_ERR(racer->task)) {
			if (i)
				kthread_stop(racers[0].task); /* it never ran */
			return PTR_ERR(racer->task);
		}
		kthread_bind(racer->task, racer->cpu);
	}
	reinit_completion(&finished);
	atomic_set(&waiting, 2);
	wake_up_process(racers[0].task);
	wake_up_process(racers[1].task);
	return 0;
}

/* Both done and gone when it returns; the books are kept by the caller. */
static int run_race(void (*add)(u64 count), u64 count)
{
	int i, err;

	err = start_racers(add, count);
	if (err)
		return err;
	wait_for_completion(&finished);
	wait_for_completion(&finished);
	for (i = 0; i < 2; i++)
		kthread_stop(racers[i].task);
	return 0;
}

static void book_race(struct book *book, u64 *each, u64 count)
{
	int now = READ_ONCE(victim_race);

	each[0] += count;
	each[1] += count;
	if (book == &book_race_plain)
		lost += (u32)((u32)race_shadow + 2 * (u32)count - (u32)now);
	book_stores(book, 2 * count, 0, now - 1, now);
	book->cpu = racers[1].cpu;
}

static int race_plainly(const struct run *run)
{
	int err = run_race(race_plain, run->count);

	if (!err)
		book_race(&book_race_plain, stores[0], run->count);
	return err;
}

static int race_atomically(const struct run *run)
{
	int err = run_race(race_atomic, run->count);

	if (!err)
		book_race(&book_race_atomic, stores[1], run->count);
	return err;
}

static void more_race(struct seq_file *m, const struct book *book)
{
	const u64 *each = stores[book == &book_race_atomic];

	seq_printf(m, " cpu%d_writes=%llu cpu%d_writes=%llu lost=%llu", racers[0].cpu, each[0],
		racers[1].cpu, each[1], book == &book_race_plain ? lost : 0);
}

static void race_reset(void)
{
	lost = 0;
	memset(stores, 0, sizeof(stores));
}

static int race_init(void)
{
	racers[0].cpu = victim_nth_cpu(0);
	racers[1].cpu = victim_nth_cpu(1);
	book_race_plain.more = more_race;
	book_race_atomic.more = more_race;
	return 0;
}

static const struct fault faults[] = {
	{.name = "race_plain",
		.run = race_plainly,
		.help = "two CPUs each add 1 to victim_race COUNT times, not atomically"},
	{.name = "race_atomic", .run = race_atomically, .help = "the same, atomically"},
	{},
};

static struct book *const books[] = {&book_race_plain, &book_race_atomic, NULL};

const struct family race_family = {
	.faults = faults,
	.books = books,
	.init = race_init,
	.reset = race_reset,
};
