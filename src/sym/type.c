/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/type.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

/*
 * Bounds for graphs made from hostile bytes: unnamed structs inside one another, members looked at
 * in one search, pointers and arrays wrapped around one another.
 */
enum {
	UNNAMED_DEPTH = 16,
	MEMBERS_SEEN = 1 << 16,
	PRINT_DEPTH = 16,
	PRINT_PARAMETERS = 64,
	NEAREST = 3
};

int cul_type_to(const struct cul_type *t, const struct cul_type **to, struct cul_error *err)
{
	const struct cul_type_provider *p = t->provider;
	int r;

	if (!t->filled_to && p && p->ops && p->ops->fill_to) {
		/* Nodes are the provider's; users see them as const. */
		r = p->ops->fill_to(t->provider, (struct cul_type *)t, err);
		if (r)
			return r;
	}
	if (!t->to)
		return cul_fail(err, -ENODATA,
			"the type information does not say what %s is made of",
			t->name ? t->name : "this type");
	*to = t->to;
	return 0;
}

int cul_type_fill(const struct cul_type *t, struct cul_error *err)
{
	const struct cul_type_provider *p = t->provider;

	if (t->filled_members || !p || !p->ops || !p->ops->fill_members)
		return 0;
	return p->ops->fill_members(t->provider, (struct cul_type *)t, err);
}

bool cul_type_is_integer(const struct cul_type *t)
{
	switch (t->kind) {
	case CUL_KIND_INT:
	case CUL_KIND_CHAR:
	case CUL_KIND_BOOL:
	case CUL_KIND_ENUM:
		return t->size == 1 || t->size == 2 || t->size == 4 || t->size == 8;
	default:
		return false;
	}
}

bool cul_type_is_scalar(const struct cul_type *t)
{
	if (t->kind == CUL_KIND_PTR || t->kind == CUL_KIND_FLOAT)
		return t->size == 4 || t->size == 8;
	return cul_type_is_integer(t);
}

static bool has_members(const struct cul_type *t)
{
	return t->kind == CUL_KIND_STRUCT || t->kind == CUL_KIND_UNION;
}

/* Member names nearest to one that is not there; the walk over members is shared by both uses. */
struct search {
	const char *name;
	struct cul_member found;
	unsigned seen;
	const char *near[NEAREST];
	unsigned distance[NEAREST];
	unsigned farthest; /* 0: not asked for near names */
};

static void note_near(struct search *s, const char *name)
{
	unsigned d = cul_edit_distance(s->name, name, s->farthest);
	size_t i = NEAREST;

	if (d > s->farthest)
		return;
	while (i > 0 && (!s->near[i - 1] || s->distance[i - 1] > d))
		i--;
	if (i == NEAREST)
		return;
	for (size_t j = NEAREST - 1; j > i; j--) {
		s->near[j] = s->near[j - 1];
		s->distance[j] = s->distance[j - 1];
	}
	s->near[i] = name;
	s->distance[i] = d;
}

/* 0 found, -ENOENT not in here, another errno when the provider failed. */
static int walk_members(struct search *s, const struct cul_type *t, uint64_t base, unsigned depth,
	struct cul_error *err)
{
	int r;

	if (depth > UNNAMED_DEPTH)
		return -ENOENT;
	r = cul_type_fill(t, err);
	if (r)
		return r;
	for (size_t i = 0; i < t->n_members; i++) {
		const struct cul_member *m = &t->members[i];
		const char *name = m->name ? m->name : "";
		uint64_t offset = base + m->bit_offset;

		if (++s->seen > MEMBERS_SEEN)
			return -ENOENT;
		if (*name && !s->farthest && !strcmp(name, s->name)) {
			s->found = *m;
			s->found.bit_offset = offset;
			return 0;
		}
		if (*name && s->farthest)
			note_near(s, name);
		if (*name || !m->type || !has_members(m->type))
			continue;
		r = walk_members(s, m->type, offset, depth + 1, err);
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

static int unknown_member(const struct cul_type *t, const char *name, struct cul_error *err)
{
	struct search s = {.name = name, .farthest = (unsigned)strlen(name) / 3 + 1};
	struct cul_str text = {0};
	int r;

	if (!err)
		return -ENOENT;
	walk_members(&s, t, 0, 0, NULL);
	cul_str_addf(&text, "unknown member '%s' of ", name);
	cul_type_print(&text, t);
	for (size_t i = 0; i < NEAREST && s.near[i]; i++)
		cul_str_addf(&text, "%s%s", i ? ", " : "; nearest: ", s.near[i]);
	if (text.failed)
		r = cul_fail(err, -ENOENT, "unknown member '%s'", name);
	else
		r = cul_fail(err, -ENOENT, "%s", cul_str_text(&text));
	cul_str_free(&text);
	return r;
}

int cul_type_member(
	const struct cul_type *t, const char *name, struct cul_member *out, struct cul_error *err)
{
	struct search s = {.name = name};
	int r;

	if (!has_members(t)) {
		cul_autostr struct cul_str text = {0};

		cul_type_print(&text, t);
		return cul_fail(err, -ENOTDIR, "%s has no members", cul_str_text(&text));
	}
	r = walk_members(&s, t, 0, 0, err);
	if (r == -ENOENT)
		return unknown_member(t, name, err);
	if (!r)
		*out = s.found;
	return r;
}

int cul_type_extent(
	const struct cul_type *t, const char *path, struct cul_extent *out, struct cul_error *err)
{
	struct cul_extent e = {0};
	struct cul_member m;
	char name[64];

	do {
		size_t n = strcspn(path, ".");
		int r;

		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		r = cul_type_member(t, name, &m, err);
		if (r)
			return r;
		if (!m.type || m.bit_size || m.bit_offset % 8)
			return cul_fail(
				err, -ENOENT, "member '%s' is not made of whole bytes", name);
		e.at += m.bit_offset / 8;
		path += n + (path[n] == '.');
		t = m.type;
	} while (*path);
	e.size = t->size;
	*out = e;
	return 0;
}

static void print_declared(struct cul_str *out, const struct cul_type *t, bool is_parameter);

/* Functions among the parameters of a function stay short: "int (int, void (*)(...))". */
static void print_parameters(struct cul_str *out, const struct cul_type *t, bool is_parameter)
{
	if (is_parameter || cul_type_fill(t, NULL)) {
		cul_str_add(out, "(...)");
		return;
	}
	cul_str_add(out, t->n_members ? "(" : "(void");
	for (size_t i = 0; i < t->n_members; i++) {
		if (i)
			cul_str_add(out, ", ");
		if (i == PRINT_PARAMETERS) {
			cul_str_add(out, "...");
			break;
		}
		if (t->members[i].type)
			print_declared(out, t->members[i].type, true);
		else
			cul_str_add(out, "?");
	}
	cul_str_add(out, ")");
}

static void print_base(struct cul_str *out, const struct cul_type *t)
{
	static const char *const words[] = {
		[CUL_KIND_STRUCT] = "struct ",
		[CUL_KIND_UNION] = "union ",
		[CUL_KIND_ENUM] = "enum ",
	};
	const char *word = "";

	if (t->alias) {
		cul_str_add(out, t->alias);
		return;
	}
	if (has_members(t) || t->kind == CUL_KIND_ENUM)
		word = words[t->kind];
	cul_str_add(out, word);
	if (t->name && *t->name)
		cul_str_add(out, t->name);
	else
		cul_str_add(out, *word ? "{...}" : t->kind == CUL_KIND_VOID ? "void" : "?");
}

/*
 * C writes a type inside out: "int (*)[4]" is a pointer to an array. The declarator grows in `d`
 * while the walk goes from the outermost type to the base type, which is written before it.
 */
static void print_declared(struct cul_str *out, const struct cul_type *t, bool is_parameter)
{
	cul_autostr struct cul_str d = {0}, next = {0};

	for (unsigned i = 0; i < PRINT_DEPTH; i++) {
		bool wrap = t->kind != CUL_KIND_PTR && *cul_str_text(&d) == '*';

		if (t->alias || (t->kind != CUL_KIND_PTR && t->kind != CUL_KIND_ARRAY &&
					t->kind != CUL_KIND_FUNC))
			break;
		cul_str_reset(&next);
		cul_str_add(&next, t->kind == CUL_KIND_PTR ? "*" : wrap ? "(" : "");
		cul_str_add(&next, cul_str_text(&d));
		cul_str_add(&next, wrap ? ")" : "");
		if (t->kind == CUL_KIND_FUNC)
			print_parameters(&next, t, is_parameter);
		else if (t->kind == CUL_KIND_ARRAY && t->count)
			cul_str_addf(&next, "[%" PRIu64 "]", t->count);
		else if (t->kind == CUL_KIND_ARRAY)
			cul_str_add(&next, "[]");
		cul_str_reset(&d);
		cul_str_add(&d, cul_str_text(&next));
		if (cul_type_to(t, &t, NULL))
			break;
	}
	out->failed |= d.failed || next.failed;
	print_base(out, t);
	if (d.len)
		cul_str_addf(out, " %s", d.s);
}

void cul_type_print(struct cul_str *out, const struct cul_type *t)
{
	print_declared(out, t, false);
}
