/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names for the stubs through which a file calls what is elsewhere ("malloc@plt"): symbol tables
 * have none. A stub jumps to what a slot in memory holds; the relocation of that slot has the name.
 */
#include "sym/objfile_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "base/cleanup.h"
#include "base/str.h"

static const struct cul_arch *arch_of(const struct cul_objfile *o)
{
	if (o->machine == EM_X86_64)
		return &cul_arch_x86_64;
	return o->machine == EM_AARCH64 && !o->big_endian ? &cul_arch_aarch64 : NULL;
}

static int read_code(
	struct cul_objfile *o, const struct cul_arch *arch, Elf_Scn *scn, uint64_t linked)
{
	Elf_Data *data = elf_rawdata(scn, NULL);
	size_t at = 0;

	if (!data || !data->d_buf)
		return 0;
	while (at < data->d_size) {
		struct objfile_stub stub = {.addr = linked + at}, *s;
		unsigned length;

		if (!arch->stub((const uint8_t *)data->d_buf + at, data->d_size - at, stub.addr,
			    &stub.slot, &length)) {
			at += 4;
			continue;
		}
		s = cul_vec_push(&o->stubs);
		if (!s)
			return -ENOMEM;
		*s = stub;
		s->end = stub.addr + length;
		at += length;
	}
	return 0;
}

/* The stubs with their slots, without names. */
static int find_stubs(struct cul_objfile *o, const struct cul_arch *arch)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(o->elf, &names) != 0)
		return 0;
	while ((scn = elf_nextscn(o->elf, scn))) {
		GElf_Shdr shdr;
		const char *name;
		int ret;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_PROGBITS ||
			!(shdr.sh_flags & SHF_EXECINSTR))
			continue;
		name = elf_strptr(o->elf, names, shdr.sh_name);
		if (!name || strncmp(name, ".plt", 4) != 0)
			continue;
		ret = read_code(o, arch, scn, shdr.sh_addr);
		if (ret != 0)
			return ret;
	}
	return 0;
}

static int by_slot(const void *a, const void *b)
{
	const struct objfile_stub *x = a, *y = b;

	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static int by_address(const void *a, const void *b)
{
	const struct objfile_stub *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* What the slot is filled with: a symbol of another file, or what a resolver of this one says. */
static const char *target_of(struct cul_objfile *o, const GElf_Rela *rela, const GElf_Shdr *shdr)
{
	Elf_Scn *scn = elf_getscn(o->elf, shdr->sh_link);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	struct cul_elf_symbol resolver;
	GElf_Shdr symbols;
	GElf_Sym sym;

	if (GELF_R_SYM(rela->r_info) == 0)
		return cul_objfile_symbol_at(o, cul_objfile_runtime(o, (uint64_t)rela->r_addend),
			       &resolver) == 0 &&
				       resolver.is_ifunc
			       ? resolver.name
			       : NULL;
	if (!data || !gelf_getshdr(scn, &symbols) ||
		!gelf_getsym(data, (int)GELF_R_SYM(rela->r_info), &sym))
		return NULL;
	return elf_strptr(o->elf, symbols.sh_link, sym.st_name);
}

/* Stubs are by slot. Several may have one slot. */
static int name_stubs(struct cul_objfile *o, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	struct objfile_stub *end = o->stubs.data + o->stubs.len;
	GElf_Rela rela;

	for (int i = 0; data && gelf_getrela(data, i, &rela); i++) {
		struct objfile_stub key = {.slot = rela.r_offset}, *s;
		cul_autostr struct cul_str name = {0};
		const char *target;

		if (key.slot < o->stubs.data[0].slot || key.slot > end[-1].slot)
			continue;
		s = bsearch(&key, o->stubs.data, o->stubs.len, sizeof(*s), by_slot);
		target = s && !s->name ? target_of(o, &rela, shdr) : NULL;
		if (!target || !*target)
			continue;
		cul_str_addf(&name, "%s@plt", target);
		key.name = name.failed ? NULL : cul_arena_strdup(&o->arena, cul_str_text(&name));
		if (!key.name)
			return -ENOMEM;
		while (s > o->stubs.data && s[-1].slot == key.slot)
			s--;
		for (; s < end && s->slot == key.slot; s++)
			s->name = key.name;
	}
	return 0;
}

static int read_stubs(struct cul_objfile *o, const struct cul_arch *arch)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	int ret = find_stubs(o, arch);

	if (ret != 0 || o->stubs.len == 0)
		return ret;
	qsort(o->stubs.data, o->stubs.len, sizeof(*o->stubs.data), by_slot);
	while (ret == 0 && (scn = elf_nextscn(o->elf, scn)))
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_RELA &&
			(shdr.sh_flags & SHF_ALLOC))
			ret = name_stubs(o, scn, &shdr);
	qsort(o->stubs.data, o->stubs.len, sizeof(*o->stubs.data), by_address);
	return ret;
}

int cul_objfile_stub_at(struct cul_objfile *o, uint64_t addr, struct cul_elf_symbol *out)
{
	const struct cul_arch *arch = arch_of(o);
	uint64_t linked = cul_objfile_linked(o, addr);
	size_t low = 0, high;

	if (!arch || o->type == ET_REL)
		return -ENOENT;
	if (!o->stubs_read) {
		o->stubs_read = true;
		if (read_stubs(o, arch) != 0)
			o->stubs.len = 0;
	}
	for (high = o->stubs.len; low < high;) {
		size_t mid = low + (high - low) / 2;
		const struct objfile_stub *s = &o->stubs.data[mid];

		if (linked >= s->end) {
			low = mid + 1;
		} else if (linked < s->addr) {
			high = mid;
		} else {
			*out = (struct cul_elf_symbol){.name = s->name,
				.addr = cul_objfile_runtime(o, s->addr),
				.size = s->end - s->addr,
				.is_function = true};
			return s->name ? 0 : -ENOENT;
		}
	}
	return -ENOENT;
}
