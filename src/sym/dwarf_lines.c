/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an address to its source line: the unit by the ranges of all units (not
 * by .debug_aranges, which clang does not write), then its line table.
 */
#include "sym/dwarf_priv.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add_range(struct cul_objfile *o, uint64_t start, uint64_t end, size_t unit)
{
	struct dwarf_range *r;

	/* Code the linker dropped stays behind at 0 (or 1, lld: all ones). */
	if (start >= end || start <= 1)
		return 0;
	r = cul_vec_push(&o->ranges);
	if (!r)
		return -ENOMEM;
	*r = (struct dwarf_range){.start = start, .end = end, .unit = unit};
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct dwarf_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int add_unit_ranges(struct cul_objfile *o, size_t unit)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;
	Dwarf_Die die;
	int ret;

	if (!cul_dwarf_units_die(o, unit, &die))
		return 0;
	while ((at = dwarf_ranges(&die, at, &base, &start, &end)) > 0) {
		ret = add_range(o, start, end, unit);
		if (ret != 0)
			return ret;
	}
	return 0;
}

static int read_ranges(struct cul_objfile *o)
{
	uint64_t max_end = 0;
	int ret = cul_dwarf_units(o, NULL);

	if (ret != 0 || o->ranges_read)
		return ret;
	for (size_t i = 0; i < o->units.len; i++) {
		ret = o->units.data[i].in_types ? 0 : add_unit_ranges(o, i);
		if (ret != 0) {
			o->ranges.len = 0;
			return ret;
		}
	}
	if (o->ranges.len)
		qsort(o->ranges.data, o->ranges.len, sizeof(*o->ranges.data), by_start);
	for (size_t i = 0; i < o->ranges.len; i++) {
		if (o->ranges.data[i].end > max_end)
			max_end = o->ranges.data[i].end;
		o->ranges.data[i].max_end = max_end;
	}
	o->ranges_read = true;
	return 0;
}

/* The range covering `addr` (linked) that starts last. */
static const struct dwarf_range *find_range(struct cul_objfile *o, uint64_t addr)
{
	size_t low = 0, high = o->ranges.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (o->ranges.data[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low > 0 && o->ranges.data[low - 1].max_end > addr; low--)
		if (o->ranges.data[low - 1].end > addr)
			return &o->ranges.data[low - 1];
	return NULL;
}

int cul_dwarf_lines_unit(struct cul_objfile *o, uint64_t addr, size_t *unit)
{
	const struct dwarf_range *range;
	int ret = read_ranges(o);

	if (ret != 0)
		return ret;
	range = find_range(o, addr);
	if (!range)
		return -ENOENT;
	*unit = range->unit;
	return 0;
}

static const char *comp_dir(Dwarf_Die *unit)
{
	Dwarf_Attribute mem;

	return dwarf_formstring(dwarf_attr_integrate(unit, DW_AT_comp_dir, &mem));
}

const char *cul_dwarf_lines_shorten(const char *path, Dwarf_Die *unit)
{
	const char *dir = comp_dir(unit);
	size_t len = dir ? strlen(dir) : 0;

	while (len && dir[len - 1] == '/')
		len--;
	if (len && strncmp(path, dir, len) == 0 && path[len] == '/' && path[len + 1])
		path += len + 1;
	while (path[0] == '.' && path[1] == '/' && path[2])
		path += 2;
	return path;
}

int cul_objfile_line(struct cul_objfile *o, uint64_t addr, const char **file, int *line)
{
	uint64_t linked = cul_objfile_linked(o, addr);
	const struct dwarf_range *range;
	const char *path;
	Dwarf_Line *found;
	Dwarf_Die unit;
	int number, ret = read_ranges(o);

	if (ret != 0)
		return ret;
	range = find_range(o, linked);
	if (!range || !cul_dwarf_units_die(o, range->unit, &unit))
		return -ENOENT;
	found = dwarf_getsrc_die(&unit, linked);
	/* Line 0: code of no line, as the compiler says. */
	if (!found || dwarf_lineno(found, &number) != 0 || number <= 0)
		return -ENOENT;
	path = dwarf_linesrc(found, NULL, NULL);
	if (!path)
		return -ENOENT;
	*file = cul_dwarf_lines_shorten(path, &unit);
	*line = number;
	return 0;
}
