// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * odd HOW [N]: a process in a state that is not the usual one. Says "ready", then what it has
 * counted when its standard input ends.
 *
 *     vfork       a thread in vfork(), whose child sleeps; another thread that pauses
 *     ended       the first thread has ended, another pauses
 *     storm       threads come and go all the time
 *     exec N      becomes itself again N times
 *     replaced N  the same by a thread, with others that pause
 *     deep N      N calls of dive() within one another, on a stack of N * 256 bytes
 *     mutual N    N calls of even() and odd() in turn
 *     forest N D  N threads that pause behind D calls of left() and right(), in an order
 *                 of its own for each thread, that has no part three times in a row
 *     signals     counts SIGRTMIN; all are to arrive
 *     handler     pauses in the handler of a signal that interrupted interrupted()
 *     alternate   the same, on a stack of the handler's own with nothing beside it
 *     made N      pauses below N calls of code made at run time, whose calls are jumps
 *     coroutine   pauses on a stack that makecontext() has made
 *     beats N     N threads that count
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static atomic_long counted;
static atomic_int there;
static long n, depth;
static volatile long zero;

static void ready(void)
{
	printf("ready\n");
	fflush(stdout);
}

static __attribute__((noinline)) void until_told(void)
{
	char byte;

	while (read(0, &byte, 1) > 0)
		;
	printf("counted %ld\n", (long)counted);
	fflush(stdout);
	if (!zero)
		_exit(0);
}

static void start(void *(*f)(void *))
{
	pthread_attr_t small;
	pthread_t one;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&one, &small, f, NULL))
		abort();
}

static __attribute__((noinline)) void *pausing(void *unused)
{
	there++;
	while (!zero)
		pause();
	return NULL;
}

static __attribute__((noinline)) void *in_vfork(void *unused)
{
	there++;
	if (vfork() == 0) {
		for (;;)
			pause();
	}
	return NULL;
}

static void *told(void *unused)
{
	ready();
	until_told();
	return NULL;
}

static void *ending(void *unused)
{
	counted++;
	return NULL;
}

static void *starting(void *unused)
{
	while (!zero) {
		start(ending);
		usleep(100);
	}
	return NULL;
}

static void *beating(void *unused)
{
	there++;
	while (!zero)
		counted++;
	return NULL;
}

static __attribute__((noinline)) long bottom(void)
{
	ready();
	until_told();
	return zero;
}

static __attribute__((noinline)) long dive(long left)
{
	volatile char frame[192] = {(char)left};

	return (left == zero ? bottom() : dive(left - 1)) + frame[zero];
}

static long even(long left);
static __attribute__((noinline)) long odd(long left)
{
	volatile long kept = left;

	return even(left - 1) + kept;
}

static __attribute__((noinline)) long even(long left)
{
	volatile long kept = left;

	return (left <= zero ? bottom() : odd(left - 1)) + kept;
}

static void *diving(void *unused)
{
	dive(n);
	return NULL;
}

static __attribute__((noinline)) long rest(void)
{
	pausing(NULL);
	return zero;
}

/* The Thue-Morse sequence, of numbers from `at` to `end`. */
static long left(long at, long end);
static __attribute__((noinline)) long right(long at, long end)
{
	volatile long kept = at;

	if (at == end)
		return rest();
	return (__builtin_parityl((unsigned long)at) ? left(at + 1, end) : right(at + 1, end)) +
	       kept;
}

static __attribute__((noinline)) long left(long at, long end)
{
	volatile long kept = end;

	if (at == end)
		return rest();
	return (__builtin_parityl((unsigned long)at) ? left(at + 1, end) : right(at + 1, end)) -
	       kept;
}

static void *climbing(void *number)
{
	left((long)number * depth, ((long)number + 1) * depth);
	return NULL;
}

static void grow_forest(void)
{
	pthread_attr_t large;
	pthread_t one;

	pthread_attr_init(&large);
	for (long i = 0; i < n; i++) {
		if (pthread_attr_setstacksize(
			    &large, ((size_t)depth * 128 + (1 << 20)) & ~(size_t)4095) ||
			pthread_create(&one, &large, climbing, (void *)i))
			abort();
	}
	while (there < n)
		usleep(1000);
}

static void become_again(char **argv)
{
	char again[32];

	usleep(2000);
	snprintf(again, sizeof(again), "%ld", n - 1);
	execl(argv[0], argv[0], argv[1], again, NULL);
}

static void *replacing(void *argv)
{
	if (n > 0)
		become_again(argv);
	ready();
	until_told();
	return NULL;
}

static void count_signal(int number)
{
	counted++;
}

static __attribute__((noinline)) void handling(int number)
{
	ready();
	until_told();
}

static __attribute__((noinline)) void interrupted(void)
{
	signal(SIGUSR1, handling);
	for (;;)
		__asm__ volatile("ud2a" ::: "memory");
}

static void take_own_stack(void)
{
	const size_t page = 4096, size = 16 * page;
	char *room = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const stack_t own = {.ss_sp = room + page, .ss_size = size};
	const struct sigaction action = {.sa_handler = handling, .sa_flags = SA_ONSTACK};

	if (room == MAP_FAILED || mprotect(room + page, size, PROT_READ | PROT_WRITE) ||
		sigaltstack(&own, NULL) || sigaction(SIGILL, &action, NULL))
		abort();
}

#ifdef __x86_64__
/* Calls itself as often as its second argument says, then the first; a frame each. */
__asm__(".pushsection .rodata\n"
	"made_begin: push %rbp; mov %rsp, %rbp\n"
	"	lea 2f(%rip), %rax; push %rax\n"
	"	dec %rsi; jnz made_begin\n"
	"	jmp *%rdi\n"
	"2:	pop %rbp; ret\n"
	"made_end: .popsection\n");
extern const char made_begin[], made_end[];

static void call_made(void)
{
	void *room = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		abort();
	memcpy(room, made_begin, (size_t)(made_end - made_begin));
	((void (*)(long (*)(void), long))room)(bottom, n);
}
#else
static void call_made(void)
{
	abort();
}
#endif

static void in_coroutine(void)
{
	bottom();
}

static void resume(void)
{
	static ucontext_t back, own_context;
	static char own[256 << 10];

	getcontext(&own_context);
	own_context.uc_stack = (stack_t){.ss_sp = own, .ss_size = sizeof(own)};
	own_context.uc_link = &back;
	makecontext(&own_context, in_coroutine, 0);
	swapcontext(&back, &own_context);
}

static void go_deep(void)
{
	pthread_attr_t large;
	pthread_t one;
	size_t size = ((size_t)n * 256 + (1 << 20)) & ~(size_t)4095;

	pthread_attr_init(&large);
	if (pthread_attr_setstacksize(&large, size) || pthread_create(&one, &large, diving, NULL))
		abort();
	pthread_join(one, NULL);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	pthread_t one;

	n = argc > 2 ? atol(argv[2]) : 0;
	depth = argc > 3 ? atol(argv[3]) : 0;
	if (!strcmp(how, "vfork")) {
		start(pausing);
		start(in_vfork);
		while (there < 2)
			usleep(1000);
		usleep(50000);
	} else if (!strcmp(how, "ended")) {
		start(told);
		pthread_exit(NULL);
	} else if (!strcmp(how, "storm")) {
		start(starting);
		start(starting);
	} else if (!strcmp(how, "exec")) {
		if (n > 0)
			become_again(argv);
	} else if (!strcmp(how, "replaced")) {
		for (int i = 0; i < 20; i++)
			start(pausing);
		pthread_create(&one, NULL, replacing, argv);
		pause();
	} else if (!strcmp(how, "deep")) {
		go_deep();
	} else if (!strcmp(how, "mutual")) {
		even(n);
	} else if (!strcmp(how, "forest")) {
		grow_forest();
	} else if (!strcmp(how, "signals")) {
		signal(SIGRTMIN, count_signal);
	} else if (!strcmp(how, "handler")) {
		signal(SIGILL, handling);
		interrupted();
	} else if (!strcmp(how, "alternate")) {
		take_own_stack();
		interrupted();
	} else if (!strcmp(how, "made")) {
		call_made();
	} else if (!strcmp(how, "coroutine")) {
		resume();
	} else if (!strcmp(how, "beats")) {
		for (long i = 0; i < n; i++)
			start(beating);
		while (there < n)
			usleep(1000);
	} else {
		return 2;
	}
	ready();
	until_told();
	return 0;
}
