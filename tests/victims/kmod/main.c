// SPDX-License-Identifier: GPL-2.0-or-later
/* The debugfs face of the module: run performs faults, books and faults are read. */
#define pr_fmt(fmt) "victim: " fmt

#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "victim.h"

static const struct family *const families[] = {
	&level_family,
	&fields_family,
	&percpu_family,
	&heap_family,
	&refs_family,
	&context_family,
	&race_family,
	&exec_family,
	&alias_family,
	&load_family,
	&probe_family,
	&inlined_family,
	&calls_family,
	&wait_family,
};

static DEFINE_MUTEX(run_lock);
static struct dentry *dir;

void book_stores(struct book *book, u64 count, u64 silent, s64 old, s64 new)
{
	if (!count)
		return;
	if (!book->writes)
		book->first_old = *book->shadow;
	book->writes += count;
	book->silent += silent;
	book->last_old = old;
	book->last_new = new;
	*book->shadow = new;
}

void book_store(struct book *book, s64 new)
{
	s64 old = *book->shadow;

	book_stores(book, 1, old == new, old, new);
}

bool victim_pause(u64 i)
{
	if (i % 4096)
		return false;
	cond_resched();
	return fatal_signal_pending(current);
}

int victim_nth_cpu(int n)
{
	int cpu;

	for_each_online_cpu(cpu)
	{
		if (!n--)
			return cpu;
	}
	return -1;
}

struct errand {
	struct work_struct work;
	void (*fn)(void *);
	void *arg;
};

static void errand_work(struct work_struct *work)
{
	struct errand *errand = container_of(work, struct errand, work);

	errand->fn(errand->arg);
}

int victim_on_cpu(int cpu, void (*fn)(void *), void *arg)
{
	struct errand errand = {.fn = fn, .arg = arg};
	int err = -ENODEV;

	INIT_WORK_ONSTACK(&errand.work, errand_work);
	cpus_read_lock();
	if (cpu >= 0 && cpu < nr_cpu_ids && cpu_online(cpu)) {
		queue_work_on(cpu, system_wq, &errand.work);
		flush_work(&errand.work);
		err = 0;
	}
	cpus_read_unlock();
	destroy_work_on_stack(&errand.work);
	return err;
}

static const struct fault *find_fault(const char *name)
{
	const struct fault *fault;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(families); i++)
		for (fault = families[i]->faults; fault->name; fault++)
			if (!strcmp(fault->name, name))
				return fault;
	return NULL;
}

static void repeat(const struct fault *fault, const struct run *run)
{
	u64 i;

	for (i = 1; i <= run->count; i++) {
		fault->store(run->has_arg ? run->arg : (s64)i);
		if (victim_pause(i))
			break;
	}
}

static int perform(const char *name, const struct run *run)
{
	const struct fault *fault = find_fault(name);

	if (!fault)
		return -ENOENT;
	if (run->count > (fault->max ?: VICTIM_MAX_COUNT))
		return -ERANGE;
	if (fault->run)
		return fault->run(run);
	repeat(fault, run);
	return 0;
}

static s64 read_memory(const struct book *book)
{
	bool is_signed = book->kind == 'd';

	switch (book->size) {
	case 1:
		return is_signed ? READ_ONCE(*(s8 *)book->addr) : (s64)READ_ONCE(*(u8 *)book->addr);
	case 2:
		return is_signed ? READ_ONCE(*(s16 *)book->addr)
				 : (s64)READ_ONCE(*(u16 *)book->addr);
	case 4:
		return is_signed ? READ_ONCE(*(s32 *)book->addr)
				 : (s64)READ_ONCE(*(u32 *)book->addr);
	default:
		return READ_ONCE(*(s64 *)book->addr);
	}
}

/* Are the books right? Compares memory with the shadows; this is the one reader of the variables.
 */
static int check_books(void)
{
	struct book *const *book;
	size_t i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		for (book = families[i]->books; *book; book++) {
			if ((*book)->unchecked || !(*book)->addr)
				continue;
			if (read_memory(*book) == *(*book)->shadow)
				continue;
			pr_err("%s: memory has %lld, the books %lld\n", (*book)->name,
				read_memory(*book), *(*book)->shadow);
			err = -EIO;
		}
	}
	return err;
}

static void reset_book(struct book *book)
{
	book->writes = 0;
	book->reads = 0;
	book->silent = 0;
	book->first_old = 0;
	book->last_old = 0;
	book->last_new = 0;
	book->cpu = -1;
}

static void reset_all(void)
{
	size_t i;
	struct book *const *book;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		for (book = families[i]->books; *book; book++)
			reset_book(*book);
		if (families[i]->reset)
			families[i]->reset();
	}
}

static ssize_t run_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	struct run run = {.count = 1};
	char line[96], name[32];
	int fields, err = 0;

	if (len >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, from, len))
		return -EFAULT;
	line[len] = '\0';
	fields = sscanf(line, "%31s %llu %lli", name, &run.count, &run.arg);
	if (fields < 1)
		return -EINVAL;
	run.has_count = fields > 1;
	run.has_arg = fields > 2;
	if (mutex_lock_interruptible(&run_lock))
		return -EINTR;
	if (!strcmp(name, "reset"))
		reset_all();
	else if (!strcmp(name, "check"))
		err = check_books();
	else
		err = perform(name, &run);
	mutex_unlock(&run_lock);
	return err ? err : len;
}

static const struct file_operations run_ops = {
	.owner = THIS_MODULE,
	.write = run_write,
	.llseek = noop_llseek,
};

static void show_value(struct seq_file *m, const struct book *book, const char *key, s64 value)
{
	if (book->kind == 'x')
		seq_printf(m, " %s=0x%llx", key, (u64)value);
	else if (book->kind == 'u')
		seq_printf(m, " %s=%llu", key, (u64)value);
	else
		seq_printf(m, " %s=%lld", key, value);
}

static void show_book(struct seq_file *m, const struct book *book)
{
	seq_printf(m, "%s writes=%llu reads=%llu silent=%llu", book->name, book->writes,
		book->reads, book->silent);
	show_value(m, book, "first_old", book->first_old);
	show_value(m, book, "last_old", book->last_old);
	show_value(m, book, "last_new", book->last_new);
	seq_printf(m, " func=%s line=%d cpu=%d", book->func ?: "-", book->line, book->cpu);
	seq_printf(m, " var=%s addr=0x%px size=%u insn=%s", book->var, book->addr, book->size,
		book->insn);
	if (book->more)
		book->more(m, book);
	seq_putc(m, '\n');
}

static int books_show(struct seq_file *m, void *unused)
{
	struct book *const *book;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(families); i++)
		for (book = families[i]->books; *book; book++)
			show_book(m, *book);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(books);

static int faults_show(struct seq_file *m, void *unused)
{
	const struct fault *fault;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(families); i++)
		for (fault = families[i]->faults; fault->name; fault++)
			seq_printf(m, "%-18s %s\n", fault->name, fault->help);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(faults);

static void stop_all(void)
{
	size_t i;

	debugfs_remove_recursive(dir);
	for (i = ARRAY_SIZE(families); i-- > 0;)
		if (families[i]->exit)
			families[i]->exit();
}

static int __init victim_init(void)
{
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		err = families[i]->init ? families[i]->init() : 0;
		if (err) {
			stop_all();
			return err;
		}
	}
	dir = debugfs_create_dir("victim", NULL);
	debugfs_create_file("run", 0200, dir, NULL, &run_ops);
	debugfs_create_file("books", 0400, dir, NULL, &books_fops);
	debugfs_create_file("faults", 0400, dir, NULL, &faults_fops);
	return 0;
}

static void __exit victim_exit(void)
{
	stop_all();
}

module_init(victim_init);
module_exit(victim_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Planted memory faults that keep their own books");
