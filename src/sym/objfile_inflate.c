/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed debug sections, by libdeflate: libdw would have zlib do it, which takes three times as
 * long and for a C library longer than all else that is asked of it.
 */
#include "sym/objfile_inflate.h"

#include <gelf.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

/* Deflate makes at most 1032 bytes of one (RFC 1951: 258 of two bits). */
enum { RATIO_MOST = 1032, SECTION_MOST = 1 << 30 };

struct inflated {
	struct inflated *next;
	char bytes[];
};

static struct inflated *inflate_bytes(
	struct libdeflate_decompressor *d, const char *from, size_t from_size, uint64_t size)
{
	struct inflated *out;

	if (size == 0 || size > SECTION_MOST || size / RATIO_MOST > from_size)
		return NULL;
	out = malloc(sizeof(*out) + size); /* not base/alloc.h's: another thread may be here */
	if (out && libdeflate_zlib_decompress(d, from, from_size, out->bytes, size, NULL) ==
			   LIBDEFLATE_SUCCESS)
		return out;
	free(out);
	return NULL;
}

/* In place of the section's bytes; what cannot be done is left to libdw. */
static struct inflated *inflate_section(struct libdeflate_decompressor *d, Elf *elf, Elf_Scn *scn)
{
	size_t head = gelf_fsize(elf, ELF_T_CHDR, 1, EV_CURRENT);
	struct inflated *out;
	Elf_Data *raw, *data;
	GElf_Shdr shdr;
	GElf_Chdr chdr;

	if (!gelf_getshdr(scn, &shdr) || !(shdr.sh_flags & SHF_COMPRESSED) ||
		!gelf_getchdr(scn, &chdr) || chdr.ch_type != ELFCOMPRESS_ZLIB)
		return NULL;
	raw = elf_rawdata(scn, NULL);
	data = elf_getdata(scn, NULL);
	if (!raw || !data || !raw->d_buf || raw->d_size <= head)
		return NULL;
	out = inflate_bytes(d, (const char *)raw->d_buf + head, raw->d_size - head, chdr.ch_size);
	if (!out)
		return NULL;
	shdr.sh_flags &= ~(uint64_t)SHF_COMPRESSED;
	shdr.sh_size = chdr.ch_size;
	if (!gelf_update_shdr(scn, &shdr)) {
		free(out);
		return NULL;
	}
	data->d_buf = out->bytes;
	data->d_size = chdr.ch_size;
	data->d_type = ELF_T_BYTE;
	return out;
}

/*
 * What compilers write becomes some four times as much, and hardly ever 32 times. In a section of
 * the older kind there is its size behind "ZLIB", big-endian.
 */
enum { INFLATED_LEAST = 64 << 20, INFLATED_RATIO = 32, OLD_HEAD = 12 };

static uint64_t inflated_size(Elf_Scn *scn, const GElf_Shdr *shdr, const char *name)
{
	Elf_Data *raw;
	GElf_Chdr chdr;
	uint64_t size = 0;

	if (shdr->sh_flags & SHF_COMPRESSED)
		return gelf_getchdr(scn, &chdr) ? chdr.ch_size : 0;
	raw = strncmp(name, ".zdebug", 7) == 0 ? elf_rawdata(scn, NULL) : NULL;
	for (size_t i = 4; raw && raw->d_buf && raw->d_size >= OLD_HEAD && i < OLD_HEAD; i++)
		size = size << 8 | ((const uint8_t *)raw->d_buf)[i];
	return size;
}

bool cul_objfile_inflates_far(Elf *elf)
{
	uint64_t packed = 0, size = 0;
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return false;
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr shdr;
		const char *name =
			gelf_getshdr(scn, &shdr) ? elf_strptr(elf, names, shdr.sh_name) : NULL;
		uint64_t one = name ? inflated_size(scn, &shdr, name) : 0;

		if (one == 0)
			continue;
		if (__builtin_add_overflow(size, one, &size) ||
			__builtin_add_overflow(packed, shdr.sh_size, &packed))
			return true;
	}
	return size > INFLATED_LEAST && size / INFLATED_RATIO > packed;
}

Dwarf *cul_objfile_dwarf_begin(Elf *elf)
{
	return cul_objfile_inflates_far(elf) ? NULL : dwarf_begin_elf(elf, DWARF_C_READ, NULL);
}

struct inflated *cul_objfile_inflate(Elf *elf)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	struct inflated *all = NULL;
	Elf_Scn *scn = NULL;
	size_t names;

	if (!d || elf_getshdrstrndx(elf, &names) != 0) {
		libdeflate_free_decompressor(d);
		return NULL;
	}
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr shdr;
		const char *name =
			gelf_getshdr(scn, &shdr) ? elf_strptr(elf, names, shdr.sh_name) : NULL;
		struct inflated *one = NULL;

		if (name && !strncmp(name, ".debug_", 7))
			one = inflate_section(d, elf, scn);
		if (!one)
			continue;
		one->next = all;
		all = one;
	}
	libdeflate_free_decompressor(d);
	return all;
}

void cul_objfile_inflated_free(struct inflated *all)
{
	while (all) {
		struct inflated *one = all;

		all = one->next;
		free(one);
	}
}
