/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Call frame information: libdw reads the tables, this turns its answer into rules. */
#include "unwind/priv.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

/*
 * `ops` as libdw words a rule (libdw.h, dwarf_frame_register): a register itself,
 * DW_OP_call_frame_cfa with or without an offset, or any expression; DW_OP_stack_value says that it
 * is the value.
 */
static struct cul_rule rule_of(
	const struct cul_arch_unwind *facts, const Dwarf_Op *ops, size_t n, const Dwarf_Op *own)
{
	struct cul_rule rule = {.kind = CUL_RULE_UNKNOWN};
	bool is_value = n && ops[n - 1].atom == DW_OP_stack_value;
	size_t len = n - is_value;
	uint64_t reg;

	if (n == 0) {
		rule.kind = ops == own ? CUL_RULE_UNKNOWN : CUL_RULE_SAME;
		return rule;
	}
	if (n == 1 && (ops[0].atom == DW_OP_regx ||
			      (ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31))) {
		reg = ops[0].atom == DW_OP_regx ? ops[0].number
						: (uint64_t)ops[0].atom - DW_OP_reg0;
		if (reg < facts->n_dwarf_regs && facts->dwarf_regs[reg] != CUL_NO_REG) {
			rule.kind = CUL_RULE_REG;
			rule.reg = facts->dwarf_regs[reg];
		}
		return rule;
	}
	if (len >= 1 && len <= 2 && ops[0].atom == DW_OP_call_frame_cfa &&
		(len == 1 || ops[1].atom == DW_OP_plus_uconst)) {
		rule.kind = is_value ? CUL_RULE_CFA : CUL_RULE_AT;
		rule.off = len == 2 ? (int64_t)ops[1].number : 0;
		return rule;
	}
	if (ops == own || n > UINT16_MAX)
		return rule; /* would not outlive the call */
	rule.kind = is_value ? CUL_RULE_VAL_EXPR : CUL_RULE_AT_EXPR;
	rule.n_ops = (uint16_t)n;
	rule.ops = ops;
	return rule;
}

static struct cul_rule cfa_of(const struct cul_arch_unwind *facts, Dwarf_Frame *frame)
{
	struct cul_rule rule = {.kind = CUL_RULE_UNKNOWN};
	Dwarf_Op *ops;
	size_t n;

	if (dwarf_frame_cfa(frame, &ops, &n) != 0 || n == 0 || n > UINT16_MAX)
		return rule;
	if (n == 1 && ops[0].atom == DW_OP_bregx) { /* it lives in the frame */
		if (ops[0].number < facts->n_dwarf_regs &&
			facts->dwarf_regs[ops[0].number] != CUL_NO_REG) {
			rule.kind = CUL_RULE_REG;
			rule.reg = facts->dwarf_regs[ops[0].number];
			rule.off = (int64_t)ops[0].number2;
		}
		return rule;
	}
	rule.kind = CUL_RULE_VAL_EXPR;
	rule.n_ops = (uint16_t)n;
	rule.ops = ops;
	return rule;
}

/* Without a word on a register that calls preserve (libdw: as if undefined) it is the same. */
static struct cul_rule register_rule(
	const struct cul_arch_unwind *facts, Dwarf_Frame *frame, int dwarf)
{
	struct cul_rule rule = {.kind = CUL_RULE_UNKNOWN};
	uint8_t reg = (unsigned)dwarf < facts->n_dwarf_regs ? facts->dwarf_regs[dwarf] : CUL_NO_REG;
	Dwarf_Op own[3], *ops;
	size_t n;

	if (dwarf_frame_register(frame, dwarf, own, &ops, &n) == 0)
		rule = rule_of(facts, ops, n, own);
	if (rule.kind == CUL_RULE_UNKNOWN && reg < CUL_MAX_REGS && facts->preserved >> reg & 1)
		rule.kind = CUL_RULE_SAME;
	return rule;
}

int cul_unwind_cfi(
	struct cul_unwinder *u, struct cul_objfile *file, uint64_t lookup, struct cul_rules *out)
{
	const struct cul_arch_unwind *facts = u->facts;
	cul_autofree Dwarf_Frame *frame = NULL;
	Dwarf_Addr start, end;
	struct cul_rule *ip;
	int ra;

	if (cul_objfile_machine(file) != u->arch->elf_machine ||
		cul_objfile_frame(file, lookup, &frame) != 0)
		return -ENOENT;
	*out = (struct cul_rules){0};
	ra = dwarf_frame_info(frame, &start, &end, &out->signal);
	out->cfa = cfa_of(facts, frame);
	if (ra < 0 || out->cfa.kind == CUL_RULE_UNKNOWN)
		return -ENOENT;
	for (unsigned i = 0; i < facts->n_dwarf_regs; i++) {
		if (facts->dwarf_regs[i] != CUL_NO_REG)
			out->reg[facts->dwarf_regs[i]] = register_rule(facts, frame, (int)i);
	}
	ip = &out->reg[u->arch->reg_ip];
	*ip = register_rule(facts, frame, ra);
	if (ip->kind == CUL_RULE_SAME) { /* still in the link register */
		if ((unsigned)ra >= facts->n_dwarf_regs || facts->dwarf_regs[ra] == CUL_NO_REG ||
			facts->dwarf_regs[ra] == u->arch->reg_ip)
			return -ENOENT;
		cul_rules_is_reg(out, u->arch->reg_ip, facts->dwarf_regs[ra]);
	}
	return 0;
}
