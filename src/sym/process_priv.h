/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that know a process' mapped files share. Inside src/sym only. */
#ifndef CUL_SYM_PROCESS_PRIV_H
#define CUL_SYM_PROCESS_PRIV_H

#include "base/vec.h"
#include "sym/process.h"

/* A file with code mapped. `map` is its first mapping; its strings are those of the maps. */
struct process_object {
	struct cul_map map;
	bool is_main;
	bool tried;
	struct cul_objfile *file; /* NULL: not tried, or `why` it cannot be read */
	struct cul_error why;
};

struct cul_process_syms {
	pid_t pid;
	const char *const *debug_paths;
	struct cul_process_files files; /* `open` NULL: those of a live process */
	struct cul_maps maps;
	CUL_VEC(struct process_object) objects; /* the executable first, then as mapped */
	size_t *by_file;                        /* numbers of objects, by what tells files apart */
	struct cul_process_syms *older; /* as it was before a refresh: names in it are still lent */
};

/* process_objects.c */
struct process_object *cul_process_object_of(struct cul_process_syms *p, const struct cul_map *map);
int cul_process_list_objects(struct cul_process_syms *p);
void cul_process_set_main(struct cul_process_syms *p, size_t i); /* puts the executable first */

/* process_files.c: opened at the first question. */
struct cul_objfile *cul_process_file_of(struct cul_process_syms *p, struct process_object *object);

#endif
