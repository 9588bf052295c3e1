/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables that tell how to unwind: .eh_frame, which is mapped with the code; .debug_frame, of
 * the file or of its separate debug file; .ARM.exidx. And files that are only in memory (the vDSO).
 */
#include "sym/dwarf_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sym/objfile_inflate.h"

static bool has_section(Elf *elf, const char *name)
{
	GElf_Shdr shdr;

	return cul_objfile_elf_section(elf, name, &shdr) && shdr.sh_type != SHT_NOBITS;
}

bool cul_objfile_has_section(struct cul_objfile *o, const char *name)
{
	return has_section(o->elf, name);
}

static Dwarf_CFI *debug_frame(struct cul_objfile *o)
{
	if (o->debug_cfi_sought)
		return o->debug_cfi;
	o->debug_cfi_sought = true;
	/* A stripped file may have kept .debug_frame alone. */
	if (has_section(o->elf, ".debug_frame")) {
		o->frames_dwarf = cul_objfile_dwarf_begin(o->elf);
		if (o->frames_dwarf && cul_objfile_debug_frame_is_sane(o->elf))
			o->debug_cfi = dwarf_getcfi(o->frames_dwarf);
	} else if (cul_objfile_debug(o, NULL) == 0 &&
		   cul_objfile_debug_frame_is_sane(dwarf_getelf(o->dwarf))) {
		o->debug_cfi = dwarf_getcfi(o->dwarf);
	}
	return o->debug_cfi;
}

static int frame_in(Dwarf_CFI *cfi, uint64_t linked, struct Dwarf_Frame_s **frame)
{
	Dwarf_Addr start, end;
	bool signal;

	if (!cfi || dwarf_cfi_addrframe(cfi, linked, frame) != 0)
		return -ENOENT;
	if (dwarf_frame_info(*frame, &start, &end, &signal) >= 0 && linked >= start && linked < end)
		return 0;
	free(*frame);
	*frame = NULL;
	return -ENOENT;
}

int cul_objfile_frame(struct cul_objfile *o, uint64_t addr, struct Dwarf_Frame_s **frame)
{
	uint64_t linked = cul_objfile_linked(o, addr);

	if (o->type == ET_REL)
		return -ENOENT; /* kernel modules keep none that is relocated */
	if (!o->eh_cfi_sought) {
		o->eh_cfi_sought = true;
		o->eh_cfi = cul_objfile_eh_open(o);
	}
	if (o->eh_cfi && cul_objfile_eh_is_sane(&o->eh, linked) &&
		frame_in(o->eh_cfi, linked, frame) == 0)
		return 0;
	return frame_in(debug_frame(o), linked, frame);
}

void cul_objfile_frames_free(struct cul_objfile *o)
{
	dwarf_cfi_end(o->eh_cfi);
	cul_objfile_eh_free(&o->eh);
	dwarf_end(o->frames_dwarf);
}

int cul_objfile_entry(struct cul_objfile *o, uint64_t *addr)
{
	GElf_Ehdr ehdr;

	if (o->type == ET_REL || !gelf_getehdr(o->elf, &ehdr) || !ehdr.e_entry)
		return -ENOENT;
	*addr = cul_objfile_runtime(o, o->machine == EM_ARM ? ehdr.e_entry & ~1ull : ehdr.e_entry);
	return 0;
}

int cul_objfile_exidx(struct cul_objfile *o, uint64_t *addr, uint64_t *size)
{
	size_t n;

	if (o->machine != EM_ARM || o->type == ET_REL || elf_getphdrnum(o->elf, &n) != 0)
		return -ENOENT;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(o->elf, (int)i, &ph) || ph.p_type != PT_ARM_EXIDX)
			continue;
		*addr = cul_objfile_runtime(o, ph.p_vaddr);
		*size = ph.p_memsz;
		return 0;
	}
	return -ENOENT;
}

unsigned cul_objfile_machine(const struct cul_objfile *o)
{
	return o->machine;
}

static void image_cleanup(struct cul_objfile **o)
{
	cul_objfile_free(*o);
}

int cul_objfile_open_image(
	const void *bytes, size_t size, const char *name, uint64_t start, struct cul_objfile **out)
{
	cul_cleanup(image_cleanup) struct cul_objfile *o = cul_calloc(1, sizeof(*o));
	int ret;

	if (!o)
		return -ENOMEM;
	o->fd = o->debug_fd = o->alt_fd = -1;
	o->debug_sought = o->debug_file_sought = true; /* none belongs to it */
	o->provider.ops = &cul_dwarf_type_ops;
	o->name = cul_strdup(name);
	o->path = cul_strdup(name);
	o->image = size ? cul_calloc(1, size) : NULL;
	if (!o->name || !o->path || !o->image)
		return -ENOMEM;
	memcpy(o->image, bytes, size);
	o->image_size = size;
	o->elf = cul_objfile_elf_memory(o->image, size);
	if (!o->elf || elf_kind(o->elf) != ELF_K_ELF)
		return -ENOEXEC;
	ret = cul_objfile_read_header(o);
	if (ret != 0)
		return ret;
	ret = cul_objfile_place(o, start, 0, true, NULL);
	if (ret != 0)
		return ret;
	*out = cul_take(o);
	return 0;
}
