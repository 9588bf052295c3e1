/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The books of a program with planted faults, its command line, and the start on command.
 *
 *     PROGRAM [--wait] [--stay] [--only FAULT] [COUNT [ARG]]
 *
 * A book is the account of one guilty function. The value before a store comes from a shadow copy,
 * never from the variable: the only accesses to a variable are those that the books tell of. A book
 * has one writer at a time. Printed last, on stdout, one a line: `books NAME key=value ...`.
 */
#ifndef VICTIM_BOOKS_H
#define VICTIM_BOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shape.h"

/* Kept whole and under its own name. */
#ifdef __clang__
#define VICTIM __attribute__((noinline, optnone))
#else
#define VICTIM __attribute__((noipa))
#endif

struct book {
	const char *name; /* the guilty function, or function.part */
	const char *var;  /* as one would write it on a command line */
	const char *insn; /* the shape of the store on x86_64, or who does it */
	char kind;        /* d signed, u unsigned, x pointer, f double, g float */
	unsigned int size;
	void *addr;
	int64_t *shadow;

	const char *func; /* NULL and 0 until the first store */
	int line;
	uint64_t writes;
	uint64_t reads;
	uint64_t silent;
	int64_t first_old;
	int64_t last_old;
	int64_t last_new;
};

#define BOOK(fn, variable, how, shape, before)                                                     \
	static struct book book_##fn = {                                                           \
		.name = #fn,                                                                       \
		.var = #variable,                                                                  \
		.insn = shape,                                                                     \
		.kind = how,                                                                       \
		.size = sizeof(variable),                                                          \
		.addr = (void *)&(variable),                                                       \
		.shadow = &(before),                                                               \
	}

/* The guilty store, on one line with this macro. */
#define GUILTY(fn, store)                                                                          \
	do {                                                                                       \
		book_##fn.func = __func__;                                                         \
		book_##fn.line = __LINE__;                                                         \
		store;                                                                             \
	} while (0)

struct victim_fault {
	const char *name;
	void (*store)(int64_t value); /* called with 1, 2, ... COUNT, or with ARG each time */
};

struct victim {
	uint64_t count; /* largest: 10 million */
	int64_t arg;
	bool has_arg;
	bool wait, stay;
	const char *only;
};

/* Parses the command line; exits with 2 when it is wrong. Does not wait yet. */
void victim_options(struct victim *victim, int argc, char **argv, uint64_t count);
/* With --wait: prints `ready pid=N`, goes on after a line on stdin or SIGUSR1 (60 s at most). */
void victim_wait(const struct victim *victim);
void victim_run(const struct victim *victim, const struct victim_fault *faults);
/* With --stay: prints `done pid=N` and waits likewise. */
int victim_end(const struct victim *victim);

void book_store(struct book *book, int64_t new);
void book_stores(struct book *book, uint64_t count, uint64_t silent, int64_t old, int64_t new);
void book_print(const struct book *book); /* one line */
void books_print(struct book *const *books);

int64_t bits_of_double(double value);
int64_t bits_of_float(float value);

#endif
