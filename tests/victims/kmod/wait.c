// SPDX-License-Identifier: GPL-2.0-or-later
/* Tasks that wait in a known place: victim_wait_outer calls _middle, which calls _inner. */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/wait.h>

#include "victim.h"

enum { MOST_WAITERS = 32 };
enum victim_wait_how { WAIT_D, WAIT_S, WAIT_I, WAIT_KILLABLE };

static DECLARE_WAIT_QUEUE_HEAD(waiting);
static bool let_go;
static struct task_struct *waiters[MOST_WAITERS];
static int sink;
static s64 wait_shadow;

#define BOOK_WAIT(fn) BOOK(fn, sink, 'd', "(code)", wait_shadow)

BOOK_WAIT(victim_wait_inner);
BOOK_WAIT(victim_wait_middle);
BOOK_WAIT(victim_wait_outer);

/* On the line of the call that does not return. */
#define WAITS_HERE(fn, call)                                                                       \
	({                                                                                         \
		book_##fn.func = __func__;                                                         \
		book_##fn.line = __LINE__;                                                         \
		book_##fn.reads++;                                                                 \
		book_##fn.addr = fn;                                                               \
		call;                                                                              \
	})

static VICTIM int victim_wait_inner(enum victim_wait_how how)
{
	int err = 0;

	switch (how) {
	case WAIT_D:
		WAITS_HERE(victim_wait_inner, wait_event(waiting, READ_ONCE(let_go)));
		break;
	case WAIT_S:
		err = WAITS_HERE(
			victim_wait_inner, wait_event_interruptible(waiting, READ_ONCE(let_go)));
		break;
	case WAIT_I:
		WAITS_HERE(victim_wait_inner, wait_event_idle(waiting, READ_ONCE(let_go)));
		break;
	case WAIT_KILLABLE:
		err = WAITS_HERE(
			victim_wait_inner, wait_event_killable(waiting, READ_ONCE(let_go)));
		break;
	}
	return err;
}

static VICTIM int victim_wait_middle(enum victim_wait_how how)
{
	return WAITS_HERE(victim_wait_middle, victim_wait_inner(how));
}

static VICTIM int victim_wait_outer(enum victim_wait_how how)
{
	return WAITS_HERE(victim_wait_outer, victim_wait_middle(how));
}

static int run_waiter(void *how)
{
	victim_wait_outer((enum victim_wait_how)(long)how);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void end_waiters(void)
{
	size_t i;

	WRITE_ONCE(let_go, true);
	wake_up_all(&waiting);
	for (i = 0; i < ARRAY_SIZE(waiters); i++) {
		if (waiters[i])
			kthread_stop(waiters[i]);
		waiters[i] = NULL;
	}
	WRITE_ONCE(let_go, false);
}

/* Returns at once; they wait until wait_end. */
static int start_waiters(const struct run *run)
{
	u64 left = run->count;
	size_t i;

	if (run->arg < WAIT_D || run->arg > WAIT_I)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(waiters) && left; i++) {
		struct task_struct *task;

		if (waiters[i])
			continue;
		task = kthread_run(run_waiter, (void *)(long)run->arg, "victim_wait/%zu", i);
		if (IS_ERR(task))
			return PTR_ERR(task);
		waiters[i] = task;
		left--;
	}
	return left ? -EBUSY : 0;
}

static int wait_end(const struct run *run)
{
	end_waiters();
	return 0;
}

static int wait_here(const struct run *run)
{
	return victim_wait_outer(WAIT_KILLABLE) ? -EINTR : 0;
}

static void more_waits(struct seq_file *m, const struct book *book)
{
	seq_printf(m, " calls=%llu", book->reads);
}

static const struct fault faults[] = {
	{.name = "wait",
		.run = start_waiters,
		.max = MOST_WAITERS,
		.help = "COUNT kthreads wait (ARG 0: state D, 1: S, 2: I); returns at once"},
	{.name = "wait_end", .run = wait_end, .help = "lets them go"},
	{.name = "wait_here", .run = wait_here, .max = 1, .help = "the writer waits until killed"},
	{},
};

static struct book *const books[] = {
	&book_victim_wait_inner,
	&book_victim_wait_middle,
	&book_victim_wait_outer,
	NULL,
};

static int wait_init(void)
{
	struct book *const *book;

	for (book = books; *book; book++) {
		(*book)->more = more_waits;
		(*book)->var = (*book)->name;
		(*book)->addr = NULL; /* until the first call */
		(*book)->size = 1;
		(*book)->unchecked = true;
	}
	return 0;
}

const struct family wait_family = {
	.faults = faults, .books = books, .init = wait_init, .exit = end_waiters};
