/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that a core's process had mapped: where they are looked for, and whether one that was
 * found is the one that ran. The kernel dumps the first page of each (bit 4 of coredump_filter,
 * set by default), which has the build id.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mem/elf_head.h"
#include "stack/core.h"
#include "sys/file.h"

void cul_core_add_name(struct cul_core_names *names, const char *name)
{
	if (names->n++ < CUL_CORE_NAMED)
		cul_str_addf(&names->text, "%s%s", names->n > 1 ? ", " : "", name);
}

static const char *list(struct cul_core_names *names)
{
	if (names->n > CUL_CORE_NAMED)
		cul_str_addf(&names->text, " and %zu more", names->n - CUL_CORE_NAMED);
	return cul_str_text(&names->text);
}

static const char *hex(const uint8_t *id, size_t size, char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < size && i < CUL_CORE_ID_MAX; i++) {
		text[n++] = digits[id[i] >> 4];
		text[n++] = digits[id[i] & 15];
	}
	text[n] = '\0';
	return text;
}

enum verdict { RIGHT, WRONG, UNKNOWN };

static bool is_there(const char *path)
{
	cul_autoclose int fd = cul_sys_open_regular(path);

	return fd >= 0;
}

ssize_t cul_core_file_part(const char *path, uint64_t offset, void *buf, size_t size)
{
	cul_autoclose int fd = cul_sys_open_regular(path);

	return fd < 0 ? fd : cul_sys_pread_full(fd, buf, size, offset);
}

void cul_core_locate(const struct cul_core_source *s, const char *name, struct cul_str *path)
{
	const char *root = s->options->sysroot;
	size_t len = path->len;

	cul_str_addf(path, "%s%s", root ? root : "", name);
	if (!root || s->core->files.len || path->failed || is_there(cul_str_text(path) + len) ||
		!is_there(name))
		return;
	cul_str_cut(path, len);
	cul_str_add(path, name);
}

static size_t first_page(const struct cul_objfile *file, uint8_t *page)
{
	ssize_t n = cul_core_file_part(cul_objfile_path(file), 0, page, CUL_CORE_PAGE);

	return n < 0 ? 0 : (size_t)n;
}

/* Of a program whose page is not in the core: what the kernel told it of itself. */
static enum verdict compare_entry(struct cul_core_source *s, const struct cul_objfile *file)
{
	uint8_t page[CUL_CORE_PAGE];
	struct cul_elf_head head;
	uint64_t entry, n;

	if (cul_elf_head(page, first_page(file, page), &head) != 0)
		return UNKNOWN;
	if (cul_core_auxv(s->core, AT_ENTRY, &entry) &&
		((entry - head.entry) % CUL_CORE_PAGE != 0 ||
			(head.type == ET_EXEC && entry != head.entry)))
		return WRONG;
	if (cul_core_auxv(s->core, AT_PHNUM, &n) && n != head.phnum)
		return WRONG;
	return UNKNOWN;
}

static enum verdict compare(struct cul_core_source *s, const struct cul_map *map, bool is_main,
	struct cul_objfile *file, struct cul_error *why)
{
	char ours[2 * CUL_CORE_ID_MAX + 1], theirs[2 * CUL_CORE_ID_MAX + 1];
	uint8_t page[CUL_CORE_PAGE], found[CUL_CORE_PAGE];
	const uint8_t *id, *file_id;
	size_t n, file_n, held;

	if (cul_objfile_machine(file) != s->core->arch->elf_machine) {
		cul_fail(why, -ESTALE, "%s: is of another architecture", cul_objfile_path(file));
		return WRONG;
	}
	held = map->offset ? 0 : cul_core_held(s->core, map->start, page, sizeof(page));
	n = cul_elf_build_id(page, held, &id);
	file_n = cul_objfile_build_id(file, &file_id);
	if (n && file_n) {
		if (n == file_n && memcmp(id, file_id, n) == 0)
			return RIGHT;
		cul_fail(why, -ESTALE, "%s: its build id is %s, that of the core's is %s",
			cul_objfile_path(file), hex(file_id, file_n, ours), hex(id, n, theirs));
		return WRONG;
	}
	cul_fail(why, -ESTALE, "%s: is another program than the core's", cul_objfile_path(file));
	if (held < CUL_ELF_HEAD_MAX)
		return is_main ? compare_entry(s, file) : UNKNOWN;
	if (n || !cul_elf_same_program(page, held, found, first_page(file, found)))
		return WRONG;
	return UNKNOWN;
}

static int try(struct cul_core_source *s, const char *path, const struct cul_map *map, bool is_main,
	const struct cul_objfile_load *load, struct cul_objfile **out, struct cul_error *err)
{
	struct cul_objfile *file = NULL;
	enum verdict verdict;
	int ret = cul_objfile_open(path, map->path, load, &file, err);

	if (ret != 0)
		return ret;
	verdict = compare(s, map, is_main, file, err);
	/* Of a file that was removed another may have the name now. */
	if (verdict == WRONG || (verdict == UNKNOWN && map->deleted)) {
		cul_objfile_free(file);
		return -ESTALE;
	}
	if (verdict == UNKNOWN)
		cul_core_add_name(&s->unchecked, path);
	*out = file;
	return 0;
}

int cul_core_open_file(void *data, const struct cul_map *map, bool is_main,
	const struct cul_objfile_load *load, struct cul_objfile **out, struct cul_error *err)
{
	struct cul_core_source *s = data;
	const struct cul_stack_options *options = s->options;
	struct cul_objfile_load there = *load;
	cul_autostr struct cul_str path = {0};
	int ret;

	s->exe_tried |= is_main;
	if (is_main && options->exe)
		cul_str_addf(&path, "%s", options->exe);
	else
		cul_core_locate(s, map->path, &path);
	if (path.failed)
		return cul_fail(err, -ENOMEM, "%s: out of memory", map->path);
	there.root = options->sysroot;
	ret = try(s, cul_str_text(&path), map, is_main, &there, out, err);
	if (ret == -ESTALE)
		cul_core_add_name(&s->wrong, err->text);
	else if (ret != 0)
		cul_core_add_name(&s->absent, cul_str_text(&path));
	return ret;
}

size_t cul_core_file_id(void *data, const struct cul_map *map, const uint8_t **id)
{
	struct cul_core_source *s = data;
	uint8_t page[CUL_CORE_PAGE];
	const uint8_t *found;
	size_t held = map->offset ? 0 : cul_core_held(s->core, map->start, page, sizeof(page));
	size_t n = cul_elf_build_id(page, held, &found);

	if (n == 0 || n > sizeof(s->id))
		return 0;
	memcpy(s->id, found, n);
	*id = s->id;
	return n;
}

void cul_core_note_files(struct cul_core_source *s)
{
	if (s->options->exe && !s->exe_tried && s->core->files.len)
		cul_stack_note(s->source,
			"%s is not used: the core does not tell which of its files is the program",
			s->options->exe);
	if (s->absent.n)
		cul_stack_note(s->source,
			"cannot be read: %s; frames in what is missing are shown as file+offset: "
			"give "
			"the program with --exe FILE, and a directory that has the libraries of "
			"that "
			"machine with --sysroot DIR",
			list(&s->absent));
	if (s->wrong.n)
		cul_stack_note(s->source,
			"not used, since it is not the file that ran: %s; give the right one with "
			"--exe FILE or --sysroot DIR",
			list(&s->wrong));
	if (s->unchecked.n)
		cul_stack_note(s->source,
			"nobody can tell from the core whether this is the file that ran: %s; if "
			"it "
			"is another version, names and frames are wrong",
			list(&s->unchecked));
}
