/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which function's instructions libdw will execute for an address of .eh_frame, so that they can
 * be looked at before: the table is searched as elfutils 0.188 does it (libdw/fde.c). What libdw
 * has read once it keeps and prefers; all of that has been looked at. libdw finds the table by the
 * section that bears its name, if that comes first, else not, and walks over all functions: so it
 * is made to find it as the loader does, by its program header, where it can. The format: LSB 5.0
 * Core, 10.6.
 */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sym/objfile_priv.h"

/* Bytes of expressions that a file's functions may have, of all that are asked for. */
enum { EXPRESSIONS_MOST = 1 << 20 };

struct header {
	const uint8_t *bytes;
	size_t size;
	uint64_t vaddr;
};

static uint64_t number(const struct cul_cfi_section *s, const uint8_t *p, unsigned size)
{
	bool big_endian = s->ident[EI_DATA] == ELFDATA2MSB;
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value = value << 8 | p[big_endian ? i : size - 1 - i];
	return value;
}

static uint64_t extended(uint64_t value, uint8_t encoding, unsigned size)
{
	unsigned unused = 64 - 8 * size;

	return encoding & DW_EH_PE_signed ? (uint64_t)((int64_t)(value << unused) >> unused)
					  : value;
}

/* A value of the header, which is at `*at` there. Linkers write none of the other encodings. */
static bool read_value(const struct cul_cfi_section *s, const struct header *h, uint8_t encoding,
	size_t *at, uint64_t *out)
{
	unsigned size = cul_objfile_eh_size(encoding, s->word);
	uint64_t base;

	if (size == 0 || h->size < size || *at > h->size - size)
		return false;
	switch (encoding & 0xf0) {
	case DW_EH_PE_absptr:
		base = 0;
		break;
	case DW_EH_PE_pcrel:
		base = h->vaddr + *at;
		break;
	case DW_EH_PE_datarel:
		base = h->vaddr;
		break;
	default:
		return false;
	}
	*out = base + extended(number(s, h->bytes + *at, size), encoding, size);
	*at += size;
	return true;
}

/* False: not as linkers write it. `eh->table` stays NULL when there is none. */
static bool read_header(const struct header *h, struct objfile_eh *eh, uint64_t *frame)
{
	const struct cul_cfi_section *s = &eh->section;
	size_t at = 4;
	uint64_t n;
	unsigned size;

	if (h->size < at || h->bytes[0] != 1 || !read_value(s, h, h->bytes[1], &at, frame))
		return false;
	if (h->bytes[2] == DW_EH_PE_omit || h->bytes[3] == DW_EH_PE_omit)
		return true;
	if (!read_value(s, h, h->bytes[2], &at, &n))
		return false;
	if (n == 0)
		return true;
	eh->encoding = h->bytes[3];
	size = cul_objfile_eh_size(eh->encoding, s->word);
	if (size == 0 || n > (h->size - at) / size / 2)
		return false;
	switch (eh->encoding & 0xf0) {
	case DW_EH_PE_absptr:
		eh->base = 0;
		break;
	case DW_EH_PE_datarel:
		eh->base = h->vaddr;
		break;
	default:
		return false;
	}
	eh->table = h->bytes + at;
	eh->entries = n;
	return true;
}

static bool open_segment(Elf *elf, const GElf_Phdr *phdr, struct objfile_eh *eh)
{
	Elf_Data *data =
		elf_getdata_rawchunk(elf, (int64_t)phdr->p_offset, phdr->p_filesz, ELF_T_BYTE);
	struct header h = {.vaddr = phdr->p_vaddr};
	uint64_t offset;
	size_t size;

	if (!data || !data->d_buf || !elf_rawfile(elf, &size))
		return false;
	h.bytes = data->d_buf;
	h.size = data->d_size;
	if (!read_header(&h, eh, &eh->vaddr))
		return false;
	offset = eh->vaddr - phdr->p_vaddr + phdr->p_offset;
	if (offset >= size)
		return false;
	eh->section.data = elf_getdata_rawchunk(elf, (int64_t)offset, size - offset, ELF_T_BYTE);
	return eh->section.data && eh->section.data->d_buf;
}

static bool segment(Elf *elf, uint32_t type, uint64_t addr, GElf_Phdr *phdr)
{
	size_t n;

	if (elf_getphdrnum(elf, &n) != 0)
		return false;
	for (size_t i = 0; i < n && gelf_getphdr(elf, (int)i, phdr); i++)
		if (phdr->p_type == type &&
			(type != PT_LOAD || addr - phdr->p_vaddr < phdr->p_filesz))
			return true;
	return false;
}

/*
 * Whether a table can be found by it: libdw takes the section to be as far from its header in the
 * file as it is in memory. Without a table the section's end had better be known.
 */
static bool has_segment(struct cul_objfile *o)
{
	struct objfile_eh eh = o->eh;
	GElf_Phdr phdr, load;

	return segment(o->elf, PT_GNU_EH_FRAME, 0, &phdr) && open_segment(o->elf, &phdr, &eh) &&
	       eh.table && segment(o->elf, PT_LOAD, eh.vaddr, &load) &&
	       eh.vaddr - load.p_vaddr + load.p_offset == eh.vaddr - phdr.p_vaddr + phdr.p_offset;
}

static bool open_section(
	Elf_Scn *scn, const GElf_Shdr *shdr, const struct header *h, struct objfile_eh *eh)
{
	uint64_t frame;

	eh->section.data = elf_rawdata(scn, NULL);
	eh->vaddr = shdr->sh_addr;
	if (!eh->section.data || !eh->section.data->d_buf)
		return false;
	if (h->bytes && !read_header(h, eh, &frame))
		return false;
	if (h->bytes && frame != shdr->sh_addr)
		eh->table = NULL;
	return true;
}

/* A header counts that comes before its section. */
static bool open_sections(Elf *elf, struct objfile_eh *eh)
{
	struct header h = {0};
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names) != 0 || names == SHN_UNDEF)
		return false;
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr shdr;
		const char *name =
			gelf_getshdr(scn, &shdr) ? elf_strptr(elf, names, shdr.sh_name) : NULL;

		if (name && strcmp(name, ".eh_frame_hdr") == 0) {
			Elf_Data *data = elf_rawdata(scn, NULL);

			h = (struct header){.vaddr = shdr.sh_addr};
			if (data && data->d_buf) {
				h.bytes = data->d_buf;
				h.size = data->d_size;
			}
		}
		if (name && strcmp(name, ".eh_frame") == 0)
			return shdr.sh_type != SHT_NOBITS && open_section(scn, &shdr, &h, eh);
	}
	return false;
}

/* The same file for libdw, which will find no sections by name in it. */
static Elf *without_names(struct cul_objfile *o)
{
	GElf_Ehdr ehdr;
	Elf *elf = NULL;

	if (o->image && (o->eh.image = cul_calloc(1, o->image_size))) {
		memcpy(o->eh.image, o->image, o->image_size);
		elf = cul_objfile_elf_memory(o->eh.image, o->image_size);
	} else if (!o->image) {
		elf = elf_begin(o->fd, ELF_C_READ_MMAP_PRIVATE, NULL);
	}
	if (!elf || !gelf_getehdr(elf, &ehdr))
		return elf;
	ehdr.e_shstrndx = SHN_UNDEF;
	gelf_update_ehdr(elf, &ehdr);
	return elf;
}

static bool has_no_names(Elf *elf)
{
	size_t names;

	return elf && elf_getshdrstrndx(elf, &names) == 0 && names == SHN_UNDEF;
}

Dwarf_CFI *cul_objfile_eh_open(struct cul_objfile *o)
{
	struct objfile_eh *eh = &o->eh;
	Elf *elf = o->elf;
	GElf_Phdr phdr;
	bool found;

	eh->section.ident = (const unsigned char *)elf_getident(elf, NULL);
	eh->section.is_eh = true;
	eh->section.word = o->is_64 ? 8 : 4;
	if (has_segment(o)) {
		elf = eh->elf = without_names(o);
		found = has_no_names(elf) && segment(elf, PT_GNU_EH_FRAME, 0, &phdr) &&
			open_segment(elf, &phdr, eh);
	} else {
		found = open_sections(elf, eh) ||
			(segment(elf, PT_GNU_EH_FRAME, 0, &phdr) && open_segment(elf, &phdr, eh));
	}
	if (!found || (!eh->table && !cul_objfile_cfi_is_sane(&eh->section)))
		return NULL;
	return dwarf_getcfi_elf(elf);
}

void cul_objfile_eh_free(struct objfile_eh *eh)
{
	elf_end(eh->elf);
	free(eh->image);
}

static uint64_t entry(const struct objfile_eh *eh, size_t i)
{
	unsigned size = cul_objfile_eh_size(eh->encoding, eh->section.word);

	return eh->base +
	       extended(number(&eh->section, eh->table + i * size, size), eh->encoding, size);
}

/* Where in the section the last function is that begins at or before `linked`. */
static bool search(const struct objfile_eh *eh, uint64_t linked, uint64_t *offset)
{
	size_t low = 0, high = eh->entries;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (linked < entry(eh, 2 * mid)) {
			high = mid;
			continue;
		}
		low = mid + 1;
		if (low < eh->entries && linked >= entry(eh, 2 * low))
			continue;
		*offset = entry(eh, 2 * mid + 1) - eh->vaddr;
		return true;
	}
	return false;
}

/* Of each function once, unless there are many. */
static void expend(struct objfile_eh *eh, uint64_t offset, uint64_t expressions)
{
	uint64_t *last = &eh->counted[(offset ^ offset >> 6) % OBJFILE_EH_COUNTED];

	if (expressions && *last != offset + 1)
		eh->expended += expressions;
	if (expressions)
		*last = offset + 1;
}

bool cul_objfile_eh_is_sane(struct objfile_eh *eh, uint64_t linked)
{
	uint64_t offset, expressions;

	if (!eh->table)
		return true;
	if (!search(eh, linked, &offset) ||
		!cul_objfile_cfi_fde_is_sane(&eh->section, offset, &expressions))
		return false;
	expend(eh, offset, expressions);
	return eh->expended <= EXPRESSIONS_MOST;
}
