/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DWARF expressions as call frame information has them (DWARF 5, section 2.5 and 6.4.2): numbers,
 * registers, memory and arithmetic. What only variables need (pieces, types, thread-local storage)
 * is refused. Steps and stack are bounded: a branch may go back.
 */
#include "unwind/priv.h"

#include <dwarf.h>
#include <errno.h>

enum { MAX_STACK = 64, MAX_STEPS = 1000 };

struct machine {
	struct cul_unwinder *u;
	const struct cul_thread_regs *regs;
	const uint64_t *cfa;
	uint64_t *fail;
	uint64_t stack[MAX_STACK];
	unsigned depth;
};

static int push(struct machine *m, uint64_t value)
{
	if (m->depth == MAX_STACK)
		return -EBADMSG;
	m->stack[m->depth++] = value & m->u->mask;
	return 0;
}

static int push_reg(struct machine *m, uint64_t dwarf, uint64_t off)
{
	const struct cul_arch_unwind *facts = m->u->facts;
	unsigned reg = dwarf < facts->n_dwarf_regs ? facts->dwarf_regs[dwarf] : CUL_NO_REG;

	if (!reg_known(m->regs, reg))
		return -EBADMSG;
	return push(m, m->regs->regs.r[reg] + off);
}

static int64_t sign(const struct machine *m, uint64_t value)
{
	unsigned unused = 64 - m->u->arch->word * 8;

	return (int64_t)(value << unused) >> unused;
}

static int binary(struct machine *m, unsigned atom)
{
	unsigned bits = m->u->arch->word * 8;
	uint64_t a, b;
	int64_t sa, sb;

	if (m->depth < 2)
		return -EBADMSG;
	b = m->stack[--m->depth];
	a = m->stack[--m->depth];
	sa = sign(m, a);
	sb = sign(m, b);
	switch (atom) {
	case DW_OP_and:
		return push(m, a & b);
	case DW_OP_or:
		return push(m, a | b);
	case DW_OP_xor:
		return push(m, a ^ b);
	case DW_OP_plus:
		return push(m, a + b);
	case DW_OP_minus:
		return push(m, a - b);
	case DW_OP_mul:
		return push(m, a * b);
	case DW_OP_div: /* INT64_MIN / -1 traps */
		return sb == 0 ? -EBADMSG : push(m, sb == -1 ? 0 - a : (uint64_t)(sa / sb));
	case DW_OP_mod:
		return b == 0 ? -EBADMSG : push(m, a % b);
	case DW_OP_shl:
		return push(m, b < bits ? a << b : 0);
	case DW_OP_shr:
		return push(m, b < bits ? a >> b : 0);
	case DW_OP_shra:
		return push(m, (uint64_t)(sa >> (b < bits ? b : bits - 1)));
	case DW_OP_eq:
		return push(m, sa == sb);
	case DW_OP_ne:
		return push(m, sa != sb);
	case DW_OP_lt:
		return push(m, sa < sb);
	case DW_OP_le:
		return push(m, sa <= sb);
	case DW_OP_gt:
		return push(m, sa > sb);
	case DW_OP_ge:
		return push(m, sa >= sb);
	}
	return -EBADMSG;
}

static int deref(struct machine *m, unsigned size)
{
	uint64_t addr, value = 0;

	if (m->depth < 1)
		return -EBADMSG;
	addr = m->stack[--m->depth];
	if (cul_unwind_read_number(m->u, addr, size, &value) != 0) {
		*m->fail = addr;
		return -EFAULT;
	}
	return push(m, value);
}

static int unary(struct machine *m, const Dwarf_Op *op)
{
	uint64_t *top;

	if (m->depth < 1)
		return -EBADMSG;
	top = &m->stack[m->depth - 1];
	switch (op->atom) {
	case DW_OP_abs:
		*top = (sign(m, *top) < 0 ? 0 - *top : *top) & m->u->mask;
		return 0;
	case DW_OP_neg:
		*top = (0 - *top) & m->u->mask;
		return 0;
	case DW_OP_not:
		*top = ~*top & m->u->mask;
		return 0;
	case DW_OP_plus_uconst:
		*top = (*top + op->number) & m->u->mask;
		return 0;
	case DW_OP_drop:
		m->depth--;
		return 0;
	}
	return -EBADMSG;
}

/* Copies and exchanges of what is on the stack. */
static int shuffle(struct machine *m, const Dwarf_Op *op)
{
	uint64_t depth = op->atom == DW_OP_over ? 1 : op->atom == DW_OP_pick ? op->number : 0;
	uint64_t *top = &m->stack[m->depth];
	uint64_t saved;

	if (op->atom == DW_OP_dup || op->atom == DW_OP_over || op->atom == DW_OP_pick)
		return depth < m->depth ? push(m, m->stack[m->depth - 1 - depth]) : -EBADMSG;
	if (m->depth < (op->atom == DW_OP_swap ? 2 : 3))
		return -EBADMSG;
	saved = top[-1];
	top[-1] = top[-2];
	if (op->atom == DW_OP_swap) {
		top[-2] = saved;
	} else {
		top[-2] = top[-3];
		top[-3] = saved;
	}
	return 0;
}

static int step(struct machine *m, const Dwarf_Op *op)
{
	if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31)
		return push(m, op->atom - DW_OP_lit0);
	if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31)
		return push_reg(m, op->atom - DW_OP_breg0, op->number);
	if (op->atom >= DW_OP_const1u && op->atom <= DW_OP_consts)
		return push(m, op->number); /* libdw has extended the sign */
	switch (op->atom) {
	case DW_OP_nop:
	case DW_OP_stack_value:
		return 0;
	case DW_OP_bregx:
		return push_reg(m, op->number, op->number2);
	case DW_OP_call_frame_cfa:
		return m->cfa ? push(m, *m->cfa) : -EBADMSG;
	case DW_OP_deref:
		return deref(m, m->u->arch->word);
	case DW_OP_deref_size:
		return op->number <= m->u->arch->word ? deref(m, (unsigned)op->number) : -EBADMSG;
	case DW_OP_dup:
	case DW_OP_over:
	case DW_OP_pick:
	case DW_OP_swap:
	case DW_OP_rot:
		return shuffle(m, op);
	case DW_OP_abs:
	case DW_OP_neg:
	case DW_OP_not:
	case DW_OP_plus_uconst:
	case DW_OP_drop:
		return unary(m, op);
	}
	return binary(m, op->atom);
}

/* The operation that a branch goes to; `n` for the end. */
static int target(const Dwarf_Op *ops, size_t n, size_t from, size_t *to)
{
	uint64_t offset = ops[from].offset + 3 + (uint64_t)(int64_t)(int16_t)ops[from].number;
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ops[mid].offset < offset)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < n && ops[low].offset == offset) {
		*to = low;
		return 0;
	}
	/* Behind the last operation, of which only the end of the list is known. */
	if (offset > ops[n - 1].offset && offset < UINT32_MAX) {
		*to = n;
		return 0;
	}
	return -EBADMSG;
}

int cul_unwind_expression(struct cul_unwinder *u, const Dwarf_Op *ops, size_t n,
	const struct cul_thread_regs *regs, const uint64_t *cfa, uint64_t *value, uint64_t *fail)
{
	struct machine m = {.u = u, .regs = regs, .cfa = cfa, .fail = fail};
	unsigned steps = 0;
	size_t i = 0;

	while (i < n) {
		const Dwarf_Op *op = &ops[i];
		int ret = 0;

		if (++steps > MAX_STEPS)
			return -EBADMSG;
		if (op->atom == DW_OP_bra && m.depth == 0)
			return -EBADMSG;
		if (op->atom == DW_OP_skip || (op->atom == DW_OP_bra && m.stack[--m.depth]))
			ret = target(ops, n, i, &i);
		else if (op->atom == DW_OP_bra)
			i++;
		else if ((ret = step(&m, op)) == 0)
			i++;
		if (ret != 0)
			return ret;
	}
	if (m.depth == 0)
		return -EBADMSG;
	*value = m.stack[m.depth - 1];
	return 0;
}
