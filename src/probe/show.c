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

static bool name_pointer(void *data, uint64_t addr, struct cul_where *out)
{
	return cul_scope_data_name(data, addr, out);
}

static void print(struct cul_str *out, const struct cul_type *type, const void *bytes, size_t size,
	struct cul_scope *scope)
{
	const struct cul_print_names names = {.name = name_pointer, .data = scope};
	const struct cul_print_value value = {.type = type, .bytes = bytes, .size = size};

	cul_print_value(out, &value, &names);
}

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

static void print_string(struct cul_str *out, const uint8_t *bytes, size_t size, size_t room)
{
	cul_str_add(out, "\"");
	for (size_t i = 0; i < size && bytes[i]; i++) {
		if (bytes[i] == '"' || bytes[i] == '\\')
			cul_str_addf(out, "\\%c", bytes[i]);
		else if (bytes[i] >= ' ' && bytes[i] < 0x7f)
			cul_str_addf(out, "%c", bytes[i]);
		else
			cul_str_addf(out, "\\x%02x", bytes[i]);
	}
	cul_str_add(out, size == room ? "\"..." : "\"");
}

/* Innermost name first, each NUL terminated: "/" before each, outermost first. */
static void print_path(struct cul_str *out, const uint8_t *bytes, size_t size)
{
	size_t end = size;

	if (size > 1 && bytes[0] == ':' && !bytes[size - 1]) {
		cul_str_addf(out, "%s:", (const char *)bytes + 1);
		return;
	}
	if (!size || bytes[size - 1]) {
		cul_str_add(out, "?");
		return;
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

static void show_fetched(const struct cul_plan *plan, const struct cul_plan_arg *arg,
	const uint8_t *bytes, size_t size, struct cul_scope *scope, struct cul_str *out)
{
	switch (arg->form) {
	case CUL_FORM_STRING:
	case CUL_FORM_NAME:
		print_string(out, bytes, size, plan->recipe.fetch[arg->fetch].size);
		break;
	case CUL_FORM_PATH:
		print_path(out, bytes, size);
		break;
	default:
		/* A scalar behind a pointer is told from one that is given itself. */
		if (cul_type_is_scalar(arg->object))
			cul_str_add(out, "&");
		print(out, arg->object, bytes, size, scope);
	}
}

/* The value's own bytes among words, values and the returned one, which are one array. */
static const uint64_t *words_of(
	const struct cul_plan_arg *arg, const struct cul_probe_event *e, size_t *size)
{
	const uint64_t *sources = (const uint64_t *)e->in.words;

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

static void show_value(const struct cul_plan_arg *arg, const struct cul_probe_event *e,
	struct cul_scope *scope, struct cul_str *out, struct cul_shown *shown, const char **why)
{
	size_t size = 0;
	const uint64_t *words = words_of(arg, e, &size);

	if (!words) {
		*why = arg->place.where == CUL_ARG_FLOAT ? "floating point" : "not seen";
		return;
	}
	if (is_fault(arg, e)) {
		*why = "unreadable";
		return;
	}
	print(out, arg->type, words, size, scope);
	shown->is_number = cul_print_is_number(arg->type, size);
	shown->text = cul_str_text(out);
}

void cul_plan_show(const struct cul_plan *plan, const struct cul_plan_arg *arg,
	const struct cul_probe_event *e, bool at_return, struct cul_scope *scope,
	struct cul_str *out, struct cul_shown *shown, const char **why)
{
	const uint64_t *words;
	const uint8_t *bytes;
	size_t size = 0;

	*shown = (struct cul_shown){0};
	if (arg->fetch < 0) {
		show_value(arg, e, scope, out, shown, why);
		return;
	}
	bytes = fetched(plan, e, arg->fetch, at_return, &size);
	words = words_of(arg, e, &size);
	if (bytes)
		fetched(plan, e, arg->fetch, at_return, &size);
	if (bytes) {
		show_fetched(plan, arg, bytes, size, scope, out);
	} else if (words && !*words && !is_fault(arg, e)) {
		cul_str_add(out, "NULL");
	} else {
		/* The pointer at least. */
		if (!is_fault(arg, e))
			print(out, arg->type, words, words ? 8 : 0, scope);
		*why = "unreadable";
	}
	shown->text = out->len ? cul_str_text(out) : NULL;
}

const char *cul_plan_error(const struct cul_plan *plan, const struct cul_probe_event *e)
{
	if (plan->recipe.ret == CUL_RET_NONE || !(e->flags & CUL_CALL_RETURN) || e->in.ret >= 0 ||
		e->in.ret < -MAX_ERRNO)
		return NULL;
	return cul_errname((int)-e->in.ret);
}
