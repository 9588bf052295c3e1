// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hostile HOW [MEGABYTES]: a thread in code without tables or symbols, on a stack that was made to
 * mislead. Says "ready" when it is there; ends with its standard input.
 *
 *     loop        two frames, each the caller of the other
 *     self        a frame that is its own caller
 *     down        each caller's frame is below, to the end of the stack
 *     tall N      N MB of return addresses, each of a function that has no frame: no two alike
 *     words N     N MB of return addresses that nothing leads to but looking for them
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A place to stay at, then places that a call returns to. */
enum { SITES = 1 << 20, SITE = 4, FIRST = 64 };

static uint8_t *code;
static uint64_t *stack, *start, *frame;

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

/* `behind`: what follows each call. */
static void make_code(uint8_t behind)
{
	const size_t size = FIRST + SITES * SITE + 4096;

	code = map(size);
	memset(code, 0xcc, size);
	memcpy(code, "\xeb\xfe", 2); /* jmp . */
	for (size_t i = 0; i < SITES; i++) {
		uint8_t *site = code + FIRST + i * SITE;

		memcpy(site, "\xff\xd0", 2); /* call *%rax */
		site[2] = behind;
	}
	if (mprotect(code, size, PROT_READ | PROT_EXEC))
		abort();
}

static uint64_t site(uint64_t number)
{
	return (uintptr_t)code + FIRST + number * 0x9e3779b97f4a7c15ull % SITES * SITE + 2;
}

static void put_frame(uint64_t *at, uint64_t *next, uint64_t number)
{
	at[0] = (uintptr_t)next;
	at[1] = site(number);
}

static void *stay(void *data)
{
	__asm__ volatile("mov %0, %%rsp\n\tmov %1, %%rbp\n\tjmp *%2"
			 :
			 : "r"(start), "r"(frame), "r"(code)
			 : "memory");
	return NULL;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	size_t words = (argc > 2 ? strtoul(argv[2], NULL, 10) : 1) << 17;
	pthread_t thread;
	char byte;

	make_code(!strcmp(how, "tall") ? 0xc3 : 0xcc); /* ret, int3 */
	stack = start = map(words * 8);
	frame = stack + 16;
	if (!strcmp(how, "loop")) {
		put_frame(stack + 16, stack + 64, 1);
		put_frame(stack + 64, stack + 16, 2);
	} else if (!strcmp(how, "self")) {
		put_frame(stack + 16, stack + 16, 1);
	} else if (!strcmp(how, "down")) {
		start = stack + words - 64;
		frame = start + 16;
		for (uint64_t *at = frame; at > stack + 4; at -= 4)
			put_frame(at, at - 4, (uint64_t)(at - stack));
	} else if (!strcmp(how, "tall") || !strcmp(how, "words")) {
		frame = NULL;
		for (size_t i = 0; i < words; i++)
			stack[i] = site(i);
		if (!strcmp(how, "tall"))
			memcpy(stack, stack + 1, 8);
	} else {
		return 2;
	}
	if (pthread_create(&thread, NULL, stay, NULL))
		return 1;
	usleep(50000);
	printf("ready\n");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	_exit(0);
}
