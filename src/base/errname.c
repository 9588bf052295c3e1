/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/errname.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { LAST = 255 }; /* of errno(3): 133 on the architectures of today */

static const struct {
	int number;
	const char *name;
} others[] = {
	{512, "ERESTARTSYS"},
	{513, "ERESTARTNOINTR"},
	{514, "ERESTARTNOHAND"},
	{515, "ENOIOCTLCMD"},
	{516, "ERESTART_RESTARTBLOCK"},
	{517, "EPROBE_DEFER"},
	{518, "EOPENSTALE"},
	{519, "ENOPARAM"},
	{521, "EBADHANDLE"},
	{522, "ENOTSYNC"},
	{523, "EBADCOOKIE"},
	{524, "ENOTSUPP"},
	{525, "ETOOSMALL"},
	{526, "ESERVERFAULT"},
	{527, "EBADTYPE"},
	{528, "EJUKEBOX"},
	{529, "EIOCBQUEUED"},
	{530, "ERECALLCONFLICT"},
	{531, "ENOGRACE"},
	/* Second names: */
	{EAGAIN, "EWOULDBLOCK"},
	{EDEADLK, "EDEADLOCK"},
	{EOPNOTSUPP, "EOPNOTSUPP"},
	{EOPNOTSUPP, "ENOTSUP"},
};

const char *cul_errname(int number)
{
	const char *name = number > 0 ? strerrorname_np(number) : NULL;

	for (size_t i = 0; !name && i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].number == number)
			name = others[i].name;
	return name;
}

int cul_errname_number(const char *name)
{
	const char *known;

	if (*name != 'E')
		return 0;
	for (int i = 1; i <= LAST; i++) {
		known = strerrorname_np(i);
		if (known && !strcmp(known, name))
			return i;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strcmp(others[i].name, name))
			return others[i].number;
	return 0;
}
