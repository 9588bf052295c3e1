// SPDX-License-Identifier: GPL-2.0-or-later
/* An object behind a pointer, an overflow out of the neighbour, a write after the free. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"

struct object {
	uint64_t magic;
	int refs;
	int state;
	struct object *next;
};

struct card { /* one allocation: what runs over name lands in balance */
	char name[16];
	int balance;
};

struct object *object;
struct card *card;
static int(*volatile stale_refs); /* into the object that was freed */

static int64_t object_shadow, refs_shadow, next_shadow, balance_shadow = 500;
BOOK(replace_object, object, 'x', "mov-reg", object_shadow);
BOOK(hold_object, object, 'd', "inc", refs_shadow);
BOOK(spoil_next, object, 'd', "mov-reg", next_shadow);
BOOK(copy_name, card, 'd', "mov-byte", balance_shadow);
BOOK(write_stale, object, 'd', "mov-reg", refs_shadow);

static struct object *new_object(void)
{
	struct object *new = calloc(1, sizeof(*new));

	if (!new)
		abort();
	new->refs = 1;
	return new;
}

/* The old one is never freed: its address does not come back, and the books stay simple. */
static VICTIM void replace_object(int64_t unused)
{
	struct object *new = new_object();

	new->next = new_object();
	GUILTY(replace_object, st_reg(object, new));
	book_store(&book_replace_object, (intptr_t) new);
	refs_shadow = 1;
	next_shadow = 1;
	book_hold_object.addr = &new->refs;
	book_spoil_next.addr = &new->next->refs;
}

static VICTIM void hold_object(int64_t unused)
{
	GUILTY(hold_object, st_inc(object->refs));
	book_store(&book_hold_object, (int)(refs_shadow + 1));
}

static VICTIM void spoil_next(int64_t value)
{
	GUILTY(spoil_next, st_reg(object->next->refs, value));
	book_store(&book_spoil_next, (int)value);
}

/* Byte i of the balance becomes byte. */
static void book_byte(size_t i, unsigned char byte)
{
	uint32_t value = (uint32_t)balance_shadow;

	value &= ~(0xffu << (8 * i));
	value |= (uint32_t)byte << (8 * i);
	book_store(&book_copy_name, (int)value);
}

/* The planted fault: 20 bytes into a buffer of 16. */
static VICTIM void copy_name(int64_t unused)
{
	static const char name[] = "mallory-was-hereEVIL";
	char *to = card->name;
	size_t i;

	for (i = 0; i < sizeof(name) - 1; i++) {
		GUILTY(copy_name, st_reg(to[i], name[i]));
		if (i >= sizeof(card->name))
			book_byte(i - sizeof(card->name), name[i]);
	}
}

/* Into memory that was given back; a page of its own size class that nothing else here uses. */
static VICTIM void write_stale(int64_t value)
{
	int *refs = stale_refs;

	GUILTY(write_stale, st_reg(*refs, -value));
	book_store(&book_write_stale, (int)-value);
}

static void make_stale(void)
{
	/* calloc's bookkeeping takes the first 16 bytes of a freed chunk; refs is beyond them */
	struct {
		char head[64];
		int refs;
		char tail[1000];
	} *big = calloc(1, sizeof(*big));

	if (!big)
		abort();
	stale_refs = &big->refs;
	free(big);
	refs_shadow = 0;
	book_write_stale.addr = (void *)stale_refs;
}

int main(int argc, char **argv)
{
	static const struct victim_fault faults[] = {{"replace_object", replace_object},
		{"hold_object", hold_object}, {"spoil_next", spoil_next}, {"copy_name", copy_name},
		{0}};
	static const struct victim_fault after[] = {{"write_stale", write_stale}, {0}};
	static struct book *const books[] = {&book_replace_object, &book_hold_object,
		&book_spoil_next, &book_copy_name, &book_write_stale, NULL};
	struct victim victim;
	bool only_stale;

	victim_options(&victim, argc, argv, 3);
	book_hold_object.var = "object->refs";
	book_hold_object.size = sizeof(int);
	book_spoil_next.var = "object->next->refs";
	book_spoil_next.size = sizeof(int);
	book_copy_name.var = "card->balance";
	book_copy_name.size = sizeof(int);
	book_write_stale.var = "(freed)";
	book_write_stale.size = sizeof(int);
	card = calloc(1, sizeof(*card));
	if (!card)
		return 1;
	card->balance = 500;
	book_copy_name.addr = &card->balance;
	replace_object(0);
	book_replace_object.writes = 0; /* that one was no fault */
	victim_wait(&victim);
	only_stale = victim.only && !strcmp(victim.only, "write_stale");
	if (!only_stale)
		victim_run(&victim, faults);
	if (!victim.only || only_stale) {
		make_stale();
		victim_run(&victim, after);
	}
	books_print(books);
	return victim_end(&victim);
}
