// SPDX-License-Identifier: GPL-2.0-or-later
/* One global int with many writers, each with an instruction of its own. */
#include <linux/kernel.h>

#include "victim.h"

extern int victim_level;
int victim_level = 100;

static s64 level_shadow = 100;

/* refs.c has another variable of this name. */
static int hidden = 1;
static s64 hidden_shadow = 1;

BOOK(raise_level, victim_level, 'd', "inc", level_shadow);
BOOK(lower_level, victim_level, 'd', "dec", level_shadow);
BOOK(set_level, victim_level, 'd', "mov-reg", level_shadow);
BOOK(corrupt_level, victim_level, 'd', "mov-imm", level_shadow);
BOOK(add_level, victim_level, 'd', "lock-add", level_shadow);
BOOK(swap_level, victim_level, 'd', "xchg", level_shadow);
BOOK(claim_level, victim_level, 'd', "lock-cmpxchg", level_shadow);
BOOK(miss_level, victim_level, 'd', "lock-cmpxchg", level_shadow);
BOOK(mask_level, victim_level, 'd', "and", level_shadow);
BOOK(mark_level, victim_level, 'd', "or", level_shadow);
BOOK(same_level, victim_level, 'd', "mov-reg", level_shadow);
BOOK(hide_in_level, hidden, 'd', "mov-reg", hidden_shadow);

static VICTIM void raise_level(s64 unused)
{
	GUILTY(raise_level, st_inc(victim_level));
	book_store(&book_raise_level, (int)(level_shadow + 1));
}

static VICTIM void lower_level(s64 unused)
{
	GUILTY(lower_level, st_dec(victim_level));
	book_store(&book_lower_level, (int)(level_shadow - 1));
}

static VICTIM void set_level(s64 value)
{
	GUILTY(set_level, st_reg(victim_level, value));
	book_store(&book_set_level, (int)value);
}

/* Always the same constant: the second in a row is silent. */
static VICTIM void corrupt_level(s64 unused)
{
	GUILTY(corrupt_level, st_imm(victim_level, -559038737));
	book_store(&book_corrupt_level, -559038737);
}

static VICTIM void add_level(s64 value)
{
	GUILTY(add_level, st_lock_add(victim_level, value));
	book_store(&book_add_level, (int)(level_shadow + value));
}

static VICTIM void swap_level(s64 value)
{
	int reg = (int)value;

	GUILTY(swap_level, st_xchg(victim_level, reg));
	book_store(&book_swap_level, (int)value);
}

static VICTIM void claim_level(s64 value)
{
	int expected = (int)level_shadow;

	GUILTY(claim_level, st_cmpxchg(victim_level, expected, value));
	book_store(&book_claim_level, (int)value);
}

/*
 * Expects what is not there: the comparison fails. The processor writes the old value back all the
 * same, so a debug register may or may not see a (silent) store; booked as a read.
 */
static VICTIM void miss_level(s64 value)
{
	int expected = (int)level_shadow + 1;

	GUILTY(miss_level, st_cmpxchg(victim_level, expected, value));
	book_miss_level.reads++;
}

static VICTIM void mask_level(s64 value)
{
	GUILTY(mask_level, st_and(victim_level, value));
	book_store(&book_mask_level, (int)level_shadow & (int)value);
}

static VICTIM void mark_level(s64 value)
{
	GUILTY(mark_level, st_or(victim_level, value));
	book_store(&book_mark_level, (int)level_shadow | (int)value);
}

/* A silent store. */
static VICTIM void same_level(s64 unused)
{
	GUILTY(same_level, st_reg(victim_level, level_shadow));
	book_store(&book_same_level, level_shadow);
}

static VICTIM void hide_in_level(s64 value)
{
	GUILTY(hide_in_level, st_reg(hidden, value));
	book_store(&book_hide_in_level, (int)value);
}

static const struct fault faults[] = {
	{.name = "raise_level", .store = raise_level, .help = "victim_level + 1"},
	{.name = "lower_level", .store = lower_level, .help = "victim_level - 1"},
	{.name = "set_level", .store = set_level, .help = "victim_level = ARG or 1, 2, ..."},
	{.name = "corrupt_level", .store = corrupt_level, .help = "victim_level = 0xdeadbeef"},
	{.name = "add_level", .store = add_level, .help = "victim_level += ARG or 1, 2, ..."},
	{.name = "swap_level", .store = swap_level, .help = "victim_level = ARG or 1, 2, ..."},
	{.name = "claim_level", .store = claim_level, .help = "victim_level = ARG or 1, 2, ..."},
	{.name = "miss_level", .store = miss_level, .help = "a compare-and-swap that fails"},
	{.name = "mask_level", .store = mask_level, .help = "victim_level &= ARG"},
	{.name = "mark_level", .store = mark_level, .help = "victim_level |= ARG"},
	{.name = "same_level", .store = same_level, .help = "victim_level = victim_level"},
	{.name = "hide_in_level", .store = hide_in_level, .help = "level.c:hidden = ARG"},
	{},
};

static struct book *const books[] = {
	&book_raise_level,
	&book_lower_level,
	&book_set_level,
	&book_corrupt_level,
	&book_add_level,
	&book_swap_level,
	&book_claim_level,
	&book_miss_level,
	&book_mask_level,
	&book_mark_level,
	&book_same_level,
	&book_hide_in_level,
	NULL,
};

const struct family level_family = {.faults = faults, .books = books};
