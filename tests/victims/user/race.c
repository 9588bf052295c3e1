// SPDX-License-Identifier: GPL-2.0-or-later
/* race [--wait] COUNT: two threads on two CPUs each add 1 COUNT times, plainly and then atomically.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "books.h"

int raced;
int raced_atomic;

static int64_t raced_shadow, atomic_shadow;
BOOK(race_plain, raced, 'd', "inc", raced_shadow);
BOOK(race_atomic, raced_atomic, 'd', "lock-inc", atomic_shadow);

static pthread_barrier_t barrier;
static uint64_t count;
static int cpus[2] = {-1, -1};

static VICTIM void race_plain(void)
{
	uint64_t i;

	book_race_plain.func = __func__;
	book_race_plain.line = __LINE__ + 2;
	for (i = 0; i < count; i++)
		st_inc(raced);
}

static VICTIM void race_atomic(void)
{
	uint64_t i;

	book_race_atomic.func = __func__;
	book_race_atomic.line = __LINE__ + 2;
	for (i = 0; i < count; i++)
		st_lock_inc(raced_atomic);
}

static void *racer(void *arg)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(*(int *)arg, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	pthread_barrier_wait(&barrier);
	race_plain();
	pthread_barrier_wait(&barrier);
	race_atomic();
	return NULL;
}

/* The first two CPUs that this process may use. */
static bool find_cpus(void)
{
	cpu_set_t set;
	int cpu, found = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return false;
	for (cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[found++] = cpu;
	return found == 2;
}

int main(int argc, char **argv)
{
	struct victim victim;
	pthread_t threads[2];
	int i;

	victim_options(&victim, argc, argv, 100000);
	count = victim.count;
	if (!find_cpus()) {
		fprintf(stderr, "race: it takes two CPUs\n");
		return 1;
	}
	pthread_barrier_init(&barrier, NULL, 2);
	victim_wait(&victim);
	for (i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, racer, &cpus[i]))
			return 1;
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	book_stores(&book_race_plain, 2 * count, 0, raced - 1, raced);
	book_stores(&book_race_atomic, 2 * count, 0, raced_atomic - 1, raced_atomic);
	book_print(&book_race_plain);
	book_print(&book_race_atomic);
	printf("books race cpu%d_writes=%lu cpu%d_writes=%lu lost=%lu\n", cpus[0],
		(unsigned long)count, cpus[1], (unsigned long)count,
		(unsigned long)(2 * count - (uint64_t)raced));
	return victim_end(&victim);
}
