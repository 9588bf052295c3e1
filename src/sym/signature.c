/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/signature.h"

#include <errno.h>
#include <string.h>

enum {
	MAX_LEAVES = 64,
	MAX_DEPTH = 16,
	MAX_MEMBERS = 4096, /* looked at for one argument */
	IN_REGISTERS = 16,  /* no convention passes more in registers: its leaves do not matter */
};

/* The scalars of one argument or result. */
struct flat {
	struct cul_arg_leaf leaves[MAX_LEAVES];
	size_t n;
	uint64_t align;
	unsigned seen;
	bool has_array;
	bool is_opaque; /* it has a union, or a struct that tells no members */
};

static bool add_leaf(struct flat *f, uint64_t offset, uint64_t size, bool is_float)
{
	if (offset >= IN_REGISTERS)
		return true;
	for (size_t i = 0; i < f->n; i++) /* members of a union */
		if (f->leaves[i].offset == offset && f->leaves[i].size == size &&
			f->leaves[i].is_float == is_float)
			return true;
	if (f->n == MAX_LEAVES)
		return false;
	f->leaves[f->n++] = (struct cul_arg_leaf){offset, (uint32_t)size, is_float};
	return true;
}

/* __float128 goes in one vector register, of which its second half is no word of its own. */
static uint64_t float_size(const struct cul_type *t)
{
	bool is_quad = t->name && (!strcmp(t->name, "_Float128") || !strcmp(t->name, "__float128"));

	return is_quad ? 8 : t->size;
}

static bool flatten(struct flat *f, const struct cul_type *t, uint64_t offset, unsigned depth);

static bool flatten_array(struct flat *f, const struct cul_type *t, uint64_t offset, unsigned depth)
{
	const struct cul_type *element;

	f->has_array = true;
	if (!t->count)
		return true;
	if (cul_type_to(t, &element, NULL) || !element->size)
		return false;
	/* The first one tells the alignment, wherever it is. */
	for (uint64_t i = 0; i < t->count; i++) {
		if (!flatten(f, element, offset + i * element->size, depth + 1))
			return false;
		if (offset + (i + 1) * element->size >= IN_REGISTERS)
			break;
	}
	return true;
}

/* Bytes that a bit field touches; unnamed ones are padding. */
static bool flatten_bits(struct flat *f, const struct cul_member *m, uint64_t offset)
{
	uint64_t first = offset + m->bit_offset / 8;
	uint64_t last = offset + (m->bit_offset + m->bit_size - 1) / 8;

	if (m->type && m->type->size && m->type->size <= 8 && f->align < m->type->size)
		f->align = m->type->size;
	return !m->name || !*m->name ||
	       (add_leaf(f, first, 1, false) && add_leaf(f, last, 1, false));
}

static bool flatten_members(
	struct flat *f, const struct cul_type *t, uint64_t offset, unsigned depth)
{
	if (cul_type_fill(t, NULL))
		return false;
	f->is_opaque |= t->kind == CUL_KIND_UNION || (t->size && !t->n_members);
	for (size_t i = 0; i < t->n_members; i++) {
		const struct cul_member *m = &t->members[i];
		bool good;

		if (++f->seen > MAX_MEMBERS || !m->type)
			return false;
		good = m->bit_size ? flatten_bits(f, m, offset)
				   : flatten(f, m->type, offset + m->bit_offset / 8, depth + 1);
		if (!good)
			return false;
	}
	return true;
}

/* False: the type does not tell. */
static bool flatten(struct flat *f, const struct cul_type *t, uint64_t offset, unsigned depth)
{
	if (depth > MAX_DEPTH)
		return false;
	switch (t->kind) {
	case CUL_KIND_STRUCT:
	case CUL_KIND_UNION:
		return flatten_members(f, t, offset, depth);
	case CUL_KIND_ARRAY:
		return depth > 0 && flatten_array(f, t, offset, depth);
	case CUL_KIND_VOID:
	case CUL_KIND_FUNC:
		return false;
	default:
		if (!t->size || t->size > 16)
			return false;
		if (f->align < t->size)
			f->align = t->size;
		return add_leaf(f, offset, t->kind == CUL_KIND_FLOAT ? float_size(t) : t->size,
			t->kind == CUL_KIND_FLOAT);
	}
}

/* `arg->size` 0 when the type does not tell. */
static void describe(const struct cul_type *t, struct flat *f, struct cul_arg *arg)
{
	memset(f, 0, sizeof(*f));
	memset(arg, 0, sizeof(*arg));
	f->align = 1;
	if (!t || !flatten(f, t, 0, 0))
		return;
	*arg = (struct cul_arg){t->size, f->align, f->leaves, f->n};
}

static void set_result(struct cul_signature *s, const struct cul_arch *arch)
{
	struct cul_arg_place place;
	struct cul_arg arg;
	struct flat flat;

	if (s->ret_in_memory)
		return;
	describe(s->ret, &flat, &arg);
	s->ret_in_memory = arg.size && arch->returns_in_memory(&arg);
	if (!arg.size || s->ret_in_memory)
		return;
	/* What comes back in a register and would be passed elsewhere: st(0). */
	arch->place_args(&arg, 1, false, &place);
	s->ret_is_float = place.where == CUL_ARG_FLOAT ||
			  (place.where == CUL_ARG_WORDS && place.word >= arch->n_arg_regs);
}

/*
 * Rust has a convention of its own, of which only this is the same in all its versions
 * (compiler/rustc_ty_utils/src/abi.rs, fn_abi_adjust_for_abi, of 1.60 to 1.95): a scalar goes in a
 * register, two of them in one each, what is larger than two words by its address (sym/dwarf_
 * members.c has made it a pointer), and what takes no room not at all. The rest is not seen, nor
 * where what comes after it is.
 */
struct rust {
	const struct cul_arch *arch;
	unsigned integer, vector, stack; /* taken */
	bool known;
};

enum { RUST_VECTORS = 8 }; /* beyond them floats go on the stack */

static struct cul_arg_place place_rust_word(struct rust *r)
{
	struct cul_arg_place place = {.where = CUL_ARG_WORDS, .n_words = 1};

	place.word =
		r->integer < r->arch->n_arg_regs ? r->integer++ : r->arch->n_arg_regs + r->stack++;
	return place;
}

static struct cul_arg_place place_rust_pair(struct rust *r, const struct flat *f)
{
	const struct cul_arg_leaf *first = &f->leaves[0], *second = &f->leaves[1];
	unsigned vector = first->is_float + second->is_float, word = r->integer;

	if (r->integer + 2 - vector > r->arch->n_arg_regs) {
		r->known = false;
		return (struct cul_arg_place){.where = CUL_ARG_UNKNOWN};
	}
	r->vector += vector;
	r->integer += 2 - vector;
	if (vector)
		return (struct cul_arg_place){.where = CUL_ARG_FLOAT};
	/* Each in a register of its own, though they may lie in one word of memory. */
	if (first->offset != 0 || second->offset != r->arch->word)
		return (struct cul_arg_place){.where = CUL_ARG_UNKNOWN};
	return (struct cul_arg_place){.where = CUL_ARG_WORDS, .word = word, .n_words = 2};
}

static struct cul_arg_place place_rust(struct rust *r, const struct cul_type *t)
{
	struct cul_arg_place place = {.where = CUL_ARG_UNKNOWN};
	struct cul_arg arg;
	struct flat f;

	if (t && t->kind == CUL_KIND_STRUCT && !t->size && r->known)
		return (struct cul_arg_place){.where = CUL_ARG_WORDS};
	describe(t, &f, &arg);
	r->known = r->known && arg.size && arg.size <= 2 * r->arch->word && f.n && !f.is_opaque &&
		   !f.has_array;
	if (!r->known)
		return place;
	if (f.n == 2)
		place = place_rust_pair(r, &f);
	else if (f.n == 1 && f.leaves[0].is_float && arg.size <= r->arch->word) {
		r->vector++;
		place.where = CUL_ARG_FLOAT;
	} else if (arg.size <= r->arch->word)
		place = place_rust_word(r);
	else
		r->known = false;
	r->known = r->known && r->vector <= RUST_VECTORS;
	return r->known ? place : (struct cul_arg_place){.where = CUL_ARG_UNKNOWN};
}

static void place_all_rust(struct cul_signature *s, const struct cul_arch *arch)
{
	struct rust back = {.arch = arch, .known = true};
	struct rust r = {.arch = arch, .integer = s->ret_in_memory, .known = true};

	if (!s->ret_in_memory && s->ret->kind != CUL_KIND_VOID) {
		struct cul_arg_place place = place_rust(&back, s->ret);

		s->ret_is_float = place.where == CUL_ARG_FLOAT;
		s->ret_unseen = place.where == CUL_ARG_UNKNOWN;
		/* Two words may come back in registers or in memory, which takes the first word. */
		r.known = back.known || (s->ret->size && s->ret->size <= arch->word);
	}
	for (size_t i = 0; i < s->n_params; i++)
		s->params[i].place = place_rust(&r, s->params[i].type);
}

static void place_nowhere(struct cul_signature *s)
{
	s->ret_unseen = !s->ret_in_memory && s->ret->kind != CUL_KIND_VOID;
	for (size_t i = 0; i < s->n_params; i++)
		s->params[i].place = (struct cul_arg_place){.where = CUL_ARG_UNKNOWN};
}

static void place_all(struct cul_signature *s, const struct cul_arch *arch)
{
	struct cul_arg_place places[CUL_SIGNATURE_MOST];
	struct cul_arg args[CUL_SIGNATURE_MOST];
	struct flat flat[CUL_SIGNATURE_MOST];

	set_result(s, arch);
	for (size_t i = 0; i < s->n_params; i++)
		describe(s->params[i].type, &flat[i], &args[i]);
	arch->place_args(args, s->n_params, s->ret_in_memory, places);
	for (size_t i = 0; i < s->n_params; i++)
		s->params[i].place = places[i];
}

int cul_signature_of(const struct cul_type *func, const struct cul_arch *arch,
	struct cul_signature *out, struct cul_error *err)
{
	struct cul_signature s = {0};
	int r;

	if (func->kind != CUL_KIND_FUNC)
		return cul_fail(err, -EINVAL, "the type is not that of a function");
	if (!arch->place_args || !arch->returns_in_memory)
		return cul_fail(err, -ENOTSUP,
			"where arguments are on %s is not known to this version", arch->name);
	r = cul_type_fill(func, err);
	if (!r)
		r = cul_type_to(func, &s.ret, err);
	if (r)
		return r;
	s.is_variadic = func->is_variadic || func->n_members > CUL_SIGNATURE_MOST;
	s.n_params = func->n_members < CUL_SIGNATURE_MOST ? func->n_members : CUL_SIGNATURE_MOST;
	s.ret_in_memory = func->ret_by_address;
	for (size_t i = 0; i < s.n_params; i++) {
		const struct cul_member *m = &func->members[i];

		s.params[i].name = m->name && *m->name ? m->name : NULL;
		s.params[i].type = m->type;
	}
	if (func->called == CUL_CALLED_AS_RUST)
		place_all_rust(&s, arch);
	else if (func->called == CUL_CALLED_OTHERWISE)
		place_nowhere(&s);
	else
		place_all(&s, arch);
	*out = s;
	return 0;
}

/*
 * A declaration of `what`: C writes it where the innermost "*" of a pointer to a function or to an
 * array ends ("void (*fn)(int)"), else behind the type.
 */
static void print_declaration(struct cul_str *out, const struct cul_type *t, const char *what)
{
	cul_autostr struct cul_str text = {0};
	const char *at, *end;

	if (t)
		cul_type_print(&text, t);
	else
		cul_str_add(&text, "?");
	out->failed |= text.failed;
	for (at = strstr(cul_str_text(&text), "(*"); at; at = strstr(at + 1, "(*")) {
		end = at + 1 + strspn(at + 1, "*");
		if (*end != ')')
			continue;
		cul_str_addn(out, text.s, (size_t)(end - text.s));
		cul_str_add(out, what);
		cul_str_add(out, end);
		return;
	}
	cul_str_add(out, cul_str_text(&text));
	if (!*what)
		return;
	cul_str_add(out, text.len && text.s[text.len - 1] == '*' ? "" : " ");
	cul_str_add(out, what);
}

void cul_signature_print(struct cul_str *out, const char *name, const struct cul_signature *s)
{
	cul_autostr struct cul_str what = {0};

	cul_str_addf(&what, "%s(%s", name, s->n_params || s->is_variadic ? "" : "void");
	for (size_t i = 0; i < s->n_params; i++) {
		cul_str_add(&what, i ? ", " : "");
		print_declaration(
			&what, s->params[i].type, s->params[i].name ? s->params[i].name : "");
	}
	if (s->is_variadic)
		cul_str_add(&what, s->n_params ? ", ..." : "...");
	cul_str_add(&what, ")");
	out->failed |= what.failed;
	print_declaration(out, s->ret, cul_str_text(&what));
}
