/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The module with planted faults: its books and the table of faults.
 *
 * A book is the account of one guilty function: how often it stored, what, and from which line. The
 * value before a store comes from a shadow copy beside the variable, never from the variable: the
 * only accesses to a watched variable are the ones that the books tell of. A book has one writer
 * at a time; where several CPUs store at once each has its own.
 */
#ifndef VICTIM_H
#define VICTIM_H

#include <linux/compiler.h>
#include <linux/preempt.h>
#include <linux/smp.h>
#include <linux/seq_file.h>
#include <linux/types.h>

#include "shape.h"

#define VICTIM_MAX_COUNT 10000000ULL

/* Kept whole and under its own name, whatever the optimiser thinks of it. */
#define VICTIM noinline __attribute__((noipa))

struct book {
	const char *name; /* the guilty function, or function.part */
	const char *var;  /* what it stores to, as one would write it on a command line */
	const char *insn; /* the shape of the store on x86_64 */
	char kind;        /* how values are printed: d, u, or x (pointer) */
	unsigned int size;
	void *addr;
	s64 *shadow;    /* of the variable, shared by its writers */
	bool unchecked; /* code, a bit-field or a copy: memory at addr is not the shadow */

	const char *func; /* NULL and 0 until the first store */
	int line;
	int cpu;
	u64 writes;
	u64 reads;
	u64 silent; /* stores of the value that was there */
	s64 first_old;
	s64 last_old;
	s64 last_new;
	void (*more)(struct seq_file *m, const struct book *book); /* further key=value pairs */
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
		.cpu = -1,                                                                         \
	}

/* The guilty store, on one line with this macro: the book learns function, line and CPU. */
#define GUILTY(fn, store)                                                                          \
	do {                                                                                       \
		book_##fn.func = __func__;                                                         \
		book_##fn.line = __LINE__;                                                         \
		preempt_disable();                                                                 \
		store;                                                                             \
		book_##fn.cpu = raw_smp_processor_id();                                            \
		preempt_enable();                                                                  \
	} while (0)

struct run {
	u64 count;
	s64 arg;
	bool has_count, has_arg;
};

/* Either store, called count times with the argument or else 1, 2, 3, ...; or run, called once. */
struct fault {
	const char *name;
	void (*store)(s64 value);
	int (*run)(const struct run *run);
	u64 max; /* largest count; 0: VICTIM_MAX_COUNT */
	const char *help;
};

struct family {
	const struct fault *faults; /* ended by one without a name */
	struct book *const *books;  /* ended by NULL */
	int (*init)(void);
	void (*exit)(void);  /* also after an init that failed or never ran */
	void (*reset)(void); /* what is counted outside the books */
};

extern const struct family level_family, fields_family, percpu_family, heap_family, refs_family,
	context_family, race_family, exec_family, alias_family, load_family, probe_family,
	inlined_family, calls_family, wait_family;

/* Books one store of new. */
void book_store(struct book *book, s64 new);
/* Books count stores at once, for loops too fast to book one by one. */
void book_stores(struct book *book, u64 count, u64 silent, s64 old, s64 new);

/* Runs fn on that CPU in a kworker and waits; -ENODEV when the CPU is not online. */
int victim_on_cpu(int cpu, void (*fn)(void *), void *arg);
/* The n-th online CPU, or -1. */
int victim_nth_cpu(int n);
/* Lets others run now and then; true when the caller should stop early because it was killed. */
bool victim_pause(u64 i);

#endif
