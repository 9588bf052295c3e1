/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm/flow.h"

enum { SP = CUL_ARM_SP, LR = CUL_ARM_LR, PC = CUL_ARM_PC, IP = 12 };
enum { OP_SUB = 2, OP_ADD = 4, OP_TST = 8, OP_CMN = 11, OP_ORR, OP_MOV, OP_BIC, OP_MVN };

bool cul_arm_holds(unsigned condition, uint64_t cpsr)
{
	bool n = cpsr >> 31 & 1, z = cpsr >> 30 & 1, c = cpsr >> 29 & 1, v = cpsr >> 28 & 1;
	const bool pairs[] = {z, c, n, v, c && !z, n == v, !z && n == v, true};

	return pairs[condition >> 1 & 7] ^ (condition & 1);
}

void cul_arm_transfer(
	struct cul_flow_insn *out, bool load, unsigned reg, unsigned base, int64_t off)
{
	if (load && reg == PC) {
		reg = LR;
		out->end = CUL_PATH_RETURN;
	}
	cul_flow_effect(out, load ? CUL_PATH_LOAD : CUL_PATH_STORE, reg, base, off);
}

void cul_arm_block(struct cul_flow_insn *out, bool load, unsigned base, uint32_t list, int64_t off)
{
	int64_t base_at = 0;

	for (unsigned reg = 0; reg < 16; reg++) {
		if (!(list >> reg & 1))
			continue;
		if (reg == base)
			base_at = off;
		else
			cul_arm_transfer(out, load, reg, base, off);
		off += 4;
	}
	if (list >> base & 1) /* last: the others are found by it */
		cul_arm_transfer(out, load, base, base, base_at);
}

void cul_arm_single(
	struct cul_flow_insn *out, bool load, unsigned reg, const struct arm_address *at)
{
	if (load && reg == PC && at->base != SP) {
		/* A table; but the PLT's and a veneer's way to another function. */
		out->end = (at->base == IP && at->back) || (at->base == PC && at->off == -4)
				   ? CUL_PATH_TAIL
				   : CUL_PATH_JUMP_REG;
		return;
	}
	if (at->before && at->back)
		cul_flow_effect(out, CUL_PATH_ADD, at->base, at->base, at->off);
	cul_arm_transfer(out, load, reg, at->base, at->before && !at->back ? at->off : 0);
	if (!at->before)
		cul_flow_effect(out, CUL_PATH_ADD, at->base, at->base, at->off);
}

static void data(uint32_t w, bool immediate, uint64_t pc, struct cul_flow_insn *out)
{
	unsigned op = arm_bits(w, 21, 4), rn = arm_bits(w, 16, 4), rd = arm_bits(w, 12, 4);
	unsigned rm = w & 15, turn = arm_bits(w, 8, 4) * 2;
	uint32_t imm = turn ? (w & 255) >> turn | (w & 255) << (32 - turn) : w & 255;
	bool plain = immediate || !arm_bits(w, 4, 8);

	if (op >= OP_TST && op <= OP_CMN)
		return;
	if (rd == PC && rn == PC && op == OP_ADD) { /* a table of code, behind the next */
		out->end = out->conditional ? CUL_PATH_BRANCH : CUL_PATH_JUMP;
		out->target = (pc + 8) & UINT32_MAX;
		return;
	}
	if (rd == PC) {
		out->end = op == OP_MOV && !immediate && rm == LR ? CUL_PATH_RETURN
								  : CUL_PATH_JUMP_REG;
		return;
	}
	if (!plain || (op != OP_MOV && op != OP_MVN && op != OP_ADD && op != OP_SUB &&
			      !(op == OP_ORR && immediate)))
		arm_lost(out, rd);
	else if (!immediate && op == OP_MOV)
		cul_flow_effect(out, CUL_PATH_ADD, rd, rm, 0);
	else if (!immediate && op != OP_MVN)
		arm_two(out, op == OP_ADD ? CUL_PATH_SUM : CUL_PATH_DIFF, rd, rn, rm);
	else if (!immediate)
		arm_lost(out, rd);
	else if (op == OP_MOV || op == OP_MVN)
		cul_flow_effect(out, CUL_PATH_SET, rd, 0, (int32_t)(op == OP_MOV ? imm : ~imm));
	else if (op == OP_ORR)
		cul_flow_effect(out, CUL_PATH_OR, rd, rn, (int32_t)imm);
	else
		cul_flow_effect(
			out, CUL_PATH_ADD, rd, rn, op == OP_ADD ? (int64_t)imm : -(int64_t)imm);
}

/* ldrd, strd, ldrh and their kin. */
static void extra_transfer(uint32_t w, struct cul_flow_insn *out)
{
	unsigned rt = arm_bits(w, 12, 4), op = arm_bits(w, 5, 2);
	bool load = w >> 20 & 1, by_imm = w >> 22 & 1, dual = !load && op >= 2;
	int64_t imm = (int64_t)(arm_bits(w, 8, 4) << 4 | (w & 15));
	struct arm_address at = {arm_bits(w, 16, 4), w >> 23 & 1 ? imm : -imm, w >> 24 & 1,
		!(w >> 24 & 1) || w >> 21 & 1};

	if (!by_imm && at.back)
		arm_lost(out, at.base);
	if (by_imm && at.back && at.before)
		cul_flow_effect(out, CUL_PATH_ADD, at.base, at.base, at.off);
	for (unsigned i = 0; i < 2 && dual && by_imm; i++)
		cul_arm_transfer(out, op == 2, rt + i, at.base,
			(at.before && !at.back ? at.off : 0) + 4 * i);
	if (!dual ? load : op == 2 && !by_imm) {
		arm_lost(out, rt);
		if (dual)
			arm_lost(out, rt + 1);
	}
	if (by_imm && !at.before)
		cul_flow_effect(out, CUL_PATH_ADD, at.base, at.base, at.off);
}

/* Multiplications, exclusive accesses, status registers, jumps by a register. */
static void others(uint32_t w, struct cul_flow_insn *out)
{
	if ((w & 0x0ffffff0) == 0x012fff10) { /* bx */
		out->end = (w & 15) == LR ? CUL_PATH_RETURN : CUL_PATH_JUMP_REG;
	} else if ((w & 0x0ffffff0) == 0x012fff30) { /* blx */
		out->end = CUL_PATH_CALL;
	} else if ((w & 0x90) == 0x90 || (w & 0x90) == 0x80) {
		arm_lost(out, arm_bits(w, 12, 4));
		arm_lost(out, arm_bits(w, 16, 4));
	} else if (!(w >> 21 & 1) || w & 0x40 || (w & 0x0ff000f0) == 0x01600010) {
		arm_lost(out, arm_bits(w, 12, 4)); /* mrs, crc32, qadd, clz */
	}
}

static void word_or_byte(uint32_t w, const uint8_t *bytes, size_t size, struct cul_flow_insn *out)
{
	unsigned rt = arm_bits(w, 12, 4);
	bool load = w >> 20 & 1, byte = w >> 22 & 1, by_reg = w >> 25 & 1;
	int64_t imm = w & 0xfff;
	struct arm_address at = {arm_bits(w, 16, 4), w >> 23 & 1 ? imm : -imm, w >> 24 & 1,
		!(w >> 24 & 1) || w >> 21 & 1};

	if (by_reg || byte) {
		if (at.back)
			arm_lost(out, at.base);
		if (load && rt == PC)
			out->end = CUL_PATH_JUMP_REG;
		else if (load)
			arm_lost(out, rt);
	} else if (load && at.base == PC && rt != PC) {
		if (at.off >= -8 && (size_t)(8 + at.off) + 4 <= size)
			cul_flow_effect(
				out, CUL_PATH_SET, rt, 0, (int32_t)arm_word(bytes + 8 + at.off));
		else
			arm_lost(out, rt);
	} else {
		cul_arm_single(out, load, rt, &at);
	}
}

static void block(uint32_t w, struct cul_flow_insn *out)
{
	bool before = w >> 24 & 1, up = w >> 23 & 1, back = w >> 21 & 1, load = w >> 20 & 1;
	unsigned base = arm_bits(w, 16, 4);
	int64_t len = 4 * __builtin_popcount(w & 0xffff);

	cul_arm_block(out, load, base, w & 0xffff, up ? 4 * before : 4 * !before - len);
	if (back && !(load && w >> base & 1))
		cul_flow_effect(out, CUL_PATH_ADD, base, base, up ? len : -len);
}

void cul_arm_coprocessor(uint32_t w, struct cul_flow_insn *out)
{
	int64_t imm = (int64_t)(w & 255) * 4;

	if ((w >> 25 & 7) == 6 && (w & 0x01e00000) == 0x00400000) { /* two registers */
		if (w >> 20 & 1) {
			arm_lost(out, arm_bits(w, 12, 4));
			arm_lost(out, arm_bits(w, 16, 4));
		}
	} else if ((w >> 25 & 7) == 6 && w >> 21 & 1) { /* vpush, vpop */
		cul_flow_effect(out, CUL_PATH_ADD, arm_bits(w, 16, 4), arm_bits(w, 16, 4),
			w >> 23 & 1 ? imm : -imm);
	} else if ((w >> 24 & 15) == 14 && w >> 4 & 1 && w >> 20 & 1) { /* mrc, vmov */
		arm_lost(out, arm_bits(w, 12, 4));
	}
}

static void unconditional(uint32_t w, uint64_t pc, struct cul_flow_insn *out)
{
	if (w >> 25 == 0x7d) { /* blx, to Thumb */
		out->end = CUL_PATH_CALL;
		out->target =
			(pc + 8 + (uint64_t)(arm_sign(w & 0xffffff, 24) * 4) + (w >> 24 & 1) * 2) &
			UINT32_MAX;
	} else if (w >> 24 == 0xf4 && !(w >> 20 & 1) && (w & 15) != PC) { /* vld1, vst1 */
		arm_lost(out, arm_bits(w, 16, 4));
	}
}

static void branch(uint32_t w, uint64_t pc, struct cul_flow_insn *out)
{
	out->target = (pc + 8 + (uint64_t)(arm_sign(w & 0xffffff, 24) * 4)) & UINT32_MAX;
	if (w >> 24 & 1)
		out->end = CUL_PATH_CALL;
	else
		out->end = w >> 28 == ARM_COND_ALWAYS ? CUL_PATH_JUMP : CUL_PATH_BRANCH;
}

void cul_arm_a32(const uint8_t *bytes, size_t size, uint64_t pc, struct cul_flow_insn *out)
{
	uint32_t w;

	if (size < 4)
		return;
	w = arm_word(bytes);
	out->len = 4;
	if (w >> 28 == 15) {
		unconditional(w, pc, out);
		return;
	}
	out->conditional = w >> 28 != ARM_COND_ALWAYS;
	out->condition = (uint8_t)(w >> 28);
	switch (w >> 25 & 7) {
	case 0:
		if ((w & 0x90) == 0x90 && w & 0x60)
			extra_transfer(w, out);
		else if ((w & 0x90) == 0x90 || (w & 0x01900000) == 0x01000000)
			others(w, out);
		else
			data(w, false, pc, out);
		break;
	case 1:
		if ((w & 0x0fb00000) == 0x03000000) /* movw, movt */
			cul_flow_effect(out, w >> 22 & 1 ? CUL_PATH_OR : CUL_PATH_SET,
				arm_bits(w, 12, 4), arm_bits(w, 12, 4),
				(int32_t)((arm_bits(w, 16, 4) << 12 | (w & 0xfff))
					  << (w >> 22 & 1) * 16));
		else if ((w & 0x0fb00000) != 0x03200000) /* msr, hints */
			data(w, true, pc, out);
		break;
	case 2:
		word_or_byte(w, bytes, size, out);
		break;
	case 3:
		if ((w & 0x0ff000f0) == 0x07f000f0) { /* udf */
			out->end = CUL_PATH_STOP;
		} else if (w >> 4 & 1) { /* bit fields, division, extension */
			arm_lost(out, arm_bits(w, 12, 4));
			arm_lost(out, arm_bits(w, 16, 4));
		} else {
			word_or_byte(w, bytes, size, out);
		}
		break;
	case 4:
		block(w, out);
		break;
	case 5:
		branch(w, pc, out);
		break;
	default:
		if ((w >> 24 & 15) == 15) /* svc */
			arm_lost(out, 0);
		else
			cul_arm_coprocessor(w, out);
	}
}
