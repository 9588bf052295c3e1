/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "base/errname.h"
#include "expr/typing.h"

static bool is_struct(const struct cul_type *t)
{
	return t->kind == CUL_KIND_STRUCT || t->kind == CUL_KIND_UNION;
}

static const struct cul_type *void_type(struct cul_typing *ty)
{
	return cul_ctypes_find(ty->env->ctypes, "void");
}

static int no_parameters(struct cul_type_provider *p, struct cul_type *t, struct cul_error *err)
{
	return cul_fail(err, -ENODATA, "the parameters are not known");
}

/* A function of which only the address is known: "void (...)". */
static const struct cul_type_ops some_ops = {.fill_members = no_parameters};
static const struct cul_type_provider some_provider = {.ops = &some_ops};
static const struct cul_type no_result = {
	.kind = CUL_KIND_VOID, .filled_to = true, .filled_members = true};
static const struct cul_type some_function = {
	.kind = CUL_KIND_FUNC,
	.filled_to = true,
	.to = &no_result,
	.provider = (struct cul_type_provider *)&some_provider,
};

static struct cul_node *name_object(
	struct cul_typing *ty, struct cul_span span, const struct cul_name *name)
{
	const struct cul_type *type = name->type;
	struct cul_node *n;

	if (name->kind == CUL_NAME_FUNCTION && (!type || type->kind != CUL_KIND_FUNC))
		type = &some_function;
	n = cul_node_new(ty, CUL_OP_OBJECT, span, type ? type : void_type(ty), NULL, NULL);
	if (!n)
		return NULL;
	n->value = name->addr;
	n->percpu = name->kind == CUL_NAME_PERCPU;
	n->code = name->kind == CUL_NAME_FUNCTION;
	n->index = n->code ? name->size : 0;
	n->untyped = !type;
	return n;
}

static bool is_char_array(const struct cul_type *t)
{
	const struct cul_type *to;

	if (t->kind != CUL_KIND_ARRAY || !t->count || cul_type_to(t, &to, NULL))
		return false;
	return cul_type_is_integer(to) && to->size == 1;
}

static struct cul_node *name_input(
	struct cul_typing *ty, struct cul_span span, const struct cul_name *name)
{
	bool scalar = name->type && cul_type_is_scalar(name->type);
	struct cul_node *n;

	if (!scalar && (!name->type || (!is_char_array(name->type) && !is_struct(name->type))))
		return cul_node_fail(ty, span, -EINVAL, "%s is no number, pointer or string here",
			name->type ? cul_node_spell(ty, name->type) : "a value without a type");
	n = cul_node_new(ty, scalar ? CUL_OP_INPUT : CUL_OP_PART, span, name->type, NULL, NULL);
	if (n) {
		n->value = name->input;
		n->code = name->is_code_address;
	}
	return n;
}

/* C11 6.7.2.2: an int, however its enum is stored; GNU C: beyond that, of the enum's type. */
static struct cul_node *enumerator(
	struct cul_typing *ty, struct cul_span span, const struct cul_name *name)
{
	bool fits = name->value == (int32_t)name->value;

	return cul_node_const(ty, span,
		fits ? cul_ctypes_int(ty->env->ctypes, 4, true) : name->type,
		(uint64_t)name->value);
}

struct cul_node *cul_lvalue_name(struct cul_typing *ty, struct cul_span span, const char *name)
{
	struct cul_name found = {0};
	int r = -ENOENT, number;

	ty->err->text[0] = '\0';
	if (ty->env->name)
		r = ty->env->name(ty->env->data, name, &found, ty->err);
	if (r == -ENOENT && ty->env->type && !strchr(name, ':') &&
		ty->env->type(ty->env->data, CUL_TAG_STRUCT, name))
		return cul_node_fail(ty, span, r,
			"'%.100s' is a type, no variable; in a cast write (struct %.100s *)", name,
			name);
	/* ENOENT and the like are macros, which type information does not list. */
	number = r == -ENOENT ? cul_errname_number(name) : 0;
	if (number) {
		*ty->err = (struct cul_error){0};
		return cul_node_const(
			ty, span, cul_ctypes_int(ty->env->ctypes, 4, true), (uint64_t)number);
	}
	if (r && !*ty->err->text && r == -ENOENT)
		return cul_node_fail(ty, span, r, "unknown name '%.200s'", name);
	if (r)
		return cul_node_fail_below(ty, span, r);
	switch (found.kind) {
	case CUL_NAME_OBJECT:
	case CUL_NAME_FUNCTION:
	case CUL_NAME_PERCPU:
		return name_object(ty, span, &found);
	case CUL_NAME_INPUT:
		return name_input(ty, span, &found);
	case CUL_NAME_CONSTANT:
		if (found.type && cul_type_is_integer(found.type))
			return enumerator(ty, span, &found);
		break;
	}
	return cul_node_fail(ty, span, -EINVAL, "'%.200s' is nothing an expression can use", name);
}

/* Explains why `n` cannot be read. */
static struct cul_node *fail_value(struct cul_typing *ty, struct cul_node *n)
{
	struct cul_expr whole = {.text = ty->e->text, .root = n};

	cul_caret_no_value(&whole, ty->err);
	return NULL;
}

struct cul_node *cul_lvalue_read(struct cul_typing *ty, struct cul_node *n)
{
	const struct cul_type *type = n->type, *to = type;

	if (cul_node_is_array_input(n) && !is_char_array(n->type))
		return cul_node_fail(
			ty, cul_span_of(n), -EINVAL, "an array is not a number; it can be indexed");
	if (n->op == CUL_OP_STRING || cul_node_is_array_input(n))
		return cul_node_fail(ty, cul_span_of(n), -EINVAL,
			"a string is not a number; it can be compared with ==, != and ~%s",
			n->op == CUL_OP_STRING ? "" : ", or indexed");
	if (n->op == CUL_OP_PART && is_struct(type))
		return fail_value(ty, n);
	if (!cul_node_is_lvalue(n))
		return n;
	if (cul_type_is_scalar(type))
		return cul_node_new(ty, CUL_OP_LOAD, cul_span_of(n), type, n, NULL);
	if (type->kind != CUL_KIND_ARRAY && type->kind != CUL_KIND_FUNC)
		return fail_value(ty, n);
	if (type->kind == CUL_KIND_ARRAY && cul_type_to(type, &to, ty->err))
		return cul_node_fail_below(ty, cul_span_of(n), -ENODATA);
	return cul_node_new(
		ty, CUL_OP_ADDR, cul_span_of(n), cul_ctypes_pointer(ty->env->ctypes, to), n, NULL);
}

struct cul_node *cul_lvalue_deref(struct cul_typing *ty, struct cul_node *a, struct cul_span span)
{
	const struct cul_type *to;

	a = cul_lvalue_read(ty, a);
	if (!a)
		return NULL;
	if (a->type->kind != CUL_KIND_PTR)
		return cul_node_fail(ty, cul_span_of(a), -EINVAL,
			"%s is not a pointer; cast it to one to follow it",
			cul_node_spell(ty, a->type));
	if (cul_type_to(a->type, &to, ty->err))
		return cul_node_fail_below(ty, span, -ENODATA);
	return cul_node_new(ty, CUL_OP_DEREF, span, to, a, NULL);
}

struct cul_node *cul_lvalue_address(struct cul_typing *ty, struct cul_node *a, struct cul_span span)
{
	const struct cul_type *pointer;

	if (!cul_node_is_lvalue(a))
		return cul_node_fail(ty, cul_span_of(a), -EINVAL,
			"this value is not in memory: it has no address");
	if (a->bit_size)
		return cul_node_fail(ty, cul_span_of(a), -EINVAL, "a bit field has no address");
	pointer = cul_ctypes_pointer(ty->env->ctypes, a->type);
	return cul_node_new(ty, CUL_OP_ADDR, span, pointer, a, NULL);
}

/* The fewest bytes, 1, 2, 4 or 8, from `*byte` on that hold the field; 0: more than 8. */
static unsigned narrow_unit(uint64_t bit_offset, unsigned bits, uint64_t *byte)
{
	unsigned unit = 1;

	*byte = bit_offset / 8;
	while (unit <= 8 && bit_offset % 8 + bits > unit * 8)
		unit *= 2;
	return unit > 8 ? 0 : unit;
}

/*
 * The storage unit of a bit field: the aligned object of its declared type, as compilers lay it
 * out (System V ABI, "Bit-Fields"); in a packed struct, where that one does not hold it or goes
 * beyond the end, the fewest bytes that do.
 */
static bool place_bit_field(
	struct cul_node *n, const struct cul_type *outer, const struct cul_member *m)
{
	unsigned unit = (unsigned)m->type->size, bits = m->bit_size;
	uint64_t byte = m->bit_offset / 8 / unit * unit;

	if (m->bit_offset + bits > (byte + unit) * 8 || (outer->size && byte + unit > outer->size))
		unit = narrow_unit(m->bit_offset, bits, &byte);
	n->value = byte;
	n->unit = (uint8_t)unit;
	n->bit_size = (uint8_t)bits;
	n->bit_shift = (uint8_t)(m->bit_offset - byte * 8);
	return unit != 0;
}

static struct cul_node *member_of(
	struct cul_typing *ty, struct cul_node *a, const char *name, struct cul_span span)
{
	struct cul_member m = {0};
	struct cul_node *n;
	int r;

	ty->err->text[0] = '\0';
	r = cul_type_member(a->type, name, &m, ty->err);
	if (r)
		return cul_node_fail_below(ty, span, r);
	if (!m.type)
		return cul_node_fail(
			ty, span, -ENODATA, "the type of member '%.200s' is not known", name);
	if (a->op == CUL_OP_PART)
		return cul_part_member(ty, a, &m, cul_span_join(cul_span_of(a), span));
	n = cul_node_new(ty, CUL_OP_MEMBER, cul_span_join(cul_span_of(a), span), m.type, a, NULL);
	if (!n)
		return NULL;
	n->value = m.bit_offset / 8;
	if (!m.bit_size && m.bit_offset % 8 == 0)
		return n;
	/* A provider's mistake or hostile bytes. */
	if (!cul_type_is_integer(m.type) || !m.bit_size || m.bit_size > m.type->size * 8 ||
		m.bit_offset > UINT64_MAX / 2 || !place_bit_field(n, a->type, &m))
		return cul_node_fail(
			ty, span, -EBADMSG, "member '%.200s' cannot be read: odd layout", name);
	return n;
}

struct cul_node *cul_lvalue_member(struct cul_typing *ty, struct cul_node *a, bool arrow,
	const char *name, struct cul_span span)
{
	struct cul_span whole = cul_span_of(a);

	if (!arrow && a->untyped)
		return fail_value(ty, a);
	if (!arrow && a->type->kind == CUL_KIND_PTR)
		return cul_node_fail(ty, whole, -EINVAL, "%s is a pointer: write -> for .",
			cul_node_spell(ty, a->type));
	if (arrow && is_struct(a->type))
		return cul_node_fail(ty, whole, -EINVAL, "%s is not a pointer: write . for ->",
			cul_node_spell(ty, a->type));
	if (arrow)
		a = cul_lvalue_deref(ty, a, whole);
	if (!a)
		return NULL;
	if (!is_struct(a->type) || (!cul_node_is_lvalue(a) && a->op != CUL_OP_PART))
		return cul_node_fail(
			ty, whole, -ENOTDIR, "%s has no members", cul_node_spell(ty, a->type));
	return member_of(ty, a, name, span);
}

struct cul_node *cul_lvalue_index(
	struct cul_typing *ty, struct cul_node *a, struct cul_node *i, struct cul_span span)
{
	struct cul_node *swap;

	if (cul_node_is_array_input(a))
		return cul_part_index(ty, a, i, span);
	a = cul_lvalue_read(ty, a);
	i = a ? cul_lvalue_read(ty, i) : NULL;
	if (!i)
		return NULL;
	if (a->type->kind != CUL_KIND_PTR && i->type->kind == CUL_KIND_PTR) {
		swap = a;
		a = i;
		i = swap;
	}
	if (a->type->kind != CUL_KIND_PTR)
		return cul_node_fail(ty, cul_span_of(a), -EINVAL, "%s has no elements",
			cul_node_spell(ty, a->type));
	a = cul_typing_pointer_add(ty, CUL_OP_ADD, a, i, span);
	return a ? cul_lvalue_deref(ty, a, span) : NULL;
}
