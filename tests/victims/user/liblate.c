// SPDX-License-Identifier: GPL-2.0-or-later
/* Loaded by dlopen: its variable does not exist when the program starts. */
#include "books.h"

int late_level = 9;
static int64_t late_shadow = 9;

BOOK(late_write, late_level, 'd', "mov-reg", late_shadow);

const struct book *late_book(void);
void late_write(int64_t value);

const struct book *late_book(void)
{
	return &book_late_write;
}

VICTIM void late_write(int64_t value)
{
	GUILTY(late_write, st_reg(late_level, value));
	if (!book_late_write.writes++)
		book_late_write.first_old = late_shadow;
	book_late_write.last_old = late_shadow;
	book_late_write.silent += late_shadow == (int)value;
	book_late_write.last_new = (int)value;
	late_shadow = (int)value;
}
