// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * calls [--wait] COUNT [N]: functions of many signatures, each called COUNT times by the main
 * thread, and call_thread COUNT times by each of N threads (2). For probes of a process.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "libvictim.h"

enum { MOST_THREADS = 16 };

enum mood { CALM = 1, ANGRY = 2, TIRED = 4 };

struct person {
	int age;
	const char *name;
	enum mood mood;
	char initials[4];
};

struct point {
	int x, y;
};

/* In one register. */
struct tagged {
	char tag[4];
	int number;
};

static uint64_t calls[16];
static jmp_buf way_out;
static volatile double sum;
int last_level; /* not static: what is written and never read would be left out */
static struct person somebody = {20, "somebody else", CALM, "se"};

static VICTIM int call_numbers(int a, long b, unsigned char c, enum mood mood)
{
	calls[0]++;
	return a + (int)b + c + (int)mood;
}

static VICTIM size_t call_string(const char *text)
{
	calls[1]++;
	return strlen(text);
}

static VICTIM int call_person(struct person *person)
{
	calls[2]++;
	person->age++;
	return person->age;
}

static VICTIM double call_double(double factor, int by)
{
	calls[3]++;
	sum += factor * by;
	return sum;
}

static VICTIM int call_fails(int error)
{
	calls[4]++;
	return -error;
}

static VICTIM int call_nest(int depth)
{
	calls[5]++;
	return depth > 0 ? call_nest(depth - 1) + 1 : 0;
}

static VICTIM int call_by_value(struct point point, int by)
{
	calls[6]++;
	return (point.x + point.y) * by;
}

static inline __attribute__((always_inline)) int call_inlined(int level)
{
	last_level = level;
	__asm__ volatile("" : : : "memory");
	return level * 2;
}

/* Each parameter has another kind of place, and the compiler chooses which. */
static inline __attribute__((always_inline)) int call_places(
	int level, const struct person *person, long total, int fixed, int unused)
{
	last_level = level + fixed;
	__asm__ volatile("" : : : "memory");
	return level + person->age + (int)total;
}

static VICTIM int call_from_here(int level)
{
	struct person own = {level + 40, "own", ANGRY, "ow"};

	calls[7]++;
	call_places(level, &own, level * 300L, 7, level);
	return call_inlined(level);
}

static VICTIM int call_from_there(int level)
{
	calls[8]++;
	call_places(-level, &somebody, (long)level << 32, 8, 9);
	return call_inlined(-level);
}

static VICTIM int call_thread(int number, uint64_t i)
{
	int result = number * 1000 + (int)(i % 1000);

	__asm__ volatile("nop" : : "r"(result)); /* an instruction with lock takes no uprobe */
	__atomic_fetch_add(&calls[9], 1, __ATOMIC_RELAXED);
	return result;
}

static VICTIM int call_tagged(struct tagged tagged)
{
	calls[10]++;
	return tagged.number;
}

/* Does not return when it is called with 1. */
static VICTIM int call_leaves(int how)
{
	calls[11]++;
	if (how == 1)
		longjmp(way_out, 1);
	return how;
}

struct worker {
	pthread_t thread;
	int number;
	uint64_t count;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	uint64_t i;

	for (i = 1; i <= worker->count; i++)
		call_thread(worker->number, i);
	return NULL;
}

static void call_all(int64_t value)
{
	struct person person = {30, "somebody", TIRED, "sb"};

	call_numbers((int)value, -2, 200, ANGRY);
	call_string("a user string");
	call_person(&person);
	call_double(1.5, (int)value);
	call_fails(ENOENT);
	call_nest(3);
	call_by_value((struct point){(int)value, 5}, 2);
	call_from_here((int)value);
	call_from_there((int)value);
	lib_write_exported(value + 100);
	call_tagged((struct tagged){"tag", (int)value});
	for (volatile int how = 1; how <= 3; how++)
		if (!setjmp(way_out))
			call_leaves(how);
}

int main(int argc, char **argv)
{
	static const struct victim_fault faults[] = {{"call_all", call_all}, {0}};
	static const char *const names[] = {"call_numbers", "call_string", "call_person",
		"call_double", "call_fails", "call_nest", "call_by_value", "call_from_here",
		"call_from_there", "call_thread", "call_tagged", "call_leaves"};
	static struct worker workers[MOST_THREADS];
	struct victim victim;
	unsigned i, n;

	victim_options(&victim, argc, argv, 3);
	n = victim.has_arg ? (unsigned)victim.arg : 2;
	if (n > MOST_THREADS)
		return 2;
	victim.has_arg = false;
	victim_wait(&victim);
	victim_run(&victim, faults);
	for (i = 0; i < n; i++) {
		workers[i] = (struct worker){.number = (int)i, .count = victim.count};
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 1;
	}
	for (i = 0; i < n; i++)
		pthread_join(workers[i].thread, NULL);
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		printf("books %s calls=%lu\n", names[i], (unsigned long)calls[i]);
	printf("books lib_write_exported calls=%lu\n", (unsigned long)victim.count);
	return victim_end(&victim);
}
