/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MiniDebugInfo: an ELF file with the symbols that .dynsym lacks, compressed by xz, in the section
 * .gnu_debugdata (gdb manual, "MiniDebugInfo"). Fedora's packages have it.
 */
#include "sym/objfile_priv.h"

#include <lzma.h>
#include <stdlib.h>

#include "base/alloc.h"

enum {
	MEMORY_MAX = 80 << 20,   /* `xz -9` takes 65 MiB to decompress */
	UNPACKED_MAX = 64 << 20, /* the largest seen is some 4 MiB */
	FIRST = 256 << 10,
};

static bool more_room(lzma_stream *xz, void **bytes, size_t *cap)
{
	size_t used = *bytes ? *cap - xz->avail_out : 0;
	size_t size = *bytes ? 2 * *cap : FIRST;
	void *grown = size <= UNPACKED_MAX ? cul_realloc(*bytes, size) : NULL;

	if (!grown)
		return false;
	*bytes = grown;
	*cap = size;
	xz->next_out = (uint8_t *)grown + used;
	xz->avail_out = size - used;
	return true;
}

static bool unpack(const void *packed, size_t packed_size, void **out, size_t *size)
{
	lzma_stream xz = LZMA_STREAM_INIT;
	lzma_ret ret = LZMA_OK;
	void *bytes = NULL;
	size_t cap = 0;

	if (lzma_stream_decoder(&xz, MEMORY_MAX, 0) != LZMA_OK)
		return false;
	xz.next_in = packed;
	xz.avail_in = packed_size;
	while (ret == LZMA_OK && (xz.avail_out || more_room(&xz, &bytes, &cap)))
		ret = lzma_code(&xz, LZMA_FINISH);
	*size = cap - xz.avail_out;
	lzma_end(&xz);
	if (ret != LZMA_STREAM_END) {
		free(bytes);
		return false;
	}
	*out = bytes;
	return true;
}

static void open_mini(struct cul_objfile *o)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = cul_objfile_elf_section(o->elf, ".gnu_debugdata", &shdr);
	Elf_Data *packed = scn && shdr.sh_type != SHT_NOBITS ? elf_rawdata(scn, NULL) : NULL;
	size_t size;
	GElf_Ehdr ehdr;

	if (!packed || !packed->d_buf ||
		!unpack(packed->d_buf, packed->d_size, &o->mini_bytes, &size))
		return;
	o->mini = cul_objfile_elf_memory(o->mini_bytes, size);
	if (o->mini && (elf_kind(o->mini) != ELF_K_ELF || !gelf_getehdr(o->mini, &ehdr) ||
			       ehdr.e_machine != o->machine)) {
		elf_end(o->mini);
		o->mini = NULL;
	}
}

Elf *cul_objfile_mini(struct cul_objfile *o)
{
	if (!o->mini_sought) {
		o->mini_sought = true;
		open_mini(o);
	}
	return o->mini;
}

void cul_objfile_mini_free(struct cul_objfile *o)
{
	elf_end(o->mini);
	free(o->mini_bytes);
}
