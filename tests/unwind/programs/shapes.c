/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions whose frames differ in what an unwinder has to get right. Run one instruction at a
 * time: short, quiet, and over as soon as each has been called.
 */
#include <alloca.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHAPE __attribute__((noinline, noclone))

static volatile int sink;
static sigjmp_buf back;

static SHAPE int leaf(int x)
{
	return x * 3 + sink;
}

static SHAPE int with_alloca(int n)
{
	char *p = alloca((size_t)n);

	memset(p, n, (size_t)n);
	return leaf(p[n / 2]) + p[0];
}

static SHAPE int big_frame(int n)
{
	char buf[70000];

	buf[0] = (char)n;
	buf[sizeof(buf) - 1] = (char)leaf(n);
	__asm__ volatile("" : : "r"(buf) : "memory");
	return buf[n & 1] + leaf(buf[sizeof(buf) - 1]);
}

static SHAPE int many_registers(int a, int b, int c, int d, int e, int f, int g, int h)
{
	int s = leaf(a) + leaf(b), t = leaf(c) * leaf(d), u = leaf(e) ^ leaf(f), v = leaf(g) - h;

	if (leaf(s) > 0)
		t += leaf(u) + a;
	return s + t * u - v + leaf(t) * b + c * d - e * f + g;
}

static SHAPE int tail_target(int x)
{
	return leaf(x) + 1;
}

static SHAPE int tail_call(int x)
{
	sink = x;
	return tail_target(x + 1);
}

static SHAPE int recursion(int n)
{
	return n ? recursion(n - 1) + leaf(n) : 0;
}

static SHAPE int odd(int n);
static SHAPE int even(int n)
{
	return n ? odd(n - 1) + sink : 1;
}

static SHAPE int odd(int n)
{
	return n ? even(n - 1) - sink : 0;
}

static SHAPE int many_returns(int x)
{
	if (x < 0)
		return -1;
	if (x == 3) {
		sink = leaf(x);
		return 7;
	}
	for (int i = 0; i < x; i++) {
		if (leaf(i) == 1000)
			return i;
	}
	return leaf(x) + leaf(x + 1);
}

static SHAPE int by_switch(int x)
{
	switch (x) {
	case 0:
		return leaf(1);
	case 1:
		return leaf(x) + leaf(2);
	case 2:
		sink = 3;
		return leaf(3) * leaf(4);
	case 3:
		return 12;
	case 4:
		return leaf(leaf(5));
	case 5:
		sink = leaf(6);
		break;
	default:
		return leaf(x) + 9;
	}
	return leaf(8) + 1;
}

static SHAPE __attribute__((noreturn)) void never_returns(int x)
{
	sink = leaf(x);
	longjmp(back, 1);
}

static SHAPE int calls_noreturn(int x)
{
	if (x)
		never_returns(x);
	return leaf(x);
}

static SHAPE int compare(const void *a, const void *b)
{
	return leaf(*(const int *)a) - leaf(*(const int *)b);
}

static SHAPE int through_library(void)
{
	int values[] = {4, 1, 3};
	char text[16] = "17";

	qsort(values, 3, sizeof(values[0]), compare);
	return values[0] + atoi(text) + (int)strlen(text);
}

#ifndef NO_SIGNALS
static SHAPE void on_signal(int sig)
{
	sink += leaf(sig);
}

static SHAPE void on_fault(int sig)
{
	sink += leaf(sig);
	siglongjmp(back, 1);
}

#ifdef __arm__
/* Handlers return to the kernel's own code, not to the C library's. */
static SHAPE int kernel_signals(void)
{
	struct {
		void (*handler)(int);
		unsigned long flags, restorer, mask[2];
	} action = {.handler = on_signal};

	for (int i = 0; i < 2; i++) {
		action.flags = i ? SA_SIGINFO : 0;
		syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, sizeof(action.mask));
		raise(SIGUSR1);
	}
	return leaf(3);
}
#else
#define kernel_signals() 0
#endif

static SHAPE int signals(void)
{
	static char other[16384];
	stack_t alternative = {.ss_sp = other, .ss_size = sizeof(other)};
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	sigaltstack(&alternative, NULL);
	action.sa_flags = SA_ONSTACK | SA_SIGINFO;
	sigaction(SIGUSR2, &action, NULL);
	kill(getpid(), SIGUSR2);
	return leaf(2) + kernel_signals();
}

static SHAPE int bad_pointer(int (*function)(int))
{
	return function(5) + leaf(1);
}

static SHAPE int jumps_nowhere(void)
{
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

	sigaction(SIGSEGV, &action, NULL);
	if (sigsetjmp(back, 1) == 0)
		return bad_pointer(NULL);
	if (sigsetjmp(back, 1) == 0)
		return bad_pointer((int (*)(int))(void *)&sink);
	return 1;
}

#endif

static SHAPE double floats(double a, double b)
{
	return a * leaf((int)b) + b / (leaf((int)a) + 1);
}

static SHAPE int aligned(int n)
{
	__attribute__((aligned(64))) char buf[64];

	memset(buf, n, sizeof(buf));
	__asm__ volatile("" : : "r"(buf) : "memory");
	return leaf(buf[1]);
}

static SHAPE int variable(int n)
{
	int total = 0;

	for (int i = 1; i < n; i++) {
		char buf[i * 24];

		buf[0] = (char)i;
		__asm__ volatile("" : : "r"(buf) : "memory");
		total += leaf(buf[0]);
	}
	return total;
}

static SHAPE int all(int x)
{
	x += with_alloca(40) + big_frame(3) + many_registers(1, 2, 3, 4, 5, 6, 7, 8);
	x += tail_call(2) + recursion(6) + even(7) + many_returns(3) + many_returns(4);
	for (int i = 0; i < 8; i++)
		x += by_switch(i);
	if (setjmp(back) == 0)
		x += calls_noreturn(1);
	x += calls_noreturn(0) + through_library();
#ifndef NO_SIGNALS
	x += signals() + jumps_nowhere();
#endif
	return x + (int)floats(2, 3) + aligned(3) + variable(4);
}

int main(void)
{
	sink = 1;
	sink = all(3);
	return 0;
}
