/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Relocations: those of the debug sections of a relocatable file (a kernel
 * module), and which of an executable's are copy relocations.
 *
 * Not libdwfl's: it takes a section whose sh_addr is not zero as placed already,
 * and a module's .data may be linked at an address (6.12: aligned to a page).
 * Besides, its constructor (elfutils 0.188, debuginfod-client.c) loads
 * libdebuginfod whenever libdwfl is linked in, static binary or not.
 */
#include "sym/objfile_priv.h"

#include <errno.h>
#include <string.h>

/* Absolute ones only: debug sections have no others. 0: there is none. */
struct reloc_kinds {
	unsigned machine;
	unsigned abs64, abs32, abs32s;
	unsigned tls64, tls32; /* offset in the thread-local block */
	unsigned copy;
	unsigned irelative; /* with an addend; 0: not known here */
};

static const struct reloc_kinds kinds[] = {
	{EM_X86_64, R_X86_64_64, R_X86_64_32, R_X86_64_32S, R_X86_64_DTPOFF64, R_X86_64_DTPOFF32,
		R_X86_64_COPY, R_X86_64_IRELATIVE},
	{EM_386, 0, R_386_32, 0, 0, R_386_TLS_LDO_32, R_386_COPY},
	{EM_AARCH64, R_AARCH64_ABS64, R_AARCH64_ABS32, 0, R_AARCH64_TLS_DTPREL, 0, R_AARCH64_COPY,
		R_AARCH64_IRELATIVE},
	{EM_ARM, 0, R_ARM_ABS32, 0, 0, R_ARM_TLS_LDO32, R_ARM_COPY},
	{EM_MIPS, R_MIPS_64, R_MIPS_32, 0, R_MIPS_TLS_DTPREL64, R_MIPS_TLS_DTPREL32, R_MIPS_COPY},
};

static const struct reloc_kinds *kinds_of(const struct cul_objfile *o)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].machine == o->machine)
			return &kinds[i];
	return NULL;
}

unsigned cul_objfile_reloc_copy(const struct cul_objfile *o)
{
	const struct reloc_kinds *k = kinds_of(o);

	return k ? k->copy : 0;
}

static bool slot_in(
	struct cul_objfile *o, Elf_Scn *scn, unsigned type, uint64_t linked, uint64_t *slot)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	GElf_Rela rela;

	for (int i = 0; data && gelf_getrela(data, i, &rela); i++) {
		if (GELF_R_TYPE(rela.r_info) != type || (uint64_t)rela.r_addend != linked)
			continue;
		*slot = cul_objfile_runtime(o, rela.r_offset);
		return true;
	}
	return false;
}

int cul_objfile_ifunc_slot(struct cul_objfile *o, uint64_t resolver, uint64_t *slot)
{
	const struct reloc_kinds *k = kinds_of(o);
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	if (!k || !k->irelative || o->type == ET_REL)
		return -ENOENT;
	while ((scn = elf_nextscn(o->elf, scn)))
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_RELA &&
			(shdr.sh_flags & SHF_ALLOC) &&
			slot_in(o, scn, k->irelative, cul_objfile_linked(o, resolver), slot))
			return 0;
	return -ENOENT;
}

struct reloc_job {
	struct cul_objfile *o;
	Elf *elf;
	const struct reloc_kinds *kinds;
	const struct objfile_section *sections;
	size_t n_sections;
	Elf_Data *syms, *target;
	bool has_addend;
};

/* Bytes that a relocation of this type fills; 0: unknown. */
static unsigned width_of(const struct reloc_kinds *k, unsigned type)
{
	if (type == k->abs64 || type == k->tls64)
		return 8;
	return type == k->abs32 || type == k->abs32s || type == k->tls32 ? 4 : 0;
}

static uint64_t load(const struct reloc_job *j, const uint8_t *p, unsigned width)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < width; i++)
		v |= (uint64_t)p[j->o->big_endian ? width - 1 - i : i] << 8 * i;
	return v;
}

static void store(const struct reloc_job *j, uint8_t *p, unsigned width, uint64_t v)
{
	for (unsigned i = 0; i < width; i++)
		p[j->o->big_endian ? width - 1 - i : i] = (uint8_t)(v >> 8 * i);
}

static bool symbol_value(const struct reloc_job *j, size_t index, uint64_t *value)
{
	GElf_Sym sym;

	*value = 0;
	if (index == 0)
		return true;
	if (!gelf_getsym(j->syms, (int)index, &sym))
		return false;
	*value = sym.st_value;
	if (GELF_ST_TYPE(sym.st_info) != STT_TLS && sym.st_shndx < j->n_sections)
		*value += j->sections[sym.st_shndx].addr;
	return true;
}

static int apply(const struct reloc_job *j, const GElf_Rela *r)
{
	unsigned type = GELF_R_TYPE(r->r_info), width;
	uint64_t value;
	uint8_t *at;

	if (type == 0) /* R_*_NONE */
		return 0;
	width = width_of(j->kinds, type);
	if (width == 0)
		return -ENOTSUP;
	if (j->target->d_size < width || r->r_offset > j->target->d_size - width ||
		!symbol_value(j, GELF_R_SYM(r->r_info), &value))
		return -EBADMSG;
	at = (uint8_t *)j->target->d_buf + r->r_offset;
	value += j->has_addend ? (uint64_t)r->r_addend : load(j, at, width);
	store(j, at, width, value);
	return 0;
}

static int apply_section(struct reloc_job *j, Elf_Scn *relocs, const GElf_Shdr *shdr)
{
	Elf_Data *data = elf_getdata(relocs, NULL);
	size_t n = data && shdr->sh_entsize ? data->d_size / shdr->sh_entsize : 0;
	int ret = 0;

	j->has_addend = shdr->sh_type == SHT_RELA;
	for (size_t i = 0; i < n && ret == 0; i++) {
		GElf_Rela rela = {0};
		GElf_Rel rel;

		if (j->has_addend ? !gelf_getrela(data, (int)i, &rela)
				  : !gelf_getrel(data, (int)i, &rel))
			return -EBADMSG;
		if (!j->has_addend) {
			rela.r_offset = rel.r_offset;
			rela.r_info = rel.r_info;
		}
		ret = apply(j, &rela);
	}
	return ret;
}

/* Opens the section that `relocs` is about when it is one of DWARF's. */
static bool debug_target(struct reloc_job *j, size_t names, const GElf_Shdr *relocs)
{
	Elf_Scn *target = elf_getscn(j->elf, relocs->sh_info);
	Elf_Scn *syms = elf_getscn(j->elf, relocs->sh_link);
	GElf_Shdr shdr;
	const char *name;

	if (!target || !syms || !gelf_getshdr(target, &shdr) || (shdr.sh_flags & SHF_ALLOC) ||
		shdr.sh_type == SHT_NOBITS)
		return false;
	name = elf_strptr(j->elf, names, shdr.sh_name);
	if (!name || strncmp(name, ".debug_", 7) != 0)
		return false;
	if ((shdr.sh_flags & SHF_COMPRESSED) && elf_compress(target, 0, 0) < 0)
		return false;
	j->target = elf_getdata(target, NULL);
	j->syms = elf_getdata(syms, NULL);
	return j->target && j->target->d_buf && j->syms;
}

int cul_objfile_relocate(struct cul_objfile *o, Elf *elf, struct cul_error *err)
{
	struct reloc_job j = {.o = o, .elf = elf, .kinds = kinds_of(o)};
	Elf_Scn *scn = NULL;
	size_t names;

	if (!j.kinds)
		return cul_fail(err, -ENOTSUP,
			"%s: relocatable files of this machine (%u) are not supported", o->name,
			o->machine);
	j.sections = cul_objfile_sections(o, elf, &j.n_sections);
	if (!j.sections || elf_getshdrstrndx(elf, &names) != 0)
		return cul_fail(err, -EBADMSG, "%s: its section headers cannot be read", o->name);
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr shdr;
		int ret;

		if (!gelf_getshdr(scn, &shdr) ||
			(shdr.sh_type != SHT_RELA && shdr.sh_type != SHT_REL) ||
			!debug_target(&j, names, &shdr))
			continue;
		ret = apply_section(&j, scn, &shdr);
		if (ret != 0)
			return cul_fail(err, ret,
				"%s: the relocations of its debug sections cannot be applied: %s",
				o->name, cul_strerror(ret));
	}
	return 0;
}
