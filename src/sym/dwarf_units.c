/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The units of .debug_info and .debug_types, and which of them may mention a
 * name.
 *
 * A vmlinux has some 3000 units with millions of DIEs; reading all of them for
 * one name takes seconds. But a DIE's name is almost always the offset of its
 * string in .debug_str, and strings are few: so the offsets at which the name
 * stands are found first, and a unit is read only when its bytes contain one of
 * them (or the name itself, as DW_FORM_string; or when its table of indirect
 * offsets has one, as clang writes for DWARF 5). A superfluous unit costs time,
 * never a wrong answer. Forms: DWARF 5, section 7.5.6.
 */
#include "sym/dwarf_priv.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* libdw takes four zeros for a unit. */
enum { UNITS_MOST = 1 << 20, UNIT_HEADER = 11 };

/* More places than this (a name such as "i") are not worth the comparing. */
enum { MAX_PLACES = 64 };

struct hint {
	bool usable;
	const char *name;
	size_t len; /* with its NUL */
	uint32_t place[MAX_PLACES];
	size_t n;
	const uint8_t *info;
	size_t info_size;
	const uint8_t *str_offsets;
	size_t str_offsets_size;
	bool indirect; /* .debug_str_offsets has one of the places */
	bool big_endian;
	uint8_t addr[9]; /* DW_OP_addr and its operand */
	size_t addr_len; /* 0: any address */
};

static uint32_t u32_at(const struct hint *h, const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return h->big_endian == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) ? v : __builtin_bswap32(v);
}

/*
 * libdw has decompressed the section when it opened the file. One of more than 4 GiB, whose offsets
 * have no place here, is read for nothing.
 */
static const uint8_t *section_bytes(struct cul_objfile *o, const char *name, size_t *size)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = cul_objfile_elf_section(dwarf_getelf(o->dwarf), name, &shdr);
	Elf_Data *data;

	*size = 0;
	if (!scn || shdr.sh_type == SHT_NOBITS || (shdr.sh_flags & SHF_COMPRESSED))
		return NULL;
	data = elf_getdata(scn, NULL);
	if (!data || !data->d_buf || data->d_size > UINT32_MAX)
		return NULL;
	*size = data->d_size;
	return data->d_buf;
}

static bool is_place(const struct hint *h, uint32_t v)
{
	if (h->n == 0 || v < h->place[0] || v > h->place[h->n - 1])
		return false;
	for (size_t i = 0; i < h->n; i++)
		if (h->place[i] == v)
			return true;
	return false;
}

static bool has_place(const struct hint *h, const uint8_t *p, size_t size, size_t step)
{
	if (h->n == 0)
		return false;
	for (size_t i = 0; i + 4 <= size; i += step)
		if (is_place(h, u32_at(h, p + i)))
			return true;
	return false;
}

/* All places in .debug_str where the name ends a string: linkers merge tails. */
static bool find_places(struct hint *h, const uint8_t *str, size_t size)
{
	const uint8_t *p = str;

	while (str && (p = memmem(p, size - (size_t)(p - str), h->name, h->len))) {
		if (h->n == MAX_PLACES || (size_t)(p - str) > UINT32_MAX)
			return false;
		h->place[h->n++] = (uint32_t)(p - str);
		p++;
	}
	return true;
}

/* The start of the last component of "a::b::c" that ends at `end`. */
static const char *last_component(const char *start, const char *end)
{
	for (const char *p = end; p - start >= 2; p--)
		if (p[-1] == ':' && p[-2] == ':')
			return p;
	return start;
}

static void hint_address(struct cul_objfile *o, uint64_t addr, struct hint *h)
{
	unsigned width = o->is_64 ? 8 : 4;

	addr = cul_objfile_linked(o, addr);
	h->addr[0] = DW_OP_addr;
	for (unsigned i = 0; i < width; i++)
		h->addr[1 + i] = (uint8_t)(addr >> 8 * (o->big_endian ? width - 1 - i : i));
	h->addr_len = 1 + width;
}

static void hint_for(struct cul_objfile *o, const char *name, const uint64_t *addr, struct hint *h)
{
	const uint8_t *str;
	size_t size;
	GElf_Shdr shdr;

	memset(h, 0, sizeof(*h));
	if (addr)
		hint_address(o, *addr, h);
	if (!name)
		return;
	h->name = last_component(name, name + strlen(name));
	h->len = strlen(h->name) + 1;
	h->big_endian = o->big_endian;
	str = section_bytes(o, ".debug_str", &size);
	h->info = section_bytes(o, ".debug_info", &h->info_size);
	h->str_offsets = section_bytes(o, ".debug_str_offsets", &h->str_offsets_size);
	if (!h->info || h->len < 2 ||
		cul_objfile_elf_section(dwarf_getelf(o->dwarf), ".gnu_debugaltlink", &shdr))
		return;
	h->usable = addr || find_places(h, str, size);
	h->indirect = h->usable && !addr && has_place(h, h->str_offsets, h->str_offsets_size, 4);
}

/* The part of .debug_str_offsets that this unit indexes, up to the end of the section. */
static bool mentions_indirectly(struct cul_objfile *o, const struct hint *h, size_t unit)
{
	Dwarf_Die die;
	Dwarf_Attribute mem;
	Dwarf_Word base;
	size_t size;

	if (!cul_dwarf_units_die(o, unit, &die) ||
		!dwarf_attr(&die, DW_AT_str_offsets_base, &mem) ||
		dwarf_formudata(&mem, &base) != 0 || base < 8 || base > h->str_offsets_size)
		return true;
	/* The header before the base: unit_length (4), version, padding. */
	size = u32_at(h, h->str_offsets + base - 8);
	if (size < 4 || size - 4 > h->str_offsets_size - base)
		return true;
	return has_place(h, h->str_offsets + base, size - 4, 4);
}

static bool may_mention(struct cul_objfile *o, const struct hint *h, size_t unit)
{
	const struct dwarf_unit *u = &o->units.data[unit];

	if (!h->usable || u->in_types || u->end > h->info_size)
		return true;
	if (h->addr_len)
		return memmem(h->info + u->off, u->end - u->off, h->addr, h->addr_len);
	if (has_place(h, h->info + u->off, u->end - u->off, 1) ||
		memmem(h->info + u->off, u->end - u->off, h->name, h->len))
		return true;
	return h->indirect && mentions_indirectly(o, h, unit);
}

static int read_section_units(struct cul_objfile *o, bool types)
{
	Dwarf_Off off = 0, next, abbrev, type_off;
	uint8_t addr_size, off_size;
	size_t header;
	Dwarf_Half version;
	uint64_t signature;

	for (unsigned i = 0; i < UNITS_MOST; i++, off = next) {
		struct dwarf_unit *u;

		if (dwarf_next_unit(o->dwarf, off, &next, &header, &version, &abbrev, &addr_size,
			    &off_size, types ? &signature : NULL, types ? &type_off : NULL) != 0 ||
			next <= off)
			break;
		if (next - off < UNIT_HEADER)
			continue;
		u = cul_vec_push(&o->units);
		if (!u)
			return -ENOMEM;
		*u = (struct dwarf_unit){
			.off = off, .end = next, .die = off + header, .in_types = types};
	}
	return 0;
}

int cul_dwarf_units(struct cul_objfile *o, struct cul_error *err)
{
	int ret = cul_objfile_debug(o, err);

	if (ret != 0 || o->units_read)
		return ret;
	if (read_section_units(o, false) != 0 || read_section_units(o, true) != 0) {
		o->units.len = 0;
		return cul_fail(
			err, -ENOMEM, "%s: out of memory for the units of its DWARF", o->name);
	}
	o->units_read = true;
	return 0;
}

bool cul_dwarf_units_die(struct cul_objfile *o, size_t unit, Dwarf_Die *die)
{
	const struct dwarf_unit *u = &o->units.data[unit];

	return (u->in_types ? dwarf_offdie_types(o->dwarf, u->die, die)
			    : dwarf_offdie(o->dwarf, u->die, die)) != NULL;
}

int cul_dwarf_units_naming(struct cul_objfile *o, const char *name, const uint64_t *addr,
	int (*visit)(struct cul_objfile *o, Dwarf_Die *unit, void *data), void *data,
	struct cul_error *err)
{
	struct hint hint;
	int ret = cul_dwarf_units(o, err);

	if (ret != 0)
		return ret;
	hint_for(o, name, addr, &hint);
	for (size_t i = 0; i < o->units.len; i++) {
		Dwarf_Die die;

		if (!may_mention(o, &hint, i) || !cul_dwarf_units_die(o, i, &die))
			continue;
		ret = visit(o, &die, data);
		if (ret != 0)
			return ret;
	}
	return 0;
}

enum { MAX_NESTING = 32 };

static int visit_children(struct cul_objfile *o, Dwarf_Die *parent, const struct dwarf_scope *in,
	unsigned depth,
	int (*visit)(
		struct cul_objfile *o, Dwarf_Die *die, const struct dwarf_scope *in, void *data),
	void *data)
{
	Dwarf_Die die;
	int ret;

	if (depth > MAX_NESTING || dwarf_child(parent, &die) != 0)
		return 0;
	do {
		if (dwarf_tag(&die) == DW_TAG_namespace) {
			struct dwarf_scope scope = {.up = in, .name = dwarf_diename(&die)};

			ret = visit_children(o, &die, &scope, depth + 1, visit, data);
		} else {
			ret = visit(o, &die, in, data);
		}
		if (ret != 0)
			return ret;
	} while (dwarf_next(&die));
	return 0;
}

int cul_dwarf_units_children(struct cul_objfile *o, Dwarf_Die *unit,
	int (*visit)(
		struct cul_objfile *o, Dwarf_Die *die, const struct dwarf_scope *in, void *data),
	void *data)
{
	return visit_children(o, unit, NULL, 0, visit, data);
}

static bool component_is(const char *name, const char *from, const char *to)
{
	return name && strlen(name) == (size_t)(to - from) &&
	       memcmp(name, from, (size_t)(to - from)) == 0;
}

bool cul_dwarf_units_is(Dwarf_Die *die, const struct dwarf_scope *in, const char *wanted)
{
	const char *end = wanted + strlen(wanted);
	const char *from = last_component(wanted, end);
	Dwarf_Attribute mem;

	if (!component_is(dwarf_formstring(dwarf_attr_integrate(die, DW_AT_name, &mem)), from, end))
		return false;
	while (from > wanted) {
		end = from - 2;
		from = last_component(wanted, end);
		while (in && !in->name)
			in = in->up;
		if (!in || !component_is(in->name, from, end))
			return false;
		in = in->up;
	}
	return true;
}

bool cul_dwarf_units_split(struct cul_objfile *o)
{
	for (size_t i = 0; i < o->units.len; i++) {
		Dwarf_Die die;

		if (cul_dwarf_units_die(o, i, &die) &&
			(dwarf_tag(&die) == DW_TAG_skeleton_unit ||
				dwarf_hasattr(&die, DW_AT_GNU_dwo_name)))
			return true;
	}
	return false;
}
