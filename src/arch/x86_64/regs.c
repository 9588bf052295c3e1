/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/x86_64/x86_64.h"

struct part {
	uint8_t index; /* into struct cul_regs */
	uint8_t shift, bytes;
};

#define PARTS(i, r64, r32, r16, r8)                                                                \
	[X86_REG_##r64] = {CUL_X86_##i, 0, 8}, [X86_REG_##r32] = {CUL_X86_##i, 0, 4},              \
	[X86_REG_##r16] = {CUL_X86_##i, 0, 2}, [X86_REG_##r8] = {CUL_X86_##i, 0, 1}

/* bytes 0: no part of pt_regs */
static const struct part parts[X86_REG_ENDING] = {
	PARTS(RAX, RAX, EAX, AX, AL),
	PARTS(RBX, RBX, EBX, BX, BL),
	PARTS(RCX, RCX, ECX, CX, CL),
	PARTS(RDX, RDX, EDX, DX, DL),
	PARTS(RSI, RSI, ESI, SI, SIL),
	PARTS(RDI, RDI, EDI, DI, DIL),
	PARTS(RBP, RBP, EBP, BP, BPL),
	PARTS(RSP, RSP, ESP, SP, SPL),
	PARTS(R8, R8, R8D, R8W, R8B),
	PARTS(R9, R9, R9D, R9W, R9B),
	PARTS(R10, R10, R10D, R10W, R10B),
	PARTS(R11, R11, R11D, R11W, R11B),
	PARTS(R12, R12, R12D, R12W, R12B),
	PARTS(R13, R13, R13D, R13W, R13B),
	PARTS(R14, R14, R14D, R14W, R14B),
	PARTS(R15, R15, R15D, R15W, R15B),
	[X86_REG_AH] = {CUL_X86_RAX, 8, 1},
	[X86_REG_BH] = {CUL_X86_RBX, 8, 1},
	[X86_REG_CH] = {CUL_X86_RCX, 8, 1},
	[X86_REG_DH] = {CUL_X86_RDX, 8, 1},
	[X86_REG_CS] = {CUL_X86_CS, 0, 2},
	[X86_REG_SS] = {CUL_X86_SS, 0, 2},
};

int cul_x86_reg_index(unsigned reg)
{
	return reg < X86_REG_ENDING && parts[reg].bytes ? parts[reg].index : -1;
}

bool cul_x86_reg_value(const struct cul_regs *regs, unsigned reg, uint64_t *value)
{
	const struct part *part = &parts[reg < X86_REG_ENDING ? reg : X86_REG_INVALID];

	if (!part->bytes)
		return false;
	*value = regs->r[part->index] >> part->shift;
	if (part->bytes < 8)
		*value &= (1ull << part->bytes * 8) - 1;
	return true;
}

/* AT&T order: a destination stands last. These only look at their last operand. */
static bool compares(unsigned id)
{
	return id == X86_INS_CMP || id == X86_INS_TEST || id == X86_INS_BT || id == X86_INS_PUSH;
}

static bool writes_operand(const cs_insn *insn, unsigned i)
{
	const cs_x86 *x86 = &insn->detail->x86;

	if (insn->id == X86_INS_XCHG || insn->id == X86_INS_XADD)
		return true;
	/* capstone's own word is taken for more (mulx has two), never for less: it has gaps. */
	return x86->operands[i].access & CS_AC_WRITE ||
	       (i + 1u == x86->op_count && !compares(insn->id));
}

/* Results in rax and rdx that no operand shows; capstone 4.0.2 lists them with gaps. */
static bool writes_rax_rdx(const cs_insn *insn)
{
	switch (insn->id) {
	case X86_INS_CMPXCHG:
	case X86_INS_CMPXCHG8B:
	case X86_INS_CMPXCHG16B:
	case X86_INS_MUL:
	case X86_INS_DIV:
	case X86_INS_IDIV:
		return true;
	case X86_INS_IMUL:
		return insn->detail->x86.op_count == 1;
	}
	return false;
}

bool cul_x86_writes_reg(const cs_insn *insn, int index)
{
	const cs_detail *detail = insn->detail;

	if ((index == CUL_X86_RAX || index == CUL_X86_RDX) && writes_rax_rdx(insn))
		return true;
	for (unsigned i = 0; i < detail->x86.op_count; i++) {
		const cs_x86_op *op = &detail->x86.operands[i];

		if (op->type == X86_OP_REG && cul_x86_reg_index(op->reg) == index &&
			writes_operand(insn, i))
			return true;
	}
	for (unsigned i = 0; i < detail->regs_write_count; i++) {
		if (cul_x86_reg_index(detail->regs_write[i]) == index)
			return true;
	}
	return false;
}
