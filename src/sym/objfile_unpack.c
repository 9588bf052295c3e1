/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed debug sections, as debug packages have them. libelf unpacks all of them by zlib, which
 * for a C library takes longer than to walk a thousand stacks. Here only what is read is unpacked,
 * by libdeflate, into a file in memory.
 */
#include "sym/objfile_priv.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

enum { MAX_SECTIONS = 16, MAX_RATIO = 1032 /* of deflate */ };

/* Not the lists of locations: variables on the stack are not shown. */
static const char *const wanted[] = {".debug_abbrev", ".debug_addr", ".debug_aranges",
	".debug_frame", ".debug_info", ".debug_line", ".debug_line_str", ".debug_ranges",
	".debug_rnglists", ".debug_str", ".debug_str_offsets", ".debug_types", ".gnu_debugaltlink"};

struct unpacked {
	struct libdeflate_decompressor *zlib;
	Elf *elf;
	struct cul_str names;      /* each with its NUL */
	void *bytes[MAX_SECTIONS]; /* ours; NULL: borrowed from the file */
	size_t n;
};

static void unpacked_cleanup(struct unpacked *u)
{
	libdeflate_free_decompressor(u->zlib);
	elf_end(u->elf);
	cul_str_free(&u->names);
	for (size_t i = 0; i < u->n; i++)
		free(u->bytes[i]);
}

static bool is_wanted(const char *name)
{
	for (size_t i = 0; name && i < sizeof(wanted) / sizeof(*wanted); i++)
		if (strcmp(name, wanted[i]) == 0)
			return true;
	return false;
}

static bool has_compressed(Elf *elf)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	while ((scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, &shdr) && (shdr.sh_flags & SHF_COMPRESSED))
			return true;
	return false;
}

/* The bytes of a section as they are to be read; `*owned` when they are ours. */
static void *bytes_of(
	struct unpacked *u, Elf_Scn *scn, const GElf_Shdr *shdr, size_t *size, void **owned)
{
	Elf_Data *data = elf_rawdata(scn, NULL);
	size_t header;
	GElf_Chdr chdr;

	*owned = NULL;
	if (!data || !data->d_buf)
		return NULL;
	*size = data->d_size;
	if (!(shdr->sh_flags & SHF_COMPRESSED))
		return data->d_buf;
	header = gelf_fsize(u->elf, ELF_T_CHDR, 1, EV_CURRENT);
	if (!gelf_getchdr(scn, &chdr) || chdr.ch_type != ELFCOMPRESS_ZLIB ||
		data->d_size < header || chdr.ch_size / MAX_RATIO > data->d_size)
		return NULL;
	*size = chdr.ch_size;
	*owned = cul_calloc(1, *size ? *size : 1);
	if (*owned && libdeflate_zlib_decompress(u->zlib, (const char *)data->d_buf + header,
			      data->d_size - header, *owned, *size, NULL) == LIBDEFLATE_SUCCESS)
		return *owned;
	free(*owned);
	*owned = NULL;
	return NULL;
}

static bool add(struct unpacked *u, const char *name, unsigned type, void *bytes, size_t size)
{
	Elf_Scn *scn = elf_newscn(u->elf);
	Elf_Data *data = scn ? elf_newdata(scn) : NULL;
	GElf_Shdr shdr;

	if (!data || !gelf_getshdr(scn, &shdr))
		return false;
	data->d_buf = bytes;
	data->d_size = size;
	data->d_type = ELF_T_BYTE;
	data->d_align = 1;
	shdr.sh_name = (GElf_Word)u->names.len;
	shdr.sh_type = type;
	shdr.sh_addralign = 1;
	cul_str_addn(&u->names, name, strlen(name) + 1);
	return !u->names.failed && gelf_update_shdr(scn, &shdr);
}

static bool add_sections(struct unpacked *u, Elf *from)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(from, &names) != 0)
		return false;
	while ((scn = elf_nextscn(from, scn))) {
		GElf_Shdr shdr;
		const char *name;
		size_t size = 0;
		void *bytes;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type == SHT_NOBITS)
			continue;
		name = elf_strptr(from, names, shdr.sh_name);
		if (!is_wanted(name))
			continue;
		if (u->n == MAX_SECTIONS)
			return false;
		bytes = bytes_of(u, scn, &shdr, &size, &u->bytes[u->n]);
		u->n++;
		if (!bytes || !add(u, name, SHT_PROGBITS, bytes, size))
			return false;
	}
	return u->n > 0;
}

static bool start(struct unpacked *u, int fd, Elf *from)
{
	GElf_Ehdr theirs, ehdr;

	u->elf = elf_begin(fd, ELF_C_WRITE, NULL);
	u->zlib = libdeflate_alloc_decompressor();
	cul_str_addn(&u->names, "", 1);
	if (!u->elf || !u->zlib || !gelf_getehdr(from, &theirs) ||
		!gelf_newehdr(u->elf, theirs.e_ident[EI_CLASS]) || !gelf_getehdr(u->elf, &ehdr))
		return false;
	ehdr.e_ident[EI_DATA] = theirs.e_ident[EI_DATA];
	ehdr.e_type = theirs.e_type;
	ehdr.e_machine = theirs.e_machine;
	ehdr.e_version = EV_CURRENT;
	return gelf_update_ehdr(u->elf, &ehdr);
}

/* The names of all sections come last: theirs is known then. */
static bool finish(struct unpacked *u)
{
	GElf_Ehdr ehdr;
	Elf_Scn *last = NULL, *scn = NULL;
	Elf_Data *data;

	if (!add(u, ".shstrtab", SHT_STRTAB, NULL, 0))
		return false;
	while ((scn = elf_nextscn(u->elf, scn)))
		last = scn;
	data = last ? elf_getdata(last, NULL) : NULL;
	if (!data || !gelf_getehdr(u->elf, &ehdr))
		return false;
	data->d_buf = u->names.s;
	data->d_size = u->names.len;
	ehdr.e_shstrndx = (GElf_Half)elf_ndxscn(last);
	return gelf_update_ehdr(u->elf, &ehdr) && elf_update(u->elf, ELF_C_WRITE) > 0;
}

int cul_objfile_unpack(struct cul_objfile *o, Elf *elf)
{
	cul_cleanup(unpacked_cleanup) struct unpacked u = {0};
	cul_autoclose int fd = -1;

	if (o->type == ET_REL || !has_compressed(elf))
		return -ENOENT;
	fd = memfd_create("debug", MFD_CLOEXEC);
	if (fd < 0 || !start(&u, fd, elf) || !add_sections(&u, elf) || !finish(&u))
		return -ENOTSUP;
	o->unpacked = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!o->unpacked)
		return -ENOMEM;
	o->unpacked_fd = cul_take_fd(&fd);
	return 0;
}
