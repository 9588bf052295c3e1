// SPDX-License-Identifier: GPL-2.0-or-later
#include "globals.h"

static int hidden = 2; /* globals.c has another of this name */
static int64_t hidden_shadow = 2;

struct book book_hide_there = {
	.name = "hide_there",
	.var = "hidden",
	.insn = "mov-reg",
	.kind = 'd',
	.size = sizeof(hidden),
	.addr = &hidden,
	.shadow = &hidden_shadow,
};

VICTIM void hide_there(int64_t value)
{
	GUILTY(hide_there, st_reg(hidden, value));
	book_store(&book_hide_there, (int)value);
}
