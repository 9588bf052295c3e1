/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mappings of a core's process. The segments are its memory (one a mapping, as a rule), NT_FILE
 * says which files are in it, without it core_links.c.
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
	HEADERS = CUL_ELF_HEAD_MAX + CUL_CORE_MAX_PHDRS * CUL_ELF_PHDR_MAX,
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

bool cul_core_phdr(const struct cul_elf_head *head, const uint8_t *bytes, size_t size, uint32_t i,
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

	cul_core_locate(m->s, file->path, &path);
	got = path.failed ? -ENOMEM
			  : cul_core_file_part(cul_str_text(&path), 0, bytes, sizeof(bytes));
	if (got < 0)
		return true;
	if (cul_elf_head(bytes, (size_t)got, &head) != 0)
		return false;
	for (uint32_t i = 0;
		i < CUL_CORE_MAX_PHDRS && cul_core_phdr(&head, bytes, (size_t)got, i, &ph); i++)
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

int cul_core_make_maps(struct cul_core_source *s)
{
	struct maker m = {.s = s, .files = s->core->files.data, .n_files = s->core->files.len};

	if (!m.n_files) {
		if (cul_core_find_files(s) != 0)
			return -ENOMEM;
		m.files = s->found.data;
		m.n_files = s->found.len;
	}
	return add_segments(&m);
}
