/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/target.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

enum {
	NULL_PAGE = 4096, /* nothing is mapped below: a member of what NULL points to */
	WRAPPINGS = 8,    /* structs around one scalar */
};

int cul_watch_split(
	uint64_t addr, uint64_t size, unsigned max, struct cul_watch_piece pieces[CUL_WATCH_WORDS])
{
	uint64_t at = 0;
	int n = 0;

	if (!size || size > CUL_WATCH_BYTES || addr + size < addr)
		return -E2BIG;
	while (at < size) {
		uint64_t len = max;

		while (len > size - at || (addr + at) % len)
			len /= 2;
		if (n == CUL_WATCH_WORDS)
			return -E2BIG;
		pieces[n].offset = (uint32_t)at;
		pieces[n].len = (uint32_t)len;
		n++;
		at += len;
	}
	return n;
}

void cul_watch_target_free(struct cul_watch_target *t)
{
	cul_expr_free(t->expr);
	free(t->source);
	free(t->copies);
	memset(t, 0, sizeof(*t));
}

uint64_t cul_watch_target_addr(const struct cul_watch_target *t, int cpu)
{
	return t->copies && t->copy < 0 ? t->copies[cpu] : t->addr;
}

bool cul_watch_target_is_scalar(const struct cul_watch_target *t)
{
	if (t->size > 8)
		return false;
	return !t->type ? (t->size & (t->size - 1)) == 0 : cul_type_is_scalar(t->type);
}

/* What atomic_t, refcount_t and their like have around them says nothing about the value. */
static const struct cul_type *unwrap(const struct cul_type *type)
{
	const struct cul_type *inner = type;

	for (int i = 0; i < WRAPPINGS && inner && inner->kind == CUL_KIND_STRUCT; i++) {
		const struct cul_member *m;

		if (cul_type_fill(inner, NULL) || inner->n_members != 1)
			return type;
		m = &inner->members[0];
		if (m->bit_size || m->bit_offset || !m->type || m->type->size != type->size)
			return type;
		inner = m->type;
	}
	return inner && cul_type_is_scalar(inner) ? inner : type;
}

/* Takes a trailing ":SIZE" off `source`; 0 in *size when there is none. */
static int take_size(char *source, uint64_t *size, struct cul_error *err)
{
	char *colon = strrchr(source, ':');

	*size = 0;
	if (!colon || !isdigit((unsigned char)colon[1]) || strchr(source, '?'))
		return 0;
	if (cul_parse_u64(colon + 1, size) || !*size)
		return cul_fail_usage(
			err, -EINVAL, "'%s': the size after ':' is not a number of bytes", source);
	*colon = '\0';
	return 0;
}

/* NAME, NAME+NUMBER, NAME-NUMBER or NUMBER: a place without regard to type. False: none of these.
 */
static bool plain_place(const char *source, struct cul_scope *scope, struct cul_name *name,
	struct cul_error *err, int *result)
{
	const struct cul_expr_env *env = cul_scope_env(scope);
	size_t len = strcspn(source, "+-");
	cul_autofree char *symbol = NULL;
	uint64_t offset = 0;

	memset(name, 0, sizeof(*name));
	if (!cul_parse_u64(source, &name->addr)) {
		*result = 0;
		return true;
	}
	if (source[len] && cul_parse_u64(source + len + 1, &offset))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)source[i]) && !strchr("_.:", source[i]))
			return false;
	symbol = cul_strndup(source, len);
	if (!symbol) {
		*result = cul_fail(err, -ENOMEM, "out of memory");
		return true;
	}
	*result = env->name(env->data, symbol, name, err);
	if (*result)
		return true;
	name->addr += source[len] == '-' ? -offset : offset;
	return true;
}

/* The address of one CPU's copy of a per-CPU name. */
static int place_copy(const struct cul_watch_target *t, struct cul_scope *scope, uint64_t symbol,
	int of, uint64_t *addr, struct cul_error *err)
{
	struct cul_expr_run run = {.mem = t->expr ? cul_scope_mem(scope, err) : NULL};
	struct cul_kernel *kernel = cul_scope_kernel_names(scope, err);
	struct cul_place place;
	int r;

	if (!kernel)
		return err ? err->code : -ENOENT;
	r = cul_kernel_percpu_offset(kernel, of, &run.percpu_offset, err);
	if (r)
		return r;
	*addr = symbol + run.percpu_offset;
	if (!t->expr)
		return 0;
	r = cul_expr_place(t->expr, &run, &place, err);
	if (!r)
		*addr = place.addr;
	return r;
}

/* Addresses of a per-CPU name's copies, also of CPUs that may come online later. */
static int place_copies(struct cul_watch_target *t, struct cul_scope *scope, uint64_t symbol,
	const struct cul_cpus *cpus, struct cul_error *err)
{
	struct cul_cpus possible;
	int r;

	t->copies = cul_calloc(CUL_MAX_CPUS, sizeof(*t->copies));
	if (!t->copies)
		return cul_fail(err, -ENOMEM, "out of memory");
	r = cul_cpus_possible(&possible, err);
	if (r)
		return r;
	cul_for_each_cpu(cpu, &possible)
	{
		struct cul_error ignored = {0};
		bool wanted = cul_cpus_has(cpus, cpu);
		uint64_t addr = 0;

		r = place_copy(t, scope, symbol, t->copy >= 0 ? t->copy : cpu, &addr,
			wanted ? err : &ignored);
		if (r && wanted)
			return r;
		t->copies[cpu] = r ? 0 : addr;
		if (wanted && !t->addr)
			t->addr = addr;
	}
	return 0;
}

/*
 * A size to propose for what has `room` bytes. The kernel's symbols have no size of their own: the
 * next one is so far away, and what is larger than a register may be an int that was aligned. A
 * process's symbol knows.
 */
static uint64_t likely_size(uint64_t room, bool exact)
{
	uint64_t size = 8;

	if (exact && room && room <= CUL_WATCH_BYTES)
		return room;
	if (!room || room > size)
		return 4;
	while (size > room)
		size /= 2;
	return size;
}

static bool is_function(struct cul_scope *scope, const char *name)
{
	const struct cul_expr_env *env = cul_scope_env(scope);
	struct cul_name found;

	return !env->name(env->data, name, &found, NULL) && found.kind == CUL_NAME_FUNCTION;
}

static int untyped(const struct cul_watch_target *t, struct cul_scope *scope, struct cul_error *err)
{
	static const char *const types[] = {[1] = "char", [2] = "short", [4] = "int", [8] = "long"};
	uint64_t room = cul_scope_room(scope, t->source);
	bool exact = cul_scope_pid(scope) != 0;
	uint64_t size = likely_size(room, exact);
	const char *type = size <= 8 && types[size] ? types[size] : "int";
	const struct cul_expr_env *env = cul_scope_env(scope);
	struct cul_name name = {0};
	char bound[64] = "";

	if (!env->name(env->data, t->source, &name, NULL) && name.kind == CUL_NAME_FUNCTION)
		return cul_fail(err, -EINVAL,
			"%.100s is a function; to see its executions: --exec, who calls it and "
			"with what: "
			"culprit probe %.100s, who writes its code: %.100s:4",
			t->source, t->source, t->source);
	if (room)
		snprintf(bound, sizeof(bound), " (it has %s%" PRIu64 ")", exact ? "" : "at most ",
			room);
	/* Not -ENODATA, as of a name that is not found for want of debug information. */
	if (is_function(scope, t->source))
		return cul_fail(err, -EINVAL,
			"%.100s is a function; --exec watches who executes it, and `culprit probe "
			"%.100s` shows its calls",
			t->source, t->source);
	return cul_fail(err, -EINVAL,
		"%.100s has no type here (no BTF or DWARF describes it); say how many bytes%s: "
		"%.100s:%" PRIu64 ", or give a type: *(%s *)&%.100s, or the file that has its "
		"debug information: --debug FILE",
		t->source, bound, t->source, size, type, t->source);
}

/* Fills the target from an expression's place. */
static int from_expression(struct cul_watch_target *t, struct cul_scope *scope, uint64_t size,
	const struct cul_cpus *cpus, struct cul_error *err)
{
	struct cul_expr_run run = {0};
	struct cul_place place;
	int r;

	r = cul_expr_parse(t->source, cul_scope_env(scope), &t->expr, err);
	if (r)
		return r;
	if (!cul_expr_is_lvalue(t->expr) && t->source[0] == '&')
		return cul_fail(err, -EINVAL,
			"%s is an address, not the memory there; to watch that: %s", t->source,
			t->source + 1);
	if (!cul_expr_is_lvalue(t->expr))
		return cul_fail(err, -EINVAL,
			"%s is a value, not a place in memory; to watch the memory at an address: "
			"*(int *)(%s)",
			t->source, t->source);
	run.mem = cul_scope_mem(scope, err);
	if (!run.mem)
		return err ? err->code : -EIO;
	t->percpu = cul_expr_is_percpu(t->expr);
	if (t->percpu) {
		int first = t->copy >= 0 ? t->copy : cul_cpus_next(cpus, -1);

		r = cul_kernel_percpu_offset(
			cul_scope_kernel_names(scope, err), first, &run.percpu_offset, err);
		if (r)
			return r;
	}
	r = cul_expr_place(t->expr, &run, &place, err);
	if (r)
		return r;
	if (!t->percpu && place.addr < NULL_PAGE)
		return cul_fail(err, -EFAULT,
			"%s is at 0x%" PRIx64
			": a pointer on the way is NULL now; watch that pointer first, or attach "
			"(-p PID) when it points to something",
			t->source, place.addr);
	t->addr = place.addr;
	t->size = size ? size : place.size;
	t->bit_offset = size ? 0 : place.bit_offset;
	t->bit_size = size ? 0 : place.bit_size;
	t->declared = size && size != place.size ? NULL : place.type;
	if (t->declared && t->declared->kind == CUL_KIND_VOID)
		t->declared = NULL;
	t->type = unwrap(t->declared);
	if (!t->size)
		return untyped(t, scope, err);
	return t->percpu ? place_copies(t, scope, 0, cpus, err) : 0;
}

static int from_plain(struct cul_watch_target *t, struct cul_scope *scope,
	const struct cul_name *name, uint64_t size, const struct cul_cpus *cpus,
	struct cul_error *err)
{
	if (name->kind == CUL_NAME_CONSTANT)
		return cul_fail(
			err, -EINVAL, "%s is an enumerator, not a place in memory", t->source);
	t->size = size;
	t->addr = name->addr;
	if (name->kind == CUL_NAME_PERCPU) {
		t->percpu = true;
		t->addr = 0;
		return place_copies(t, scope, name->addr, cpus, err);
	}
	return 0;
}

static int check_code(
	struct cul_watch_target *t, const struct cul_name *name, struct cul_error *err)
{
	if (name->kind == CUL_NAME_OBJECT && (name->type || !name->addr))
		return cul_fail(err, -EINVAL,
			"%s is data; --exec takes a function, or an address of code", t->source);
	return 0;
}

/* The kernel's half of the address space: below it are whatever processes run. */
static int check_place(
	const struct cul_watch_target *t, struct cul_scope *scope, struct cul_error *err)
{
	if (cul_scope_pid(scope) || t->addr >> 63)
		return 0;
	return cul_fail(err, -EFAULT,
		"%s is at 0x%" PRIx64 ", which is no address of the kernel; for the memory of a "
		"process: -p PID",
		t->source, t->addr);
}

static int resolve(struct cul_watch_target *t, struct cul_scope *scope, const struct cul_arch *arch,
	enum cul_access_kind access, const struct cul_cpus *cpus, struct cul_error *err)
{
	struct cul_name name;
	uint64_t size;
	bool plain;
	int r;

	r = take_size(t->source, &size, err);
	if (r)
		return r;
	plain = (access == CUL_ACCESS_EXECUTE || size) &&
		plain_place(t->source, scope, &name, err, &r);
	/* The dot may be one of a symbol, of a file's name or before a member. */
	if (plain && r == -ENOENT && access != CUL_ACCESS_EXECUTE && strchr(t->source, '.'))
		plain = false;
	if (!plain) {
		r = from_expression(t, scope, size, cpus, err);
	} else {
		if (!r && access == CUL_ACCESS_EXECUTE)
			r = check_code(t, &name, err);
		if (!r)
			r = from_plain(t, scope, &name, access == CUL_ACCESS_EXECUTE ? 1 : size,
				cpus, err);
	}
	if (!r)
		r = check_place(t, scope, err);
	if (r)
		return r;
	if (access == CUL_ACCESS_EXECUTE) {
		t->pieces[0].len = 1;
		t->n_pieces = 1;
		return 0;
	}
	r = cul_watch_split(t->addr, t->size, arch->watch_max, t->pieces);
	if (r < 0 && t->size <= (uint64_t)CUL_WATCH_WORDS * arch->watch_max)
		return cul_fail(err, -E2BIG,
			"%s has %" PRIu64 " bytes at 0x%" PRIx64
			", which is not aligned: they take more than %u debug registers; watch a "
			"part of "
			"it: %s:%u",
			t->source, t->size, t->addr, CUL_WATCH_WORDS, t->source,
			(unsigned)(arch->watch_max - t->addr % arch->watch_max));
	if (r < 0)
		return cul_fail(err, -E2BIG,
			"%s has %" PRIu64 " bytes at 0x%" PRIx64
			": more than %u debug registers of %u bytes "
			"cover; name a member of it, or part of it: %s:8",
			t->source, t->size, t->addr, CUL_WATCH_WORDS, arch->watch_max, t->source);
	t->n_pieces = (unsigned)r;
	return 0;
}

int cul_watch_target_resolve(const char *text, struct cul_scope *scope, const struct cul_arch *arch,
	enum cul_access_kind access, const struct cul_cpus *cpus, int copy,
	struct cul_watch_target *out, struct cul_error *err)
{
	struct cul_watch_target t = {.text = text, .copy = copy};
	int r;

	t.source = cul_strdup(text);
	if (!t.source)
		return cul_fail(err, -ENOMEM, "out of memory");
	r = resolve(&t, scope, arch, access, cpus, err);
	if (r) {
		cul_watch_target_free(&t);
		return r;
	}
	if (!t.percpu)
		t.copy = -1;
	*out = t;
	return 0;
}
