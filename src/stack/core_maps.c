/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mappings of a core's process. The segments are its memory (one a mapping, as a rule), NT_FILE
 * says which files are in it. Cores of qemu-user and of kernels before 3.7 have no NT_FILE: then
 * the program that the user names is put where the auxiliary vector says that it was.
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
	MAX_CODE_FILES = 16384,
	MAX_ALONE = 4096, /* files that are looked into for whether they have code */
	MAX_PROGRAM_HEADERS = 64,
	HEADERS = CUL_ELF_HEAD_MAX + MAX_PROGRAM_HEADERS * CUL_ELF_PHDR_MAX,
};

struct maker {
	struct cul_core_source *s;
	const struct cul_core_file *files;
	size_t n_files;
	uint64_t vdso;
	size_t n_code, n_alone;
};

/* The first file that does not end before `addr`. */
static size_t file_from(const struct maker *m, uint64_t addr)
{
	size_t low = 0, high = m->n_files;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->files[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int set_file(struct maker *m, const struct cul_core_file *file, struct cul_map *map)
{
	static const char deleted[] = " (deleted)";
	size_t len = strlen(file->path), suffix = sizeof(deleted) - 1;

	if (map->prot & CUL_MAP_EXEC && m->n_code++ >= MAX_CODE_FILES)
		return 0;
	map->deleted = len > suffix && strcmp(file->path + len - suffix, deleted) == 0;
	map->path = map->deleted ? cul_arena_strndup(&m->s->maps.arena, file->path, len - suffix)
				 : cul_arena_strdup(&m->s->maps.arena, file->path);
	map->offset = file->offset + (map->start - file->start);
	map->inode = 1; /* the path tells one from another */
	return map->path ? 0 : -ENOMEM;
}

/* Program header `i` out of the first bytes of a file. */
static bool header(const struct cul_elf_head *head, const uint8_t *bytes, size_t size, uint32_t i,
	struct cul_elf_phdr *ph)
{
	unsigned each = cul_elf_phdr_size(head);

	if (i >= head->phnum || head->phoff > size || each * (i + 1ull) > size - head->phoff)
		return false;
	cul_elf_phdr(head, bytes + head->phoff + (size_t)each * i, ph);
	return true;
}

/* A segment, in parts where only some of it is a file's. */
static int add_segment(struct maker *m, const struct cul_core_segment *segment)
{
	uint64_t at = segment->start;

	for (size_t i = file_from(m, at); at < segment->end;) {
		const struct cul_core_file *file = i < m->n_files ? &m->files[i] : NULL;
		bool inside = file && file->start <= at;
		uint64_t stop = !file ? segment->end : inside ? file->end : file->start;
		struct cul_map *map = cul_vec_push(&m->s->maps.maps);

		if (!map)
			return -ENOMEM;
		*map = (struct cul_map){.start = at,
			.end = stop < segment->end ? stop : segment->end,
			.path = "",
			.prot = (segment->read ? CUL_MAP_READ : 0u) |
				(segment->write ? CUL_MAP_WRITE : 0u) |
				(segment->exec ? CUL_MAP_EXEC : 0u)};
		if (inside && set_file(m, file, map) != 0)
			return -ENOMEM;
		if (!inside && m->vdso && m->vdso - map->start < map->end - map->start)
			map->path = "[vdso]";
		if (inside && map->end == file->end)
			i++;
		at = map->end;
	}
	return 0;
}

/*
 * Whether the part of a file that is mapped there is code, where no segment tells. Of what cannot
 * be read it is assumed, so that frames in it are shown with its name.
 */
static bool is_code(struct maker *m, const struct cul_core_file *file)
{
	uint8_t bytes[HEADERS];
	cul_autostr struct cul_str path = {0};
	struct cul_elf_head head;
	struct cul_elf_phdr ph;
	ssize_t got;

	cul_str_addf(
		&path, "%s%s", m->s->options->sysroot ? m->s->options->sysroot : "", file->path);
	got = path.failed ? -ENOMEM : cul_core_file_head(cul_str_text(&path), bytes, sizeof(bytes));
	if (got < 0)
		return true;
	if (cul_elf_head(bytes, (size_t)got, &head) != 0)
		return false;
	for (uint32_t i = 0; i < MAX_PROGRAM_HEADERS && header(&head, bytes, (size_t)got, i, &ph);
		i++)
		if (ph.type == PT_LOAD && ph.flags & PF_X && file->offset < ph.offset + ph.filesz &&
			ph.offset < file->offset + (file->end - file->start))
			return true;
	return false;
}

/* gdb's gcore leaves out the segments of what can be read from files. */
static int add_files_alone(struct maker *m, uint64_t from, uint64_t to)
{
	for (size_t i = file_from(m, from); i < m->n_files && m->files[i].start < to; i++) {
		const struct cul_core_file *file = &m->files[i];
		struct cul_map *map;

		if (file->start < from || file->end > to || m->n_alone++ >= MAX_ALONE)
			continue;
		map = cul_vec_push(&m->s->maps.maps);
		if (!map)
			return -ENOMEM;
		*map = (struct cul_map){.start = file->start,
			.end = file->end,
			.path = "",
			.prot = CUL_MAP_READ | (is_code(m, file) ? CUL_MAP_EXEC : 0u)};
		if (set_file(m, file, map) != 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_segments(struct maker *m)
{
	const struct cul_core *core = m->s->core;
	uint64_t end = 0;
	int ret = 0;

	cul_core_auxv(core, AT_SYSINFO_EHDR, &m->vdso);
	for (size_t i = 0; ret == 0 && i < core->segments.len; i++) {
		const struct cul_core_segment *segment = &core->segments.data[i];

		ret = add_files_alone(m, end, segment->start);
		if (ret == 0)
			ret = add_segment(m, segment);
		end = segment->end;
	}
	if (ret == 0)
		ret = add_files_alone(m, end, UINT64_MAX);
	if (m->n_code > MAX_CODE_FILES)
		cul_stack_note(m->s->source,
			"the core has code of more than %d mapped files: the others have "
			"no names",
			MAX_CODE_FILES);
	return ret;
}

/* Where the program was: from the entry point that the kernel told it. */
static bool bias_of(struct cul_core_source *s, const struct cul_elf_head *head, uint64_t *bias)
{
	uint64_t entry;

	*bias = 0;
	if (cul_core_auxv(s->core, AT_ENTRY, &entry))
		*bias = entry - head->entry;
	else if (head->type == ET_DYN)
		return false;
	return *bias % CUL_CORE_PAGE == 0 && (head->type == ET_DYN || *bias == 0);
}

/* The segments of the --exe file, as NT_FILE would have them. Returns how many. */
static size_t program_files(struct cul_core_source *s, const char *path,
	struct cul_core_file files[MAX_PROGRAM_HEADERS])
{
	uint8_t bytes[HEADERS];
	ssize_t got = cul_core_file_head(path, bytes, sizeof(bytes));
	struct cul_elf_head head;
	struct cul_elf_phdr ph;
	uint64_t bias;
	size_t n = 0;

	if (got < 0) {
		cul_stack_note(s->source, "%s: cannot be read: %s", path, cul_strerror((int)got));
		return 0;
	}
	if (cul_elf_head(bytes, (size_t)got, &head) != 0 ||
		cul_arch_of_elf(head.machine, head.is_64 ? 8 : 4, head.big_endian) !=
			s->core->arch ||
		(head.type != ET_EXEC && head.type != ET_DYN) || !bias_of(s, &head, &bias)) {
		cul_stack_note(
			s->source, "not used, since it is not the program of the core: %s", path);
		return 0;
	}
	for (uint32_t i = 0; i < MAX_PROGRAM_HEADERS && header(&head, bytes, (size_t)got, i, &ph);
		i++) {
		uint64_t in_page = ph.vaddr % CUL_CORE_PAGE;

		if (ph.type != PT_LOAD || !ph.filesz || ph.offset < in_page)
			continue;
		files[n++] = (struct cul_core_file){.start = bias + ph.vaddr - in_page,
			.end = (bias + ph.vaddr + ph.filesz + CUL_CORE_PAGE - 1) &
			       ~(uint64_t)(CUL_CORE_PAGE - 1),
			.offset = ph.offset - in_page,
			.path = path};
		if (files[n - 1].end <= files[n - 1].start ||
			(n > 1 && files[n - 1].start < files[n - 2].end))
			n--;
	}
	return n;
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

int cul_core_make_maps(struct cul_core_source *s)
{
	struct cul_core_file program[MAX_PROGRAM_HEADERS];
	struct maker m = {.s = s, .files = s->core->files.data, .n_files = s->core->files.len};
	cul_autofree char *path = NULL;
	char name[PATH_MAX];

	if (m.n_files)
		return add_segments(&m);
	if (!s->options->exe) {
		cul_stack_note(s->source,
			"the core does not tell which files were mapped (NT_FILE): give the "
			"program (%s) with --exe FILE",
			run_as(s, name, sizeof(name)));
		return add_segments(&m);
	}
	path = realpath(s->options->exe, NULL);
	m.n_files = program_files(s, path ? path : s->options->exe, program);
	m.files = program;
	return add_segments(&m);
}
