/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_NAME = 1024, /* libiberty takes 64 bytes of stack for each, and refuses longer ones */
	MAX_TEXT = 16 << 10,
	MAX_PARTS = 1 << 16,
	MAX_NESTING = 512,
};

struct writer {
	struct cul_str *out;
	size_t start;
	jmp_buf too_long;
};

/* libiberty's callback forms take no memory from the heap: leaving them loses nothing. */
static void write_part(const char *text, size_t len, void *data)
{
	struct writer *w = data;

	if (len > MAX_TEXT - (w->out->len - w->start))
		longjmp(w->too_long, 1);
	cul_str_addn(w->out, text, len);
}

/* The tree that a name of C++ stands for; it shares what the name repeats. */
struct tree {
	struct demangle_component *parts;
	size_t n;
	uint32_t size[2 * MAX_NAME]; /* with all that is below, written out; 0: not known yet */
};

static uint32_t size_of(struct tree *t, const struct demangle_component *part, unsigned depth);

static uint32_t sum(struct tree *t, const struct demangle_component *a,
	const struct demangle_component *b, unsigned depth)
{
	uint32_t size = 1 + size_of(t, a, depth + 1);

	/* Beyond the limit it need not be exact. */
	return size > MAX_PARTS ? size : size + size_of(t, b, depth + 1);
}

static uint32_t size_of(struct tree *t, const struct demangle_component *part, unsigned depth)
{
	size_t i;
	uint32_t size;

	if (!part)
		return 0;
	i = (size_t)(part - t->parts);
	if (part < t->parts || i >= t->n || depth > MAX_NESTING)
		return MAX_PARTS + 1;
	if (t->size[i])
		return t->size[i];
	t->size[i] = MAX_PARTS + 1; /* should it contain itself */
	switch (part->type) {
	case DEMANGLE_COMPONENT_NAME:
	case DEMANGLE_COMPONENT_TEMPLATE_PARAM:
	case DEMANGLE_COMPONENT_FUNCTION_PARAM:
	case DEMANGLE_COMPONENT_SUB_STD:
	case DEMANGLE_COMPONENT_BUILTIN_TYPE:
	case DEMANGLE_COMPONENT_EXTENDED_BUILTIN_TYPE:
	case DEMANGLE_COMPONENT_OPERATOR:
	case DEMANGLE_COMPONENT_CHARACTER:
	case DEMANGLE_COMPONENT_NUMBER:
	case DEMANGLE_COMPONENT_UNNAMED_TYPE:
		size = 1;
		break;
	case DEMANGLE_COMPONENT_EXTENDED_OPERATOR:
		size = sum(t, part->u.s_extended_operator.name, NULL, depth);
		break;
	case DEMANGLE_COMPONENT_FIXED_TYPE:
		size = sum(t, part->u.s_fixed.length, NULL, depth);
		break;
	case DEMANGLE_COMPONENT_CTOR:
		size = sum(t, part->u.s_ctor.name, NULL, depth);
		break;
	case DEMANGLE_COMPONENT_DTOR:
		size = sum(t, part->u.s_dtor.name, NULL, depth);
		break;
	case DEMANGLE_COMPONENT_LAMBDA:
	case DEMANGLE_COMPONENT_DEFAULT_ARG:
		size = sum(t, part->u.s_unary_num.sub, NULL, depth);
		break;
	default:
		size = sum(t, part->u.s_binary.left, part->u.s_binary.right, depth);
	}
	t->size[i] = size;
	return size;
}

/*
 * Whether it is small when written out: to find the parameter pack in a part the demangler goes
 * through all of that, whether it was there before or not, and writes nothing meanwhile.
 */
static bool is_bounded(const char *name, size_t len, int options)
{
	struct tree t = {.n = 2 * len};
	void *memory = NULL;
	struct demangle_component *top = cplus_demangle_v3_components(name, options, &memory);
	bool bounded;

	t.parts = memory; /* all of them, in one block */
	bounded = top && size_of(&t, top, 0) <= MAX_PARTS;
	free(memory);
	return bounded;
}

static bool demangle(const char *name, size_t len, struct writer *w)
{
	const int options = DMGL_PARAMS | DMGL_ANSI;

	if (setjmp(w->too_long))
		return false;
	if (rust_demangle_callback(name, options, write_part, w))
		return true;
	/* Legacy Rust names are C++ names as well. */
	cul_str_cut(w->out, w->start);
	return name[1] == 'Z' && is_bounded(name, len, options) &&
	       cplus_demangle_v3_callback(name, options, write_part, w);
}

bool cul_demangle(const char *name, struct cul_str *out)
{
	struct writer w = {.out = out, .start = out->len};
	char plain[MAX_NAME + 1];
	const char *stub;
	size_t len;

	if (name[0] != '_' || (name[1] != 'Z' && name[1] != 'R'))
		return false;
	stub = strchr(name, '@');
	len = stub ? (size_t)(stub - name) : strlen(name);
	if (len > MAX_NAME)
		return false;
	memcpy(plain, name, len);
	plain[len] = '\0';
	if (!demangle(plain, len, &w) || out->len == w.start) {
		cul_str_cut(out, w.start);
		return false;
	}
	if (stub)
		cul_str_add(out, stub);
	return !out->failed;
}
