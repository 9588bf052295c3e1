// SPDX-License-Identifier: GPL-2.0-or-later
/* Code to execute, and a variable that is read, written, and both at once. */
#include <linux/kernel.h>

#include "victim.h"

extern int victim_rw;
int victim_rw;

static s64 rw_shadow, calls_shadow;
static int last_a, last_b;

BOOK(read_rw, victim_rw, 'd', "mov-load", rw_shadow);
BOOK(write_rw, victim_rw, 'd', "mov-reg", rw_shadow);
BOOK(bump_rw, victim_rw, 'd', "inc", rw_shadow);
BOOK(exec_me, last_a, 'd', "(code)", calls_shadow);

/* The line booked is that of the body; an execute hit shows the line of the function itself. */
static VICTIM int exec_me(int a, int b)
{
	book_exec_me.func = __func__;
	book_exec_me.line = __LINE__ - 3;
	book_exec_me.reads++; /* calls */
	last_a = a;
	last_b = b;
	return a + b;
}

static void call_exec_me(s64 value)
{
	exec_me((int)value, (int)value * 2);
}

static VICTIM void read_rw(s64 unused)
{
	int reg;

	GUILTY(read_rw, ld_reg(victim_rw, reg));
	book_read_rw.reads++;
	book_read_rw.last_old = reg;
	book_read_rw.last_new = reg;
}

static VICTIM void write_rw(s64 value)
{
	GUILTY(write_rw, st_reg(victim_rw, value));
	book_store(&book_write_rw, (int)value);
}

/* One instruction that reads and writes: one access to a debug register. */
static VICTIM void bump_rw(s64 unused)
{
	GUILTY(bump_rw, st_inc(victim_rw));
	book_bump_rw.reads++;
	book_store(&book_bump_rw, (int)(rw_shadow + 1));
}

static void more_exec(struct seq_file *m, const struct book *book)
{
	seq_printf(m, " calls=%llu last_a=%d last_b=%d", book->reads, last_a, last_b);
}

static int exec_init(void)
{
	book_exec_me.more = more_exec;
	book_exec_me.var = "exec_me";
	book_exec_me.addr = exec_me;
	book_exec_me.size = 1;
	book_exec_me.unchecked = true;
	return 0;
}

static const struct fault faults[] = {
	{.name = "exec_me", .store = call_exec_me, .help = "exec_me(ARG, 2 * ARG) is called"},
	{.name = "read_rw", .store = read_rw, .help = "loads victim_rw"},
	{.name = "write_rw", .store = write_rw, .help = "stores to victim_rw"},
	{.name = "bump_rw", .store = bump_rw, .help = "loads and stores in one instruction"},
	{},
};

static struct book *const books[] = {
	&book_read_rw,
	&book_write_rw,
	&book_bump_rw,
	&book_exec_me,
	NULL,
};

const struct family exec_family = {.faults = faults, .books = books, .init = exec_init};
