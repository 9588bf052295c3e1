// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pool THREADS MS [churn]: THREADS threads add 1 to `counter` every MS milliseconds until SIGTERM
 * comes, then the books are printed. `churn`: each thread lives for one addition only, and the one
 * that follows it is made by it.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "books.h"

int counter;
static int64_t counter_shadow;
static volatile sig_atomic_t stop;
static unsigned long total, living;
static struct timespec pause_time;
static bool churn;

BOOK(add_one, counter, 'd', "lock-inc", counter_shadow);

static VICTIM void add_one(void)
{
	GUILTY(add_one, st_lock_inc(counter));
	__atomic_fetch_add(&total, 1, __ATOMIC_SEQ_CST);
}

static void on_term(int unused)
{
	stop = 1;
}

static void start(void);

static void *work(void *unused)
{
	do {
		add_one();
		nanosleep(&pause_time, NULL);
	} while (!stop && !churn);
	if (!stop)
		start();
	__atomic_fetch_sub(&living, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void start(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	__atomic_fetch_add(&living, 1, __ATOMIC_SEQ_CST);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, work, NULL)) {
		perror("pool: a thread");
		exit(1);
	}
	pthread_attr_destroy(&attr);
}

int main(int argc, char **argv)
{
	struct timespec moment = {.tv_nsec = 1000000};
	double ms;

	if (argc < 3)
		return 2;
	signal(SIGTERM, on_term);
	churn = argc > 3 && !strcmp(argv[3], "churn");
	ms = strtod(argv[2], NULL);
	pause_time.tv_nsec = (long)(ms * 1e6) % 1000000000;
	pause_time.tv_sec = (time_t)(ms / 1000);
	for (int i = atoi(argv[1]); i > 0; i--)
		start();
	printf("ready pid=%d\n", (int)getpid());
	fflush(stdout);
	while (!stop)
		nanosleep(&moment, NULL);
	while (__atomic_load_n(&living, __ATOMIC_SEQ_CST))
		nanosleep(&moment, NULL);
	book_stores(&book_add_one, total, 0, (int64_t)total - 1, (int64_t)total);
	printf("counter=%d\n", counter);
	book_print(&book_add_one);
	return 0;
}
