/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inputs that are more than a scalar: a char array, a struct passed by value.
 * Their bytes lie among the inputs, in our memory, and have no address in the
 * target. Members and elements are found now: what remains is an offset.
 */
#include <errno.h>

#include "expr/typing.h"

static bool is_struct(const struct cul_type *t)
{
	return t->kind == CUL_KIND_STRUCT || t->kind == CUL_KIND_UNION;
}

/* `type`, `at` bytes into `of`. What does not lie in it is a provider's mistake or hostile bytes.
 */
static struct cul_node *part_of(struct cul_typing *ty, const struct cul_node *of,
	const struct cul_type *type, uint64_t at, struct cul_span span)
{
	uint64_t room = of->type->size;
	struct cul_node *n;

	if (is_struct(type) && !type->size)
		cul_type_fill(type, NULL);
	if (!type->size || at > room || type->size > room - at ||
		(type->kind == CUL_KIND_ARRAY && (!type->count || type->count > type->size)))
		return cul_node_fail(ty, span, -EBADMSG,
			"this part of %s cannot be read: odd layout", cul_node_spell(ty, of->type));
	n = cul_node_new(ty, CUL_OP_PART, span, type, NULL, NULL);
	if (n) {
		n->value = of->value;
		n->index = of->index + at;
	}
	return n;
}

static struct cul_node *bit_field(struct cul_typing *ty, const struct cul_node *of,
	const struct cul_member *m, struct cul_span span)
{
	uint64_t byte = m->bit_offset / 8;
	unsigned shift = m->bit_offset % 8, unit = (shift + m->bit_size + 7) / 8;
	struct cul_node *n;

	if (!cul_type_is_integer(m->type) || !m->bit_size || m->bit_size > m->type->size * 8 ||
		unit > 8 || byte > of->type->size || unit > of->type->size - byte)
		return cul_node_fail(
			ty, span, -EBADMSG, "member '%.200s' cannot be read: odd layout", m->name);
	n = cul_node_new(ty, CUL_OP_PART, span, m->type, NULL, NULL);
	if (!n)
		return NULL;
	n->value = of->value;
	n->index = of->index + byte;
	n->bit_size = (uint8_t)m->bit_size;
	n->bit_shift = (uint8_t)shift;
	n->unit = (uint8_t)unit;
	return n;
}

struct cul_node *cul_part_member(struct cul_typing *ty, const struct cul_node *a,
	const struct cul_member *m, struct cul_span span)
{
	if (m->bit_size || m->bit_offset % 8)
		return bit_field(ty, a, m, span);
	return part_of(ty, a, m->type, m->bit_offset / 8, span);
}

struct cul_node *cul_part_index(
	struct cul_typing *ty, struct cul_node *a, struct cul_node *i, struct cul_span span)
{
	const struct cul_type *to;

	if (i->op != CUL_OP_CONST || !cul_type_is_integer(i->type))
		return cul_node_fail(
			ty, cul_span_of(i), -EINVAL, "the index of this array is a plain number");
	if (i->value >= a->type->count)
		return cul_node_fail(ty, cul_span_of(i), -ERANGE, "this index is beyond %s",
			cul_node_spell(ty, a->type));
	if (cul_type_to(a->type, &to, ty->err))
		return cul_node_fail_below(ty, span, -ENODATA);
	if (to->size > a->type->size)
		return cul_node_fail(ty, span, -EBADMSG, "%s cannot be read: odd layout",
			cul_node_spell(ty, a->type));
	return part_of(ty, a, to, i->value * to->size, span);
}
