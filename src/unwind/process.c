/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unwind/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

enum { VDSO_MAX = 64 << 10 };

struct cul_unwind_process {
	struct cul_process_syms *syms;
	struct cul_mem *mem;
	bool vdso_tried;
	struct cul_objfile *vdso;
};

int cul_unwind_process_new(
	struct cul_process_syms *syms, struct cul_mem *mem, struct cul_unwind_process **out)
{
	struct cul_unwind_process *p = cul_calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->syms = syms;
	p->mem = mem;
	*out = p;
	return 0;
}

void cul_unwind_process_free(struct cul_unwind_process *p)
{
	if (!p)
		return;
	cul_objfile_free(p->vdso);
	free(p);
}

static struct cul_objfile *vdso(struct cul_unwind_process *p, const struct cul_map *map)
{
	uint64_t size = map->end - map->start;
	cul_autofree char *bytes = NULL;

	if (p->vdso_tried || size > VDSO_MAX)
		return p->vdso;
	p->vdso_tried = true;
	bytes = cul_calloc(1, size);
	if (bytes && cul_mem_read(p->mem, map->start, bytes, size) == 0)
		cul_objfile_open_image(bytes, size, map->path, map->start, &p->vdso);
	return p->vdso;
}

static int at(void *data, uint64_t addr, struct cul_code_at *out)
{
	struct cul_unwind_process *p = data;
	const struct cul_map *map = cul_maps_at(cul_process_maps(p->syms), addr);

	if (!map)
		return -ENOENT;
	*out = (struct cul_code_at){.executable = map->prot & CUL_MAP_EXEC};
	if (!out->executable)
		return 0;
	if (map->path[0] == '/')
		out->file = cul_process_object_at(p->syms, addr, NULL);
	else if (strcmp(map->path, "[vdso]") == 0)
		out->file = vdso(p, map);
	return 0;
}

static bool next(void *data, size_t *cursor, struct cul_code_range *out)
{
	struct cul_unwind_process *p = data;
	const struct cul_maps *maps = cul_process_maps(p->syms);

	while (*cursor < maps->maps.len) {
		const struct cul_map *map = &maps->maps.data[(*cursor)++];

		if (!(map->prot & CUL_MAP_EXEC))
			continue;
		*out = (struct cul_code_range){map->start, map->end, map->path[0] == '/'};
		return true;
	}
	return false;
}

struct cul_code_space cul_unwind_process_space(struct cul_unwind_process *p)
{
	return (struct cul_code_space){.data = p, .at = at, .next = next};
}
