/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which way an instruction's memory operand is accessed, from its opcode.
 * capstone's own access flags are not used: in 4.0.2 every SSE and AVX store,
 * cmpxchg, movnti, movbe and shifts by %cl carry "read". Opcodes as in the
 * Intel SDM volume 2, appendix A.
 */
#include "arch/x86_64/x86_64.h"

#include <string.h>

#define NONE CUL_ACCESS_NONE
#define R    CUL_ACCESS_READ
#define W    CUL_ACCESS_WRITE
#define RW   CUL_ACCESS_READ_WRITE

/* One row a group, by the reg field of the ModRM byte; for memory operands. */
static const uint8_t group_80[8] = {RW, RW, RW, RW, RW, RW, RW, R}; /* add ... cmp */
static const uint8_t group_f6[8] = {R, R, RW, RW, R, R, R, R};      /* test not neg mul div */
static const uint8_t group_ff[8] = {RW, RW, R, R, R, R, R, R};      /* inc dec call jmp push */
static const uint8_t group_d9[8] = {R, R, W, W, R, R, W, W};        /* fst fstp fnstenv fnstcw */
static const uint8_t group_db[8] = {R, W, W, W, R, R, R, W};        /* fisttp fist fistp fstpt */
static const uint8_t group_dd[8] = {R, W, W, W, R, R, W, W};        /* and fnsave, fnstsw */
static const uint8_t group_0f00[8] = {W, W, R, R, R, R, R, R};      /* sldt str lldt ltr verr */
static const uint8_t group_0f01[8] = {W, W, R, R, W, R, R, NONE};   /* sgdt lgdt smsw invlpg */
static const uint8_t group_0fae[8] = {W, R, R, W, W, R, W, NONE};   /* fxsave ... clflush */
static const uint8_t group_0fba[8] = {R, R, R, R, R, RW, RW, RW};   /* bt bts btr btc */
static const uint8_t group_0fc7[8] = {R, RW, R, R, W, W, R, W};     /* cmpxchg8b xsavec vmptrst */

static enum cul_access_kind one_byte(uint8_t opcode, unsigned reg)
{
	switch (opcode) {
	case 0x00 ... 0x3f:
		return (opcode & 7) > 1 || opcode >= 0x38 ? R : RW;
	case 0x80 ... 0x83:
		return group_80[reg];
	case 0x86:
	case 0x87:
	case 0xc0:
	case 0xc1:
	case 0xd0 ... 0xd3:
		return RW;
	case 0x88:
	case 0x89:
	case 0x8c:
	case 0x8f:
	case 0xa2:
	case 0xa3:
	case 0xc6:
	case 0xc7:
		return W;
	case 0x8d:
		return NONE; /* lea */
	case 0xd9:
		return group_d9[reg];
	case 0xdb:
		return group_db[reg];
	case 0xdd:
	case 0xdf:
		return group_dd[reg];
	case 0xf6:
	case 0xf7:
		return group_f6[reg];
	case 0xfe:
	case 0xff:
		return group_ff[reg];
	}
	return R;
}

static enum cul_access_kind two_byte(const struct cul_x86_shape *shape, unsigned reg)
{
	switch (shape->opcode) {
	case 0x00:
		return group_0f00[reg];
	case 0x01:
		return group_0f01[reg];
	case 0x0d:
	case 0x18 ... 0x1f:
		return NONE; /* prefetches, nops */
	case 0x11:
	case 0x13:
	case 0x17:
	case 0x29:
	case 0x2b:
	case 0x78: /* vmread */
	case 0x7f:
	case 0x90 ... 0x9f:
	case 0xc3:
	case 0xd6:
	case 0xe7:
		return W;
	case 0x7e:
		return shape->rep ? R : W; /* movq load; movd, movq store */
	case 0xa4:
	case 0xa5:
	case 0xab:
	case 0xac:
	case 0xad:
	case 0xb0:
	case 0xb1:
	case 0xb3:
	case 0xbb:
	case 0xc0:
	case 0xc1:
		return RW;
	case 0xae:
		if (shape->rep) /* clrssbsy, ptwrite */
			return reg == 6 ? RW : R;
		return reg == 6 && shape->operand16 ? NONE : group_0fae[reg]; /* clwb */
	case 0xba:
		return group_0fba[reg];
	case 0xc7:
		return group_0fc7[reg];
	}
	return R;
}

static bool is_mask(const cs_x86_op *op)
{
	return op->type == X86_OP_REG && op->reg >= X86_REG_K0 && op->reg <= X86_REG_K7;
}

/* AT&T order: the destination is last, but for the mask register of a masked store. */
static enum cul_access_kind vector(const cs_insn *insn, unsigned i)
{
	const cs_x86 *x86 = &insn->detail->x86;
	bool source = false;

	if (insn->id == X86_INS_VSTMXCSR)
		return W;
	for (unsigned k = 0; k < i; k++)
		source = source || x86->operands[k].type == X86_OP_REG;
	for (unsigned k = i + 1; k < x86->op_count; k++) {
		if (!source || !is_mask(&x86->operands[k]))
			return R;
	}
	return source ? W : R;
}

enum cul_access_kind cul_x86_operand_access(const cs_insn *insn, unsigned i)
{
	struct cul_x86_shape shape = cul_x86_shape(insn);
	unsigned reg = insn->detail->x86.modrm >> 3 & 7;

	switch (shape.map) {
	case CUL_X86_LEGACY:
		return one_byte(shape.opcode, reg);
	case CUL_X86_0F:
		return two_byte(&shape, reg);
	case CUL_X86_0F38:
		return shape.opcode == 0xf1 && !shape.repne ? W : R; /* movbe; F2: crc32 */
	case CUL_X86_0F3A:
		return shape.opcode >= 0x14 && shape.opcode <= 0x17 ? W : R; /* pextr, extractps */
	case CUL_X86_VEX:
		return vector(insn, i);
	}
	return R;
}
