/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the bytes of a call to what is read of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/errname.h"
#include "probe/plan.h"
#include "sym/print.h"

enum { MAX_ERRNO = 4095 }; /* include/linux/err.h */

/* The bytes that a fetch has brought; NULL: none. */
static const uint8_t *fetched(const struct cul_plan *plan, const struct cul_probe_event *e,
	int fetch, bool at_return, size_t *size)
{
	const uint8_t *data = (const uint8_t *)(e + 1) + (at_return ? e->payload : 0);
	__s16 got = at_return ? e->after[fetch] : e->got[fetch];
	const struct cul_probe_fetch *f = &plan->recipe.fetch[fetch];

	if (got <= 0 || f->pos + got > e->payload || got > f->size)
		return NULL;
	*size = (size_t)got;
	return data + f->pos;
}

void cul_plan_show_text(struct cul_str *out, const uint8_t *bytes, size_t size, size_t room)
{
	cul_str_add(out, "\"");
	cul_str_add_quoted(out, bytes, size);
	cul_str_add(out, size == room ? "\"..." : "\"");
}

/* The outermost name may lack its beginning, or all that is above it: where the names end then. */
static size_t end_of_cut(const uint8_t *bytes, size_t size, size_t room)
{
	size_t end = size - 1;

	if (size < room)
		return size > 1 && !bytes[size - 2] ? end : 0;
	while (end && bytes[end - 1])
		end--;
	return end ? end : size;
}

/*
 * Innermost name first, each NUL terminated: "/" before each, outermost first; "..." before all
 * when it is not whole.
 */
static void print_path(struct cul_str *out, const uint8_t *bytes, size_t size, size_t room)
{
	size_t end = size, cut;

	if (size > 1 && bytes[0] == ':' && !bytes[size - 1]) {
		cul_str_addf(out, "%s:", (const char *)bytes + 1);
		return;
	}
	if (!size || bytes[size - 1]) {
		cul_str_add(out, "?");
		return;
	}
	cut = end_of_cut(bytes, size, room);
	if (cut) {
		cul_str_add(out, "...");
		end = cut;
	}
	while (end) {
		size_t start = end - 1;

		while (start && bytes[start - 1])
			start--;
		/* The root's own name is "/". */
		if (strcmp((const char *)bytes + start, "/") != 0)
			cul_str_addf(out, "/%s", (const char *)bytes + start);
		else if (end == size && start == 0)
			cul_str_add(out, "/");
		end = start;
	}
}

/* One call that is being told. */
struct telling {
	const struct cul_plan *plan;
	const struct cul_probe_event *e;
	bool at_return;
	struct cul_scope *scope;
};

static bool name_pointer(void *data, uint64_t addr, struct cul_where *out)
{
	const struct telling *t = data;

	return cul_scope_data_name(t->scope, addr, out);
}

static bool show_familiar(
	const struct telling *t, const struct cul_plan_arg *arg, struct cul_str *out)
{
	struct cul_familiar_bytes b = {0};
	size_t before = out->len;

	for (size_t i = 0; i < CUL_FAMILIAR_PIECES; i++) {
		const struct cul_fetched_piece *piece = &arg->pieces[i];
		const uint8_t *bytes;
		size_t size;

		if (!arg->familiar->pieces[i].path || piece->fetch < 0)
			continue;
		bytes = fetched(t->plan, t->e, piece->fetch, t->at_return, &size);
		if (!bytes || piece->offset >= size)
			continue;
		size -= piece->offset;
		/* Half a number is none. */
		if (size < piece->size && !arg->familiar->pieces[i].text &&
			*arg->familiar->pieces[i].path)
			continue;
		b.bytes[i] = bytes + piece->offset;
		b.size[i] = size < piece->size ? size : piece->size;
	}
	return arg->familiar->print(&b, out) && out->len > before;
}

static void print(const struct telling *t, struct cul_str *out, const struct cul_type *type,
	const void *bytes, size_t size, const char *called);

/* What a pointer points to, from what was fetched for it. False: nothing was. */
static bool show_pointee(
	const struct telling *t, const struct cul_plan_arg *arg, struct cul_str *out)
{
	size_t size;
	const uint8_t *bytes;

	if (arg->form == CUL_FORM_FAMILIAR)
		return show_familiar(t, arg, out);
	bytes = fetched(t->plan, t->e, arg->fetch, t->at_return, &size);
	if (!bytes)
		return false;
	switch (arg->form) {
	case CUL_FORM_STRING:
		cul_plan_show_text(out, bytes, size, t->plan->recipe.fetch[arg->fetch].size);
		break;
	case CUL_FORM_PATH:
		print_path(out, bytes, size, t->plan->recipe.fetch[arg->fetch].size);
		break;
	default:
		/* A scalar behind a pointer is told from one that is given itself. */
		if (cul_type_is_scalar(arg->object))
			cul_str_add(out, "&");
		print(t, out, arg->object, bytes, size, NULL);
	}
	return true;
}

/* A pointer in a struct that was fetched, when one looks deeper. */
static bool follow(void *data, const struct cul_print_value *pointer, struct cul_str *out)
{
	const struct telling *t = data;
	const uint8_t *payload = (const uint8_t *)(t->e + 1) + (t->at_return ? t->e->payload : 0);

	for (size_t i = 0; i < t->plan->n_inner; i++) {
		const struct cul_plan_arg *arg = &t->plan->inner[i];
		const struct cul_probe_fetch *f = &t->plan->recipe.fetch[arg->inner_through - 1];

		if (pointer->bytes == payload + f->pos + arg->inner_offset)
			return show_pointee(t, arg, out);
	}
	return false;
}

static void print(const struct telling *t, struct cul_str *out, const struct cul_type *type,
	const void *bytes, size_t size, const char *called)
{
	const struct cul_print_names names = {.name = name_pointer,
		.follow = follow,
		.data = (void *)t,
		.brief = true,
		.addresses = true};
	const struct cul_print_value value = {
		.type = type, .bytes = bytes, .size = size, .called = called};

	cul_print_value(out, &value, &names);
}

/* The value's own bytes among words, values and the returned one, which are one array. */
static const uint64_t *words_of(
	const struct cul_plan_arg *arg, const struct cul_probe_event *e, size_t *size)
{
	const uint64_t *sources = (const uint64_t *)e->in.words;

	if (arg->place.where == CUL_ARG_CONST) {
		*size = arg->type && arg->type->size <= 8 ? arg->type->size : 8;
		return (const uint64_t *)&arg->place.number;
	}
	if (arg->source < 0 || arg->source + (int)arg->place.n_words > CUL_PROBE_SOURCES)
		return NULL;
	*size = arg->type && arg->type->size ? arg->type->size : 8;
	if (*size > arg->place.n_words * 8u)
		*size = arg->place.n_words * 8u;
	return sources + arg->source;
}

/* An expression that met what could not be read has no value. */
static bool is_fault(const struct cul_plan_arg *arg, const struct cul_probe_event *e)
{
	return arg->source >= CUL_PROBE_WORDS && arg->source < CUL_PROBE_FROM_RET &&
	       e->in.faults >> (arg->source - CUL_PROBE_WORDS) & 1;
}

static void show_value(const struct telling *t, const struct cul_plan_arg *arg, struct cul_str *out,
	struct cul_shown *shown, const char **why)
{
	const struct cul_probe_event *e = t->e;
	size_t size = 0;
	const uint64_t *words = words_of(arg, e, &size);

	if (!words) {
		*why = arg->place.where == CUL_ARG_FLOAT  ? "floating point"
		       : arg->place.where == CUL_ARG_GONE ? "optimized out"
							  : "not seen";
		return;
	}
	if (is_fault(arg, e)) {
		*why = "unreadable";
		return;
	}
	print(t, out, arg->type, words, size, arg->name);
	shown->is_number = cul_print_is_number(arg->type, size) &&
			   !cul_print_is_address(&(struct cul_print_value){.type = arg->type,
				   .bytes = (const uint8_t *)words,
				   .size = size,
				   .called = arg->name});
	shown->text = cul_str_text(out);
}

void cul_plan_show(const struct cul_plan *plan, const struct cul_plan_arg *arg,
	const struct cul_probe_event *e, bool at_return, struct cul_scope *scope,
	struct cul_str *out, struct cul_shown *shown, const char **why)
{
	const struct telling t = {.plan = plan, .e = e, .at_return = at_return, .scope = scope};
	const uint64_t *words;
	size_t size = 0;

	*shown = (struct cul_shown){0};
	if (arg->fetch < 0) {
		show_value(&t, arg, out, shown, why);
		return;
	}
	words = words_of(arg, e, &size);
	if (words && !*words && !is_fault(arg, e)) {
		cul_str_add(out, "NULL");
	} else if (!show_pointee(&t, arg, out)) {
		/* The pointer at least. */
		if (!is_fault(arg, e))
			print(&t, out, arg->type, words, words ? 8 : 0, NULL);
		*why = "unreadable";
	}
	shown->text = out->len ? cul_str_text(out) : NULL;
}

const uint64_t *cul_plan_show_regs(const struct cul_plan *plan, const struct cul_probe_event *e)
{
	size_t size;

	for (size_t i = 0; i < plan->n_args; i++)
		if (plan->args[i].form == CUL_FORM_REGS && plan->args[i].fetch >= 0)
			return (const uint64_t *)fetched(
				plan, e, plan->args[i].fetch, false, &size);
	return NULL;
}

const char *cul_plan_error(const struct cul_plan *plan, const struct cul_probe_event *e)
{
	if (plan->recipe.ret == CUL_RET_NONE ||
		!(e->flags & (CUL_CALL_RETURN | CUL_CALL_INJECTED)) || e->in.ret >= 0 ||
		e->in.ret < -MAX_ERRNO)
		return NULL;
	return cul_errname((int)-e->in.ret);
}
