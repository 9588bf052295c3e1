/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two threads that wait, both below a function that is inlined, for tests that build it in many
 * ways.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static volatile int counted;
static atomic_int there;

__attribute__((noinline)) static void wait_here(void)
{
	if (++there == 2) {
		printf("ready\n");
		fflush(stdout);
	}
	pause();
	counted++;
}

static inline __attribute__((always_inline)) void step(void)
{
	wait_here();
	counted++;
}

__attribute__((noinline)) static void below(int level)
{
	volatile char room[2000];

	room[level] = 1;
	if (level)
		below(level - 1);
	else
		step();
	counted += room[level];
}

static void *thread(void *unused)
{
	below(3);
	return unused;
}

int main(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, thread, NULL))
		return 1;
	below(3);
	return counted;
}
