// SPDX-License-Identifier: GPL-2.0-or-later
/* A function that has no code of its own: two others have a copy of it each. */
#include <linux/kernel.h>

#include "victim.h"

static int sink;
static s64 calls_shadow;
static unsigned long copy_here, copy_there;

BOOK(inline_here, sink, 'd', "(code)", calls_shadow);
BOOK(inline_there, sink, 'd', "(code)", calls_shadow);

/* Where this copy of the code is. */
#ifdef CONFIG_X86_64
#define HERE(addr) asm volatile("1: lea 1b(%%rip), %0" : "=r"(addr))
#else
#define HERE(addr) ((addr) = _THIS_IP_)
#endif

static __always_inline unsigned long victim_inlined(int by)
{
	unsigned long addr;

	HERE(addr);
	WRITE_ONCE(sink, READ_ONCE(sink) + by);
	return addr;
}

static VICTIM void inline_here(s64 value)
{
	book_inline_here.func = __func__;
	book_inline_here.line = __LINE__ + 1;
	copy_here = victim_inlined((int)value);
	book_inline_here.reads++;
}

static VICTIM void inline_there(s64 value)
{
	book_inline_there.func = __func__;
	book_inline_there.line = __LINE__ + 1;
	copy_there = victim_inlined((int)-value);
	book_inline_there.reads++;
}

static void call_both(s64 value)
{
	inline_here(value);
	inline_there(value);
}

static void more_inlined(struct seq_file *m, const struct book *book)
{
	unsigned long copy = book == &book_inline_here ? copy_here : copy_there;

	seq_printf(m, " calls=%llu copy=0x%lx", book->reads, copy);
}

static const struct fault faults[] = {
	{.name = "call_inlined",
		.store = call_both,
		.help = "inline_here and inline_there go through their copies of victim_inlined"},
	{},
};

static struct book *const books[] = {
	&book_inline_here,
	&book_inline_there,
	NULL,
};

static int inlined_init(void)
{
	struct book *const *book;

	for (book = books; *book; book++) {
		(*book)->more = more_inlined;
		(*book)->var = (*book)->name;
		(*book)->size = 1;
		(*book)->unchecked = true;
	}
	book_inline_here.addr = inline_here;
	book_inline_there.addr = inline_there;
	return 0;
}

const struct family inlined_family = {.faults = faults, .books = books, .init = inlined_init};
