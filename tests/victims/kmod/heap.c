// SPDX-License-Identifier: GPL-2.0-or-later
/* An object behind a pointer, a write through a stale pointer, a copy that runs over its buffer. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "victim.h"

struct object {
	u64 magic;
	int refs;
	int state;
	struct object *next;
	char tag[16];
};

struct card {
	char name[16];
	int balance;
	int limit;
};

extern struct object *victim_object;
extern struct card victim_card;
struct object *victim_object; /* its next is an object too */
struct card victim_card = {.name = "alice", .balance = 500, .limit = 1000};

/*
 * With a constructor the cache is merged with no other and keeps its free list outside the objects:
 * a write to a freed object harms nobody.
 */
static struct kmem_cache *cache;
static struct object *anchor; /* keeps the slab page while objects come and go */
static struct object *stale;

static s64 pointer_shadow, object_refs_shadow, next_shadow, balance_shadow = 500;
static int no_object;

BOOK(replace_object, victim_object, 'x', "mov-reg", pointer_shadow);
BOOK(drop_object, victim_object, 'x', "mov-imm", pointer_shadow);
BOOK(hold_object, victim_object, 'd', "inc", object_refs_shadow);
BOOK(spoil_object, victim_object, 'd', "mov-imm", object_refs_shadow);
BOOK(spoil_next, victim_object, 'd', "mov-reg", next_shadow);
BOOK(write_stale, no_object, 'd', "mov-reg", object_refs_shadow);
BOOK(copy_name, victim_card.balance, 'd', "mov-byte", balance_shadow);
BOOK(copy_name_rep, victim_card.balance, 'd', "rep-movsb", balance_shadow);
BOOK(set_card, victim_card.balance, 'd', "mov-reg", balance_shadow);

static void object_ctor(void *p)
{
	memset(p, 0, sizeof(struct object));
}

static struct object *new_object(void)
{
	struct object *object = kmem_cache_alloc(cache, GFP_KERNEL);

	if (object) {
		object->magic = 0x766963746d2121ULL;
		object->refs = 1;
		object->state = 0;
		object->next = NULL;
	}
	return object;
}

static void free_object(struct object *object)
{
	if (!object)
		return;
	if (object->next)
		kmem_cache_free(cache, object->next);
	kmem_cache_free(cache, object);
}

/* The books of the members tell where they are now. */
static void place_books(struct object *object)
{
	book_hold_object.addr = object ? &object->refs : NULL;
	book_spoil_object.addr = book_hold_object.addr;
	book_spoil_next.addr = object ? &object->next->refs : NULL;
	if (object) {
		object_refs_shadow = 1;
		next_shadow = 1;
	}
}

/* The pointer itself changes hands: a new object first, then the old one is freed. */
static VICTIM void replace_object(struct object *object)
{
	struct object *old = victim_object;

	GUILTY(replace_object, st_reg(victim_object, object));
	book_store(&book_replace_object, (s64)(unsigned long)object);
	place_books(object);
	free_object(old);
}

static int replace_objects(const struct run *run)
{
	struct object *object;
	u64 i;

	for (i = 1; i <= run->count; i++) {
		object = new_object();
		if (!object)
			return -ENOMEM;
		object->next = new_object();
		if (!object->next) {
			free_object(object);
			return -ENOMEM;
		}
		replace_object(object);
	}
	return 0;
}

static VICTIM void drop_object(s64 unused)
{
	struct object *old = victim_object;

	GUILTY(drop_object, st_imm(victim_object, 0));
	book_store(&book_drop_object, 0);
	place_books(NULL);
	stale = old;
	book_write_stale.addr = old ? &old->refs : NULL;
	free_object(old);
}

static VICTIM void hold_object(struct object *object)
{
	GUILTY(hold_object, st_inc(object->refs));
	book_store(&book_hold_object, (int)(object_refs_shadow + 1));
}

static VICTIM void spoil_object(struct object *object)
{
	GUILTY(spoil_object, st_imm(object->refs, -77));
	book_store(&book_spoil_object, -77);
}

static VICTIM void spoil_next(struct object *object, int value)
{
	GUILTY(spoil_next, st_reg(object->next->refs, value));
	book_store(&book_spoil_next, value);
}

static void hold_once(s64 unused)
{
	if (victim_object)
		hold_object(victim_object);
}

static void spoil_once(s64 unused)
{
	if (victim_object)
		spoil_object(victim_object);
}

static void spoil_next_once(s64 value)
{
	if (victim_object)
		spoil_next(victim_object, (int)value);
}

/* Use after free: the last object dropped. The value before is that of its last life. */
static VICTIM void write_stale(struct object *object, int value)
{
	GUILTY(write_stale, st_reg(object->refs, value));
	book_store(&book_write_stale, value);
}

static int write_stale_once(const struct run *run)
{
	u64 i;

	if (!stale || victim_object)
		return -ENOENT; /* drop_object first */
	for (i = 1; i <= run->count; i++)
		write_stale(stale, run->has_arg ? run->arg : -(int)i);
	return 0;
}

/* One byte of the balance after the other, as the overflowing copy writes them. */
static void book_byte(struct book *book, size_t at, u8 byte)
{
	u32 value = (u32)balance_shadow;

	value &= ~(0xffu << (8 * at));
	value |= (u32)byte << (8 * at);
	book_store(book, (int)value);
}

/* The planted fault: it trusts len, and name has 16 bytes. */
static VICTIM void copy_name(char *to, const char *from, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		GUILTY(copy_name, st_reg(to[i], from[i]));
		if (i >= sizeof(victim_card.name))
			book_byte(&book_copy_name, i - sizeof(victim_card.name), from[i]);
	}
}

/* The same by one string instruction: one write in the books, however many bytes went over. */
static VICTIM void copy_name_rep(char *to, const char *from, size_t len)
{
	const char *src = from;
	size_t left = len;
	u32 value = (u32)balance_shadow;

	if (len > sizeof(victim_card.name))
		memcpy(&value, from + sizeof(victim_card.name), len - sizeof(victim_card.name));
	GUILTY(copy_name_rep, st_rep_movsb(to, src, left));
	if (len > sizeof(victim_card.name))
		book_store(&book_copy_name_rep, (int)value);
}

static const char long_name[] = "mallory-was-hereEVIL";

static size_t name_len(s64 value)
{
	return clamp_t(s64, value, 1, sizeof(long_name) - 1);
}

static int copy_names(const struct run *run)
{
	u64 i;

	for (i = 1; i <= run->count; i++)
		copy_name(victim_card.name, long_name, name_len(run->has_arg ? run->arg : 20));
	return 0;
}

static int copy_names_rep(const struct run *run)
{
	u64 i;

	for (i = 1; i <= run->count; i++)
		copy_name_rep(victim_card.name, long_name, name_len(run->has_arg ? run->arg : 20));
	return 0;
}

static VICTIM void set_card(s64 value)
{
	GUILTY(set_card, st_reg(victim_card.balance, value));
	book_store(&book_set_card, (int)value);
}

static int heap_init(void)
{
	static const struct run once = {.count = 1};
	int err;

	book_hold_object.var = "victim_object->refs";
	book_hold_object.size = sizeof(int);
	book_spoil_object.var = "victim_object->refs";
	book_spoil_object.size = sizeof(int);
	book_spoil_next.var = "victim_object->next->refs";
	book_spoil_next.size = sizeof(int);
	book_write_stale.var = "(freed)";
	book_write_stale.size = sizeof(int);
	book_write_stale.unchecked = true;
	cache = kmem_cache_create("victim_object", sizeof(struct object), 0, 0, object_ctor);
	if (!cache)
		return -ENOMEM;
	anchor = new_object();
	if (!anchor)
		return -ENOMEM;
	err = replace_objects(&once);
	book_replace_object.writes = 0; /* that one was no fault */
	return err;
}

static void heap_exit(void)
{
	if (!cache)
		return;
	free_object(victim_object);
	free_object(anchor);
	kmem_cache_destroy(cache);
}

static const struct fault faults[] = {
	{.name = "replace_object",
		.run = replace_objects,
		.max = 1000000,
		.help = "victim_object = a new one, the old one is freed"},
	{.name = "drop_object",
		.store = drop_object,
		.max = 1,
		.help = "victim_object = NULL, the old one is freed"},
	{.name = "hold_object", .store = hold_once, .help = "victim_object->refs + 1"},
	{.name = "spoil_object", .store = spoil_once, .help = "victim_object->refs = -77"},
	{.name = "spoil_next", .store = spoil_next_once, .help = "victim_object->next->refs = ARG"},
	{.name = "write_stale",
		.run = write_stale_once,
		.max = 1000000,
		.help = "after drop_object: writes refs of the freed object"},
	{.name = "copy_name",
		.run = copy_names,
		.max = 1000000,
		.help = "copies ARG (20) bytes into the 16 of victim_card.name, byte by byte"},
	{.name = "copy_name_rep",
		.run = copy_names_rep,
		.max = 1000000,
		.help = "the same with rep movsb"},
	{.name = "set_card", .store = set_card, .help = "victim_card.balance = ARG"},
	{},
};

static struct book *const books[] = {
	&book_replace_object,
	&book_drop_object,
	&book_hold_object,
	&book_spoil_object,
	&book_spoil_next,
	&book_write_stale,
	&book_copy_name,
	&book_copy_name_rep,
	&book_set_card,
	NULL,
};

const struct family heap_family = {
	.faults = faults,
	.books = books,
	.init = heap_init,
	.exit = heap_exit,
};
