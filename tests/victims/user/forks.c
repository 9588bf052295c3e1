// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * forks [--wait] COUNT [N]: the parent writes, forks N children (2) that each write their own copy
 * of the variable and a page shared by all, then one more that executes /bin/true.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "books.h"

#define MAX_CHILDREN 32

int inherited;  /* each process has its own after the fork */
int *in_common; /* one page, seen by all */

static int64_t inherited_shadow, common_shadow;
BOOK(write_parent, inherited, 'd', "mov-reg", inherited_shadow);
BOOK(write_child, inherited, 'd', "mov-reg", inherited_shadow);
BOOK(write_common, inherited, 'd', "lock-inc", common_shadow);

static VICTIM void write_parent(int value)
{
	GUILTY(write_parent, st_reg(inherited, value));
	book_store(&book_write_parent, value);
}

static VICTIM void write_child(int value)
{
	GUILTY(write_child, st_reg(inherited, value));
	book_store(&book_write_child, value);
}

static VICTIM void write_common(void)
{
	GUILTY(write_common, st_lock_inc(*in_common));
	book_store(&book_write_common, common_shadow + 1);
}

/* Prints its own books: each child is waited for before the next thing happens. */
static _Noreturn void be_child(int number, uint64_t count)
{
	uint64_t i;

	for (i = 1; i <= count; i++) {
		write_child(100 * (number + 1) + (int)i);
		write_common();
	}
	printf("books child%d pid=%d inherited_writes=%lu last_new=%d common_writes=%lu\n", number,
		(int)getpid(), (unsigned long)count, inherited, (unsigned long)count);
	book_print(&book_write_child);
	book_write_common.var = "*in_common";
	book_write_common.addr = in_common;
	book_print(&book_write_common);
	fflush(stdout);
	_exit(0);
}

static int reap(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "forks: a child failed\n");
		exit(1);
	}
	return (int)pid;
}

static void run_children(int n, uint64_t count)
{
	pid_t pid;
	int i;

	for (i = 0; i < n; i++) {
		fflush(stdout);
		pid = fork();
		if (pid == 0)
			be_child(i, count);
		reap(pid);
		common_shadow += (int64_t)count;
	}
}

/* The child writes once, and then its memory is replaced. */
static void run_exec(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		write_child(-1);
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	printf("books exec pid=%d inherited_writes=1 last_new=-1\n", reap(pid));
}

int main(int argc, char **argv)
{
	struct victim victim;
	uint64_t i;
	int n;

	victim_options(&victim, argc, argv, 3);
	n = victim.has_arg ? (int)victim.arg : 2;
	if (n < 0 || n > MAX_CHILDREN)
		return 2;
	in_common =
		mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (in_common == MAP_FAILED)
		return 1;
	victim_wait(&victim);
	for (i = 1; i <= victim.count; i++)
		write_parent((int)i);
	run_children(n, victim.count);
	run_exec();
	for (i = 1; i <= victim.count; i++)
		write_parent((int)(1000 + i));
	printf("books parent pid=%d inherited_writes=%lu last_new=%d common=%d\n", (int)getpid(),
		2 * (unsigned long)victim.count, inherited, *in_common);
	book_print(&book_write_parent);
	return victim_end(&victim);
}
