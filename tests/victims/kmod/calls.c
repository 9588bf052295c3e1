// SPDX-License-Identifier: GPL-2.0-or-later
/* Functions that fail, wait, take their time, change what they are given, or run on two CPUs at
 * once. */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "victim.h"

enum { MOST_SLEEPERS = 64, LONG_NS = 10 * NSEC_PER_MSEC };

enum victim_phase {
	VICTIM_COLD,
	VICTIM_WARM = 5,
	VICTIM_HOT,
};

struct victim_state {
	int level;
	enum victim_phase phase;
	char name[16];
	u64 untouched;
};

static struct victim_state state;
static int sink;
static s64 calls_shadow;

/* Durations by the victim's own clock: inside the function, and around its call. */
static u64 inside_ns, around_ns, inside_long, around_long;
static u64 user_failed, found, not_found, found_null;
static u64 errors;
static atomic_t calls_by_cpu[2];

#define BOOK_CALLS(fn) BOOK(fn, sink, 'd', "(code)", calls_shadow)

BOOK_CALLS(victim_calls_change);
BOOK_CALLS(victim_calls_user);
BOOK_CALLS(victim_calls_flags);
BOOK_CALLS(victim_calls_errno);
BOOK_CALLS(victim_calls_find);
BOOK_CALLS(victim_calls_slow);
BOOK_CALLS(victim_calls_sleep);
BOOK_CALLS(victim_calls_both);

#define CALLED(fn)                                                                                 \
	do {                                                                                       \
		book_##fn.func = __func__;                                                         \
		book_##fn.line = __LINE__ - 2;                                                     \
		book_##fn.reads++;                                                                 \
		book_##fn.addr = fn;                                                               \
	} while (0)

/* What is behind its pointer is another thing when it returns. */
static VICTIM int victim_calls_change(struct victim_state *s, int by)
{
	CALLED(victim_calls_change);
	s->level += by;
	s->phase = by & 1 ? VICTIM_HOT : VICTIM_WARM;
	snprintf(s->name, sizeof(s->name), "after-%d", by);
	return s->level;
}

/* The text may lie in a page that is not there yet: it is, once this has read it. */
static VICTIM long victim_calls_user(const char __user *text, size_t size)
{
	char copy[64];
	long got;

	CALLED(victim_calls_user);
	got = strncpy_from_user(copy, text, min(size, sizeof(copy)));
	user_failed += got < 0;
	book_victim_calls_user.last_new = got;
	return got;
}

static VICTIM unsigned long victim_calls_flags(unsigned long flags)
{
	CALLED(victim_calls_flags);
	book_victim_calls_flags.last_new = (s64)(flags & 0xff);
	return flags & 0xff;
}

/* In turns 0, ENOENT, EACCES, ENOMEM. */
static VICTIM int victim_calls_errno(int which)
{
	static const int returned[] = {0, -ENOENT, -EACCES, -ENOMEM};

	CALLED(victim_calls_errno);
	errors += which & 3 ? 1 : 0;
	book_victim_calls_errno.last_new = returned[which & 3];
	return returned[which & 3];
}

/* In turns NULL, an error in the shape of a pointer, a pointer. */
static VICTIM struct victim_state *victim_calls_find(int which)
{
	CALLED(victim_calls_find);
	switch (which % 3) {
	case 0:
		found_null++;
		return NULL;
	case 1:
		not_found++;
		return ERR_PTR(-ENXIO);
	default:
		found++;
		return &state;
	}
}

static VICTIM u64 victim_calls_slow(unsigned int us)
{
	u64 start = ktime_get_ns(), now;

	CALLED(victim_calls_slow);
	do {
		cpu_relax();
		now = ktime_get_ns();
	} while (now - start < us * NSEC_PER_USEC);
	inside_ns += now - start;
	inside_long += now - start >= LONG_NS;
	return now - start;
}

/* Many are inside at once: its count is the caller's. */
static VICTIM int victim_calls_sleep(unsigned int ms)
{
	msleep(ms);
	return (int)ms;
}

static VICTIM u64 victim_calls_both(unsigned int cpu, u64 number)
{
	atomic_inc(&calls_by_cpu[cpu & 1]);
	return number;
}

static void call_change(s64 value)
{
	state = (struct victim_state){.level = 40, .phase = VICTIM_COLD, .name = "before"};
	victim_calls_change(&state, (int)value);
	book_victim_calls_change.last_new = state.level;
}

static void call_user(s64 value)
{
	victim_calls_user((const char __user *)value, 64);
}

static void call_flags(s64 value)
{
	victim_calls_flags((unsigned long)value);
}

static void call_errno(s64 value)
{
	victim_calls_errno((int)value);
}

static void call_find(s64 value)
{
	victim_calls_find((int)value);
}

/* Each fourth takes 20 ms, the others as little as they can. */
static void call_slow(s64 value)
{
	u64 start = ktime_get_ns(), took;

	victim_calls_slow(value & 3 ? 0 : 20000);
	took = ktime_get_ns() - start;
	around_ns += took;
	around_long += took >= LONG_NS;
}

struct sleeper {
	struct task_struct *task;
	unsigned int ms;
};

static int run_sleeper(void *arg)
{
	struct sleeper *sleeper = arg;

	victim_calls_sleep(sleeper->ms);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* COUNT threads are in victim_calls_sleep at once, for ARG (300) ms. */
static int call_sleep(const struct run *run)
{
	static struct sleeper sleepers[MOST_SLEEPERS];
	unsigned int i, n;
	int err = 0;

	for (n = 0; n < run->count && !err; n++) {
		sleepers[n].ms = run->has_arg ? (unsigned int)run->arg : 300;
		sleepers[n].task = kthread_run(run_sleeper, &sleepers[n], "victim_sleep/%u", n);
		if (IS_ERR(sleepers[n].task)) {
			err = PTR_ERR(sleepers[n].task);
			break;
		}
	}
	msleep(run->has_arg ? (unsigned int)run->arg : 300);
	for (i = 0; i < n; i++)
		kthread_stop(sleepers[i].task);
	book_victim_calls_sleep.func = "victim_calls_sleep";
	book_victim_calls_sleep.addr = victim_calls_sleep;
	book_victim_calls_sleep.reads += n;
	return err;
}

struct both {
	struct work_struct work;
	unsigned int cpu;
	u64 count;
};

static void both_work(struct work_struct *work)
{
	struct both *both = container_of(work, struct both, work);
	u64 i;

	for (i = 1; i <= both->count; i++) {
		victim_calls_both(both->cpu, i);
		victim_pause(i);
	}
}

/* COUNT calls on each of two CPUs at the same time. */
static int call_both(const struct run *run)
{
	static struct both both[2];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (victim_nth_cpu(i) < 0)
			return -ENODEV;
		INIT_WORK(&both[i].work, both_work);
		both[i].cpu = i;
		both[i].count = run->count;
	}
	for (i = 0; i < 2; i++)
		queue_work_on(victim_nth_cpu(i), system_wq, &both[i].work);
	for (i = 0; i < 2; i++)
		flush_work(&both[i].work);
	book_victim_calls_both.func = "victim_calls_both";
	book_victim_calls_both.addr = victim_calls_both;
	book_victim_calls_both.reads += 2 * run->count;
	return 0;
}

static void more_calls(struct seq_file *m, const struct book *book)
{
	seq_printf(m, " calls=%llu", book->reads);
	if (book == &book_victim_calls_slow)
		seq_printf(m, " inside_ns=%llu around_ns=%llu inside_long=%llu around_long=%llu",
			inside_ns, around_ns, inside_long, around_long);
	else if (book == &book_victim_calls_user)
		seq_printf(m, " failed=%llu", user_failed);
	else if (book == &book_victim_calls_errno)
		seq_printf(m, " errors=%llu", errors);
	else if (book == &book_victim_calls_find)
		seq_printf(m, " found=%llu not_found=%llu null=%llu state=0x%px", found, not_found,
			found_null, &state);
	else if (book == &book_victim_calls_both)
		seq_printf(m, " first=%d second=%d", atomic_read(&calls_by_cpu[0]),
			atomic_read(&calls_by_cpu[1]));
}

static const struct fault faults[] = {
	{.name = "call_change", .store = call_change, .help = "changes what its pointer leads to"},
	{.name = "call_user", .store = call_user, .help = "reads a user string at ARG"},
	{.name = "call_flags", .store = call_flags, .help = "one call, as fast as can be"},
	{.name = "call_errno", .store = call_errno, .help = "fails three times of four"},
	{.name = "call_find", .store = call_find, .help = "returns NULL, an error, a pointer"},
	{.name = "call_slow", .store = call_slow, .max = 1000, .help = "each fourth takes 20 ms"},
	{.name = "call_sleep",
		.run = call_sleep,
		.max = MOST_SLEEPERS,
		.help = "COUNT threads sleep ARG ms in it at once"},
	{.name = "call_both", .run = call_both, .help = "COUNT calls on each of two CPUs at once"},
	{},
};

static struct book *const books[] = {
	&book_victim_calls_change,
	&book_victim_calls_user,
	&book_victim_calls_flags,
	&book_victim_calls_errno,
	&book_victim_calls_find,
	&book_victim_calls_slow,
	&book_victim_calls_sleep,
	&book_victim_calls_both,
	NULL,
};

static int calls_init(void)
{
	struct book *const *book;

	for (book = books; *book; book++) {
		(*book)->more = more_calls;
		(*book)->var = (*book)->name;
		(*book)->addr = NULL; /* until the first call */
		(*book)->size = 1;
		(*book)->unchecked = true;
	}
	return 0;
}

static void calls_reset(void)
{
	inside_ns = around_ns = inside_long = around_long = 0;
	user_failed = found = not_found = found_null = errors = 0;
	atomic_set(&calls_by_cpu[0], 0);
	atomic_set(&calls_by_cpu[1], 0);
}

const struct family calls_family = {
	.faults = faults, .books = books, .init = calls_init, .reset = calls_reset};
