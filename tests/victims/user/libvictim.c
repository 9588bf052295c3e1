// SPDX-License-Identifier: GPL-2.0-or-later
#include "libvictim.h"

#include "books.h"

int lib_exported = 7;
static int lib_static = 8;
static int64_t exported_shadow = 7, static_shadow = 8;

static struct book book_lib_write_exported = {
	.name = "lib_write_exported",
	.var = "lib_exported",
	.insn = "mov-reg",
	.kind = 'd',
	.size = sizeof(lib_exported),
	.shadow = &exported_shadow,
};
BOOK(lib_write_static, lib_static, 'd', "mov-reg", static_shadow);

/* books.c is the program's: what the library books it books itself. */
static void note(struct book *book, int64_t value)
{
	if (!book->writes++)
		book->first_old = *book->shadow;
	book->last_old = *book->shadow;
	book->silent += *book->shadow == value;
	book->last_new = value;
	*book->shadow = value;
}

VICTIM void lib_write_exported(int64_t value)
{
	book_lib_write_exported.addr = &lib_exported;
	GUILTY(lib_write_exported, st_reg(lib_exported, value));
	note(&book_lib_write_exported, (int)value);
}

VICTIM void lib_write_static(int64_t value)
{
	GUILTY(lib_write_static, st_reg(lib_static, value));
	note(&book_lib_write_static, (int)value);
}

const void *lib_books(int which)
{
	static const struct book *const books[] = {
		&book_lib_write_exported, &book_lib_write_static, NULL};

	return books[which];
}
