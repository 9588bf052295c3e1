/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unwind/priv.h"

#include <errno.h>

/* 0, -EFAULT with `*fail`, -EBADMSG: not known. */
static int value_of(struct cul_unwinder *u, const struct cul_rule *rule, unsigned reg,
	const struct cul_thread_regs *regs, const uint64_t *cfa, uint64_t *value, uint64_t *fail)
{
	uint64_t addr;
	int ret;

	switch (rule->kind) {
	case CUL_RULE_SAME:
		*value = regs->regs.r[reg];
		return reg_known(regs, reg) ? 0 : -EBADMSG;
	case CUL_RULE_REG:
		*value = (regs->regs.r[rule->reg] + (uint64_t)rule->off) & u->mask;
		return reg_known(regs, rule->reg) ? 0 : -EBADMSG;
	case CUL_RULE_CFA:
		*value = (*cfa + (uint64_t)rule->off) & u->mask;
		return 0;
	case CUL_RULE_VAL_EXPR:
		return cul_unwind_expression(u, rule->ops, rule->n_ops, regs, cfa, value, fail);
	case CUL_RULE_AT:
		addr = (*cfa + (uint64_t)rule->off) & u->mask;
		break;
	case CUL_RULE_AT_EXPR:
		ret = cul_unwind_expression(u, rule->ops, rule->n_ops, regs, cfa, &addr, fail);
		if (ret != 0)
			return ret;
		break;
	default:
		return -EBADMSG;
	}
	*fail = addr;
	return cul_unwind_read_word(u, addr, value) ? -EFAULT : 0;
}

int cul_unwind_apply(struct cul_unwinder *u, const struct cul_rules *rules,
	const struct cul_thread_regs *regs, struct cul_thread_regs *out, uint64_t *fail)
{
	const struct cul_arch *arch = u->arch;
	uint64_t cfa, value, ignored;
	int ret;

	if (rules->reg[arch->reg_ip].kind == CUL_RULE_UNKNOWN)
		return -ENOENT;
	ret = value_of(u, &rules->cfa, CUL_NO_REG, regs, NULL, &cfa, fail);
	if (ret != 0)
		return ret;
	ret = value_of(u, &rules->reg[arch->reg_ip], arch->reg_ip, regs, &cfa, &value, fail);
	if (ret != 0)
		return ret;
	*out = (struct cul_thread_regs){0};
	reg_set(out, arch->reg_ip, value);
	for (unsigned i = 0; i < arch->n_regs; i++) {
		const struct cul_rule *rule = &rules->reg[i];
		bool is_default = rule->kind == CUL_RULE_SAME || rule->kind == CUL_RULE_UNKNOWN;

		if (i == arch->reg_ip)
			continue;
		if (i == arch->reg_sp && is_default)
			reg_set(out, i, cfa);
		else if (rule->kind == CUL_RULE_UNKNOWN)
			continue;
		else if (rule->kind == CUL_RULE_SAME && reg_known(regs, i))
			reg_set(out, i, regs->regs.r[i]);
		else if (value_of(u, rule, i, regs, &cfa, &value, &ignored) == 0)
			reg_set(out, i, value);
	}
	return reg_known(out, arch->reg_sp) ? 0 : -EBADMSG;
}
