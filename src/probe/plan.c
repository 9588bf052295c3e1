/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/plan.h"

#include <errno.h>
#include <string.h>

#include "arch/unwind.h"

#include "probe/generate.h"

enum {
	STRING_ROOM = 128,
	PATH_ROOM = 256,
	STRING_SHORT = 64, /* of a struct's members */
};

/*
 * `char` by that very name is text. An unsigned byte may be anything, and is text where it is
 * called a name: `const unsigned char *name` of struct qstr.
 */
static bool is_text(const struct cul_type *t, const char *called)
{
	size_t n = called ? strlen(called) : 0;

	if (t->kind == CUL_KIND_CHAR && t->name && !strcmp(t->name, "char"))
		return true;
	return (t->kind == CUL_KIND_INT || t->kind == CUL_KIND_CHAR) && t->size == 1 &&
	       !t->is_signed && n >= 4 && !strcmp(called + n - 4, "name");
}

uint64_t cul_plan_text(const struct cul_type *type, const char *called)
{
	const struct cul_type *to;

	if ((type->kind != CUL_KIND_PTR && type->kind != CUL_KIND_ARRAY) ||
		cul_type_to(type, &to, NULL) || !is_text(to, called))
		return 0;
	return type->kind == CUL_KIND_PTR || !type->count ? UINT64_MAX : type->count + 1;
}

static bool is_named(const struct cul_type *t, const char *name)
{
	return t->kind == CUL_KIND_STRUCT && t->name && !strcmp(t->name, name);
}

static __u16 at_most(uint64_t size)
{
	return (__u16)(size < CUL_PROBE_FETCH_MOST ? size : CUL_PROBE_FETCH_MOST);
}

/* Pieces of a struct that has a familiar form. False: not all that it needs. */
static bool plan_familiar(struct cul_plan *p, struct cul_plan_arg *a, struct cul_probe_fetch at,
	const struct cul_type *to)
{
	const struct cul_probe_recipe before = p->recipe;

	for (size_t i = 0; i < CUL_FAMILIAR_PIECES; i++) {
		const struct cul_familiar_piece *piece = &a->familiar->pieces[i];

		a->pieces[i].fetch = -1;
		if (!piece->path)
			continue;
		if (!cul_fetches_piece(&p->recipe, at, to, piece, &a->pieces[i]) &&
			!piece->optional) {
			p->recipe = before;
			return false;
		}
	}
	a->form = CUL_FORM_FAMILIAR;
	a->fetch = a->pieces[0].fetch;
	return true;
}

static __u8 path_kind(const struct cul_type *t)
{
	return is_named(t, "file")     ? CUL_FETCH_FILE
	       : is_named(t, "dentry") ? CUL_FETCH_DENTRY
	       : is_named(t, "path")   ? CUL_FETCH_PATH
				       : CUL_FETCH_NONE;
}

/*
 * How a pointer is best shown, and what has to be fetched for it. `called`: by this name, NULL;
 * `at`: where the pointer is.
 */
static void plan_pointer(struct cul_plan *p, struct cul_plan_arg *a, const char *called,
	const struct cul_plan_want *want, struct cul_probe_fetch at)
{
	const struct cul_type *to;

	if (cul_type_to(a->type, &to, NULL))
		return;
	a->depth = (uint8_t)want->depth;
	at.kind = want->user || want->plain ? CUL_FETCH_NONE : path_kind(to);
	a->familiar = want->plain ? NULL : cul_familiar_find(to, want->user);
	if (is_text(to, called)) {
		at.kind = CUL_FETCH_STR;
		at.size = at.through ? STRING_SHORT : STRING_ROOM;
		a->form = CUL_FORM_STRING;
		a->fetch = cul_fetches_add(&p->recipe, at);
	} else if (at.kind != CUL_FETCH_NONE) {
		at.size = PATH_ROOM;
		a->form = CUL_FORM_PATH;
		a->fetch = cul_fetches_add(&p->recipe, at);
	} else if (a->familiar && want->depth && plan_familiar(p, a, at, to)) {
		return;
	} else if (to->kind != CUL_KIND_FUNC && to->kind != CUL_KIND_VOID && want->depth) {
		cul_type_fill(to, NULL); /* may complete it */
		if (!to->size)
			return;
		at.kind = CUL_FETCH_MEM;
		at.size = at_most(to->size);
		a->form = CUL_FORM_OBJECT;
		a->object = to;
		a->fetch = cul_fetches_add(&p->recipe, at);
	}
	if (a->fetch < 0)
		a->form = CUL_FORM_VALUE;
}

static struct cul_probe_fetch from_source(const struct cul_plan_arg *a, bool at_return)
{
	return (struct cul_probe_fetch){.source = (__u8)a->source, .at_return = at_return};
}

/* The pointers among a struct's members. */
static void follow_members(
	struct cul_plan *p, const struct cul_plan_arg *a, const struct cul_plan_want *want)
{
	struct cul_plan_want inner = {.depth = a->depth - 1u, .user = want->user};
	const struct cul_probe_fetch *from;

	if (a->fetch < 0 || a->form != CUL_FORM_OBJECT || a->depth < 2 ||
		(a->object->kind != CUL_KIND_STRUCT && a->object->kind != CUL_KIND_UNION) ||
		cul_type_fill(a->object, NULL))
		return;
	from = &p->recipe.fetch[a->fetch];
	for (size_t i = 0; i < a->object->n_members && p->n_inner < CUL_PLAN_INNER; i++) {
		const struct cul_member *m = &a->object->members[i];
		struct cul_plan_arg *to = &p->inner[p->n_inner];
		uint64_t offset = m->bit_offset / 8;

		if (!m->type || m->type->kind != CUL_KIND_PTR || m->type->size != 8 ||
			offset + 8 > from->size || offset % 8)
			continue;
		*to = (struct cul_plan_arg){.type = m->type,
			.source = -1,
			.fetch = -1,
			.inner_offset = (uint16_t)offset,
			.inner_through = (uint8_t)(a->fetch + 1)};
		plan_pointer(p, to, m->name, &inner,
			(struct cul_probe_fetch){.through = to->inner_through,
				.offset = to->inner_offset,
				.at_return = from->at_return});
		if (to->fetch >= 0)
			p->n_inner++;
	}
}

/* All of one depth before those that are deeper. */
static void follow(struct cul_plan *p, const struct cul_plan_arg *args, size_t n,
	const struct cul_plan_want *want)
{
	size_t next = p->n_inner;

	for (size_t i = 0; i < n; i++)
		follow_members(p, &args[i], want);
	for (; next < p->n_inner; next++)
		follow_members(p, &p->inner[next], want);
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
		plan_pointer(p, a, a->name, want, from_source(a, false));
}

static __u32 ret_kind(const struct cul_signature *s)
{
	const struct cul_type *t = s->ret;

	if (!t || s->ret_in_memory || s->ret_is_float || s->ret_unseen)
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
	if (!p->has_ret || p->signature.ret_in_memory || p->signature.ret_is_float ||
		p->signature.ret_unseen)
		return;
	p->ret.source = CUL_PROBE_FROM_RET;
	p->ret.place = (struct cul_arg_place){.where = CUL_ARG_WORDS, .n_words = 1};
	if (want->ret && t->kind == CUL_KIND_PTR)
		plan_pointer(p, &p->ret, NULL, want, from_source(&p->ret, true));
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

static bool is_readable(const struct cul_dwarf_place *at, const struct cul_type *t)
{
	const struct cul_arch_unwind *unwind = cul_arch_host()->unwind;

	if (at->where != CUL_DWARF_SUM && at->where != CUL_DWARF_MEMORY)
		return false;
	if (at->has_reg &&
		(at->reg >= unwind->n_dwarf_regs || unwind->dwarf_regs[at->reg] == CUL_NO_REG))
		return false;
	return t && t->size && t->size <= 8;
}

/* Each in a word of its own, which code of ours fills. */
static void place_copy(struct cul_signature *s, const struct cul_inlined_copy *copy)
{
	for (size_t i = 0; i < s->n_params; i++) {
		struct cul_arg_place *to = &s->params[i].place;

		if (to->where == CUL_ARG_FLOAT)
			continue;
		*to = (struct cul_arg_place){.where = CUL_ARG_UNKNOWN};
		if (i >= copy->n)
			continue;
		if (copy->places[i].where == CUL_DWARF_GONE)
			to->where = CUL_ARG_GONE;
		else if (is_readable(&copy->places[i], s->params[i].type))
			*to = (struct cul_arg_place){
				.where = CUL_ARG_WORDS, .word = (unsigned)i, .n_words = 1};
	}
}

/* What the debug information says of an entry is nearer than the convention. */
static void place_entry(struct cul_signature *s, const struct cul_entry_places *entry)
{
	for (size_t i = 0; i < s->n_params && i < entry->n; i++) {
		struct cul_arg_place *to = &s->params[i].place;
		enum cul_arg_where where = entry->places[i].where;

		if (entry->is_changed || where == CUL_ARG_WORDS || where == CUL_ARG_CONST)
			*to = entry->places[i];
	}
}

/* Expressions know the registers too, in a word behind those of the arguments. */
static void plan_syscall(struct cul_plan *p, const struct cul_syscall *call)
{
	p->syscall = call;
	p->words = 1;
	if (call->regs)
		p->args[p->n_args++] = (struct cul_plan_arg){.name = "regs",
			.type = call->regs,
			.form = CUL_FORM_REGS,
			.place = {.where = CUL_ARG_WORDS,
				.word = CUL_PROBE_REG_WORDS,
				.n_words = 1},
			.source = CUL_PROBE_REG_WORDS,
			.fetch = -1};
}

unsigned cul_plan_taken(const struct cul_plan *plan, unsigned words)
{
	unsigned most = plan->syscall ? 1 : (unsigned)plan->signature.n_params;

	return words < most ? words : most;
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
	out->tracepoint = want->tracepoint;
	if (want->tracepoint)
		place_tracepoint(&out->signature);
	if (want->entry)
		place_entry(&out->signature, want->entry);
	if (want->copy)
		place_copy(&out->signature, want->copy);
	out->copy = want->copy;
	out->typed = true;
	for (size_t i = 0; i < out->signature.n_params; i++)
		plan_parameter(out, &out->signature.params[i], want);
	if (want->syscall)
		plan_syscall(out, want->syscall);
	plan_ret(out, want);
	follow(out, out->args, out->n_args, want);
	follow(out, &out->ret, 1, want);
	return 0;
}

void cul_plan_regs(struct cul_plan *plan, const struct cul_type *pointer, bool fetch)
{
	struct cul_plan_arg *a = &plan->args[plan->n_args++];

	*a = (struct cul_plan_arg){.name = "regs",
		.type = pointer,
		.form = CUL_FORM_REGS,
		.place = {.where = CUL_ARG_WORDS, .n_words = 1},
		.fetch = -1};
	if (fetch)
		a->fetch = cul_fetches_add(
			&plan->recipe, (struct cul_probe_fetch){
					       .kind = CUL_FETCH_REGS, .size = CUL_PROBE_REGS * 8});
}

void cul_plan_values(struct cul_plan *plan, const struct cul_plan_want *want,
	const struct cul_generated_value *values, size_t n)
{
	struct cul_plan_want deep = *want;

	/* Who asks for a struct itself wants to see what is in it. */
	deep.plain = true;
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
			plan_pointer(plan, a, v->text, v->object ? &deep : want,
				from_source(a, v->at_return));
	}
	follow(plan, plan->args, plan->n_args, want);
}
