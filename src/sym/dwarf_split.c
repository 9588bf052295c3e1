/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Units that keep their DIEs in a file of their own (-gsplit-dwarf; DWARF 5, section 7.3.2). libdw
 * opens it: beside the file, else where it was built, and holds it to the unit's number.
 */
#include "sym/dwarf_priv.h"

#include <dwarf.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

static const char *text_of(Dwarf_Die *die, unsigned attr)
{
	Dwarf_Attribute mem;

	return dwarf_attr(die, attr, &mem) ? dwarf_formstring(&mem) : NULL;
}

static bool is_file(const char *dir, const char *between, const char *name, bool *special)
{
	cul_autostr struct cul_str path = {0};
	struct stat st;

	if (name[0] != '/' && between && between[0] != '/')
		cul_str_addf(&path, "%s/%s/%s", dir, between, name);
	else if (name[0] != '/')
		cul_str_addf(&path, "%s/%s", between ? between : dir, name);
	else
		cul_str_add(&path, name);
	if (path.failed || stat(cul_str_text(&path), &st) != 0)
		return false;
	*special |= !S_ISREG(st.st_mode);
	return true;
}

/* libdw would wait for ever for somebody to write into a FIFO. */
static bool may_be_opened(struct cul_objfile *o, const char *dir, const char *name)
{
	char link[64], own[PATH_MAX];
	bool special = false, found;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", o->debug_elf ? o->debug_fd : o->fd);
	n = readlink(link, own, sizeof(own) - 1);
	if (n <= 0)
		return false;
	own[n] = '\0';
	dirname(own);
	found = is_file(own, NULL, name, &special);
	found |= dir && is_file(own, dir, name, &special);
	return found && !special;
}

void cul_dwarf_split_die(struct cul_objfile *o, Dwarf_Die *die)
{
	const char *name = text_of(die, DW_AT_dwo_name);
	Dwarf_Die split;
	uint8_t type;

	if (!name)
		name = text_of(die, DW_AT_GNU_dwo_name);
	if (!name)
		return;
	if (may_be_opened(o, text_of(die, DW_AT_comp_dir), name) &&
		dwarf_cu_info(die->cu, NULL, &type, NULL, &split, NULL, NULL, NULL) == 0 &&
		type == DW_UT_skeleton && split.addr)
		*die = split;
}
