/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "expr/tree.h"

uint64_t cul_arith_extend(uint64_t bits, unsigned n_bits, bool is_signed)
{
	unsigned spare;

	if (n_bits == 0 || n_bits >= 64)
		return bits;
	spare = 64 - n_bits;
	bits <<= spare;
	return is_signed ? (uint64_t)((int64_t)bits >> spare) : bits >> spare;
}

uint64_t cul_arith_fit(const struct cul_type *t, uint64_t bits)
{
	bool is_signed = t->is_signed && t->kind != CUL_KIND_PTR && t->kind != CUL_KIND_FLOAT;

	return cul_arith_extend(bits, (unsigned)t->size * 8, is_signed);
}

uint64_t cul_arith_cast(const struct cul_type *t, uint64_t bits)
{
	return t->kind == CUL_KIND_BOOL ? bits != 0 : cul_arith_fit(t, bits);
}

/* Quotient or remainder towards zero; the least number divided by -1 wraps to itself. */
static uint64_t divide(uint64_t a, uint64_t b, bool is_signed, bool remainder)
{
	uint64_t ua = a, ub = b, q;
	bool neg_a = is_signed && (int64_t)a < 0, neg_b = is_signed && (int64_t)b < 0;

	ua = neg_a ? -a : a;
	ub = neg_b ? -b : b;
	q = remainder ? ua % ub : ua / ub;
	return (remainder ? neg_a : neg_a != neg_b) ? -q : q;
}

static bool compare(enum cul_op op, uint64_t a, uint64_t b, bool is_signed)
{
	bool less = is_signed ? (int64_t)a < (int64_t)b : a < b;

	switch (op) {
	case CUL_OP_LT:
		return less;
	case CUL_OP_LE:
		return less || a == b;
	case CUL_OP_GT:
		return !less && a != b;
	case CUL_OP_GE:
		return !less;
	case CUL_OP_EQ:
		return a == b;
	default:
		return a != b;
	}
}

int cul_arith_apply(const struct cul_node *n, uint64_t a, uint64_t b, uint64_t *out)
{
	unsigned count = (unsigned)b & ((unsigned)n->type->size * 8 - 1);
	uint64_t v;

	switch (n->op) {
	case CUL_OP_NEG:
		v = -a;
		break;
	case CUL_OP_NOT:
		v = ~a;
		break;
	case CUL_OP_LNOT:
		v = !a;
		break;
	case CUL_OP_MUL:
		v = a * b;
		break;
	case CUL_OP_DIV:
	case CUL_OP_MOD:
		if (!b)
			return -EDOM;
		v = divide(a, b, n->type->is_signed, n->op == CUL_OP_MOD);
		break;
	case CUL_OP_ADD:
		v = a + b;
		break;
	case CUL_OP_SUB:
		v = a - b;
		break;
	case CUL_OP_SHL:
		v = a << count;
		break;
	case CUL_OP_SHR:
		v = n->type->is_signed ? (uint64_t)((int64_t)a >> count) : a >> count;
		break;
	case CUL_OP_AND:
		v = a & b;
		break;
	case CUL_OP_XOR:
		v = a ^ b;
		break;
	case CUL_OP_OR:
		v = a | b;
		break;
	case CUL_OP_PTRADD:
		v = a + b * n->value;
		break;
	case CUL_OP_PTRDIFF:
		v = divide(cul_arith_fit(n->type, a - b), n->value, true, false);
		break;
	default:
		v = compare(n->op, a, b, n->a->type->is_signed);
		break;
	}
	*out = cul_arith_fit(n->type, v);
	return 0;
}

uint64_t cul_arith_from_bytes(const void *bytes, unsigned size)
{
	const uint8_t *p = bytes;
	uint64_t v = 0;

	while (size--)
		v = v << 8 | p[size];
	return v;
}
