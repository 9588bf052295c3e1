/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of the files that a process has code of. Whoever is hostile maps as many as there may be
 * mappings.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sym/process_priv.h"

static int by_number(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* 0: the same file, as cul_maps_same_file() has it of mappings of files. */
static int compare_files(const struct cul_map *a, const struct cul_map *b)
{
	int ret = by_number(a->inode, b->inode);

	if (ret == 0)
		ret = by_number(a->major, b->major);
	if (ret == 0)
		ret = by_number(a->minor, b->minor);
	return ret ? ret : strcmp(a->path, b->path);
}

/* Where `map` is in the list by file, or would be. */
static size_t place_of(const struct cul_process_syms *p, const struct cul_map *map)
{
	size_t low = 0, high = p->objects.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare_files(&p->objects.data[p->by_file[mid]].map, map) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct process_object *cul_process_object_of(struct cul_process_syms *p, const struct cul_map *map)
{
	size_t at = map && map->inode ? place_of(p, map) : p->objects.len;
	struct process_object *object =
		at < p->objects.len ? &p->objects.data[p->by_file[at]] : NULL;

	return object && cul_maps_same_file(&object->map, map) ? object : NULL;
}

/*
 * The first of the mappings that the loader made of the file whose code is mapping `m`; the same
 * file may be mapped elsewhere as data.
 */
static const struct cul_map *first_mapping(const struct cul_maps *maps, const struct cul_map *m)
{
	while (m > maps->maps.data && cul_maps_same_file(&m[-1], m) && m[-1].offset < m->offset)
		m--;
	return m;
}

static int by_file(const void *a, const void *b)
{
	const struct process_object *x = a, *y = b;
	int ret = compare_files(&x->map, &y->map);

	return ret ? ret : by_number(x->map.start, y->map.start);
}

static int by_address(const void *a, const void *b)
{
	const struct process_object *x = a, *y = b;

	return by_number(x->map.start, y->map.start);
}

static int by_file_indirect(const void *a, const void *b, void *data)
{
	const struct process_object *objects = data;

	return by_file(&objects[*(const size_t *)a], &objects[*(const size_t *)b]);
}

/* Leaves of each file its lowest mapping with code, by address. */
static void keep_first(struct cul_process_syms *p)
{
	struct process_object *objects = p->objects.data;
	size_t kept = 0;

	if (p->objects.len == 0)
		return;
	qsort(objects, p->objects.len, sizeof(*objects), by_file);
	for (size_t i = 0; i < p->objects.len; i++)
		if (!kept || compare_files(&objects[i].map, &objects[kept - 1].map) != 0)
			objects[kept++] = objects[i];
	p->objects.len = kept;
	qsort(objects, kept, sizeof(*objects), by_address);
}

/*
 * Whose code is to be in huge pages copies it into memory of its own, in the file's place. What
 * stands between two mappings of a file, where the file goes on from one to the other, is that.
 */
static void take_copies(struct cul_maps *maps)
{
	for (size_t i = 1; i + 1 < maps->maps.len; i++) {
		struct cul_map *m = &maps->maps.data[i];
		const struct cul_map *before = m - 1, *behind = m + 1;

		if (m->inode || m->path[0] || !(m->prot & CUL_MAP_EXEC) ||
			before->end != m->start || m->end != behind->start ||
			!cul_maps_same_file(before, behind) ||
			behind->offset - before->offset != behind->start - before->start)
			continue;
		m->inode = before->inode;
		m->major = before->major;
		m->minor = before->minor;
		m->path = before->path;
		m->deleted = before->deleted;
		m->offset = before->offset + (m->start - before->start);
	}
}

int cul_process_list_objects(struct cul_process_syms *p)
{
	take_copies(&p->maps);
	for (size_t i = 0; i < p->maps.maps.len; i++) {
		const struct cul_map *m = &p->maps.maps.data[i];
		struct process_object *object;

		if (!(m->prot & CUL_MAP_EXEC) || m->path[0] != '/' || !m->inode)
			continue;
		object = cul_vec_push(&p->objects);
		if (!object)
			return -ENOMEM;
		object->map = *m;
	}
	keep_first(p);
	p->by_file = cul_calloc(p->objects.len + 1, sizeof(*p->by_file));
	if (!p->by_file)
		return -ENOMEM;
	for (size_t i = 0; i < p->objects.len; i++) {
		struct process_object *object = &p->objects.data[i];

		object->map = *first_mapping(&p->maps, cul_maps_at(&p->maps, object->map.start));
		p->by_file[i] = i;
	}
	qsort_r(p->by_file, p->objects.len, sizeof(*p->by_file), by_file_indirect, p->objects.data);
	return 0;
}

void cul_process_set_main(struct cul_process_syms *p, size_t i)
{
	struct process_object found = p->objects.data[i];

	memmove(p->objects.data + 1, p->objects.data, i * sizeof(found));
	found.is_main = true;
	p->objects.data[0] = found;
	for (size_t at = 0; at < p->objects.len; at++) {
		size_t was = p->by_file[at];

		p->by_file[at] = was == i ? 0 : was + (was < i);
	}
}
