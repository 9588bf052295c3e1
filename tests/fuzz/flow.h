/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a function of one architecture, whose frame the analysis of code is asked for. The
 * input: one byte of choices, one of flags (the four condition flags), two for the pc, then the
 * code. What an answer must be, whatever the code is, is checked here.
 */
#ifndef CUL_TESTS_FUZZ_FLOW_H
#define CUL_TESTS_FUZZ_FLOW_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/unwind.h"

enum { FLOW_HEAD = 4, FLOW_BASE = 0x400000, FLOW_CODE_MOST = 40000 };
enum { FLOW_FROM_ENTRY = 1, FLOW_EXACT = 2, FLOW_THUMB = 4, FLOW_WHICH = 8 /* and up */ };

struct flow_input {
	uint8_t choices;
	struct cul_code code;
	struct cul_code_place at;
};

static inline bool flow_input(const uint8_t *data, size_t size, struct flow_input *in)
{
	if (size <= FLOW_HEAD || size - FLOW_HEAD > FLOW_CODE_MOST)
		return false;
	in->choices = data[0];
	in->code = (struct cul_code){
		data + FLOW_HEAD, size - FLOW_HEAD, FLOW_BASE, data[0] & FLOW_FROM_ENTRY};
	in->at = (struct cul_code_place){
		.pc = FLOW_BASE + (data[2] | (unsigned)data[3] << 8),
		.flags = (uint64_t)(data[1] & 15) << 28 | (data[0] & FLOW_THUMB ? 1u << 5 : 0),
		.exact = data[0] & FLOW_EXACT,
	};
	return true;
}

static inline void flow_check_rule(
	const struct cul_arch *arch, unsigned reg, const struct cul_rule *rule, bool lost)
{
	bool kept = arch->unwind->preserved >> reg & 1;

	switch (rule->kind) {
	case CUL_RULE_SAME:
		if (reg != arch->reg_sp)
			abort();
		return;
	case CUL_RULE_UNKNOWN:
		if (reg == arch->reg_ip && !lost)
			abort();
		return;
	case CUL_RULE_REG:
		if (rule->reg >= arch->n_regs)
			abort();
		break;
	case CUL_RULE_AT:
		break;
	default:
		abort();
	}
	if (!kept && reg != arch->reg_ip)
		abort();
}

/* Asked twice, as the same question has one answer. */
static inline int flow_analyse(
	const struct cul_arch *arch, const struct flow_input *in, struct cul_rules *out)
{
	struct cul_rules again;
	int ret;

	/* What the answer does not set is not to be believed. */
	memset(out, 0xee, sizeof(*out));
	memset(&again, 0xee, sizeof(again));
	ret = arch->unwind->analyse(&in->code, &in->at, out);
	if (arch->unwind->analyse(&in->code, &in->at, &again) != ret)
		abort();
	if (ret == -ENOENT)
		return ret;
	if ((ret != 0 && ret != -ENODATA) || in->at.pc - in->code.addr >= in->code.size)
		abort();
	if (out->cfa.kind != CUL_RULE_REG || out->cfa.reg >= arch->n_regs || out->signal)
		abort();
	for (unsigned reg = 0; reg < arch->n_regs; reg++) {
		const struct cul_rule *a = &out->reg[reg], *b = &again.reg[reg];

		flow_check_rule(arch, reg, a, ret == -ENODATA);
		if (a->kind != b->kind || (a->kind == CUL_RULE_AT && a->off != b->off))
			abort();
	}
	if (ret == -ENODATA && out->reg[arch->reg_ip].kind != CUL_RULE_UNKNOWN)
		abort();
	return ret;
}

/* Each place as a return address: what was called is no secret of the bytes behind them. */
static inline void flow_calls(const struct cul_arch *arch, const struct flow_input *in)
{
	const struct cul_arch_unwind *facts = arch->unwind;

	for (size_t at = 0; at <= in->code.size && at < 256; at++) {
		size_t n = at < facts->call_bytes ? at : facts->call_bytes;
		uint64_t ra = in->code.addr + at, target = 1;
		bool is = facts->after_call(in->code.bytes + at - n, n, ra, &target);

		if (is != facts->after_call(in->code.bytes + at - n, n, ra, NULL))
			abort();
		if (is && target == 1)
			abort();
	}
}

#endif
