/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/plan.h"

#include <errno.h>
#include <string.h>

#include "probe/generate.h"

enum {
	STRING_ROOM = 128,
	PATH_ROOM = 256,
	STRING_SHORT = 64, /* of a struct's members */
};

/* A place in the payload for a copy of `size` bytes; -1: no more room. */
static int add_fetch(struct cul_probe_recipe *r, struct cul_probe_fetch f)
{
	__u32 room = (f.size + 7u) & ~7u;

	if (r->n_fetches == CUL_PROBE_FETCHES || r->payload + room > CUL_PROBE_PAYLOAD)
		return -1;
	f.pos = (__u16)r->payload;
	r->payload += room;
	r->fetch[r->n_fetches] = f;
	return (int)r->n_fetches++;
}

/* `char` and what is unsigned or signed of one byte by that very name: text. */
static bool is_text(const struct cul_type *t)
{
	return t->kind == CUL_KIND_CHAR && t->name && !strcmp(t->name, "char");
}

static bool is_named(const struct cul_type *t, const char *name)
{
	return t->kind == CUL_KIND_STRUCT && t->name && !strcmp(t->name, name);
}

static __u16 at_most(uint64_t size)
{
	return (__u16)(size < CUL_PROBE_FETCH_MOST ? size : CUL_PROBE_FETCH_MOST);
}

/* A struct that is best told by a string in it: where the pointer to that is. */
static bool find_name(const struct cul_type *t, uint64_t *offset)
{
	struct cul_member m;

	if (!is_named(t, "filename") || cul_type_member(t, "name", &m, NULL) ||
		m.bit_offset / 8 + 8 > CUL_PROBE_FETCH_MOST)
		return false;
	*offset = m.bit_offset / 8;
	return true;
}

static int fetch_name(struct cul_probe_recipe *r, struct cul_probe_fetch f, uint64_t offset)
{
	int base;

	f.kind = CUL_FETCH_MEM;
	f.size = (__u16)(offset + 8);
	base = add_fetch(r, f);
	if (base < 0)
		return -1;
	return add_fetch(r, (struct cul_probe_fetch){.kind = CUL_FETCH_STR,
				    .through = (__u8)(base + 1),
				    .at_return = f.at_return,
				    .offset = (__u16)offset,
				    .size = STRING_ROOM});
}

/* Strings that a struct's members point to, when one looks deeper. */
static void fetch_members(struct cul_plan *p, int base, const struct cul_type *t, unsigned depth)
{
	const struct cul_probe_fetch from = p->recipe.fetch[base];

	if (cul_type_fill(t, NULL))
		return;
	for (size_t i = 0; i < t->n_members; i++) {
		const struct cul_member *m = &t->members[i];
		struct cul_probe_fetch f = {
			.through = (__u8)(base + 1), .at_return = from.at_return};
		const struct cul_type *to;
		uint64_t offset = m->bit_offset / 8;
		int fetch;

		if (!m->type || m->type->kind != CUL_KIND_PTR || offset + 8 > from.size ||
			offset % 8 || cul_type_to(m->type, &to, NULL))
			continue;
		f.offset = (__u16)offset;
		if (is_text(to)) {
			f.kind = CUL_FETCH_STR;
			f.size = STRING_SHORT;
			add_fetch(&p->recipe, f);
		} else if (depth > 2 && to->size) {
			f.kind = CUL_FETCH_MEM;
			f.size = at_most(to->size);
			fetch = add_fetch(&p->recipe, f);
			if (fetch >= 0)
				fetch_members(p, fetch, to, depth - 1);
		}
	}
}

/* How a pointer is best shown, and what has to be fetched for it. */
static void plan_pointer(struct cul_plan *p, struct cul_plan_arg *a,
	const struct cul_plan_want *want, bool at_return)
{
	struct cul_probe_fetch f = {.source = (__u8)a->source, .at_return = at_return};
	const struct cul_type *to;
	uint64_t offset;

	if (cul_type_to(a->type, &to, NULL))
		return;
	if (is_text(to)) {
		f.kind = CUL_FETCH_STR;
		f.size = STRING_ROOM;
		a->form = CUL_FORM_STRING;
		a->fetch = add_fetch(&p->recipe, f);
	} else if (!want->user && (is_named(to, "file") || is_named(to, "dentry"))) {
		f.kind = is_named(to, "file") ? CUL_FETCH_FILE : CUL_FETCH_DENTRY;
		f.size = PATH_ROOM;
		a->form = CUL_FORM_PATH;
		a->fetch = add_fetch(&p->recipe, f);
	} else if (!want->user && find_name(to, &offset)) {
		a->form = CUL_FORM_NAME;
		a->fetch = fetch_name(&p->recipe, f, offset);
	} else if (to->kind != CUL_KIND_FUNC && to->kind != CUL_KIND_VOID && want->depth) {
		cul_type_fill(to, NULL); /* may complete it */
		if (!to->size)
			return;
		f.kind = CUL_FETCH_MEM;
		f.size = at_most(to->size);
		a->form = CUL_FORM_OBJECT;
		a->object = to;
		a->fetch = add_fetch(&p->recipe, f);
		if (a->fetch >= 0 && want->depth > 1)
			fetch_members(p, a->fetch, to, want->depth);
	}
	if (a->fetch < 0)
		a->form = CUL_FORM_VALUE;
}

static void plan_parameter(
	struct cul_plan *p, const struct cul_parameter *param, const struct cul_plan_want *want)
{
	struct cul_plan_arg *a = &p->args[p->n_args++];

	*a = (struct cul_plan_arg){.name = param->name,
		.type = param->type,
		.place = param->place,
		.source = -1,
		.fetch = -1};
	if (param->place.where != CUL_ARG_WORDS ||
		param->place.word + param->place.n_words > CUL_PROBE_WORDS)
		return;
	a->source = (int)param->place.word;
	if (p->words < param->place.word + param->place.n_words)
		p->words = param->place.word + param->place.n_words;
	if (want->args && a->type && a->type->kind == CUL_KIND_PTR)
		plan_pointer(p, a, want, false);
}

static __u32 ret_kind(const struct cul_signature *s)
{
	const struct cul_type *t = s->ret;

	if (!t || s->ret_in_memory || s->ret_is_float)
		return CUL_RET_NONE;
	if (t->kind == CUL_KIND_PTR)
		return CUL_RET_POINTER;
	if ((t->kind != CUL_KIND_INT && t->kind != CUL_KIND_ENUM) || !t->is_signed)
		return CUL_RET_NONE;
	return t->size == 8 ? CUL_RET_INT64 : t->size == 4 ? CUL_RET_INT32 : CUL_RET_NONE;
}

static void plan_ret(struct cul_plan *p, const struct cul_plan_want *want)
{
	const struct cul_type *t = p->signature.ret;

	p->recipe.ret = ret_kind(&p->signature);
	p->has_ret = t && t->kind != CUL_KIND_VOID;
	p->ret = (struct cul_plan_arg){.type = t, .source = -1, .fetch = -1};
	if (!p->has_ret || p->signature.ret_in_memory || p->signature.ret_is_float)
		return;
	p->ret.source = CUL_PROBE_FROM_RET;
	p->ret.place = (struct cul_arg_place){.where = CUL_ARG_WORDS, .n_words = 1};
	if (want->ret && t->kind == CUL_KIND_PTR)
		plan_pointer(p, &p->ret, want, true);
}

/* void (void *data, the arguments...): each in a word of 64 bits. */
static void place_tracepoint(struct cul_signature *s)
{
	if (!s->n_params)
		return;
	s->n_params--;
	memmove(s->params, s->params + 1, s->n_params * sizeof(s->params[0]));
	for (size_t i = 0; i < s->n_params; i++)
		s->params[i].place = (struct cul_arg_place){
			.where = CUL_ARG_WORDS, .word = (unsigned)i, .n_words = 1};
}

int cul_plan_make(const struct cul_type *type, const struct cul_plan_want *want,
	struct cul_plan *out, struct cul_error *err)
{
	int r = 0;

	memset(out, 0, sizeof(*out));
	out->ret = (struct cul_plan_arg){.source = -1, .fetch = -1};
	if (!type)
		return 0;
	r = cul_signature_of(type, cul_arch_host(), &out->signature, err);
	if (r)
		return r;
	if (want->tracepoint)
		place_tracepoint(&out->signature);
	out->typed = true;
	for (size_t i = 0; i < out->signature.n_params; i++)
		plan_parameter(out, &out->signature.params[i], want);
	plan_ret(out, want);
	return 0;
}

void cul_plan_values(struct cul_plan *plan, const struct cul_plan_want *want,
	const struct cul_generated_value *values, size_t n)
{
	struct cul_plan_want deep = *want;

	if (!deep.depth)
		deep.depth = 1;
	plan->n_args = 0;
	for (size_t i = 0; i < n && i < CUL_PLAN_ARGS; i++) {
		const struct cul_generated_value *v = &values[i];
		struct cul_plan_arg *a = &plan->args[plan->n_args++];

		*a = (struct cul_plan_arg){.name = v->text,
			.type = v->type,
			.place = {.where = CUL_ARG_WORDS, .n_words = v->n},
			.source = CUL_PROBE_WORDS + (int)v->at,
			.fetch = -1};
		if (v->type->kind == CUL_KIND_PTR)
			plan_pointer(plan, a, v->object ? &deep : want, v->at_return);
	}
}
