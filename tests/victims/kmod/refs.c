// SPDX-License-Identifier: GPL-2.0-or-later
/* A reference count that one function drops once too often, from a kworker. */
#include <linux/kernel.h>
#include <linux/workqueue.h>

#include "victim.h"

struct account {
	const char *owner;
	int refs;
	unsigned int limit;
};

extern struct account account;
struct account account = {.owner = "nobody", .limit = 100};

static s64 refs_shadow;

/* level.c has another variable of this name. */
static int hidden = 2;
static s64 hidden_shadow = 2;

BOOK(get_ref, account.refs, 'd', "lock-inc", refs_shadow);
BOOK(put_ref, account.refs, 'd', "lock-dec", refs_shadow);
BOOK(put_twice, account.refs, 'd', "lock-dec", refs_shadow);
BOOK(reset_refs, account.refs, 'd', "mov-imm", refs_shadow);
BOOK(hide_in_refs, hidden, 'd', "mov-reg", hidden_shadow);

static VICTIM void get_ref(struct account *acc)
{
	GUILTY(get_ref, st_lock_inc(acc->refs));
	book_store(&book_get_ref, refs_shadow + 1);
}

static VICTIM void put_ref(struct account *acc)
{
	GUILTY(put_ref, st_lock_dec(acc->refs));
	book_store(&book_put_ref, refs_shadow - 1);
}

/* The planted fault: the reference was already put by the caller. */
static VICTIM void put_twice(struct account *acc)
{
	GUILTY(put_twice, st_lock_dec(acc->refs));
	book_store(&book_put_twice, refs_shadow - 1);
}

static VICTIM void reset_refs(s64 unused)
{
	GUILTY(reset_refs, st_imm(account.refs, 0));
	book_store(&book_reset_refs, 0);
}

static VICTIM void close_account(struct work_struct *work)
{
	get_ref(&account);
	put_ref(&account);
	put_twice(&account);
	barrier();
}

static DECLARE_WORK(close_work, close_account);

static void close_once(s64 unused)
{
	schedule_work(&close_work);
	flush_work(&close_work);
}

/* Balanced: up to three references and back. */
static VICTIM void use_account(s64 unused)
{
	get_ref(&account);
	get_ref(&account);
	put_ref(&account);
	get_ref(&account);
	put_ref(&account);
	put_ref(&account);
}

static VICTIM void hide_in_refs(s64 value)
{
	GUILTY(hide_in_refs, st_reg(hidden, value));
	book_store(&book_hide_in_refs, (int)value);
}

static void refs_exit(void)
{
	cancel_work_sync(&close_work);
}

static const struct fault faults[] = {
	{.name = "use_account", .store = use_account, .help = "3 get_ref and 3 put_ref, balanced"},
	{.name = "close_account",
		.store = close_once,
		.max = 100000,
		.help = "in a kworker: get_ref, put_ref and one put_twice too many"},
	{.name = "reset_refs", .store = reset_refs, .help = "account.refs = 0"},
	{.name = "hide_in_refs", .store = hide_in_refs, .help = "refs.c:hidden = ARG"},
	{},
};

static struct book *const books[] = {
	&book_get_ref,
	&book_put_ref,
	&book_put_twice,
	&book_reset_refs,
	&book_hide_in_refs,
	NULL,
};

const struct family refs_family = {.faults = faults, .books = books, .exit = refs_exit};
