/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/dwarf_priv.h"
#include "sym/objfile_inflate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "mem/elf_head.h"
#include "sys/file.h"

/*
 * Of sections libelf keeps some 300 bytes for each, at once; their number may stand in section 0.
 * So may that of segments, which are gone through for each question: linkers make a dozen.
 */
enum { SECTIONS_MOST = 1 << 17, NOTES_MOST = 1 << 20 };

/* Where its size is, which has the number; 0: in no file that libelf reads. */
static uint64_t section_0(const uint8_t *bytes, size_t size, struct cul_elf_head *head)
{
	if (cul_elf_head(bytes, size, head) != 0 || head->shoff == 0 ||
		head->shoff > INT64_MAX - sizeof(Elf64_Shdr))
		return 0;
	return head->shoff +
	       (head->is_64 ? offsetof(Elf64_Shdr, sh_size) : offsetof(Elf32_Shdr, sh_size));
}

static bool has_many(const struct cul_elf_head *head, const uint8_t *number)
{
	return cul_elf_number(number, head->is_64 ? 8 : 4, head->big_endian) > SECTIONS_MOST;
}

static bool has_many_headers(int fd)
{
	uint8_t bytes[CUL_ELF_HEAD_MAX];
	struct cul_elf_head head = {0};
	ssize_t n = cul_sys_pread_full(fd, bytes, sizeof(bytes), 0);
	uint64_t at = n < 0 ? 0 : section_0(bytes, (size_t)n, &head);

	return head.phnum == PN_XNUM ||
	       (at && cul_sys_pread_full(fd, bytes, 8, at) == 8 && has_many(&head, bytes));
}

Elf *cul_objfile_elf_memory(void *bytes, size_t size)
{
	struct cul_elf_head head = {0};
	uint64_t at = section_0(bytes, size, &head);

	if (head.phnum == PN_XNUM ||
		(at && size >= 8 && at <= size - 8 && has_many(&head, (uint8_t *)bytes + at)))
		return NULL;
	elf_version(EV_CURRENT);
	return elf_memory(bytes, size);
}

/* The names of sections: libelf would unpack them, however large that becomes. */
static bool has_packed_names(Elf *elf)
{
	GElf_Shdr shdr;
	size_t names;

	return elf_getshdrstrndx(elf, &names) == 0 && gelf_getshdr(elf_getscn(elf, names), &shdr) &&
	       shdr.sh_flags & SHF_COMPRESSED;
}

int cul_objfile_elf_open(const char *path, Elf_Cmd how, int *fd_out, Elf **out)
{
	cul_autoclose int fd = cul_sys_open_regular(path);
	Elf *elf;

	if (fd < 0)
		return fd;
	if (has_many_headers(fd))
		return -EBADMSG;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, how, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF || has_packed_names(elf)) {
		elf_end(elf);
		return -ENOEXEC;
	}
	*fd_out = cul_take_fd(&fd);
	*out = elf;
	return 0;
}

/* The first section of that name, or NULL. */
Elf_Scn *cul_objfile_elf_section(Elf *elf, const char *name, GElf_Shdr *shdr)
{
	size_t names;
	Elf_Scn *scn = NULL;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *this;

		if (!gelf_getshdr(scn, shdr))
			continue;
		this = elf_strptr(elf, names, shdr->sh_name);
		if (this && strcmp(this, name) == 0)
			return scn;
	}
	return NULL;
}

static size_t build_id_in(Elf_Data *notes, const uint8_t **id)
{
	size_t off = 0, name, desc, next;
	GElf_Nhdr note;

	while (notes && (next = gelf_getnote(notes, off, &note, &name, &desc)) > off) {
		const char *bytes = notes->d_buf;

		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
			memcmp(bytes + name, "GNU", 4) == 0 && note.n_descsz) {
			*id = (const uint8_t *)bytes + desc;
			return note.n_descsz;
		}
		off = next;
	}
	return 0;
}

/* Of a file without section headers: sstrip takes them off. */
static size_t build_id_by_segments(Elf *elf, const uint8_t **id)
{
	size_t n, len = 0;

	if (elf_getphdrnum(elf, &n) != 0)
		return 0;
	for (size_t i = 0; i < n && len == 0; i++) {
		GElf_Phdr ph;

		if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_NOTE && ph.p_filesz &&
			ph.p_filesz <= NOTES_MOST)
			len = build_id_in(
				elf_getdata_rawchunk(elf, (int64_t)ph.p_offset, ph.p_filesz,
					ph.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR),
				id);
	}
	return len;
}

size_t cul_objfile_elf_build_id(Elf *elf, const uint8_t **id)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	size_t len = 0;

	while (len == 0 && (scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_NOTE &&
			shdr.sh_size <= NOTES_MOST)
			len = build_id_in(elf_getdata(scn, NULL), id);
	return len ? len : build_id_by_segments(elf, id);
}

int cul_objfile_section_addr(struct cul_objfile *o, const char *name, uint64_t *addr)
{
	return o->load.section ? o->load.section(o->load.data, name, addr) : -ENOENT;
}

/*
 * x86 links the kernel's per-CPU section at 0 (before 6.15): such an address is an offset, and the
 * shift of KASLR is not added to it.
 */
static bool is_percpu_offset(struct cul_objfile *o, uint64_t linked)
{
	return linked < o->percpu_end;
}

uint64_t cul_objfile_runtime(struct cul_objfile *o, uint64_t linked)
{
	if (o->type == ET_REL || is_percpu_offset(o, linked))
		return linked;
	return linked + o->load.bias;
}

uint64_t cul_objfile_linked(struct cul_objfile *o, uint64_t addr)
{
	return o->type == ET_REL || is_percpu_offset(o, addr) ? addr : addr - o->load.bias;
}

bool cul_objfile_unloaded(const struct cul_objfile *o, uint64_t addr)
{
	return o->type == ET_REL && addr >> 48 == OBJFILE_UNLOADED;
}

/* How a file that is compressed as a whole (a module: foo.ko.xz) is unpacked; NULL: it is not. */
static const char *unpacker(int fd)
{
	static const struct {
		const char *magic, *command;
	} known[] = {{"\x1f\x8b", "gunzip"},
		{"\xfd"
		 "7zXZ",
			"unxz"},
		{"\x28\xb5\x2f\xfd", "unzstd"}};
	char head[8] = "";

	if (pread(fd, head, sizeof(head) - 1, 0) <= 0)
		return NULL;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (memcmp(head, known[i].magic, strlen(known[i].magic)) == 0)
			return known[i].command;
	return NULL;
}

static int not_elf(struct cul_objfile *o, struct cul_error *err)
{
	cul_autoclose int fd = cul_sys_open_regular(o->path);
	const char *command = fd >= 0 ? unpacker(fd) : NULL;

	if (command)
		return cul_fail(err, -ENOEXEC,
			"%s: is compressed; unpack it (%s) and name the result", o->name, command);
	return cul_fail(err, -ENOEXEC, "%s: is not an ELF file", o->name);
}

int cul_objfile_read_header(struct cul_objfile *o)
{
	GElf_Ehdr ehdr;
	GElf_Shdr shdr;

	if (!gelf_getehdr(o->elf, &ehdr))
		return -EBADMSG;
	o->type = ehdr.e_type;
	o->machine = ehdr.e_machine;
	o->is_64 = ehdr.e_ident[EI_CLASS] == ELFCLASS64;
	o->big_endian = ehdr.e_ident[EI_DATA] == ELFDATA2MSB;
	if (o->type != ET_REL && cul_objfile_elf_section(o->elf, ".data..percpu", &shdr) &&
		shdr.sh_addr == 0)
		o->percpu_end = shdr.sh_size;
	return 0;
}

static int open_elf(struct cul_objfile *o)
{
	int ret = cul_objfile_elf_open(o->path, ELF_C_READ_MMAP, &o->fd, &o->elf);

	if (ret == 0)
		ret = cul_objfile_read_header(o);
	if (ret != 0 || o->type != ET_REL)
		return ret;
	/* Its debug sections will be relocated in place. */
	elf_end(o->elf);
	o->elf = elf_begin(o->fd, ELF_C_READ_MMAP_PRIVATE, NULL);
	return o->elf ? 0 : -ENOMEM;
}

/* The places to look for debug files. */
static int copy_paths(struct cul_objfile *o)
{
	const char *const *paths = o->load.debug_paths;
	const char **copy;
	size_t n = 0;

	if (o->load.root && !(o->load.root = cul_arena_strdup(&o->arena, o->load.root)))
		return -ENOMEM;
	o->load.debug_paths = NULL;
	if (!paths)
		return 0;
	while (paths[n])
		n++;
	copy = cul_arena_alloc(&o->arena, (n + 1) * sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		copy[i] = cul_arena_strdup(&o->arena, paths[i]);
		if (!copy[i])
			return -ENOMEM;
	}
	o->load.debug_paths = copy;
	return 0;
}

static void objfile_cleanup(struct cul_objfile **o)
{
	cul_objfile_free(*o);
}

int cul_objfile_open(const char *path, const char *name, const struct cul_objfile_load *load,
	struct cul_objfile **out, struct cul_error *err)
{
	cul_cleanup(objfile_cleanup) struct cul_objfile *o = cul_calloc(1, sizeof(*o));
	int ret;

	if (!o)
		return cul_fail(err, -ENOMEM, "%s: cannot be opened: out of memory", name);
	o->fd = o->debug_fd = o->alt_fd = -1;
	o->provider.ops = &cul_dwarf_type_ops;
	if (load)
		o->load = *load;
	o->name = cul_strdup(name);
	o->path = cul_strdup(path);
	if (!o->name || !o->path || copy_paths(o) != 0)
		return cul_fail(err, -ENOMEM, "%s: cannot be opened: out of memory", name);
	ret = open_elf(o);
	if (ret == -ENOEXEC)
		return not_elf(o, err);
	if (ret == -EBADMSG)
		return cul_fail(err, ret, "%s: has a malformed ELF header", name);
	if (ret != 0)
		return cul_fail(
			err, ret, "%s: cannot be opened: %s (%s)", name, cul_strerror(ret), path);
	*out = cul_take(o);
	return 0;
}

void cul_objfile_free(struct cul_objfile *o)
{
	if (!o)
		return;
	cul_dwarf_types_free(o);
	cul_dwarf_inlines_free(o);
	free(o->names);
	free(o->symbols.data);
	free(o->stubs.data);
	free(o->units.data);
	free(o->ranges.data);
	free(o->functions.data);
	cul_objfile_frames_free(o);
	cul_objfile_mini_free(o);
	cul_objfile_debug_await(o);
	dwarf_end(o->dwarf);
	dwarf_end(o->alt);
	elf_end(o->alt_elf);
	elf_end(o->debug_elf);
	cul_objfile_inflated_free(o->inflated);
	elf_end(o->elf);
	if (o->debug_fd >= 0)
		close(o->debug_fd);
	if (o->alt_fd >= 0)
		close(o->alt_fd);
	if (o->fd >= 0)
		close(o->fd);
	cul_arena_free(&o->arena);
	free(o->image);
	free(o->debug_path);
	free(o->name);
	free(o->path);
	free(o);
}

int cul_objfile_bytes(struct cul_objfile *o, uint64_t addr, void *buf, size_t size)
{
	uint64_t linked = cul_objfile_linked(o, addr);
	size_t n, file_size;
	const char *raw = elf_rawfile(o->elf, &file_size);

	if (!raw || elf_getphdrnum(o->elf, &n) != 0)
		return -EFAULT;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;
		uint64_t at;

		if (!gelf_getphdr(o->elf, (int)i, &ph) || ph.p_type != PT_LOAD ||
			linked < ph.p_vaddr)
			continue;
		at = linked - ph.p_vaddr;
		if (at >= ph.p_filesz || size > ph.p_filesz - at || ph.p_offset > file_size ||
			ph.p_filesz > file_size - ph.p_offset)
			continue;
		memcpy(buf, raw + ph.p_offset + at, size);
		return 0;
	}
	return -EFAULT;
}

int cul_objfile_offset(struct cul_objfile *o, uint64_t addr, uint64_t *offset)
{
	uint64_t linked = cul_objfile_linked(o, addr);
	size_t n;

	if (o->type == ET_REL || elf_getphdrnum(o->elf, &n) != 0)
		return -ENOENT;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(o->elf, (int)i, &ph) || ph.p_type != PT_LOAD ||
			!(ph.p_flags & PF_X) || linked < ph.p_vaddr ||
			linked - ph.p_vaddr >= ph.p_filesz ||
			__builtin_add_overflow(ph.p_offset, linked - ph.p_vaddr, offset))
			continue;
		return 0;
	}
	return -ENOENT;
}

/* Whether the loader maps a file from `offset` on for this segment. */
static bool is_mapped_from(const GElf_Phdr *ph, uint64_t offset)
{
	uint64_t page = 4095;

	if (ph->p_type != PT_LOAD)
		return false;
	/* A segment is mapped from the page (of up to p_align bytes) its first byte is in. */
	if (ph->p_align > 4096 && (ph->p_align & (ph->p_align - 1)) == 0)
		page = ph->p_align - 1;
	return offset >= (ph->p_offset & ~page) && offset < ph->p_offset + ph->p_filesz;
}

int cul_objfile_place(
	struct cul_objfile *o, uint64_t start, uint64_t offset, bool is_code, struct cul_error *err)
{
	bool found = false, found_code = false;
	size_t n;

	if (elf_getphdrnum(o->elf, &n) != 0)
		n = 0;
	/* lld lets segments share a page of the file, which is mapped for each of them then. */
	for (size_t i = 0; i < n && (!found || found_code != is_code); i++) {
		GElf_Phdr ph;
		bool has_code;

		if (!gelf_getphdr(o->elf, (int)i, &ph) || !is_mapped_from(&ph, offset))
			continue;
		has_code = ph.p_flags & PF_X;
		if (found && has_code != is_code)
			continue;
		o->load.bias = start - offset + ph.p_offset - ph.p_vaddr;
		found = true;
		found_code = has_code;
	}
	if (found)
		return 0;
	return cul_fail(err, -ENOEXEC,
		"%s: no program header fits the mapping of file offset 0x%llx: has the file "
		"changed?",
		o->name, (unsigned long long)offset);
}

const char *cul_objfile_path(const struct cul_objfile *o)
{
	return o->path;
}

const char *cul_objfile_name(const struct cul_objfile *o)
{
	return o->name;
}

size_t cul_objfile_build_id(struct cul_objfile *o, const uint8_t **id)
{
	return cul_objfile_elf_build_id(o->elf, id);
}

bool cul_objfile_has_dwarf(struct cul_objfile *o)
{
	return cul_objfile_debug(o, NULL) == 0;
}

const char *cul_objfile_debug_path(struct cul_objfile *o)
{
	return cul_objfile_debug(o, NULL) == 0 ? o->debug_path : NULL;
}
