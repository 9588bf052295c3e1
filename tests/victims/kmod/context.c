// SPDX-License-Identifier: GPL-2.0-or-later
/* One int written from every context there is short of an NMI. */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/timer.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#include "victim.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_delete_sync del_timer_sync
#endif

extern int victim_context;
int victim_context;

static s64 context_shadow;
static DECLARE_COMPLETION(done);

BOOK(write_from_syscall, victim_context, 'd', "mov-reg", context_shadow);
BOOK(write_from_timer, victim_context, 'd', "mov-reg", context_shadow);
BOOK(write_from_hrtimer, victim_context, 'd', "mov-reg", context_shadow);
BOOK(write_from_tasklet, victim_context, 'd', "mov-reg", context_shadow);
BOOK(write_from_kworker, victim_context, 'd', "mov-reg", context_shadow);
BOOK(write_from_kthread, victim_context, 'd', "mov-reg", context_shadow);
BOOK(write_from_ipi, victim_context, 'd', "mov-reg", context_shadow);
BOOK(write_irqs_off, victim_context, 'd', "mov-reg", context_shadow);

static VICTIM void write_from_syscall(s64 value)
{
	GUILTY(write_from_syscall, st_reg(victim_context, value));
	book_store(&book_write_from_syscall, (int)value);
}

static VICTIM void write_irqs_off(s64 value)
{
	unsigned long flags;

	local_irq_save(flags);
	GUILTY(write_irqs_off, st_reg(victim_context, value));
	local_irq_restore(flags);
	book_store(&book_write_irqs_off, (int)value);
}

static VICTIM void write_from_timer(struct timer_list *timer)
{
	GUILTY(write_from_timer, st_reg(victim_context, context_shadow + 1));
	book_store(&book_write_from_timer, (int)(context_shadow + 1));
	complete(&done);
}

static VICTIM enum hrtimer_restart write_from_hrtimer(struct hrtimer *timer)
{
	GUILTY(write_from_hrtimer, st_reg(victim_context, context_shadow + 1));
	book_store(&book_write_from_hrtimer, (int)(context_shadow + 1));
	return HRTIMER_NORESTART;
}

static VICTIM void write_from_tasklet(struct tasklet_struct *tasklet)
{
	GUILTY(write_from_tasklet, st_reg(victim_context, context_shadow + 1));
	book_store(&book_write_from_tasklet, (int)(context_shadow + 1));
	complete(&done);
}

static VICTIM void write_from_kworker(struct work_struct *work)
{
	GUILTY(write_from_kworker, st_reg(victim_context, context_shadow + 1));
	book_store(&book_write_from_kworker, (int)(context_shadow + 1));
}

static VICTIM void write_from_ipi(void *unused)
{
	GUILTY(write_from_ipi, st_reg(victim_context, context_shadow + 1));
	book_store(&book_write_from_ipi, (int)(context_shadow + 1));
}

static VICTIM int write_from_kthread(void *arg)
{
	const struct run *run = arg;
	u64 i;

	for (i = 1; i <= run->count; i++) {
		GUILTY(write_from_kthread, st_reg(victim_context, i));
		book_store(&book_write_from_kthread, (int)i);
		victim_pause(i);
	}
	complete(&done);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static DEFINE_TIMER(timer, write_from_timer);
static DECLARE_TASKLET(tasklet, write_from_tasklet);
static DECLARE_WORK(work, write_from_kworker);
static struct hrtimer hrtimer;
static bool hrtimer_ready;

static void timer_once(s64 unused)
{
	reinit_completion(&done);
	mod_timer(&timer, jiffies + 1);
	wait_for_completion(&done);
	timer_delete_sync(&timer);
}

/* From the hard interrupt, on a realtime kernel too. */
static void hrtimer_once(s64 unused)
{
	u64 before = READ_ONCE(book_write_from_hrtimer.writes);

	hrtimer_start(&hrtimer, ns_to_ktime(100000), HRTIMER_MODE_REL_HARD);
	while (READ_ONCE(book_write_from_hrtimer.writes) == before)
		schedule_timeout_uninterruptible(1);
	hrtimer_cancel(&hrtimer);
}

static void tasklet_once(s64 unused)
{
	reinit_completion(&done);
	tasklet_schedule(&tasklet);
	wait_for_completion(&done);
}

static void kworker_once(s64 unused)
{
	schedule_work(&work);
	flush_work(&work);
}

static int run_kthread(const struct run *run)
{
	struct task_struct *task;

	reinit_completion(&done);
	task = kthread_run(write_from_kthread, (void *)run, "victim_kthread");
	if (IS_ERR(task))
		return PTR_ERR(task);
	wait_for_completion(&done);
	kthread_stop(task);
	return 0;
}

/* To the second CPU, or to this one where there is no other. */
static int run_ipi(const struct run *run)
{
	int cpu, err = 0;
	u64 i;

	cpus_read_lock();
	cpu = victim_nth_cpu(1);
	if (cpu < 0)
		cpu = victim_nth_cpu(0);
	for (i = 1; i <= run->count && !err; i++) {
		err = smp_call_function_single(cpu, write_from_ipi, NULL, 1);
		victim_pause(i);
	}
	cpus_read_unlock();
	return err;
}

static int context_init(void)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
	hrtimer_init(&hrtimer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	hrtimer.function = write_from_hrtimer;
#else
	hrtimer_setup(&hrtimer, write_from_hrtimer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
#endif
	hrtimer_ready = true;
	return 0;
}

static void context_exit(void)
{
	timer_delete_sync(&timer);
	if (hrtimer_ready)
		hrtimer_cancel(&hrtimer);
	tasklet_kill(&tasklet);
	cancel_work_sync(&work);
}

static const struct fault faults[] = {
	{.name = "write_from_syscall", .store = write_from_syscall, .help = "victim_context = ARG"},
	{.name = "write_irqs_off", .store = write_irqs_off, .help = "the same, interrupts off"},
	{.name = "write_from_timer",
		.store = timer_once,
		.max = 1000,
		.help = "+ 1 from a timer (softirq; a thread on realtime kernels)"},
	{.name = "write_from_hrtimer",
		.store = hrtimer_once,
		.max = 1000,
		.help = "+ 1 from a high-resolution timer (hard interrupt)"},
	{.name = "write_from_tasklet",
		.store = tasklet_once,
		.max = 100000,
		.help = "+ 1 from a tasklet (softirq)"},
	{.name = "write_from_kworker",
		.store = kworker_once,
		.max = 100000,
		.help = "+ 1 from a kworker"},
	{.name = "write_from_kthread",
		.run = run_kthread,
		.help = "= 1, 2, ... COUNT from the kthread victim_kthread"},
	{.name = "write_from_ipi",
		.run = run_ipi,
		.max = 100000,
		.help = "+ 1 from a call to another CPU (hard interrupt)"},
	{},
};

static struct book *const books[] = {
	&book_write_from_syscall,
	&book_write_irqs_off,
	&book_write_from_timer,
	&book_write_from_hrtimer,
	&book_write_from_tasklet,
	&book_write_from_kworker,
	&book_write_from_kthread,
	&book_write_from_ipi,
	NULL,
};

const struct family context_family = {
	.faults = faults,
	.books = books,
	.init = context_init,
	.exit = context_exit,
};
