// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * chain THREADS HOW [DIFFERENT]: each thread goes down twenty functions of its own stack,
 * link_20 .. link_1, and stays there: HOW is pause, read (a pipe), spin, or mixed (in turn). The
 * first thread waits in main() for its standard input to end. DIFFERENT: the threads enter the
 * chain at that many places. Says "ready THREADS" when all are there.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int there;
static int pipe_ends[2];
static const char *how;

static __attribute__((noinline)) void stay_pausing(void)
{
	there++;
	for (;;)
		pause();
}

static __attribute__((noinline)) void stay_reading(void)
{
	char byte;

	there++;
	for (;;)
		if (read(pipe_ends[0], &byte, 1) < 0)
			perror("read");
}

static __attribute__((noinline)) void stay_spinning(void)
{
	there++;
	for (;;)
		__asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void stay(long number)
{
	switch (!strcmp(how, "mixed") ? "prs"[number % 3] : how[0]) {
	case 'p':
		stay_pausing();
		break;
	case 'r':
		stay_reading();
		break;
	default:
		stay_spinning();
		break;
	}
	__asm__ volatile("");
}

typedef void link_function(long number);

/* Each keeps something on its stack, and none is a tail call. */
#define LINK(n, next)                                                                              \
	static __attribute__((noinline)) void link_##n(long number)                                \
	{                                                                                          \
		volatile long kept[n % 4 + 1] = {number};                                          \
		next(kept[0]);                                                                     \
		kept[0]++;                                                                         \
	}
/* clang-format off */
LINK(1, stay)
LINK(2, link_1)
LINK(3, link_2)
LINK(4, link_3)
LINK(5, link_4)
LINK(6, link_5)
LINK(7, link_6)
LINK(8, link_7)
LINK(9, link_8)
LINK(10, link_9)
LINK(11, link_10)
LINK(12, link_11)
LINK(13, link_12)
LINK(14, link_13)
LINK(15, link_14)
LINK(16, link_15)
LINK(17, link_16)
LINK(18, link_17)
LINK(19, link_18)
LINK(20, link_19)
/* clang-format on */

static link_function *const links[] = {link_20, link_19, link_18, link_17, link_16, link_15,
	link_14, link_13, link_12, link_11, link_10};
static int different = 1;

static void *thread(void *data)
{
	long number = (long)data;

	links[number % different](number);
	return NULL;
}

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[1]) : 0;
	pthread_attr_t small;
	char byte;

	if (n < 0 || argc < 3)
		return 2;
	how = argv[2];
	if (argc > 3)
		different = atoi(argv[3]);
	if (pipe(pipe_ends))
		return 1;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	for (long i = 0; i < n; i++) {
		pthread_t one;

		if (pthread_create(&one, &small, thread, (void *)i)) {
			perror("pthread_create");
			return 1;
		}
	}
	while (there < n)
		usleep(1000);
	printf("ready %d\n", n);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
