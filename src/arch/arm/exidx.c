/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm/exidx.h"

#include <errno.h>

#include "arch/arm/arm.h"

enum { FINISH = 0xb0 };

uint32_t cul_exidx_prel31(uint32_t word, uint32_t at)
{
	return at + (uint32_t)((int32_t)(word << 1) >> 1);
}

enum cul_exidx_kind cul_exidx_kind(uint32_t word, uint32_t at, uint32_t *table)
{
	if (word == CUL_EXIDX_CANTUNWIND)
		return CUL_EXIDX_REFUSES;
	if (!(word >> 31)) {
		*table = cul_exidx_prel31(word, at);
		return *table % 4 ? CUL_EXIDX_BROKEN : CUL_EXIDX_TABLE;
	}
	/* Only personality 0 fits into the index; bits 27-30 are reserved. */
	return word >> 24 == 0x80 ? CUL_EXIDX_INLINE : CUL_EXIDX_BROKEN;
}

int cul_exidx_code(const uint32_t *words, size_t n, uint8_t code[CUL_EXIDX_MAX_CODE], size_t *want)
{
	size_t word = 0, len = 0;
	unsigned shift, more;

	if (n < 1)
		return -EBADMSG;
	if (!(words[0] >> 31)) { /* generic: the routine's address, then as personality 1 */
		*want = 2;
		if (n < 2)
			return -E2BIG;
		word = 1;
		more = words[1] >> 24;
		shift = 24;
	} else if (words[0] >> 24 == 0x80) {
		more = 0;
		shift = 24;
	} else if (words[0] >> 24 == 0x81 || words[0] >> 24 == 0x82) {
		more = words[0] >> 16 & 255;
		shift = 16;
	} else {
		return -EBADMSG;
	}
	*want = word + 1 + more;
	if (n < *want)
		return -E2BIG;
	for (; word < *want; word++, shift = 32) {
		while (shift) {
			shift -= 8;
			if (len < CUL_EXIDX_MAX_CODE)
				code[len++] = (uint8_t)(words[word] >> shift);
		}
	}
	return (int)len;
}

/* The virtual stack pointer is register `base` + off. */
struct machine {
	const uint8_t *code;
	size_t n, at;
	unsigned base;
	int64_t off;
	uint32_t popped; /* registers */
	bool sp_popped;
	int64_t where[CUL_ARM_N_REGS]; /* of a popped register, from `base` */
	unsigned based[CUL_ARM_N_REGS];
};

static bool next(struct machine *m, uint8_t *byte)
{
	if (m->at == m->n)
		return false;
	*byte = m->code[m->at++];
	return true;
}

static void pop(struct machine *m, uint32_t mask)
{
	for (unsigned reg = 0; reg < 16; reg++) {
		if (!(mask >> reg & 1))
			continue;
		m->popped |= 1u << reg;
		m->where[reg] = m->off;
		m->based[reg] = m->base;
		m->off += 4;
	}
}

static int uleb(struct machine *m, uint64_t *value)
{
	uint8_t byte;

	*value = 0;
	for (unsigned shift = 0; shift < 32; shift += 7) {
		if (!next(m, &byte))
			return -EBADMSG;
		*value |= (uint64_t)(byte & 127) << shift;
		if (!(byte & 128))
			return 0;
	}
	return -EBADMSG;
}

/* 1011xxxx */
static int step_b(struct machine *m, uint8_t op)
{
	uint64_t value;
	uint8_t arg;

	switch (op) {
	case FINISH:
		m->at = m->n;
		return 0;
	case 0xb1: /* pop r0-r3 under a mask */
		if (!next(m, &arg) || arg == 0 || arg & 0xf0)
			return -EBADMSG;
		pop(m, arg);
		return 0;
	case 0xb2:
		if (uleb(m, &value) != 0)
			return -EBADMSG;
		m->off += 0x204 + (int64_t)(value << 2);
		return 0;
	case 0xb3: /* VFP registers saved as by fstmx: a word more */
		if (!next(m, &arg))
			return -EBADMSG;
		m->off += 8 * ((arg & 15) + 1) + 4;
		return 0;
	case 0xb4: /* the return address was signed (PACBTI): a word that ends up in ra_auth_code */
		m->off += 4;
		return 0;
	case 0xb5: /* the modifier of the signature is vsp: nothing moves */
		return 0;
	case 0xb6:
	case 0xb7:
		return -EBADMSG;
	}
	m->off += 8 * ((op & 7) + 1) + 4; /* d8 and up, fstmx */
	return 0;
}

/* 11xxxxxx: coprocessor registers, which only move the stack pointer here. */
static int step_c(struct machine *m, uint8_t op)
{
	uint8_t arg;

	if (op <= 0xc5) { /* Wireless MMX wR10 and up */
		m->off += 8 * ((op & 7) + 1);
		return 0;
	}
	if (op >= 0xd0 && op <= 0xd7) { /* d8 and up, vpush */
		m->off += 8 * ((op & 7) + 1);
		return 0;
	}
	if ((op < 0xc6 || op > 0xc9) || !next(m, &arg))
		return -EBADMSG;
	if (op == 0xc7) { /* wCGR0-3 under a mask */
		if (arg == 0 || arg & 0xf0)
			return -EBADMSG;
		m->off += 4 * __builtin_popcount(arg);
		return 0;
	}
	m->off += 8 * ((arg & 15) + 1); /* c6: wR; c8: d16 and up; c9: d0 and up */
	return 0;
}

static int step(struct machine *m, uint8_t op)
{
	uint8_t arg;
	uint32_t mask;

	if (op < 0x40) {
		m->off += (op << 2) + 4;
		return 0;
	}
	if (op < 0x80) {
		m->off -= ((op & 63) << 2) + 4;
		return 0;
	}
	if (op < 0x90) { /* pop r4-r15 under a mask */
		if (!next(m, &arg))
			return -EBADMSG;
		mask = (uint32_t)((op & 15) << 8 | arg) << 4;
		if (mask == 0)
			return -ENOENT; /* refuse */
		pop(m, mask);
		m->sp_popped |= mask >> CUL_ARM_SP & 1;
		return 0;
	}
	if (op < 0xa0) { /* vsp = a register */
		unsigned reg = op & 15;

		if (reg == CUL_ARM_SP || reg == CUL_ARM_PC)
			return -EBADMSG;
		if (m->popped >> reg & 1)
			return -ENOTSUP;
		m->base = reg;
		m->off = 0;
		return 0;
	}
	if (op < 0xb0) { /* pop r4-r[4+n], and r14 */
		pop(m, (uint32_t)((2u << (op & 7)) - 1) << 4 | (op & 8 ? 1u << CUL_ARM_LR : 0));
		return 0;
	}
	return op < 0xc0 ? step_b(m, op) : step_c(m, op);
}

static int make(const struct machine *m, struct cul_rules *out)
{
	unsigned ra = m->popped >> CUL_ARM_PC & 1 ? CUL_ARM_PC : CUL_ARM_LR;

	*out = (struct cul_rules){0};
	cul_rules_cfa(out, m->base, m->off);
	for (unsigned reg = 0; reg < CUL_ARM_N_REGS; reg++) {
		if (!(m->popped >> reg & 1)) {
			if (!(CUL_ARM_PRESERVED >> reg & 1) && reg != CUL_ARM_SP)
				out->reg[reg].kind = CUL_RULE_UNKNOWN;
			continue;
		}
		if (m->based[reg] != m->base)
			return -ENOTSUP;
		cul_rules_at(out, reg, m->where[reg] - m->off);
	}
	if (m->popped >> ra & 1)
		out->reg[CUL_ARM_PC] = out->reg[ra];
	else
		cul_rules_is_reg(out, CUL_ARM_PC, CUL_ARM_LR);
	return 0;
}

int cul_exidx_rules(const uint8_t *code, size_t n, struct cul_rules *out)
{
	struct machine m = {.code = code, .n = n, .base = CUL_ARM_SP};
	uint8_t op;

	while (next(&m, &op)) {
		int ret = step(&m, op);

		if (ret != 0)
			return ret;
		if (m.sp_popped) /* what follows would use it */
			return next(&m, &op) && op != FINISH ? -ENOTSUP : make(&m, out);
	}
	return make(&m, out);
}
