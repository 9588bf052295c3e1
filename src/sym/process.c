/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/process_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "sym/objfile_source.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The list of objects */

static void find_main(struct cul_process_syms *p)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)p->pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return;
	path[n] = '\0';
	for (size_t i = 0; i < p->objects.len; i++) {
		const char *mapped = p->objects.data[i].map.path;
		size_t len = strlen(mapped);

		if (strncmp(path, mapped, len) == 0 &&
			(!path[len] || strcmp(path + len, " (deleted)") == 0)) {
			cul_process_set_main(p, i);
			return;
		}
	}
}

static void free_contents(struct cul_process_syms *p)
{
	for (size_t i = 0; i < p->objects.len; i++)
		cul_objfile_free(p->objects.data[i].file);
	free(p->objects.data);
	free(p->by_file);
	cul_maps_free(&p->maps);
}

/* Hands on the files that are mapped where they were. */
static void keep_open(struct cul_process_syms *old, struct cul_process_syms *fresh)
{
	for (size_t i = 0; i < old->objects.len; i++) {
		struct process_object *from = &old->objects.data[i];
		struct process_object *to = cul_process_object_of(fresh, &from->map);

		if (!from->file || !to || to->map.start != from->map.start)
			continue;
		to->tried = true;
		to->file = cul_take(from->file);
	}
}

/* Whether the same files are mapped at the same places: anonymous memory comes and goes. */
static bool same_objects(const struct cul_process_syms *a, const struct cul_process_syms *b)
{
	if (a->objects.len != b->objects.len)
		return false;
	for (size_t i = 0; i < a->objects.len; i++) {
		const struct cul_map *x = &a->objects.data[i].map, *y = &b->objects.data[i].map;

		if (x->start != y->start || x->inode != y->inode || x->major != y->major ||
			x->minor != y->minor || strcmp(x->path, y->path))
			return false;
	}
	return true;
}

int cul_process_refresh(struct cul_process_syms *p, struct cul_error *err)
{
	struct cul_process_syms fresh = {.pid = p->pid, .debug_paths = p->debug_paths};
	cul_autofree struct cul_process_syms *older = cul_calloc(1, sizeof(*older));
	int ret;

	if (p->files.open)
		return 0;
	ret = older ? cul_maps_read(p->pid, &fresh.maps, err)
		    : cul_fail(err, -ENOMEM, "process %d: out of memory", (int)p->pid);

	if (ret == 0 && cul_process_list_objects(&fresh) != 0)
		ret = cul_fail(err, -ENOMEM, "process %d: out of memory for its list of files",
			(int)p->pid);
	if (ret != 0) {
		free_contents(&fresh);
		return ret;
	}
	find_main(&fresh);
	if (p->objects.len && same_objects(p, &fresh)) {
		free_contents(&fresh);
		return 0;
	}
	keep_open(p, &fresh);
	*older = *p;
	*p = fresh;
	p->older = cul_take(older);
	return 0;
}

static void process_cleanup(struct cul_process_syms **p)
{
	cul_process_free(*p);
}

int cul_process_open(pid_t pid, const char *const *debug_paths, struct cul_process_syms **out,
	struct cul_error *err)
{
	cul_cleanup(process_cleanup) struct cul_process_syms *p = cul_calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return cul_fail(err, -ENOMEM, "process %d: out of memory", (int)pid);
	p->pid = pid;
	p->debug_paths = debug_paths;
	ret = cul_process_refresh(p, err);
	if (ret == 0)
		*out = cul_take(p);
	return ret;
}

void cul_process_free(struct cul_process_syms *p)
{
	while (p) {
		struct cul_process_syms *older = p->older;

		free_contents(p);
		free(p);
		p = older;
	}
}

const struct cul_maps *cul_process_maps(const struct cul_process_syms *p)
{
	return &p->maps;
}

/* Finding names */

static int no_object(
	struct cul_process_syms *p, const char *name, bool several, struct cul_error *err)
{
	cul_autostr struct cul_str list = {0};

	for (size_t i = 0; i < p->objects.len && i < 12; i++)
		cul_str_addf(&list, "%s%s", i ? ", " : "", base_name(p->objects.data[i].map.path));
	return cul_fail(err, -ENXIO, "process %d: %s \"%s\"; it has %s%s", (int)p->pid,
		several ? "several files answer to" : "no file is mapped as", name,
		cul_str_text(&list), p->objects.len > 12 ? ", ..." : "");
}

static int find_object(struct cul_process_syms *p, const char *name, struct process_object **out,
	struct cul_error *err)
{
	bool several = false;
	struct process_object *object =
		name             ? cul_process_object_of(p, cul_maps_file(&p->maps, name, &several))
		: p->objects.len ? &p->objects.data[0]
				 : NULL;

	if (!object)
		return no_object(p, name ? name : "the executable", several, err);
	*out = object;
	return 0;
}

int cul_process_object(struct cul_process_syms *p, const char *name, struct cul_objfile **out,
	struct cul_error *err)
{
	struct process_object *object;
	int ret = find_object(p, name, &object, err);

	if (ret != 0)
		return ret;
	if (!cul_process_file_of(p, object)) {
		if (err)
			*err = object->why;
		return object->why.code;
	}
	*out = object->file;
	return 0;
}

bool cul_process_next_object(struct cul_process_syms *p, size_t *cursor, struct cul_objfile **out)
{
	if (*cursor >= p->objects.len)
		return false;
	*out = cul_process_file_of(p, &p->objects.data[(*cursor)++]);
	return true;
}

struct cul_objfile *cul_process_object_at(
	struct cul_process_syms *p, uint64_t addr, struct cul_error *err)
{
	const struct cul_map *map = cul_maps_at(&p->maps, addr);
	struct process_object *object = cul_process_object_of(p, map);

	if (!object || !(map->prot & CUL_MAP_EXEC)) {
		cul_fail(err, -ENOENT, "process %d: no code of a file is at 0x%llx", (int)p->pid,
			(unsigned long long)addr);
		return NULL;
	}
	if (!cul_process_file_of(p, object) && err)
		*err = object->why;
	return object->file;
}

pid_t cul_process_pid(const struct cul_process_syms *p)
{
	return p->pid;
}

/* "OBJECT:FILE:NAME" in parts; a "::" is C++'s and belongs to the name. */
struct spec {
	char *text;
	const char *part[3];
	size_t n;
	struct process_object *object; /* NULL: any */
	const char *file, *name;
};

static void spec_cleanup(struct spec *s)
{
	free(s->text);
}

static bool is_library_name(const char *name)
{
	return strstr(name, ".so") || !strchr(name, '.');
}

static int split_spec(struct spec *s, const char *text)
{
	s->text = cul_strdup(text);
	if (!s->text)
		return -ENOMEM;
	s->part[s->n++] = s->text;
	for (char *p = s->text; *p && s->n < 3; p++) {
		if (p[0] == ':' && p[1] == ':') {
			p++;
		} else if (p[0] == ':') {
			*p = '\0';
			s->part[s->n++] = p + 1;
		}
	}
	return 0;
}

static int parse_spec(
	struct cul_process_syms *p, const char *text, struct spec *s, struct cul_error *err)
{
	struct cul_error none;

	if (split_spec(s, text) != 0)
		return cul_fail(err, -ENOMEM, "%s: out of memory", text);
	s->name = s->part[s->n - 1];
	if (s->n == 1)
		return 0;
	if (s->n == 3)
		s->file = s->part[1];
	if (find_object(p, s->part[0], &s->object, &none) == 0)
		return 0;
	if (s->n == 2 && !is_library_name(s->part[0])) {
		s->file = s->part[0];
		return 0;
	}
	if (err)
		*err = none;
	return none.code;
}

/* In one file, by DWARF, else by its symbol table. */
static int variable_in(struct cul_process_syms *p, struct process_object *object, const char *file,
	const char *name, struct cul_process_variable *out, struct cul_error *err)
{
	struct cul_objfile *o = cul_process_file_of(p, object);
	struct cul_variable v = {0};
	struct cul_elf_symbol sym = {0};
	struct cul_error several = {0};
	int ret;

	if (!o) {
		if (err)
			*err = object->why;
		return object->why.code;
	}
	ret = cul_objfile_variable(o, file, name, &v, err);
	if (ret == -ENOTUNIQ || ret == -ENOMEM || (ret != 0 && file))
		return ret;
	if (cul_objfile_named(o, name, false, &sym, &several) != 0 || sym.is_function)
		memset(&sym, 0, sizeof(sym));
	if (ret != 0 && several.code == -ENOTUNIQ && err)
		*err = several;
	if (ret != 0 && several.code == -ENOTUNIQ)
		return several.code;
	if (ret != 0 && !sym.name)
		return ret;
	if (ret == 0 ? v.is_tls : sym.is_tls)
		return cul_fail(err, -ENOTSUP,
			"%s: \"%s\" is thread-local: each thread has its own, which can be watched "
			"by "
			"its address (0xADDR:SIZE); gdb tells it: thread apply all print &%s",
			base_name(object->map.path), name, name);
	*out = (struct cul_process_variable){
		.type = v.type,
		.addr = ret == 0 ? v.addr : sym.addr,
		.size = v.type && v.type->size ? v.type->size : sym.size,
		.object = base_name(object->map.path),
	};
	return 0;
}

/* A library has the symbol: worth reading its DWARF, which for all libraries takes a second. */
static bool has_data_symbol(
	struct cul_process_syms *p, struct process_object *object, const char *name)
{
	struct cul_elf_symbol sym;

	int ret = cul_process_file_of(p, object)
			  ? cul_objfile_named(object->file, name, false, &sym, NULL)
			  : -ENOENT;

	return ret == -ENOTUNIQ || (ret == 0 && !sym.is_function);
}

/* All files in order; the error is that of the executable, or one that speaks of the variable. */
static int variable_anywhere(struct cul_process_syms *p, const struct spec *s,
	struct process_object **where, struct cul_process_variable *out, struct cul_error *err)
{
	struct cul_error first = {0}, this = {0};

	for (size_t i = 0; i < p->objects.len; i++) {
		struct process_object *object = &p->objects.data[i];
		int ret;

		if (i > 0 && !has_data_symbol(p, object, s->name))
			continue;
		ret = variable_in(p, object, s->file, s->name, out, &this);
		if (ret == 0) {
			*where = object;
			return 0;
		}
		if (i == 0 || ret == -ENOTSUP)
			first = this;
		if (ret == -ENOTSUP || ret == -ENOTUNIQ || ret == -ENOMEM)
			break;
	}
	if (this.code == -ENOTUNIQ || this.code == -ENOMEM)
		first = this;
	if (p->objects.len == 0)
		cul_fail(&first, -ENOENT, "process %d: has no file mapped", (int)p->pid);
	if (err)
		*err = first;
	return first.code;
}

/* The executable's copy of a library's variable, or the library's type for the copy. */
static void use_copy(struct cul_process_syms *p, const struct spec *s, struct process_object *where,
	struct cul_process_variable *v)
{
	struct process_object *main = &p->objects.data[0];
	struct cul_process_variable other;
	struct cul_elf_symbol own, sym;

	if (s->file || !main->is_main || !cul_process_file_of(p, main) ||
		cul_objfile_named(where->file, s->name, false, &own, NULL) != 0 ||
		!cul_objfile_copies(main->file, own.name))
		return;
	if (where != main) {
		if (own.is_global && cul_objfile_symbol(main->file, own.name, &sym, NULL) == 0)
			v->addr = sym.addr;
		return;
	}
	for (size_t i = 1; !v->type && i < p->objects.len; i++)
		if (variable_in(p, &p->objects.data[i], NULL, s->name, &other, NULL) == 0 &&
			other.type) {
			v->type = other.type;
			v->size = other.size;
		}
}

int cul_process_variable(struct cul_process_syms *p, const char *text,
	struct cul_process_variable *out, struct cul_error *err)
{
	cul_cleanup(spec_cleanup) struct spec s = {0};
	struct cul_process_variable v;
	struct process_object *where = NULL;
	int ret = parse_spec(p, text, &s, err);

	if (ret != 0)
		return ret;
	where = s.object;
	ret = s.object ? variable_in(p, s.object, s.file, s.name, &v, err)
		       : variable_anywhere(p, &s, &where, &v, err);
	if (ret != 0)
		return ret;
	use_copy(p, &s, where, &v);
	*out = v;
	return 0;
}

int cul_process_function(struct cul_process_syms *p, const char *text, struct cul_elf_symbol *out,
	struct cul_error *err)
{
	cul_cleanup(spec_cleanup) struct spec s = {0};
	struct cul_error first = {0}, this = {0};
	struct cul_elf_symbol sym;
	int ret = parse_spec(p, text, &s, err);

	if (ret != 0)
		return ret;
	for (size_t i = 0; i < p->objects.len; i++) {
		struct process_object *object = &p->objects.data[i];

		if (s.object && s.object != object)
			continue;
		if (!cul_process_file_of(p, object)) {
			this = object->why;
		} else if (cul_objfile_named(object->file, s.name, true, &sym, &this) == 0) {
			if (sym.is_function) {
				*out = sym;
				return 0;
			}
			cul_fail(&this, -ENOENT, "%s: \"%s\" is not a function",
				base_name(object->map.path), s.name);
		}
		if (!first.code)
			first = this;
	}
	if (!first.code)
		cul_fail(&first, -ENOENT, "process %d: has no file mapped", (int)p->pid);
	if (err)
		*err = first;
	return first.code;
}

/* Describing an address */

void cul_process_keep(struct cul_process_syms *p)
{
	for (size_t i = 0; i < p->objects.len; i++)
		cul_process_file_of(p, &p->objects.data[i]);
}

int cul_process_code(struct cul_process_syms *p, uint64_t addr, void *buf, size_t size)
{
	struct process_object *object = cul_process_object_of(p, cul_maps_at(&p->maps, addr));

	return object && cul_process_file_of(p, object)
		       ? cul_objfile_bytes(object->file, addr, buf, size)
		       : -EFAULT;
}

void cul_process_at(struct cul_process_syms *p, uint64_t addr, struct cul_process_where *out)
{
	const struct cul_map *map = cul_maps_at(&p->maps, addr);
	struct process_object *object = cul_process_object_of(p, map);
	struct cul_elf_symbol sym;

	*out = (struct cul_process_where){0};
	if (!map)
		return;
	out->object = map->path[0] == '/' ? base_name(map->path) : map->path;
	if (!map->path[0])
		out->object = "[anon]";
	out->offset = addr - map->start + map->offset;
	if (!object || !cul_process_file_of(p, object))
		return;
	if (cul_objfile_symbol_at(object->file, addr, &sym) == 0) {
		out->symbol = cul_objfile_shown(object->file, sym.name);
		out->offset = addr - sym.addr;
	}
	if (map->prot & CUL_MAP_EXEC)
		cul_objfile_line(object->file, addr, &out->file, &out->line);
}
