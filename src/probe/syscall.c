/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/syscall.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "sys/file.h"

enum { MOST = 6, TEXT_MOST = 1 << 16, DECLARATION_MOST = 128 };

/* "field:const char * filename;	offset:24;	size:8;	signed:0;" */
struct field {
	char declaration[DECLARATION_MOST];
	unsigned size;
};

/* False: there are no more, or this one is written in another way. */
static bool next_field(const char **text, struct field *out)
{
	static const char key[] = "field:";
	const char *at = strstr(*text, key), *end;
	size_t n;

	if (!at)
		return false;
	at += sizeof(key) - 1;
	end = strpbrk(at, ";\n");
	n = end ? (size_t)(end - at) : 0;
	if (!n || *end != ';' || n >= sizeof(out->declaration) ||
		sscanf(end, "; offset:%*u; size:%u", &out->size) != 1)
		return false;
	memcpy(out->declaration, at, n);
	out->declaration[n] = '\0';
	*text = end;
	return true;
}

/* Cuts the name off, which is the last word. NULL: there is none. */
static const char *cut_name(char *declaration)
{
	char *name = declaration + strlen(declaration);

	while (name > declaration && name[-1] != ' ' && name[-1] != '*')
		name--;
	if (!*name || name == declaration || name[-1] != ' ')
		return NULL;
	name[-1] = '\0';
	return name;
}

static const struct cul_type *type_of(const char *text, const struct cul_expr_env *env)
{
	char cast[DECLARATION_MOST + 8];
	const struct cul_type *type = NULL;
	struct cul_expr *e = NULL;

	snprintf(cast, sizeof(cast), "(%s)0", text);
	if (!cul_expr_parse(cast, env, &e, NULL))
		type = cul_expr_type(e);
	cul_expr_free(e);
	if (type && cul_type_is_scalar(type))
		return type;
	return strchr(text, '*')
		       ? cul_ctypes_pointer(env->ctypes, cul_ctypes_find(env->ctypes, "void"))
		       : cul_ctypes_find(env->ctypes, "unsigned long");
}

const struct cul_type *cul_syscall_type(
	const char *format, const struct cul_expr_env *env, struct cul_arena *arena)
{
	struct cul_type *func = cul_arena_alloc(arena, sizeof(*func));
	struct cul_member *members = cul_arena_alloc(arena, MOST * sizeof(*members));
	unsigned word = cul_ctypes_word(env->ctypes);
	bool begun = false; /* what all events have, and the call's number, come first */
	struct field f;

	if (!func || !members)
		return NULL;
	*func = (struct cul_type){.kind = CUL_KIND_FUNC,
		.filled_to = true,
		.filled_members = true,
		.to = cul_ctypes_find(env->ctypes, "long"),
		.members = members};
	while (func->n_members < MOST && next_field(&format, &f)) {
		struct cul_member *m = &members[func->n_members];
		const char *name = cut_name(f.declaration);

		/* Later kernels have copies of strings behind the arguments. */
		if (begun && (!name || f.size != word))
			break;
		if (begun) {
			m->name = cul_arena_strdup(arena, name);
			m->type = type_of(f.declaration, env);
			if (!m->name || !m->type)
				return NULL;
			func->n_members++;
		}
		begun |= name && !strcmp(name, "__syscall_nr");
	}
	return func;
}

static const struct cul_arch_syscall *kind_of(const struct cul_arch *arch, const char *symbol)
{
	for (const struct cul_arch_syscall *s = arch->syscalls; s && s->prefix; s++)
		if (!strncmp(symbol, s->prefix, strlen(s->prefix)))
			return s;
	return NULL;
}

/* What tracefs says of the event; NULL: nothing. */
static char *read_format(const char *call)
{
	static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	char path[PATH_MAX], *text = NULL;
	size_t size;

	for (size_t i = 0; !text && i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s/events/syscalls/sys_enter_%s/format", places[i],
			call);
		if (cul_sys_read_file(path, TEXT_MOST, &text, &size))
			text = NULL;
	}
	return text;
}

int cul_syscall_find(const struct cul_site *site, const struct cul_arch *arch,
	const struct cul_expr_env *env, struct cul_arena *arena, const struct cul_syscall **out)
{
	const struct cul_arch_syscall *how = kind_of(arch, site->symbol);
	cul_autofree char *format = NULL;
	const struct cul_type *regs;
	struct cul_syscall *found;

	*out = NULL;
	if (!how || site->kind != CUL_SITE_FUNCTION || strcmp(site->module, "vmlinux") != 0)
		return 0;
	format = read_format(site->symbol + strlen(how->prefix));
	if (!format)
		return 0;
	found = cul_arena_alloc(arena, sizeof(*found));
	if (!found)
		return -ENOMEM;
	regs = env->type(env->data, CUL_TAG_STRUCT, "pt_regs");
	found->how = how;
	found->regs = regs ? cul_ctypes_pointer(env->ctypes, regs) : NULL;
	found->type = cul_syscall_type(format, env, arena);
	if (!found->type || (regs && !found->regs))
		return -ENOMEM;
	*out = found;
	return 0;
}
