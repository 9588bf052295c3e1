// SPDX-License-Identifier: GPL-2.0-or-later
/* A variable with a second virtual address: no debug register on the first sees the second. */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "victim.h"

struct page_of_ints {
	int value;
	int rest[PAGE_SIZE / sizeof(int) - 1];
} __aligned(PAGE_SIZE);

extern struct page_of_ints victim_page;
struct page_of_ints victim_page = {.value = 1};

static struct page_of_ints *alias;
static s64 page_shadow = 1;

BOOK(direct_write, victim_page.value, 'd', "mov-reg", page_shadow);
BOOK(alias_write, victim_page.value, 'd', "mov-reg", page_shadow);

static VICTIM void direct_write(s64 value)
{
	GUILTY(direct_write, st_reg(victim_page.value, value));
	book_store(&book_direct_write, (int)value);
}

/* The planted fault: changed behind the back of whoever watches victim_page. */
static VICTIM void alias_write(s64 value)
{
	GUILTY(alias_write, st_reg(alias->value, value));
	book_store(&book_alias_write, (int)value);
}

static void more_alias(struct seq_file *m, const struct book *book)
{
	seq_printf(m, " alias=0x%px", &alias->value);
}

static int alias_init(void)
{
	struct page *page = vmalloc_to_page(&victim_page);

	alias = page ? vmap(&page, 1, VM_MAP, PAGE_KERNEL) : NULL;
	book_alias_write.more = more_alias;
	return alias ? 0 : -ENOMEM;
}

static void alias_exit(void)
{
	vunmap(alias);
}

static const struct fault faults[] = {
	{.name = "direct_write", .store = direct_write, .help = "victim_page.value = ARG"},
	{.name = "alias_write", .store = alias_write, .help = "the same through another mapping"},
	{},
};

static struct book *const books[] = {&book_direct_write, &book_alias_write, NULL};

const struct family alias_family = {
	.faults = faults,
	.books = books,
	.init = alias_init,
	.exit = alias_exit,
};
