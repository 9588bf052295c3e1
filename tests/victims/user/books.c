// SPDX-License-Identifier: GPL-2.0-or-later
#include "books.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_COUNT 10000000
#define MAX_WAIT  60

static volatile sig_atomic_t go;

static void on_usr1(int sig)
{
	go = 1;
}

static void usage(const char *program)
{
	fprintf(stderr, "usage: %s [--wait] [--stay] [--only FAULT] [COUNT [ARG]]\n", program);
	exit(2);
}

static int64_t number(const char *program, const char *text)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 0);
	if (errno || *end || end == text)
		usage(program);
	return value;
}

void victim_options(struct victim *victim, int argc, char **argv, uint64_t count)
{
	int i, given = 0;
	int64_t value;

	*victim = (struct victim){.count = count};
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--wait")) {
			victim->wait = true;
		} else if (!strcmp(argv[i], "--stay")) {
			victim->stay = true;
		} else if (!strcmp(argv[i], "--only") && i + 1 < argc) {
			victim->only = argv[++i];
		} else if (given < 2) {
			value = number(argv[0], argv[i]);
			if (given++) {
				victim->arg = value;
				victim->has_arg = true;
				continue;
			}
			if (value < 0 || value > MAX_COUNT)
				usage(argv[0]);
			victim->count = value;
		} else {
			usage(argv[0]);
		}
	}
}

/* A line or SIGUSR1. An end of file is neither: only the signal is left then. */
static void wait_for_word(const char *word)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	struct timespec limit = {.tv_sec = MAX_WAIT};
	sigset_t usr1, before;
	char byte;
	int n;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, &before);
	go = 0;
	signal(SIGUSR1, on_usr1);
	printf("%s pid=%d\n", word, (int)getpid());
	fflush(stdout);
	sigdelset(&before, SIGUSR1);
	while (!go) {
		n = ppoll(&in, 1, &limit, &before);
		if (n == 0) {
			fprintf(stderr, "nobody said go for %d s\n", MAX_WAIT);
			exit(3);
		}
		if (n < 0)
			continue;
		n = read(STDIN_FILENO, &byte, 1);
		if (n == 1 && byte == '\n')
			break;
		if (n <= 0)
			in.fd = -1;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
}

void victim_wait(const struct victim *victim)
{
	if (victim->wait)
		wait_for_word("ready");
}

int victim_end(const struct victim *victim)
{
	fflush(stdout);
	if (victim->stay)
		wait_for_word("done");
	return 0;
}

void victim_run(const struct victim *victim, const struct victim_fault *faults)
{
	const struct victim_fault *fault;
	bool found = false;
	uint64_t i;

	for (fault = faults; fault->name; fault++) {
		if (victim->only && strcmp(victim->only, fault->name))
			continue;
		found = true;
		for (i = 1; i <= victim->count; i++)
			fault->store(victim->has_arg ? victim->arg : (int64_t)i);
	}
	if (found)
		return;
	fprintf(stderr, "no fault is named %s; there are:", victim->only);
	for (fault = faults; fault->name; fault++)
		fprintf(stderr, " %s", fault->name);
	fprintf(stderr, "\n");
	exit(2);
}

void book_stores(struct book *book, uint64_t count, uint64_t silent, int64_t old, int64_t new)
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

void book_store(struct book *book, int64_t new)
{
	int64_t old = *book->shadow;

	book_stores(book, 1, old == new, old, new);
}

int64_t bits_of_double(double value)
{
	int64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

int64_t bits_of_float(float value)
{
	int32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static void print_value(const struct book *book, const char *key, int64_t value)
{
	double d;
	float f;

	switch (book->kind) {
	case 'f':
		memcpy(&d, &value, sizeof(d));
		printf(" %s=%.17g", key, d);
		break;
	case 'g':
		memcpy(&f, &value, sizeof(f));
		printf(" %s=%.9g", key, f);
		break;
	case 'x':
		printf(" %s=0x%" PRIx64, key, value);
		break;
	case 'u':
		printf(" %s=%" PRIu64, key, (uint64_t)value);
		break;
	default:
		printf(" %s=%" PRId64, key, value);
	}
}

void book_print(const struct book *book)
{
	printf("books %s writes=%" PRIu64 " reads=%" PRIu64 " silent=%" PRIu64, book->name,
		book->writes, book->reads, book->silent);
	print_value(book, "first_old", book->first_old);
	print_value(book, "last_old", book->last_old);
	print_value(book, "last_new", book->last_new);
	printf(" func=%s line=%d var=%s addr=%p size=%u insn=%s\n", book->func ? book->func : "-",
		book->line, book->var, book->addr, book->size, book->insn);
}

void books_print(struct book *const *books)
{
	for (; *books; books++)
		book_print(*books);
}
