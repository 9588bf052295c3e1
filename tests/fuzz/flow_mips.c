/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow.h: mips code, o32 and n64. The same instructions in the other byte order make the same
 * frame.
 */
#include "flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void swap(const uint8_t *from, size_t size, uint8_t *to)
{
	for (size_t i = 0; i < size; i++)
		to[i] = from[i ^ 3];
}

static bool same(const struct cul_rule *a, const struct cul_rule *b)
{
	return a->kind == b->kind &&
	       (a->kind != CUL_RULE_REG || (a->reg == b->reg && a->off == b->off)) &&
	       (a->kind != CUL_RULE_AT || a->off == b->off);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t swapped[FLOW_CODE_MOST];
	struct cul_rules little, big;
	struct flow_input in;
	bool is_64;
	int ret;

	if (!flow_input(data, size & ~(size_t)3, &in))
		return 0;
	is_64 = in.choices & FLOW_WHICH;
	ret = flow_analyse(is_64 ? &cul_arch_mips64el : &cul_arch_mipsel, &in, &little);
	flow_calls(is_64 ? &cul_arch_mips64el : &cul_arch_mipsel, &in);
	if (in.at.pc % 4)
		return 0;
	swap(in.code.bytes, in.code.size, swapped);
	in.code.bytes = swapped;
	if (flow_analyse(is_64 ? &cul_arch_mips64 : &cul_arch_mips, &in, &big) != ret)
		abort();
	if (ret != 0)
		return 0;
	if (!same(&little.cfa, &big.cfa))
		abort();
	for (unsigned reg = 0; reg < cul_arch_mips.n_regs; reg++)
		if (!same(&little.reg[reg], &big.reg[reg]))
			abort();
	return 0;
}
