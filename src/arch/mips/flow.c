/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What MIPS instructions do to the stack. Encodings: MIPS Architecture For Programmers, volume II-A
 * (MIPS32 and MIPS64 release 2). Compact branches (release 6), microMIPS and MIPS16 are not read.
 */
#include "arch/mips/decode.h"

#include "arch/mips/mips.h"

enum {
	OP_SPECIAL = 0,
	OP_REGIMM = 1,
	OP_J = 2,
	OP_JAL = 3,
	OP_BEQ = 4,
	OP_BGTZ = 7,
	OP_ADDI = 8,
	OP_ADDIU = 9,
	OP_ORI = 13,
	OP_LUI = 15,
	OP_COP1 = 17,
	OP_BEQL = 20,
	OP_BGTZL = 23,
	OP_DADDIU = 25,
	OP_LB = 32,
	OP_LW = 35,
	OP_SB = 40,
	OP_SW = 43,
	OP_LD = 55,
	OP_SD = 63,
};

enum {
	SP_SLL = 0,
	SP_JR = 8,
	SP_JALR = 9,
	SP_SYSCALL = 12,
	SP_BREAK = 13,
	SP_ADDU = 33,
	SP_SUBU = 35,
	SP_OR = 37,
	SP_DADDU = 45,
	SP_DSUBU = 47,
	S3_BSHFL = 32,
	S3_DBSHFL = 36,
};

static void two(struct cul_flow_insn *out, enum cul_flow_kind kind, uint32_t w)
{
	out->effects[out->n_effects++] = (struct cul_flow_effect){
		kind, (uint8_t)(w >> 11 & 31), (uint8_t)(w >> 21 & 31), (uint8_t)(w >> 16 & 31), 0};
}

static void special(uint32_t w, struct cul_flow_insn *out)
{
	unsigned rs = w >> 21 & 31, rt = w >> 16 & 31, rd = w >> 11 & 31;

	switch (w & 63) {
	case SP_JR:
		out->end = rs == CUL_MIPS_RA ? CUL_PATH_RETURN : CUL_PATH_JUMP_REG;
		out->delay = true;
		return;
	case SP_JALR:
		/* Release 6 writes jr as jalr to $zero. */
		out->end = rd                  ? CUL_PATH_CALL
			   : rs == CUL_MIPS_RA ? CUL_PATH_RETURN
					       : CUL_PATH_JUMP_REG;
		out->delay = true;
		return;
	case SP_BREAK: /* behind a division by 0, or __builtin_trap: more paths are harmless */
		return;
	case SP_ADDU:
	case SP_DADDU:
		two(out, CUL_PATH_SUM, w);
		return;
	case SP_SUBU:
	case SP_DSUBU:
		two(out, CUL_PATH_DIFF, w);
		return;
	case SP_OR:
		if (rt == 0 || rs == 0) {
			cul_flow_effect(out, CUL_PATH_ADD, rd, rt == 0 ? rs : rt, 0);
			return;
		}
	}
	cul_flow_effect(out, CUL_PATH_LOST, rd, 0, 0);
}

static void branch(uint32_t w, uint64_t pc, bool always, struct cul_flow_insn *out)
{
	out->target = pc + 4 + (uint64_t)((int64_t)(int16_t)w * 4);
	out->end = always ? CUL_PATH_JUMP : CUL_PATH_BRANCH;
	out->delay = true;
}

/* bltz, bgez and those that link: bal, which is `bgezal $zero`. */
static void regimm(uint32_t w, uint64_t pc, struct cul_flow_insn *out)
{
	unsigned rt = w >> 16 & 31;

	if (rt <= 3)
		branch(w, pc, false, out);
	if (rt >= 16 && rt <= 19) {
		branch(w, pc, false, out);
		/* To the next instruction it reads the pc: no call. */
		out->end = CUL_PATH_CALL;
		if (out->target == pc + 8) {
			out->end = CUL_PATH_NEXT;
			cul_flow_effect(out, CUL_PATH_LOST, CUL_MIPS_RA, 0, 0);
		}
	}
}

static void immediate(uint32_t w, unsigned word, struct cul_flow_insn *out)
{
	unsigned op = w >> 26, rs = w >> 21 & 31, rt = w >> 16 & 31;
	int64_t simm = (int16_t)w;

	if (op == OP_ADDIU || op == OP_ADDI || op == OP_DADDIU)
		cul_flow_effect(out, CUL_PATH_ADD, rt, rs, simm);
	else if (op == OP_LUI)
		cul_flow_effect(out, CUL_PATH_SET, rt, 0, (int32_t)((uint32_t)(uint16_t)w << 16));
	else if (op == OP_ORI)
		cul_flow_effect(out, CUL_PATH_OR, rt, rs, (uint16_t)w);
	else if (op == (word == 8 ? OP_SD : OP_SW))
		cul_flow_effect(out, CUL_PATH_STORE, rt, rs, simm);
	else if (op == (word == 8 ? OP_LD : OP_LW))
		cul_flow_effect(out, CUL_PATH_LOAD, rt, rs, simm);
	else if ((op >= OP_ADDI && op < 16) || op == 24 || op == 26 || op == 27 ||
		 (op >= OP_LB && op < OP_SB) || op == 48 || op == 52 || op == OP_LD)
		cul_flow_effect(out, CUL_PATH_LOST, rt, 0, 0);
}

void cul_mips_decode(uint32_t w, unsigned word, uint64_t pc, struct cul_flow_insn *out)
{
	unsigned op = w >> 26;

	out->len = 4;
	switch (op) {
	case OP_SPECIAL:
		special(w, out);
		return;
	case OP_REGIMM:
		regimm(w, pc, out);
		return;
	case OP_J:
	case OP_JAL:
		out->target = ((pc + 4) & ~(uint64_t)0xfffffff) | (uint64_t)(w & 0x3ffffff) << 2;
		out->end = op == OP_JAL ? CUL_PATH_CALL : CUL_PATH_JUMP;
		out->delay = true;
		return;
	case OP_COP1:
		if ((w >> 21 & 31) == 8) /* bc1f, bc1t */
			branch(w, pc, false, out);
		else if ((w >> 21 & 31) <= 2) /* mfc1, dmfc1, cfc1 */
			cul_flow_effect(out, CUL_PATH_LOST, w >> 16 & 31, 0, 0);
		return;
	case 28: /* SPECIAL2: mul */
		cul_flow_effect(out, CUL_PATH_LOST, w >> 11 & 31, 0, 0);
		return;
	case 31: /* SPECIAL3: seb and its kin write rd; ext, ins and rdhwr rt, and rd is a number */
		cul_flow_effect(out, CUL_PATH_LOST,
			(w & 63) == S3_BSHFL || (w & 63) == S3_DBSHFL ? w >> 11 & 31 : w >> 16 & 31,
			0, 0);
		return;
	}
	if ((op >= OP_BEQ && op <= OP_BGTZ) || (op >= OP_BEQL && op <= OP_BGTZL))
		/* beq $zero, $zero is `b` */
		branch(w, pc, op == OP_BEQ && !(w >> 16 & 0x3ff), out);
	else
		immediate(w, word, out);
}
