/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mem/elf_head.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

uint64_t cul_elf_number(const void *bytes, unsigned size, bool big_endian)
{
	const uint8_t *b = bytes;
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value = value << 8 | b[big_endian ? i : size - 1 - i];
	return value;
}

#define FIELD(head, bytes, type32, type64, field)                                                  \
	((head)->is_64 ? cul_elf_number((const char *)(bytes) + offsetof(type64, field),           \
				 sizeof(((type64 *)0)->field), (head)->big_endian)                 \
		       : cul_elf_number((const char *)(bytes) + offsetof(type32, field),           \
				 sizeof(((type32 *)0)->field), (head)->big_endian))
#define EHDR(field) FIELD(&head, bytes, Elf32_Ehdr, Elf64_Ehdr, field)
#define PHDR(field) FIELD(head, bytes, Elf32_Phdr, Elf64_Phdr, field)

int cul_elf_head(const void *bytes, size_t size, struct cul_elf_head *out)
{
	const unsigned char *ident = bytes;
	struct cul_elf_head head = {0};

	if (size < SELFMAG || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	if (size < EI_NIDENT || (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64) ||
		(ident[EI_DATA] != ELFDATA2LSB && ident[EI_DATA] != ELFDATA2MSB))
		return -EBADMSG;
	head.is_64 = ident[EI_CLASS] == ELFCLASS64;
	head.big_endian = ident[EI_DATA] == ELFDATA2MSB;
	if (size < (head.is_64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
		return -EBADMSG;
	head.type = (uint16_t)EHDR(e_type);
	head.machine = (uint16_t)EHDR(e_machine);
	head.flags = (uint32_t)EHDR(e_flags);
	head.entry = EHDR(e_entry);
	head.phoff = EHDR(e_phoff);
	head.shoff = EHDR(e_shoff);
	head.phentsize = (uint16_t)EHDR(e_phentsize);
	head.phnum = (uint32_t)EHDR(e_phnum);
	*out = head;
	return 0;
}

unsigned cul_elf_phdr_size(const struct cul_elf_head *head)
{
	return head->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
}

void cul_elf_phdr(const struct cul_elf_head *head, const void *bytes, struct cul_elf_phdr *out)
{
	out->type = (uint32_t)PHDR(p_type);
	out->flags = (uint32_t)PHDR(p_flags);
	out->offset = PHDR(p_offset);
	out->vaddr = PHDR(p_vaddr);
	out->filesz = PHDR(p_filesz);
	out->memsz = PHDR(p_memsz);
}

static uint64_t aligned(uint64_t size)
{
	return (size + 3) & ~3ull;
}

void cul_elf_note(const void *bytes, bool big_endian, struct cul_elf_note *out)
{
	const char *b = bytes;

	out->owner = CUL_ELF_NOTE_HEAD;
	out->owner_size = cul_elf_number(b, 4, big_endian);
	out->desc = out->owner + aligned(out->owner_size);
	out->desc_size = cul_elf_number(b + 4, 4, big_endian);
	out->next = out->desc + aligned(out->desc_size);
	out->type = (uint32_t)cul_elf_number(b + 8, 4, big_endian);
}

/* The program headers, when they are whole; `*n` of them. */
static const uint8_t *headers(
	const void *image, size_t size, struct cul_elf_head *head, uint32_t *n)
{
	if (cul_elf_head(image, size, head) != 0 || head->phentsize != cul_elf_phdr_size(head) ||
		head->phoff > size || head->phnum > (size - head->phoff) / head->phentsize)
		return NULL;
	*n = head->phnum;
	return (const uint8_t *)image + head->phoff;
}

static size_t id_in(const uint8_t *notes, size_t size, bool big_endian, const uint8_t **id)
{
	struct cul_elf_note note;

	for (size_t at = 0; size - at >= CUL_ELF_NOTE_HEAD; at += note.next) {
		cul_elf_note(notes + at, big_endian, &note);
		if (note.desc > size - at || note.desc_size > size - at - note.desc)
			break;
		if (note.type == NT_GNU_BUILD_ID && note.owner_size == 4 && note.desc_size &&
			memcmp(notes + at + note.owner, "GNU", 4) == 0) {
			*id = notes + at + note.desc;
			return note.desc_size;
		}
		if (note.next > size - at)
			break;
	}
	return 0;
}

size_t cul_elf_build_id(const void *image, size_t size, const uint8_t **id)
{
	struct cul_elf_head head;
	struct cul_elf_phdr ph;
	uint32_t n = 0;
	const uint8_t *phdrs = headers(image, size, &head, &n);

	for (uint32_t i = 0; i < n; i++) {
		size_t found;

		cul_elf_phdr(&head, phdrs + (size_t)i * head.phentsize, &ph);
		if (ph.type != PT_NOTE || ph.offset > size || ph.filesz > size - ph.offset)
			continue;
		found = id_in((const uint8_t *)image + ph.offset, ph.filesz, head.big_endian, id);
		if (found)
			return found;
	}
	return 0;
}

bool cul_elf_same_program(const void *a, size_t a_size, const void *b, size_t b_size)
{
	struct cul_elf_head x, y;
	uint32_t n = 0, m = 0;
	const uint8_t *p = headers(a, a_size, &x, &n), *q = headers(b, b_size, &y, &m);

	return p && q && n == m && x.machine == y.machine && x.type == y.type &&
	       x.is_64 == y.is_64 && x.big_endian == y.big_endian && x.entry == y.entry &&
	       memcmp(p, q, (size_t)n * x.phentsize) == 0;
}
