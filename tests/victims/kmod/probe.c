// SPDX-License-Identifier: GPL-2.0-or-later
/* Functions of many signatures, called with arguments that are known. */
#include <linux/errno.h>
#include <linux/error-injection.h>
#include <linux/kernel.h>

#include "victim.h"

enum victim_color {
	VICTIM_RED = 1,
	VICTIM_GREEN = 2,
	VICTIM_BLUE = 4,
};

struct victim_small { /* in one register */
	int x;
	int y;
};

struct victim_pair { /* in two registers */
	u64 first;
	u64 second;
};

struct victim_big { /* in memory, on the stack */
	u64 words[5];
};

struct victim_packed {
	unsigned int low : 4;
	unsigned int middle : 10;
	int high : 6;
};

struct victim_node {
	int id;
	struct victim_node *next;
	struct victim_packed bits;
	const char *label;
};

static int sink;
static s64 calls_shadow;

#define BOOK_ARGS(fn) BOOK(fn, sink, 'd', "(code)", calls_shadow)

BOOK_ARGS(victim_args_eight);
BOOK_ARGS(victim_args_small);
BOOK_ARGS(victim_args_pair);
BOOK_ARGS(victim_args_big);
BOOK_ARGS(victim_args_node);
BOOK_ARGS(victim_args_enum);
BOOK_ARGS(victim_args_string);
BOOK_ARGS(victim_args_narrow);
BOOK_ARGS(victim_args_fails);
BOOK_ARGS(victim_args_pointer);
BOOK_ARGS(victim_args_nest);
BOOK_ARGS(victim_args_refuses);

/* A call, from the line of the function's name on; last_new is what it returns. */
#define CALLED(fn, result)                                                                         \
	do {                                                                                       \
		book_##fn.func = __func__;                                                         \
		book_##fn.line = __LINE__ - 2;                                                     \
		book_##fn.reads++;                                                                 \
		book_##fn.addr = fn;                                                               \
		book_##fn.last_new = (s64)(result);                                                \
		sink++;                                                                            \
	} while (0)

static VICTIM int victim_args_eight(int a, int b, int c, int d, int e, int f, int g, int h)
{
	CALLED(victim_args_eight, a + b + c + d + e + f + g + h);
	return a + b + c + d + e + f + g + h;
}

static VICTIM int victim_args_small(struct victim_small s)
{
	CALLED(victim_args_small, s.x - s.y);
	return s.x - s.y;
}

static VICTIM u64 victim_args_pair(struct victim_pair pair, char after)
{
	CALLED(victim_args_pair, pair.first + pair.second + after);
	return pair.first + pair.second + after;
}

static VICTIM u64 victim_args_big(int before, struct victim_big big)
{
	CALLED(victim_args_big, before + big.words[4]);
	return before + big.words[4];
}

static VICTIM int victim_args_node(const struct victim_node *node)
{
	CALLED(victim_args_node, node->next->id + node->bits.high);
	return node->next->id + node->bits.high;
}

static VICTIM enum victim_color victim_args_enum(enum victim_color color, bool on)
{
	CALLED(victim_args_enum, on ? color : VICTIM_RED);
	return on ? color : VICTIM_RED;
}

static VICTIM long victim_args_string(const char *text, size_t len)
{
	CALLED(victim_args_string, len);
	return len;
}

static VICTIM s8 victim_args_narrow(s8 a, u8 b, s16 c, u16 d, s64 e)
{
	CALLED(victim_args_narrow, (s8)(a + b + c + d + e));
	return a + b + c + d + e;
}

static VICTIM int victim_args_fails(int error)
{
	CALLED(victim_args_fails, -error);
	return -error;
}

static VICTIM void *victim_args_pointer(void *p)
{
	CALLED(victim_args_pointer, (unsigned long)p);
	return p;
}

static int refused; /* by victim_args_refuses, or by who has it return */

/* Its book tells how often it was called, and last_new what its last caller got. */
static VICTIM int victim_args_refuses(int value)
{
	CALLED(victim_args_refuses, 0);
	return 0;
}
ALLOW_ERROR_INJECTION(victim_args_refuses, ERRNO);

static VICTIM int victim_args_nest(int depth)
{
	CALLED(victim_args_nest, depth);
	return depth > 0 ? victim_args_nest(depth - 1) + 1 : 0;
}

static void call_all(s64 value)
{
	static struct victim_node second = {.id = 22, .label = "second"};
	struct victim_node node = {
		.id = 11, .next = &second, .bits = {5, 600, -7}, .label = "first"};
	int v = (int)value;

	victim_args_eight(v, 2, 3, 4, 5, 6, 7, -8);
	victim_args_small((struct victim_small){v, -3});
	victim_args_pair((struct victim_pair){value, 0x1122334455667788ULL}, 'p');
	victim_args_big(v, (struct victim_big){{1, 2, 3, 4, 5}});
	victim_args_node(&node);
	victim_args_enum(VICTIM_BLUE, v & 1);
	victim_args_string("a kernel string", 15);
	victim_args_narrow(-1, 255, -300, 65000, value);
	victim_args_fails(EIO);
	victim_args_pointer(&node);
	victim_args_nest(3);
	v = victim_args_refuses(v);
	if (v)
		refused++;
	book_victim_args_refuses.last_new = v;
}

static void more_calls(struct seq_file *m, const struct book *book)
{
	seq_printf(m, " calls=%llu", book->reads);
	if (book == &book_victim_args_refuses)
		seq_printf(m, " refused=%d", refused);
}

static const struct fault faults[] = {
	{.name = "call_args", .store = call_all, .help = "calls each victim_args_ function once"},
	{},
};

static struct book *const books[] = {
	&book_victim_args_eight,
	&book_victim_args_small,
	&book_victim_args_pair,
	&book_victim_args_big,
	&book_victim_args_node,
	&book_victim_args_enum,
	&book_victim_args_string,
	&book_victim_args_narrow,
	&book_victim_args_fails,
	&book_victim_args_pointer,
	&book_victim_args_nest,
	&book_victim_args_refuses,
	NULL,
};

static int probe_init(void)
{
	struct book *const *book;

	for (book = books; *book; book++) {
		(*book)->more = more_calls;
		(*book)->var = (*book)->name;
		(*book)->addr = NULL; /* until the first call */
		(*book)->size = 1;
		(*book)->unchecked = true;
	}
	return 0;
}

const struct family probe_family = {.faults = faults, .books = books, .init = probe_init};
