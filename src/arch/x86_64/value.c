/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a plain store wrote, from the registers after it: it changes none of its sources. */
#include "arch/x86_64/x86_64.h"

/* The condition of setcc and jcc by the low four bits of the opcode: SDM volume 1, appendix B. */
static bool condition(unsigned code, uint64_t flags)
{
	bool cf = flags & 1, pf = flags & 4, zf = flags & 64, sf = flags & 128, of = flags & 2048;
	bool met = false;

	switch (code >> 1) {
	case 0:
		met = of;
		break;
	case 1:
		met = cf;
		break;
	case 2:
		met = zf;
		break;
	case 3:
		met = cf || zf;
		break;
	case 4:
		met = sf;
		break;
	case 5:
		met = pf;
		break;
	case 6:
		met = sf != of;
		break;
	case 7:
		met = zf || sf != of;
		break;
	}
	return met != (code & 1);
}

/* The first operand in AT&T order is the source. */
static bool source(const cs_insn *insn, const struct cul_regs *regs, uint64_t *value)
{
	const cs_x86_op *op = &insn->detail->x86.operands[0];

	if (op->type == X86_OP_IMM) {
		*value = (uint64_t)op->imm;
		return true;
	}
	return op->type == X86_OP_REG && cul_x86_reg_value(regs, op->reg, value);
}

static bool one_byte(const cs_insn *insn, const struct cul_x86_shape *shape,
	const struct cul_regs *regs, unsigned width, uint64_t *value)
{
	switch (shape->opcode) {
	case 0x54: /* push %rsp: what it was before */
		if (!(insn->detail->x86.rex & 1)) {
			*value = regs->r[CUL_X86_RSP] + width;
			return true;
		}
		return source(insn, regs, value);
	case 0x50 ... 0x53:
	case 0x55 ... 0x57:
	case 0x68:
	case 0x6a:
	case 0x88:
	case 0x89:
	case 0x8c:
	case 0xa2:
	case 0xa3:
	case 0xc6:
	case 0xc7:
		return source(insn, regs, value);
	case 0xaa:
	case 0xab: /* stos */
		*value = regs->r[CUL_X86_RAX];
		return true;
	case 0xe8:
		*value = insn->address + insn->size;
		return true;
	case 0xff: /* call through a register or memory, but not push */
		*value = insn->address + insn->size;
		return (insn->detail->x86.modrm >> 3 & 7) == 2;
	}
	return false;
}

bool cul_x86_stored_value(
	const cs_insn *insn, const struct cul_trap *trap, unsigned width, uint64_t *value)
{
	struct cul_x86_shape shape = cul_x86_shape(insn);
	bool known = false;
	uint64_t v = 0;

	if (width < 1 || width > 8)
		return false;
	if (shape.map == CUL_X86_LEGACY) {
		known = one_byte(insn, &shape, trap->regs, width, &v);
	} else if (shape.map == CUL_X86_0F && (shape.opcode & 0xf0) == 0x90) {
		known = true;
		v = condition(shape.opcode & 15, trap->regs->r[CUL_X86_EFLAGS]);
	} else if (shape.map == CUL_X86_0F && shape.opcode == 0xc3) { /* movnti */
		known = source(insn, trap->regs, &v);
	} else if (shape.map == CUL_X86_0F38 && shape.opcode == 0xf1) { /* movbe */
		known = source(insn, trap->regs, &v);
		v = __builtin_bswap64(v) >> (64 - width * 8);
	}
	if (!known)
		return false;
	*value = width == 8 ? v : v & ((1ull << width * 8) - 1);
	return true;
}
