/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that read a core share. Inside src/stack only. */
#ifndef CUL_STACK_CORE_H
#define CUL_STACK_CORE_H

#include "base/str.h"
#include "mem/core.h"
#include "mem/elf_head.h"
#include "stack/source.h"

enum {
	CUL_CORE_NAMED = 3,
	CUL_CORE_ID_MAX = 64,
	CUL_CORE_PAGE = 4096,
	CUL_CORE_MAX_PHDRS = 64, /* of a mapped file, looked at */
};

/* A few names of files, and how many they are. */
struct cul_core_names {
	struct cul_str text;
	size_t n;
};

/* The data of such a source. */
struct cul_core_source {
	const struct cul_stack_options *options;
	struct cul_core *core;
	struct cul_stack_source *source;
	struct cul_maps maps;                /* until the names take them over */
	CUL_VEC(struct cul_core_file) found; /* without NT_FILE; by address, none overlapping */
	struct cul_core_names absent, wrong, unchecked;
	bool exe_tried;
	uint8_t id[CUL_CORE_ID_MAX]; /* lent by the last question for one */
};

void cul_core_add_name(struct cul_core_names *names, const char *name); /* core_files.c */

/*
 * core_files.c: adds where the file of that name is: below --sysroot. qemu-user takes what is not
 * below its own (-L) from where the name says, so that of its cores that is the second place.
 */
void cul_core_locate(const struct cul_core_source *s, const char *name, struct cul_str *path);

/* core_files.c: bytes of a file, however many there are; it is not opened if special. */
ssize_t cul_core_file_part(const char *path, uint64_t offset, void *buf, size_t size);

/* core_files.c: `open` and `build_id` of struct cul_process_files. */
int cul_core_open_file(void *data, const struct cul_map *map, bool is_main,
	const struct cul_objfile_load *load, struct cul_objfile **out, struct cul_error *err);
size_t cul_core_file_id(void *data, const struct cul_map *map, const uint8_t **id);
/* What became of the files, once all were tried, in notes. */
void cul_core_note_files(struct cul_core_source *s);

/* core_maps.c: the mappings, out of segments and of NT_FILE or what was found. -ENOMEM. */
int cul_core_make_maps(struct cul_core_source *s);
/* core_maps.c: program header `i` out of the first bytes of a file; false: not in them. */
bool cul_core_phdr(const struct cul_elf_head *head, const uint8_t *bytes, size_t size, uint32_t i,
	struct cul_elf_phdr *ph);

/* core_links.c: the program and its libraries into `found`. -ENOMEM. */
int cul_core_find_files(struct cul_core_source *s);

#endif
