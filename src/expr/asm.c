/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "expr/compile.h"

static void emit(
	struct cul_compile *c, uint8_t code, uint8_t dst, uint8_t src, int off, int32_t imm)
{
	struct bpf_insn insn = {0};

	insn.code = code;
	insn.dst_reg = dst & 15;
	insn.src_reg = src & 15;
	insn.off = (int16_t)off;
	insn.imm = imm;
	cul_bpf_emit(c->code, insn);
}

void cul_asm_alu(struct cul_compile *c, uint8_t op, uint8_t dst, uint8_t src)
{
	emit(c, BPF_ALU64 | BPF_X | op, dst, src, 0, 0);
}

void cul_asm_alu_imm(struct cul_compile *c, uint8_t op, uint8_t dst, int32_t imm)
{
	emit(c, BPF_ALU64 | BPF_K | op, dst, 0, 0, imm);
}

void cul_asm_imm(struct cul_compile *c, uint8_t dst, uint64_t value)
{
	if ((int64_t)value == (int32_t)value) {
		cul_asm_alu_imm(c, BPF_MOV, dst, (int32_t)value);
		return;
	}
	emit(c, BPF_LD | BPF_IMM | BPF_DW, dst, 0, 0, (int32_t)value);
	emit(c, 0, 0, 0, 0, (int32_t)(value >> 32));
}

void cul_asm_load(struct cul_compile *c, unsigned size, uint8_t dst, uint8_t src, int off)
{
	uint8_t width = size == 1 ? BPF_B : size == 2 ? BPF_H : size == 4 ? BPF_W : BPF_DW;

	emit(c, BPF_LDX | BPF_MEM | width, dst, src, off, 0);
}

void cul_asm_load_pieces(struct cul_compile *c, unsigned size, uint8_t dst, uint8_t src, int off)
{
	unsigned piece;

	for (unsigned done = 0; done < size; done += piece) {
		piece = 8;
		while (piece > size - done || (off + (int)done) % (int)piece)
			piece /= 2;
		cul_asm_load(c, piece, done ? BPF_REG_2 : dst, src, off + (int)done);
		if (!done)
			continue;
		cul_asm_alu_imm(c, BPF_LSH, BPF_REG_2, (int32_t)done * 8);
		cul_asm_alu(c, BPF_OR, dst, BPF_REG_2);
	}
}

void cul_asm_store(struct cul_compile *c, uint8_t dst, int off, uint8_t src)
{
	emit(c, BPF_STX | BPF_MEM | BPF_DW, dst, src, off, 0);
}

void cul_asm_store_imm(struct cul_compile *c, uint8_t dst, int off, int32_t imm)
{
	emit(c, BPF_ST | BPF_MEM | BPF_DW, dst, 0, off, imm);
}

void cul_asm_call(struct cul_compile *c, int helper)
{
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

void cul_asm_extend(struct cul_compile *c, uint8_t reg, unsigned bits, bool is_signed)
{
	if (bits >= 64)
		return;
	if (bits == 32 && !is_signed) {
		emit(c, BPF_ALU | BPF_X | BPF_MOV, reg, reg, 0, 0);
		return;
	}
	cul_asm_alu_imm(c, BPF_LSH, reg, (int32_t)(64 - bits));
	cul_asm_alu_imm(c, is_signed ? BPF_ARSH : BPF_RSH, reg, (int32_t)(64 - bits));
}

size_t cul_asm_jump(struct cul_compile *c, uint8_t op, uint8_t dst, uint8_t src)
{
	emit(c, BPF_JMP | BPF_X | op, dst, src, 0, 0);
	return c->code->len - 1;
}

size_t cul_asm_jump_imm(struct cul_compile *c, uint8_t op, uint8_t dst, int32_t imm)
{
	emit(c, BPF_JMP | BPF_K | op, dst, 0, 0, imm);
	return c->code->len - 1;
}

size_t cul_asm_jump32(struct cul_compile *c, uint8_t op, uint8_t dst, int32_t imm)
{
	emit(c, BPF_JMP32 | BPF_K | op, dst, 0, 0, imm);
	return c->code->len - 1;
}

void cul_asm_land(struct cul_compile *c, size_t jump)
{
	size_t distance = c->code->len - jump - 1;

	if (c->code->failed)
		return;
	c->too_far |= distance > INT16_MAX;
	c->code->insns[jump].off = (int16_t)distance;
}

void cul_asm_wait(struct cul_compile *c, struct cul_jumps *jumps, size_t jump)
{
	size_t *slot = cul_vec_push(jumps);

	if (slot)
		*slot = jump;
	else
		c->code->failed = -ENOMEM;
}

void cul_asm_land_all(struct cul_compile *c, struct cul_jumps *jumps)
{
	for (size_t i = 0; i < jumps->len; i++)
		cul_asm_land(c, jumps->data[i]);
	free(jumps->data);
	memset(jumps, 0, sizeof(*jumps));
}
