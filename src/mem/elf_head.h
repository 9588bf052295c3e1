/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Headers and notes of an ELF file of either width and byte order, out of bytes that may be cut
 * off anywhere: a core's own, and those of a program's first page in a core's memory. libelf wants
 * the whole file.
 */
#ifndef CUL_MEM_ELF_HEAD_H
#define CUL_MEM_ELF_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CUL_ELF_HEAD_MAX = 64, CUL_ELF_PHDR_MAX = 56, CUL_ELF_NOTE_HEAD = 12 };

struct cul_elf_head {
	bool is_64, big_endian;
	uint16_t type, machine;
	uint32_t flags;
	uint64_t entry, phoff, shoff;
	uint16_t phentsize;
	uint32_t phnum; /* PN_XNUM: section 0 has it */
};

struct cul_elf_phdr {
	uint32_t type, flags;
	uint64_t offset, vaddr, filesz, memsz;
};

struct cul_elf_note {
	uint32_t type;
	uint64_t owner, owner_size; /* offsets from the note's head */
	uint64_t desc, desc_size;
	uint64_t next;
};

uint64_t cul_elf_number(const void *bytes, unsigned size, bool big_endian);

/* -ENOEXEC: no ELF file; -EBADMSG: cut off, or of a version or class that there is not. */
int cul_elf_head(const void *bytes, size_t size, struct cul_elf_head *out);
unsigned cul_elf_phdr_size(const struct cul_elf_head *head); /* of one that is not hostile */
void cul_elf_phdr(const struct cul_elf_head *head, const void *bytes, struct cul_elf_phdr *out);
/* Of the CUL_ELF_NOTE_HEAD bytes of one. Notes of cores and programs are aligned to 4 bytes. */
void cul_elf_note(const void *bytes, bool big_endian, struct cul_elf_note *out);

/* The build id of a program of whose file these are the first bytes; 0: none, or not in them. */
size_t cul_elf_build_id(const void *image, size_t size, const uint8_t **id);
/*
 * Whether both can be of one program, stripped or not: the same machine, entry and segments. False
 * as well when the headers of one are not whole.
 */
bool cul_elf_same_program(const void *a, size_t a_size, const void *b, size_t b_size);

#endif
