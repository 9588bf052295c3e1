/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens the files that a process has mapped. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/str.h"
#include "sym/process_priv.h"

/* Through a name, which may by now be another file's: only when the inode is the mapped one. */
static bool is_mapped_file(const char *path, const struct process_object *object)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_ino == object->map.inode;
}

static int open_file(struct cul_process_syms *p, struct process_object *object)
{
	struct cul_objfile_load load = {.debug_paths = p->debug_paths};
	const struct cul_map *m = &object->map;
	cul_autostr struct cul_str path = {0};
	char root[32];
	int ret;

	if (p->files.open)
		return p->files.open(
			p->files.data, m, object->is_main, &load, &object->file, &object->why);
	snprintf(root, sizeof(root), "/proc/%d/root", (int)p->pid);
	load.root = root;
	cul_str_addf(&path, "/proc/%d/map_files/%llx-%llx", (int)p->pid,
		(unsigned long long)m->start, (unsigned long long)m->end);
	ret = cul_objfile_open(cul_str_text(&path), m->path, &load, &object->file, &object->why);
	if (ret == 0 || ret == -ENOEXEC || ret == -ENOMEM)
		return ret;
	cul_str_reset(&path);
	if (object->is_main)
		cul_str_addf(&path, "/proc/%d/exe", (int)p->pid);
	else
		cul_str_addf(&path, "%s%s", root, cul_objfile_inside(root, m->path));
	if (path.failed)
		return cul_fail(&object->why, -ENOMEM, "%s: out of memory", m->path);
	if (!is_mapped_file(cul_str_text(&path), object))
		return cul_fail(&object->why, -ESTALE,
			"%s: the file that process %d has mapped was replaced or removed; reading "
			"it "
			"needs root (%s)",
			m->path, (int)p->pid, cul_strerror(ret));
	return cul_objfile_open(cul_str_text(&path), m->path, &load, &object->file, &object->why);
}

struct cul_objfile *cul_process_file_of(struct cul_process_syms *p, struct process_object *object)
{
	if (object->tried)
		return object->file;
	object->tried = true;
	if (open_file(p, object) != 0)
		return NULL;
	if (cul_objfile_place(object->file, object->map.start, object->map.offset,
		    object->map.prot & CUL_MAP_EXEC, &object->why) != 0) {
		cul_objfile_free(object->file);
		object->file = NULL;
	}
	return object->file;
}

int cul_process_open_maps(pid_t pid, struct cul_maps *maps, const struct cul_process_files *files,
	const char *const *debug_paths, struct cul_process_syms **out, struct cul_error *err)
{
	struct cul_process_syms *p = cul_calloc(1, sizeof(*p));
	const struct cul_map *main;

	if (p) {
		p->pid = pid;
		p->debug_paths = debug_paths;
		p->files = *files;
		p->maps = *maps;
		*maps = (struct cul_maps){0};
		if (cul_process_list_objects(p) != 0) {
			cul_process_free(p);
			p = NULL;
		}
	}
	if (!p)
		return cul_fail(
			err, -ENOMEM, "process %d: out of memory for its list of files", (int)pid);
	main = cul_maps_at(&p->maps, files->entry);
	for (size_t i = 0; files->entry && main && i < p->objects.len; i++)
		if (cul_maps_same_file(&p->objects.data[i].map, main)) {
			cul_process_set_main(p, i);
			break;
		}
	*out = p;
	return 0;
}

size_t cul_process_build_id(struct cul_process_syms *p, uint64_t addr, const uint8_t **id)
{
	struct process_object *object = cul_process_object_of(p, cul_maps_at(&p->maps, addr));

	if (!object)
		return 0;
	if (cul_process_file_of(p, object))
		return cul_objfile_build_id(object->file, id);
	return p->files.build_id ? p->files.build_id(p->files.data, &object->map, id) : 0;
}
