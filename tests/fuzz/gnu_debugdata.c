/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MiniDebugInfo. The first byte says what the others are: even: the section as it stands in the
 * file; odd: the ELF file in it, compressed here, for checksums keep a fuzzer from getting there.
 */
#include <elf.h>
#include <lzma.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sym/objfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outer {
	Elf64_Ehdr header;
	Elf64_Shdr sections[3];
	char names[32];
};

/* A file with nothing but the section. */
static int write_file(int fd, const uint8_t *section, size_t size)
{
	static const char names[32] = "\0.shstrtab\0.gnu_debugdata";
	struct outer o = {0};

	memcpy(o.header.e_ident, ELFMAG, SELFMAG);
	o.header.e_ident[EI_CLASS] = ELFCLASS64;
	o.header.e_ident[EI_DATA] = ELFDATA2LSB;
	o.header.e_ident[EI_VERSION] = EV_CURRENT;
	o.header.e_type = ET_DYN;
	o.header.e_machine = EM_X86_64;
	o.header.e_version = EV_CURRENT;
	o.header.e_ehsize = sizeof(o.header);
	o.header.e_shoff = offsetof(struct outer, sections);
	o.header.e_shentsize = sizeof(Elf64_Shdr);
	o.header.e_shnum = 3;
	o.header.e_shstrndx = 1;
	memcpy(o.names, names, sizeof(names));
	o.sections[1] = (Elf64_Shdr){.sh_name = 1,
		.sh_type = SHT_STRTAB,
		.sh_offset = offsetof(struct outer, names),
		.sh_size = sizeof(o.names)};
	o.sections[2] = (Elf64_Shdr){
		.sh_name = 11, .sh_type = SHT_PROGBITS, .sh_offset = sizeof(o), .sh_size = size};
	return write(fd, &o, sizeof(o)) == sizeof(o) && write(fd, section, size) == (ssize_t)size
		       ? 0
		       : -1;
}

static int write_compressed(int fd, const uint8_t *data, size_t size)
{
	size_t n = 0, room = lzma_stream_buffer_bound(size);
	uint8_t *packed = malloc(room);
	int ret = -1;

	if (packed && lzma_easy_buffer_encode(
			      0, LZMA_CHECK_CRC32, NULL, data, size, packed, &n, room) == LZMA_OK)
		ret = write_file(fd, packed, n);
	free(packed);
	return ret;
}

static void ask(struct cul_objfile *o)
{
	struct cul_elf_symbol sym;
	size_t cursor = 0;

	while (cul_objfile_next_symbol(o, &cursor, &sym))
		cul_objfile_symbol_at(o, sym.addr + sym.size / 2, &sym);
	for (uint64_t addr = 0; addr < 0x10000; addr += 0x777)
		cul_objfile_symbol_at(o, addr, &sym);
	cul_objfile_symbol(o, "main", &sym, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cul_objfile *o = NULL;
	char path[64];
	int fd;

	if (size == 0)
		return 0;
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((data[0] & 1 ? write_compressed : write_file)(fd, data + 1, size - 1) == 0 &&
		cul_objfile_open(path, "fuzz", NULL, &o, NULL) == 0) {
		ask(o);
		cul_objfile_free(o);
	}
	close(fd);
	return 0;
}
