// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * threads [--wait] COUNT [N]: N threads (2) that exist before the start and one created after it,
 * each of which adds COUNT plainly, one after the other, and then COUNT atomically, all at once.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "books.h"

#define MAX_THREADS 32

int shared;       /* in turns: the values before are certain */
int contended;    /* all at once, atomically */
__thread int own; /* thread-local: each thread's has its own address */

struct worker {
	pthread_t thread;
	int number;
	int tid;
	uint64_t count;
	int *own;
};

static struct worker workers[MAX_THREADS + 1];
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t start;

static int64_t shared_shadow, contended_shadow, own_shadow;
BOOK(add_plain, shared, 'd', "inc", shared_shadow);
BOOK(add_atomic, contended, 'd', "lock-inc", contended_shadow);
BOOK(add_own, contended, 'd', "inc", own_shadow);

/* Called with the turn held. */
static VICTIM void add_plain(struct worker *worker)
{
	GUILTY(add_plain, st_inc(shared));
	book_store(&book_add_plain, (int)(shared_shadow + 1));
}

static VICTIM void add_atomic(struct worker *worker)
{
	GUILTY(add_atomic, st_lock_inc(contended));
}

static VICTIM void add_own(struct worker *worker)
{
	GUILTY(add_own, st_inc(own));
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	uint64_t i;

	worker->tid = (int)syscall(SYS_gettid);
	worker->own = &own;
	pthread_barrier_wait(&start);
	pthread_mutex_lock(&turn);
	for (i = 0; i < worker->count; i++)
		add_plain(worker);
	pthread_mutex_unlock(&turn);
	for (i = 0; i < worker->count; i++)
		add_atomic(worker);
	for (i = 0; i < worker->count; i++)
		add_own(worker);
	return NULL;
}

static void create(struct worker *worker, int number, uint64_t count)
{
	worker->number = number;
	worker->count = count;
	if (pthread_create(&worker->thread, NULL, work, worker)) {
		fprintf(stderr, "threads: thread %d cannot be created\n", number);
		exit(1);
	}
}

static void print_books(int n, uint64_t count)
{
	uint64_t total = (n + 1) * count;
	int i;

	book_stores(&book_add_atomic, total, 0, (int64_t)total - 1, (int64_t)total);
	book_stores(&book_add_own, total, 0, (int64_t)count - 1, (int64_t)count);
	book_add_own.var = "own";
	book_add_own.addr = NULL;
	for (i = 0; i <= n; i++)
		printf("books thread%d tid=%d late=%d shared_writes=%lu contended_writes=%lu "
		       "own_writes=%lu own_addr=%p\n",
			i, workers[i].tid, i == n, (unsigned long)count, (unsigned long)count,
			(unsigned long)count, (void *)workers[i].own);
	book_print(&book_add_plain);
	book_print(&book_add_atomic);
	book_print(&book_add_own);
}

int main(int argc, char **argv)
{
	struct victim victim;
	int i, n;

	victim_options(&victim, argc, argv, 1000);
	n = victim.has_arg ? (int)victim.arg : 2;
	if (n < 0 || n > MAX_THREADS)
		return 2;
	pthread_barrier_init(&start, NULL, n + 1);
	for (i = 0; i < n; i++)
		create(&workers[i], i, victim.count);
	victim_wait(&victim);
	create(&workers[n], n, victim.count); /* the last to come opens the barrier */
	for (i = 0; i <= n; i++)
		pthread_join(workers[i].thread, NULL);
	print_books(n, victim.count);
	return victim_end(&victim);
}
