/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/vec.h"

enum { TYPES_KEPT = 256 };

struct known_type {
	enum cul_tag tag;
	const char *name;
	const struct cul_type *type; /* NULL: there is none */
};

struct cul_scope {
	pid_t pid;
	const char *const *debug_paths;
	struct cul_kernel *kernel;
	struct cul_process_syms *process;
	struct cul_mem *process_mem;
	struct cul_ctypes *ctypes;
	struct cul_expr_env env;
	uint64_t refreshed_ms;
	struct cul_error kernel_error; /* why `kernel` is NULL, once tried */
	/* Each of many functions asks for the same: the last name that is not the kernel's, types.
	 */
	char *absent;
	CUL_VEC(struct known_type) types;
	struct cul_arena arena; /* their names */
};

void cul_scope_free(struct cul_scope *s)
{
	if (!s)
		return;
	cul_ctypes_free(s->ctypes);
	cul_process_free(s->process);
	cul_mem_free(s->process_mem);
	cul_kernel_free(s->kernel);
	free(s->absent);
	free(s->types.data);
	cul_arena_free(&s->arena);
	free(s);
}

struct cul_kernel *cul_scope_kernel_names(struct cul_scope *s, struct cul_error *err)
{
	if (!s->kernel && !s->kernel_error.code)
		cul_kernel_open(s->debug_paths, &s->kernel, &s->kernel_error);
	if (!s->kernel && err)
		*err = s->kernel_error;
	return s->kernel;
}

/* "name", "module:name", "file.c:name" or "module:file.c:name": no module has a dot in its name. */
static int find_kernel_symbol(struct cul_scope *s, const char *text,
	struct cul_kernel_symbol *found, struct cul_error *err)
{
	cul_autofree char *copy = cul_strdup(text);
	char *module = NULL, *file = NULL, *name = copy, *colon;

	if (!copy)
		return cul_fail(err, -ENOMEM, "out of memory");
	while ((colon = cul_str_prefix_end(name)) && !file) {
		*colon = '\0';
		if (strchr(name, '.') || module)
			file = name;
		else
			module = name;
		name = colon + 1;
	}
	if (file)
		return cul_kernel_variable(s->kernel, module, file, name, found, err);
	return cul_kernel_symbol(s->kernel, module, name, found, err);
}

static int note_absent(struct cul_scope *s, const char *text, int r)
{
	if (r == -ENOENT) {
		free(s->absent);
		s->absent = cul_strdup(text);
	}
	return r;
}

static int kernel_name(void *data, const char *text, struct cul_name *out, struct cul_error *err)
{
	struct cul_scope *s = data;
	struct cul_kernel_symbol found;
	struct cul_name name = {0};
	int r;

	if (!err && s->absent && !strcmp(s->absent, text))
		return -ENOENT;
	r = find_kernel_symbol(s, text, &found, err);
	if (r) {
		if (r != -ENOENT || strchr(text, ':') ||
			cul_kernel_enumerator(s->kernel, text, &name.type, &name.value))
			return note_absent(s, text, r);
		name.kind = CUL_NAME_CONSTANT;
		*out = name;
		return 0;
	}
	name.kind = found.is_function  ? CUL_NAME_FUNCTION
		    : found.sym.percpu ? CUL_NAME_PERCPU
				       : CUL_NAME_OBJECT;
	name.type = found.type;
	name.addr = found.sym.addr;
	name.size = found.sym.size;
	*out = name;
	return 0;
}

uint64_t cul_scope_room(struct cul_scope *s, const char *text)
{
	struct cul_process_variable variable;
	struct cul_kernel_symbol found;

	if (s->pid)
		return cul_process_variable(s->process, text, &variable, NULL) ? 0 : variable.size;
	return find_kernel_symbol(s, text, &found, NULL) ? 0 : found.sym.size;
}

/* The object files of the process one after the other: -ENOENT past the last. */
static int nth_object(struct cul_scope *s, size_t i, struct cul_objfile **out)
{
	const struct cul_maps *maps = cul_process_maps(s->process);

	*out = NULL;
	if (i >= maps->maps.len)
		return -ENOENT;
	/* Each file once: at its first mapping. */
	if (maps->maps.data[i].path[0] != '/' || maps->maps.data[i].offset)
		return 0;
	if (cul_process_object(s->process, maps->maps.data[i].path, out, NULL))
		*out = NULL;
	return 0;
}

static int process_enumerator(
	struct cul_scope *s, const char *text, const struct cul_type **type, int64_t *value)
{
	struct cul_objfile *o;

	for (size_t i = 0; !nth_object(s, i, &o); i++)
		if (o && !cul_objfile_enumerator(o, text, type, value))
			return 0;
	return -ENOENT;
}

static const struct cul_type *process_type(
	struct cul_scope *s, enum cul_kind kind, const char *name)
{
	const struct cul_type *type = NULL;
	struct cul_objfile *o;

	for (size_t i = 0; !type && !nth_object(s, i, &o); i++)
		if (o)
			type = kind == CUL_KIND_VOID ? cul_objfile_typedef(o, name)
						     : cul_objfile_type(o, kind, name);
	return type;
}

static int process_name(void *data, const char *text, struct cul_name *out, struct cul_error *err)
{
	struct cul_scope *s = data;
	struct cul_process_variable found;
	struct cul_elf_symbol function;
	struct cul_name name = {0};
	int r;

	r = cul_process_variable(s->process, text, &found, err);
	if (!r) {
		name.kind = CUL_NAME_OBJECT;
		name.addr = found.addr;
		name.type = found.type ? found.type
				       : cul_ctypes_int(s->ctypes, (unsigned)found.size, false);
	} else if (!cul_process_function(s->process, text, &function, NULL)) {
		name.kind = CUL_NAME_FUNCTION;
		name.addr = function.addr;
		name.size = function.size;
	} else if (!strchr(text, ':') && !process_enumerator(s, text, &name.type, &name.value)) {
		name.kind = CUL_NAME_CONSTANT;
	} else {
		return r;
	}
	*out = name;
	return 0;
}

static const enum cul_kind kind_of_tag[] = {
	[CUL_TAG_NONE] = CUL_KIND_VOID,
	[CUL_TAG_STRUCT] = CUL_KIND_STRUCT,
	[CUL_TAG_UNION] = CUL_KIND_UNION,
	[CUL_TAG_ENUM] = CUL_KIND_ENUM,
};

/* BTF is gone through for each that is not known yet. */
static const struct cul_type *kernel_type(struct cul_scope *s, enum cul_tag tag, const char *name)
{
	const struct cul_type *type;
	struct known_type *slot;

	for (size_t i = 0; i < s->types.len; i++)
		if (s->types.data[i].tag == tag && !strcmp(s->types.data[i].name, name))
			return s->types.data[i].type;
	type = cul_kernel_type(s->kernel, kind_of_tag[tag], name);
	name = s->types.len < TYPES_KEPT ? cul_arena_strdup(&s->arena, name) : NULL;
	slot = name ? cul_vec_push(&s->types) : NULL;
	if (slot)
		*slot = (struct known_type){tag, name, type};
	return type;
}

static const struct cul_type *find_type(void *data, enum cul_tag tag, const char *name)
{
	struct cul_scope *s = data;

	if (s->pid)
		return process_type(s, kind_of_tag[tag], name);
	return kernel_type(s, tag, name);
}

/* DWARF has no table of names to go through quickly: a process's types are not offered. */
static void nearest_type(void *data, enum cul_tag tag, struct cul_nearest *near)
{
	struct cul_scope *s = data;

	if (!s->pid)
		cul_kernel_nearest_type(s->kernel, kind_of_tag[tag], near);
}

static int new_scope(
	pid_t pid, const char *const *debug_paths, struct cul_scope **out, struct cul_error *err)
{
	struct cul_scope *s = cul_calloc(1, sizeof(*s));

	if (!s || cul_ctypes_new(sizeof(long), &s->ctypes)) {
		cul_scope_free(s);
		return cul_fail(err, -ENOMEM, "out of memory");
	}
	s->pid = pid;
	s->debug_paths = debug_paths;
	s->env.name = pid ? process_name : kernel_name;
	s->env.type = find_type;
	s->env.nearest_type = nearest_type;
	s->env.ctypes = s->ctypes;
	s->env.data = s;
	*out = s;
	return 0;
}

int cul_scope_kernel(const char *const *debug_paths, struct cul_scope **out, struct cul_error *err)
{
	struct cul_scope *s = NULL;
	int r = new_scope(0, debug_paths, &s, err);

	if (r)
		return r;
	if (!cul_scope_kernel_names(s, err)) {
		r = s->kernel_error.code;
		cul_scope_free(s);
		return r;
	}
	*out = s;
	return 0;
}

int cul_scope_process(
	pid_t pid, const char *const *debug_paths, struct cul_scope **out, struct cul_error *err)
{
	struct cul_scope *s = NULL;
	int r = new_scope(pid, debug_paths, &s, err);

	if (!r)
		r = cul_mem_process(pid, &s->process_mem, err);
	if (!r)
		r = cul_process_open(pid, debug_paths, &s->process, err);
	if (r) {
		cul_scope_free(s);
		return r;
	}
	*out = s;
	return 0;
}

int cul_scope_refresh(struct cul_scope *s, struct cul_error *err)
{
	return s->process ? cul_process_refresh(s->process, err) : 0;
}

pid_t cul_scope_pid(const struct cul_scope *s)
{
	return s->pid;
}

struct cul_process_syms *cul_scope_process_names(struct cul_scope *s)
{
	return s->process;
}

const struct cul_expr_env *cul_scope_env(struct cul_scope *s)
{
	return &s->env;
}

struct cul_ctypes *cul_scope_ctypes(struct cul_scope *s)
{
	return s->ctypes;
}

struct cul_mem *cul_scope_mem(struct cul_scope *s, struct cul_error *err)
{
	if (s->pid)
		return s->process_mem;
	return cul_kernel_mem(s->kernel, err);
}

enum { REFRESH_MS = 50 }; /* garbage from a stack has no name, however often it is looked for */

static bool refresh_is_due(struct cul_scope *s)
{
	uint64_t ms = cul_clock_now() / 1000000;

	if (ms - s->refreshed_ms < REFRESH_MS)
		return false;
	s->refreshed_ms = ms;
	return true;
}

/* An address outside all known mappings: they may have changed since they were read. */
static void process_where(struct cul_scope *s, uint64_t addr, struct cul_where *out)
{
	struct cul_process_where at = {0};

	cul_process_at(s->process, addr, &at);
	if (!at.object && refresh_is_due(s) && !cul_process_refresh(s->process, NULL))
		cul_process_at(s->process, addr, &at);
	out->function = at.symbol;
	out->offset = at.offset;
	out->module = at.object;
	out->file = at.file;
	out->line = at.line;
}

void cul_scope_where(struct cul_scope *s, uint64_t addr, bool user, struct cul_where *out)
{
	struct cul_kernel *kernel;

	*out = (struct cul_where){.addr = addr};
	if (user) {
		if (s->process)
			process_where(s, addr, out);
		return;
	}
	kernel = cul_scope_kernel_names(s, NULL);
	if (kernel)
		cul_kernel_where(kernel, addr, out);
}

/* Entry of the function that covers `addr`; 0: not known. */
static uint64_t function_entry(struct cul_scope *s, uint64_t addr, bool user)
{
	struct cul_where where = {0};
	struct cul_kernel *kernel;
	struct cul_ksym sym;

	if (!user) {
		kernel = cul_scope_kernel_names(s, NULL);
		return kernel && !cul_kernel_function(kernel, addr, &sym) ? sym.addr : 0;
	}
	if (s->process)
		process_where(s, addr, &where);
	return where.function ? addr - where.offset : 0;
}

void cul_scope_keep(struct cul_scope *s)
{
	if (s->process)
		cul_process_keep(s->process);
}

static int read_code(struct cul_scope *s, uint64_t addr, bool user, uint8_t *bytes, size_t size)
{
	struct cul_kernel *kernel = user ? NULL : cul_scope_kernel_names(s, NULL);
	struct cul_mem *mem = user ? s->process_mem : kernel ? cul_kernel_mem(kernel, NULL) : NULL;
	int r = mem ? cul_mem_read(mem, addr, bytes, size) : -EIO;

	return r && user && s->process ? cul_process_code(s->process, addr, bytes, size) : r;
}

size_t cul_scope_code(struct cul_scope *s, uint64_t addr, size_t after, bool user, uint8_t *bytes,
	size_t room, uint64_t *start, bool *from_entry)
{
	enum { BEFORE = 64 };
	uint64_t entry = function_entry(s, addr, user);
	size_t want;

	*from_entry = entry && addr - entry + after <= room;
	*start = *from_entry ? entry : addr > BEFORE ? addr - BEFORE : 0;
	want = (size_t)(addr - *start) + after;
	/* The end of the text may come before `after` bytes do. */
	for (; want > addr - *start; want--)
		if (!read_code(s, *start, user, bytes, want))
			return want;
	return read_code(s, *start, user, bytes, want) ? 0 : want;
}

bool cul_scope_data_name(struct cul_scope *s, uint64_t addr, struct cul_where *out)
{
	cul_scope_where(s, addr, s->pid != 0, out);
	return out->function != NULL;
}
