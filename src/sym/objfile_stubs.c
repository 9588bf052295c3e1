/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names for the stubs through which a file calls what is elsewhere ("malloc@plt"): symbol tables
 * have none. A stub jumps to what a slot in memory holds; the relocation of that slot has the name.
 * On MIPS dynamic symbols say themselves where their stubs are.
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
	if (o->big_endian)
		return NULL;
	return o->machine == EM_AARCH64 ? &cul_arch_aarch64
	       : o->machine == EM_ARM   ? &cul_arch_arm
					: NULL;
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

static const char *stub_name(struct cul_objfile *o, const char *target)
{
	cul_autostr struct cul_str name = {0};

	cul_str_addf(&name, "%s@plt", target);
	return name.failed ? NULL : cul_arena_strdup(&o->arena, cul_str_text(&name));
}

static bool get_relocation(Elf_Data *data, const GElf_Shdr *shdr, int i, GElf_Rela *out)
{
	GElf_Rel rel;

	if (shdr->sh_type == SHT_RELA)
		return gelf_getrela(data, i, out);
	if (!gelf_getrel(data, i, &rel))
		return false;
	*out = (GElf_Rela){.r_offset = rel.r_offset, .r_info = rel.r_info};
	return true;
}

/* Stubs are by slot. Several may have one slot. */
static int name_stubs(struct cul_objfile *o, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	struct objfile_stub *end = o->stubs.data + o->stubs.len;
	GElf_Rela rela;

	for (int i = 0; data && get_relocation(data, shdr, i, &rela); i++) {
		struct objfile_stub key = {.slot = rela.r_offset}, *s;
		const char *target;

		if (key.slot < o->stubs.data[0].slot || key.slot > end[-1].slot)
			continue;
		s = bsearch(&key, o->stubs.data, o->stubs.len, sizeof(*s), by_slot);
		target = s && !s->name ? target_of(o, &rela, shdr) : NULL;
		if (!target || !*target)
			continue;
		key.name = stub_name(o, target);
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
		if (gelf_getshdr(scn, &shdr) &&
			(shdr.sh_type == SHT_RELA || shdr.sh_type == SHT_REL) &&
			(shdr.sh_flags & SHF_ALLOC))
			ret = name_stubs(o, scn, &shdr);
	qsort(o->stubs.data, o->stubs.len, sizeof(*o->stubs.data), by_address);
	return ret;
}

/*
 * Of a function of another file the value is the address of its stub (MIPS ABI supplement, 5-11).
 * The stub has an instruction more if the number of a symbol needs it (binutils 2.40,
 * elfxx-mips.c, function_stub_size).
 */
static int read_mips(struct cul_objfile *o, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t n = data && shdr->sh_entsize ? data->d_size / shdr->sh_entsize : 0;
	unsigned length = n > 0x10000 ? 20 : 16;
	GElf_Sym sym;

	for (size_t i = 0; i < n && gelf_getsym(data, (int)i, &sym); i++) {
		struct objfile_stub *s;
		const char *target;

		if (sym.st_shndx != SHN_UNDEF || GELF_ST_TYPE(sym.st_info) != STT_FUNC ||
			!sym.st_value || sym.st_value % 4)
			continue;
		target = elf_strptr(o->elf, shdr->sh_link, sym.st_name);
		if (!target || !*target)
			continue;
		s = cul_vec_push(&o->stubs);
		if (!s)
			return -ENOMEM;
		*s = (struct objfile_stub){.addr = sym.st_value, .end = sym.st_value + length};
		s->name = stub_name(o, target);
	}
	return 0;
}

static int read_mips_stubs(struct cul_objfile *o)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	int ret = 0;

	while (ret == 0 && (scn = elf_nextscn(o->elf, scn)))
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_DYNSYM)
			ret = read_mips(o, scn, &shdr);
	if (o->stubs.len)
		qsort(o->stubs.data, o->stubs.len, sizeof(*o->stubs.data), by_address);
	return ret;
}

int cul_objfile_stub_at(struct cul_objfile *o, uint64_t addr, struct cul_elf_symbol *out)
{
	const struct cul_arch *arch = arch_of(o);
	uint64_t linked = cul_objfile_linked(o, addr);
	size_t low = 0, high;

	if ((!arch && o->machine != EM_MIPS) || o->type == ET_REL)
		return -ENOENT;
	if (!o->stubs_read) {
		o->stubs_read = true;
		if ((arch ? read_stubs(o, arch) : read_mips_stubs(o)) != 0)
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
