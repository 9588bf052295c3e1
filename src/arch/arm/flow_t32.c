/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm/flow.h"

enum { SP = CUL_ARM_SP, LR = CUL_ARM_LR, PC = CUL_ARM_PC };

static void literal(const uint8_t *bytes, size_t size, uint64_t pc, int64_t off, unsigned reg,
	struct cul_flow_insn *out)
{
	int64_t at = (int64_t)(((pc + 4) & ~3ull) - pc) + off;

	if (at >= 0 && (size_t)at + 4 <= size)
		cul_flow_effect(out, CUL_PATH_SET, reg, 0, (int32_t)arm_word(bytes + at));
	else
		arm_lost(out, reg);
}

/* b, in an IT block under its condition. */
static void jump(uint64_t target, struct cul_flow_insn *out)
{
	out->end = out->conditional ? CUL_PATH_BRANCH : CUL_PATH_JUMP;
	out->target = target & UINT32_MAX;
}

static void by_register(unsigned reg, bool link, struct cul_flow_insn *out)
{
	out->end = link        ? CUL_PATH_CALL
		   : reg == LR ? CUL_PATH_RETURN
		   : reg == PC ? CUL_PATH_TAIL /* to ARM code, of a PLT entry or a veneer */
			       : CUL_PATH_JUMP_REG;
}

/* Shifts, additions and moves of low registers with an immediate: 000x to 001x. */
static void low(uint32_t h, struct cul_flow_insn *out)
{
	unsigned rd = h & 7, a = h >> 3 & 7, b = h >> 6 & 7, wide = h >> 8 & 7;
	int64_t imm = h & 255;

	switch (h >> 11) {
	case 3:
		if (h >> 10 & 1)
			cul_flow_effect(out, CUL_PATH_ADD, rd, a, h >> 9 & 1 ? -(int64_t)b : b);
		else
			arm_two(out, h >> 9 & 1 ? CUL_PATH_DIFF : CUL_PATH_SUM, rd, a, b);
		return;
	case 4:
		cul_flow_effect(out, CUL_PATH_SET, wide, 0, imm);
		return;
	case 5: /* cmp */
		return;
	case 6:
	case 7:
		cul_flow_effect(out, CUL_PATH_ADD, wide, wide, h >> 11 & 1 ? -imm : imm);
		return;
	}
	if (h >> 6 == 0)
		cul_flow_effect(out, CUL_PATH_ADD, rd, a, 0);
	else
		arm_lost(out, rd);
}

/* 0100xx: data processing, high registers, bx. */
static void registers(uint32_t h, struct cul_flow_insn *out)
{
	unsigned op = h >> 6 & 15, rd = (h & 7) | (h >> 4 & 8), rm = h >> 3 & 15;

	if (h >> 10 == 0x10) {
		if (op != 8 && op != 10 && op != 11) /* tst, cmp, cmn */
			arm_lost(out, h & 7);
		return;
	}
	switch (h >> 8 & 3) {
	case 0:
		if (rd == PC)
			out->end = CUL_PATH_JUMP_REG;
		else
			arm_two(out, CUL_PATH_SUM, rd, rd, rm);
		return;
	case 2:
		if (rd == PC)
			by_register(rm, false, out);
		else
			cul_flow_effect(out, CUL_PATH_ADD, rd, rm, 0);
		return;
	case 3:
		by_register(rm, h >> 7 & 1, out);
	}
}

/* 0101 to 1001: loads and stores. */
static void transfers(uint32_t h, struct cul_flow_insn *out)
{
	unsigned rt = h & 7, rn = h >> 3 & 7;
	int64_t imm = h >> 6 & 31;

	switch (h >> 11) {
	case 0xc: /* str, ldr */
	case 0xd:
		cul_arm_transfer(out, h >> 11 & 1, rt, rn, imm * 4);
		return;
	case 0x12: /* of the stack */
	case 0x13:
		cul_arm_transfer(out, h >> 11 & 1, h >> 8 & 7, SP, (h & 255) * 4);
		return;
	case 0xa:
	case 0xb:
		if ((h >> 9 & 7) >= 3)
			arm_lost(out, rt);
		return;
	}
	if (h >> 11 & 1)
		arm_lost(out, rt);
}

static void push_pop(uint32_t h, struct cul_flow_insn *out)
{
	bool load = h >> 11 & 1;
	uint32_t list = (h & 255) | (h >> 8 & 1 ? 1u << (load ? PC : LR) : 0);
	int64_t len = 4 * __builtin_popcount(list);

	cul_arm_block(out, load, SP, list, load ? 0 : -len);
	cul_flow_effect(out, CUL_PATH_ADD, SP, SP, load ? len : -len);
}

/* 1011 */
static void misc(uint32_t h, uint64_t pc, struct cul_flow_insn *out)
{
	int64_t imm = (int64_t)(h & 127) * 4;

	switch (h >> 8 & 15) {
	case 0:
		cul_flow_effect(out, CUL_PATH_ADD, SP, SP, h >> 7 & 1 ? -imm : imm);
		return;
	case 1:
	case 3:
	case 9:
	case 11: /* cbz, cbnz */
		out->end = CUL_PATH_BRANCH;
		out->target = pc + 4 + (h >> 9 & 1) * 64 + (h >> 3 & 31) * 2;
		return;
	case 4:
	case 5:
	case 12:
	case 13:
		push_pop(h, out);
		return;
	case 2:
	case 10: /* extension, rev */
		arm_lost(out, h & 7);
		return;
	case 15:
		if (h & 15)
			out->it = (uint8_t)h;
	}
}

static void narrow(
	uint32_t h, const uint8_t *bytes, size_t size, uint64_t pc, struct cul_flow_insn *out)
{
	unsigned top = h >> 11, reg = h >> 8 & 7;
	int64_t len = 4 * __builtin_popcount(h & 255);

	if (top < 8)
		low(h, out);
	else if (top == 8)
		registers(h, out);
	else if (top == 9)
		literal(bytes, size, pc, (h & 255) * 4, reg, out);
	else if (top < 0x14)
		transfers(h, out);
	else if (top == 0x14) /* adr */
		arm_lost(out, reg);
	else if (top == 0x15)
		cul_flow_effect(out, CUL_PATH_ADD, reg, SP, (h & 255) * 4);
	else if (top < 0x18)
		misc(h, pc, out);
	else if (top < 0x1a) { /* stmia, ldmia */
		cul_arm_block(out, top & 1, reg, h & 255, 0);
		if (!(top & 1 && h >> reg & 1))
			cul_flow_effect(out, CUL_PATH_ADD, reg, reg, len);
	} else if (top < 0x1c && (h >> 8 & 15) == 14) /* udf */
		out->end = CUL_PATH_STOP;
	else if (top < 0x1c && (h >> 8 & 15) == 15) /* svc */
		arm_lost(out, 0);
	else if (top < 0x1c) {
		out->end = CUL_PATH_BRANCH;
		out->target = (pc + 4 + (uint64_t)(arm_sign(h & 255, 8) * 2)) & UINT32_MAX;
	} else {
		jump(pc + 4 + (uint64_t)(arm_sign(h & 0x7ff, 11) * 2), out);
	}
}

/* ThumbExpandImm */
static uint32_t expand(uint32_t w)
{
	uint32_t imm = (w >> 15 & 0x800) | (w >> 4 & 0x700) | (w & 255), low = w & 255;
	unsigned turn = imm >> 7;

	switch (imm >> 8) {
	case 0:
		return low;
	case 1:
		return low << 16 | low;
	case 2:
		return low << 24 | low << 8;
	case 3:
		return low << 24 | low << 16 | low << 8 | low;
	}
	low = (imm & 127) | 128;
	return low >> turn | low << (32 - turn);
}

/* and 0, bic 1, orr 2 (mov), orn 3 (mvn), eor 4, add 8, adc 10, sbc 11, sub 13, rsb 14 */
static void data_immediate(uint32_t w, struct cul_flow_insn *out)
{
	unsigned op = w >> 21 & 15, rn = w >> 16 & 15, rd = w >> 8 & 15;
	uint32_t imm = expand(w);

	if (rd == PC)
		return;
	if (op == 2 && rn == PC)
		cul_flow_effect(out, CUL_PATH_SET, rd, 0, (int32_t)imm);
	else if (op == 3 && rn == PC)
		cul_flow_effect(out, CUL_PATH_SET, rd, 0, (int32_t)~imm);
	else if (op == 2)
		cul_flow_effect(out, CUL_PATH_OR, rd, rn, (int32_t)imm);
	else if (op == 8 || op == 13)
		cul_flow_effect(out, CUL_PATH_ADD, rd, rn, op == 8 ? (int64_t)imm : -(int64_t)imm);
	else
		arm_lost(out, rd);
}

static void plain_immediate(uint32_t w, struct cul_flow_insn *out)
{
	unsigned op = w >> 20 & 31, rn = w >> 16 & 15, rd = w >> 8 & 15;
	int64_t imm12 = (w >> 15 & 0x800) | (w >> 4 & 0x700) | (w & 255);
	uint32_t imm16 = rn << 12 | (uint32_t)imm12;

	if (op == 0 || op == 10)
		cul_flow_effect(out, CUL_PATH_ADD, rd, rn, op ? -imm12 : imm12);
	else if (op == 4) /* movw, movt */
		cul_flow_effect(out, CUL_PATH_SET, rd, 0, imm16);
	else if (op == 12)
		cul_flow_effect(out, CUL_PATH_OR, rd, rd, (int32_t)(imm16 << 16));
	else
		arm_lost(out, rd);
}

static void data_register(uint32_t w, struct cul_flow_insn *out)
{
	unsigned op = w >> 21 & 15, rn = w >> 16 & 15, rd = w >> 8 & 15, rm = w & 15;
	bool plain = !(w & 0x70f0);

	if (rd == PC)
		return;
	if (plain && op == 2 && rn == PC)
		cul_flow_effect(out, CUL_PATH_ADD, rd, rm, 0);
	else if (plain && (op == 8 || op == 13))
		arm_two(out, op == 8 ? CUL_PATH_SUM : CUL_PATH_DIFF, rd, rn, rm);
	else
		arm_lost(out, rd);
}

static void branches(uint32_t w, uint64_t pc, struct cul_flow_insn *out)
{
	uint32_t s = w >> 26 & 1, j1 = w >> 13 & 1, j2 = w >> 11 & 1, high = w >> 16;
	uint32_t far = s << 24 | !(j1 ^ s) << 23 | !(j2 ^ s) << 22 | (high & 0x3ff) << 12;
	uint32_t near = s << 20 | j2 << 19 | j1 << 18 | (high & 63) << 12 | (w & 0x7ff) << 1;

	if (w >> 14 & 1) { /* bl, blx */
		out->end = CUL_PATH_CALL;
		out->target = w >> 12 & 1 ? pc + 4 : (pc + 4) & ~3ull;
		out->target += (uint64_t)arm_sign(
			far | (w >> 12 & 1 ? (w & 0x7ff) << 1 : (w & 0x7fe) << 1), 25);
		out->target &= UINT32_MAX;
	} else if (w >> 12 & 1) {
		jump(pc + 4 + (uint64_t)arm_sign(far | (w & 0x7ff) << 1, 25), out);
	} else if ((w >> 22 & 15) < ARM_COND_ALWAYS) {
		out->end = CUL_PATH_BRANCH;
		out->target = (pc + 4 + (uint64_t)arm_sign(near, 21)) & UINT32_MAX;
	} else if ((w & 0xfff0f000) == 0xf7f0a000) { /* udf */
		out->end = CUL_PATH_STOP;
	} else if ((w >> 20 & 0x7e) == 0x3e) { /* mrs */
		arm_lost(out, w >> 8 & 15);
	}
}

/* ldrd, strd, exclusive accesses, tables of branches. */
static void dual(uint32_t w, struct cul_flow_insn *out)
{
	bool before = w >> 24 & 1, back = w >> 21 & 1, load = w >> 20 & 1;
	unsigned base = w >> 16 & 15;
	int64_t off = (int64_t)(w & 255) * 4;

	if (!before && !back) {
		if ((w & 0xfff0ffe0) == 0xe8d0f000) { /* tbb, tbh */
			out->end = CUL_PATH_JUMP_REG;
			return;
		}
		arm_lost(out, w >> 8 & 15);
		arm_lost(out, load ? w >> 12 & 15 : w & 15);
		return;
	}
	off = w >> 23 & 1 ? off : -off;
	if (before && back)
		cul_flow_effect(out, CUL_PATH_ADD, base, base, off);
	for (unsigned i = 0; i < 2; i++)
		cul_arm_transfer(out, load, w >> (i ? 8 : 12) & 15, base,
			(before && !back ? off : 0) + 4 * i);
	if (!before)
		cul_flow_effect(out, CUL_PATH_ADD, base, base, off);
}

static void block(uint32_t w, struct cul_flow_insn *out)
{
	bool down = w >> 24 & 1, back = w >> 21 & 1, load = w >> 20 & 1;
	unsigned base = w >> 16 & 15;
	int64_t len = 4 * __builtin_popcount(w & 0xffff);

	cul_arm_block(out, load, base, w & 0xffff, down ? -len : 0);
	if (back && !(load && w >> base & 1))
		cul_flow_effect(out, CUL_PATH_ADD, base, base, down ? -len : len);
}

static void single(
	uint32_t w, const uint8_t *bytes, size_t size, uint64_t pc, struct cul_flow_insn *out)
{
	unsigned rt = w >> 12 & 15;
	bool load = w >> 20 & 1, whole = (w >> 21 & 3) == 2 && !(w >> 24 & 1);
	struct arm_address at = {w >> 16 & 15, w & 0xfff, true, false};
	bool by_reg = false;

	if (load && at.base == PC) {
		if (whole && rt != PC)
			literal(bytes, size, pc, w >> 23 & 1 ? at.off : -at.off, rt, out);
		else if (whole)
			out->end = CUL_PATH_TAIL;
		else
			arm_lost(out, rt);
		return;
	}
	if (!(w >> 23 & 1)) {
		by_reg = !(w >> 11 & 1);
		at.off = w >> 9 & 1 ? (int64_t)(w & 255) : -(int64_t)(w & 255);
		at.before = w >> 10 & 1;
		at.back = w >> 8 & 1;
	}
	if (whole && !by_reg) {
		cul_arm_single(out, load, rt, &at);
		return;
	}
	if (!by_reg && at.back)
		arm_lost(out, at.base);
	if (load && whole && rt == PC)
		out->end = CUL_PATH_JUMP_REG;
	else if (load)
		arm_lost(out, rt);
}

static void wide(
	uint32_t w, const uint8_t *bytes, size_t size, uint64_t pc, struct cul_flow_insn *out)
{
	if ((w & 0xec000000) == 0xec000000) {
		if (w >> 28 == 14)
			cul_arm_coprocessor(w, out);
	} else if ((w & 0xfe400000) == 0xe8000000) {
		block(w, out);
	} else if ((w & 0xfe400000) == 0xe8400000) {
		dual(w, out);
	} else if (w >> 25 == 0x75) {
		data_register(w, out);
	} else if (w >> 27 == 0x1e) {
		if (w >> 15 & 1)
			branches(w, pc, out);
		else if (w >> 25 & 1)
			plain_immediate(w, out);
		else
			data_immediate(w, out);
	} else if ((w & 0xff100000) == 0xf9000000) { /* vld1, vst1 */
		if ((w & 15) != PC)
			arm_lost(out, w >> 16 & 15);
	} else if (w >> 25 == 0x7c) {
		single(w, bytes, size, pc, out);
	} else { /* registers, multiplication, division */
		arm_lost(out, w >> 8 & 15);
		if (w >> 23 == 0x1f7)
			arm_lost(out, w >> 12 & 15);
	}
}

/* The condition of the next instruction, and the state behind it (ARM ARM, "ITSTATE"). */
static void in_block(struct cul_flow_insn *out)
{
	uint8_t it = out->it;

	if (!(it & 15))
		return;
	out->condition = it >> 4;
	out->conditional = out->condition < ARM_COND_ALWAYS;
	out->it = it & 7 ? (uint8_t)((it & 0xe0) | (it << 1 & 31)) : 0;
}

void cul_arm_t32(const uint8_t *bytes, size_t size, uint64_t pc, struct cul_flow_insn *out)
{
	uint32_t first;

	if (size < 2)
		return;
	first = (uint32_t)bytes[1] << 8 | bytes[0];
	if (first >> 11 <= 0x1c) {
		out->len = 2;
		in_block(out);
		narrow(first, bytes, size, pc, out);
	} else if (size >= 4) {
		out->len = 4;
		in_block(out);
		wide(first << 16 | (uint32_t)bytes[3] << 8 | bytes[2], bytes, size, pc, out);
	}
}
