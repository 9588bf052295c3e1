/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mapped files of a core that does not tell them: cores of qemu-user and of kernels before 3.7
 * have no NT_FILE. The program is put where the auxiliary vector says that it was. Its libraries
 * are those of the dynamic linker's list (struct r_debug and link_map of <link.h>), which a
 * debugger finds by the program's dynamic section: DT_DEBUG, on MIPS DT_MIPS_RLD_MAP or
 * DT_MIPS_RLD_MAP_REL (glibc 2.36, sysdeps/mips/dl-debug.h). The list is memory of the process: it
 * may lead anywhere.
 */
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "mem/elf_head.h"
#include "stack/core.h"

enum {
	HEADERS = CUL_ELF_HEAD_MAX + CUL_CORE_MAX_PHDRS * CUL_ELF_PHDR_MAX,
	MAX_LINKS = 4096,
	MAX_TAGS = 512,
};

/* A program or library: its headers, as its file has them, and where it was. */
struct image {
	const char *path; /* of the file here */
	uint8_t bytes[HEADERS];
	size_t size;
	struct cul_elf_head head;
	uint64_t bias;
};

struct link {
	uint64_t bias, name, dynamic, next, prev;
};

static unsigned word(const struct cul_core_source *s)
{
	return s->core->arch->word;
}

static uint64_t mask(const struct cul_core_source *s)
{
	return word(s) == 8 ? UINT64_MAX : UINT32_MAX;
}

static uint64_t page_of(uint64_t addr)
{
	return addr & ~(uint64_t)(CUL_CORE_PAGE - 1);
}

static bool read_words(struct cul_core_source *s, uint64_t addr, uint64_t *out, unsigned n)
{
	uint8_t bytes[8 * 8];

	if (cul_mem_read(cul_core_mem(s->core), addr & mask(s), bytes, (size_t)n * word(s)) != 0)
		return false;
	for (unsigned i = 0; i < n; i++)
		out[i] = cul_elf_number(bytes + i * word(s), word(s), s->core->arch->big_endian);
	return true;
}

static bool is_of_core(const struct cul_core_source *s, const struct cul_elf_head *head)
{
	return cul_arch_of_elf(head->machine, head->is_64 ? 8 : 4, head->big_endian) ==
		       s->core->arch &&
	       (head->type == ET_EXEC || head->type == ET_DYN);
}

/* 0; a negative errno: it cannot be read; -ENOEXEC: it is nothing that this core can have. */
static int read_image(struct cul_core_source *s, const char *path, struct image *out)
{
	ssize_t got = cul_core_file_part(path, 0, out->bytes, sizeof(out->bytes));

	if (got < 0)
		return (int)got;
	out->path = path;
	out->size = (size_t)got;
	out->bias = 0;
	return cul_elf_head(out->bytes, out->size, &out->head) == 0 && is_of_core(s, &out->head)
		       ? 0
		       : -ENOEXEC;
}

static bool find_header(const struct image *image, uint32_t type, struct cul_elf_phdr *ph)
{
	for (uint32_t i = 0; i < CUL_CORE_MAX_PHDRS &&
			     cul_core_phdr(&image->head, image->bytes, image->size, i, ph);
		i++)
		if (ph->type == type)
			return true;
	return false;
}

/* [start, end) of a file, as NT_FILE would have it. What makes no sense is left out. */
static int add_file(
	struct cul_core_source *s, uint64_t start, uint64_t end, uint64_t offset, const char *path)
{
	struct cul_core_file *file;

	if (end <= start || end > mask(s))
		return 0;
	file = cul_vec_push(&s->found);
	if (!file)
		return -ENOMEM;
	*file = (struct cul_core_file){.start = start, .end = end, .offset = offset};
	file->path = cul_arena_strdup(&s->source->arena, path);
	return file->path ? 0 : -ENOMEM;
}

static int add_segments(struct cul_core_source *s, const struct image *image, const char *path)
{
	struct cul_elf_phdr ph;
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < CUL_CORE_MAX_PHDRS &&
			     cul_core_phdr(&image->head, image->bytes, image->size, i, &ph);
		i++) {
		uint64_t in_page = ph.vaddr % CUL_CORE_PAGE;
		uint64_t start = (image->bias + ph.vaddr - in_page) & mask(s);

		if (ph.type != PT_LOAD || !ph.filesz || ph.offset < in_page ||
			ph.filesz > mask(s) / 2)
			continue;
		ret = add_file(s, start, start + page_of(in_page + ph.filesz + CUL_CORE_PAGE - 1),
			ph.offset - in_page, path);
	}
	return ret;
}

/* Where the program was: from the entry point that the kernel told it. */
static bool place_program(struct cul_core_source *s, struct image *program)
{
	const struct cul_elf_head *head = &program->head;
	uint64_t entry;

	if (cul_core_auxv(s->core, AT_ENTRY, &entry))
		program->bias = (entry - head->entry) & mask(s);
	else if (head->type == ET_DYN)
		return false;
	return program->bias % CUL_CORE_PAGE == 0 && (head->type == ET_DYN || !program->bias);
}

/* A core tells the name by which its program was run, which may not lead to it from here. */
static const char *run_as(struct cul_core_source *s, char *name, size_t size)
{
	uint64_t at;

	if (!cul_core_auxv(s->core, AT_EXECFN, &at) ||
		cul_mem_read_string(cul_core_mem(s->core), at, name, size) != 0 || name[0] == '\0')
		return s->core->name[0] ? s->core->name : "its program";
	return name;
}

/* What is at `vaddr` of the program and can never change: the file has it. As much as is there. */
static size_t constants(const struct image *program, uint64_t vaddr, void *buf, size_t size)
{
	struct cul_elf_phdr ph;

	for (uint32_t i = 0; i < CUL_CORE_MAX_PHDRS &&
			     cul_core_phdr(&program->head, program->bytes, program->size, i, &ph);
		i++) {
		uint64_t at = vaddr - ph.vaddr;
		ssize_t got;

		if (ph.type != PT_LOAD || ph.flags & PF_W || vaddr < ph.vaddr || at >= ph.filesz)
			continue;
		got = cul_core_file_part(program->path, ph.offset + at, buf,
			size < ph.filesz - at ? size : ph.filesz - at);
		return got < 0 ? 0 : (size_t)got;
	}
	return 0;
}

static bool read_program(
	struct cul_core_source *s, const struct image *program, uint64_t vaddr, uint64_t *out)
{
	uint8_t bytes[8];

	if (read_words(s, program->bias + vaddr, out, 1))
		return true;
	if (constants(program, vaddr & mask(s), bytes, word(s)) != word(s))
		return false;
	*out = cul_elf_number(bytes, word(s), program->head.big_endian);
	return true;
}

/* That of the dynamic linker stands in the program. */
static bool read_name(
	struct cul_core_source *s, const struct image *program, uint64_t addr, char name[PATH_MAX])
{
	size_t n;

	if (cul_mem_read_string(cul_core_mem(s->core), addr, name, PATH_MAX) == 0)
		return true;
	n = constants(program, (addr - program->bias) & mask(s), name, PATH_MAX);
	return memchr(name, '\0', n);
}

/* Where the dynamic linker has put its struct r_debug; 0: nowhere, or nobody knows. */
static uint64_t find_debug(struct cul_core_source *s, const struct image *program)
{
	struct cul_elf_phdr dynamic;
	uint64_t tag, value;

	if (!find_header(program, PT_DYNAMIC, &dynamic))
		return 0;
	for (unsigned i = 0; i < MAX_TAGS; i++) {
		uint64_t at = dynamic.vaddr + 2ull * i * word(s), pointer = 0;

		if (!read_program(s, program, at, &tag) ||
			!read_program(s, program, at + word(s), &value) || tag == DT_NULL)
			return 0;
		if (tag == DT_DEBUG && value)
			return value;
		if (program->head.machine != EM_MIPS)
			continue;
		if (tag == DT_MIPS_RLD_MAP)
			pointer = value;
		else if (tag == DT_MIPS_RLD_MAP_REL)
			pointer = program->bias + at + value;
		if (pointer)
			return read_words(s, pointer, &value, 1) ? value : 0;
	}
	return 0;
}

/* Of a file that is not here, or is another one: what is its for certain has its name at least. */
static int add_nameless(struct cul_core_source *s, const struct link *link, const char *name)
{
	const char *slash = strrchr(name, '/');
	const struct cul_core_segment *first = cul_core_segment_at(s->core, link->bias);
	uint64_t last = page_of(link->dynamic);

	if (link->bias % CUL_CORE_PAGE || link->bias == 0 || !first ||
		last > mask(s) - CUL_CORE_PAGE)
		return 0;
	last += CUL_CORE_PAGE;
	return add_file(
		s, link->bias, first->end > last ? first->end : last, 0, slash ? slash + 1 : name);
}

static int add_library(struct cul_core_source *s, const struct link *link, const char *name)
{
	cul_autostr struct cul_str path = {0};
	struct cul_elf_phdr dynamic;
	struct image image;
	int ret;

	cul_core_locate(s, name, &path);
	if (path.failed)
		return -ENOMEM;
	ret = name[0] == '/' ? read_image(s, cul_str_text(&path), &image) : -ENOENT;
	if (ret == -ENOMEM)
		return ret;
	image.bias = link->bias;
	if (ret == 0 && link->bias % CUL_CORE_PAGE == 0 &&
		find_header(&image, PT_DYNAMIC, &dynamic) &&
		((dynamic.vaddr + link->bias) & mask(s)) == link->dynamic)
		return add_segments(s, &image, name);
	cul_core_add_name(ret == 0 || ret == -ENOEXEC ? &s->wrong : &s->absent,
		name[0] == '/' ? cul_str_text(&path) : name);
	return add_nameless(s, link, name);
}

static bool read_link(struct cul_core_source *s, uint64_t at, struct link *out)
{
	uint64_t words[5];

	if (!read_words(s, at, words, 5))
		return false;
	*out = (struct link){words[0], words[1], words[2], words[3], words[4]};
	return true;
}

/*
 * The first of the list is the program; names without a slash are of no file (the vDSO). A list
 * that goes in circles does not have the last one before each.
 */
static int add_libraries(struct cul_core_source *s, const struct image *program)
{
	char name[PATH_MAX];
	uint64_t at, prev = 0, head[2], debug = find_debug(s, program);
	struct link link;
	int ret = 0;

	if (!debug || !read_words(s, debug, head, 2))
		return 0;
	at = head[1];
	for (unsigned i = 0; ret == 0 && at; i++) {
		if (i == MAX_LINKS || !read_link(s, at, &link) || link.prev != prev) {
			cul_stack_note(s->source,
				"the list of its libraries that the core has in its memory makes "
				"no sense from one on: those behind it have no names");
			return 0;
		}
		prev = at;
		at = link.next;
		if (prev != head[1] && read_name(s, program, link.name, name) && strchr(name, '/'))
			ret = add_library(s, &link, name);
	}
	return ret;
}

static int by_start(const void *a, const void *b)
{
	const struct cul_core_file *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* In order of address; of those that overlap the first stays. */
static void sort_files(struct cul_core_source *s)
{
	struct cul_core_file *files = s->found.data;
	size_t kept = 0;

	if (s->found.len)
		qsort(files, s->found.len, sizeof(*files), by_start);
	for (size_t i = 0; i < s->found.len; i++)
		if (!kept || files[i].start >= files[kept - 1].end)
			files[kept++] = files[i];
	s->found.len = kept;
}

int cul_core_find_files(struct cul_core_source *s)
{
	cul_autofree char *path = NULL;
	struct image program;
	char name[PATH_MAX];
	int ret;

	if (!s->options->exe) {
		cul_stack_note(s->source,
			"the core does not tell which files were mapped (NT_FILE): give the "
			"program (%s) with --exe FILE",
			run_as(s, name, sizeof(name)));
		return 0;
	}
	path = realpath(s->options->exe, NULL);
	ret = read_image(s, path ? path : s->options->exe, &program);
	if (ret != 0 && ret != -ENOEXEC) {
		cul_stack_note(
			s->source, "%s: cannot be read: %s", s->options->exe, cul_strerror(ret));
		return 0;
	}
	if (ret == -ENOEXEC || !place_program(s, &program)) {
		cul_stack_note(s->source, "not used, since it is not the program of the core: %s",
			s->options->exe);
		return 0;
	}
	ret = add_segments(s, &program, program.path);
	if (ret == 0)
		ret = add_libraries(s, &program);
	sort_files(s);
	return ret;
}
