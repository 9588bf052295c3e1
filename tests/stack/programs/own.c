/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library of linked's own. */
#include <stdlib.h>

void crash(void);

void crash(void)
{
	abort();
}
