/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which memory an instruction accessed, computed from the registers *after*
 * it. What it did to those registers is undone where that is possible (string
 * pointers, the stack pointer) and the address is unknown where it is not.
 */
#include "arch/x86_64/x86_64.h"

#include <string.h>

enum { FLAG_ZF = 1 << 6, FLAG_DF = 1 << 10 };

struct touches {
	const cs_insn *insn;
	const struct cul_trap *trap;
	struct cul_x86_shape shape;
	struct cul_x86_touch *out;
	unsigned n;
};

static struct cul_x86_touch *add(
	struct touches *t, enum cul_access_kind kind, uint64_t addr, unsigned width)
{
	struct cul_x86_touch *touch = &t->out[t->n++];

	memset(touch, 0, sizeof(*touch));
	touch->kind = kind;
	touch->known = true;
	touch->addr = addr;
	touch->width = width;
	return touch;
}

static uint64_t reg(const struct touches *t, unsigned index)
{
	return t->trap->regs->r[index];
}

/* Bytes that push, pop and their like move: always 8, or 2 (SDM volume 2, 2.2.1.7). */
static unsigned stack_width(const struct touches *t)
{
	return t->shape.operand16 && !t->shape.rex_w ? 2 : 8;
}

enum stack_use { STACK_NONE, STACK_PUSH, STACK_POP, STACK_CALL };

static enum stack_use stack_use(const struct touches *t)
{
	unsigned modrm_reg = t->insn->detail->x86.modrm >> 3 & 7;

	if (t->shape.map == CUL_X86_0F) {
		if (t->shape.opcode == 0xa0 || t->shape.opcode == 0xa8)
			return STACK_PUSH; /* fs, gs */
		return t->shape.opcode == 0xa1 || t->shape.opcode == 0xa9 ? STACK_POP : STACK_NONE;
	}
	if (t->shape.map != CUL_X86_LEGACY)
		return STACK_NONE;
	switch (t->shape.opcode) {
	case 0x50 ... 0x57:
	case 0x68:
	case 0x6a:
	case 0x9c:
		return STACK_PUSH;
	case 0x58 ... 0x5f:
	case 0x8f:
	case 0x9d:
		return STACK_POP;
	case 0xe8:
		return STACK_CALL;
	case 0xff:
		return modrm_reg == 6 ? STACK_PUSH : modrm_reg == 2 ? STACK_CALL : STACK_NONE;
	}
	return STACK_NONE;
}

static void add_stack(struct touches *t, enum stack_use use)
{
	unsigned width = use == STACK_CALL ? 8 : stack_width(t);
	struct cul_x86_touch *touch;
	uint64_t sp = reg(t, CUL_X86_RSP);

	if (use == STACK_POP) {
		touch = add(t, CUL_ACCESS_READ, sp - width, width);
		touch->known =
			t->shape.map != CUL_X86_LEGACY || t->shape.opcode != 0x5c; /* pop %rsp */
		return;
	}
	touch = add(t, CUL_ACCESS_WRITE, sp, width);
	touch->value_known = cul_x86_stored_value(t->insn, t->trap, width, &touch->value);
}

/* enter pushes rbp and, with a nesting level, the frame pointers below; leave pops it. */
static void add_frame(struct touches *t)
{
	unsigned level = t->insn->bytes[t->insn->size - 1] & 31;

	if (t->shape.opcode == 0xc9)
		add(t, CUL_ACCESS_READ, reg(t, CUL_X86_RSP) - 8, 8);
	else
		add(t, CUL_ACCESS_WRITE, reg(t, CUL_X86_RBP) - 8 * level, 8 * level + 8);
}

static bool segment_base(const struct cul_trap *trap, unsigned segment, uint64_t *base)
{
	*base = 0;
	if (segment == X86_REG_FS)
		*base = trap->fs_base;
	else if (segment == X86_REG_GS)
		*base = trap->gs_base;
	return segment == X86_REG_FS ? trap->fs_known : segment != X86_REG_GS || trap->gs_known;
}

bool cul_x86_is_string(const struct cul_x86_shape *shape)
{
	if (shape->map != CUL_X86_LEGACY)
		return false;
	switch (shape->opcode) {
	case 0x6c ... 0x6f: /* ins outs */
	case 0xa4 ... 0xa7: /* movs cmps */
	case 0xaa ... 0xaf: /* stos lods scas */
		return true;
	}
	return false;
}

bool cul_x86_is_counted(const struct cul_x86_shape *shape)
{
	return cul_x86_is_string(shape) && (shape->rep || shape->repne) &&
	       (shape->opcode & ~1) != 0xa6 && (shape->opcode & ~1) != 0xae;
}

static unsigned string_width(const struct touches *t)
{
	if (!(t->shape.opcode & 1))
		return 1;
	if (t->shape.rex_w) /* there are no ports of 8 bytes */
		return t->shape.opcode > 0x6f ? 8 : 4;
	return t->shape.operand16 ? 2 : 4;
}

/*
 * One pointer of a string instruction: it has moved on by `width`. Repeated, the iterations
 * before were at addresses that nothing in the registers bounds. The last one need not be the
 * one that trapped: fast strings report late (seen: by up to 128 bytes).
 */
static void add_string_side(
	struct touches *t, enum cul_access_kind kind, unsigned index, unsigned segment)
{
	unsigned width = string_width(t);
	bool down = reg(t, CUL_X86_EFLAGS) & FLAG_DF;
	uint64_t base, addr = reg(t, index) + (down ? width : -(uint64_t)width);
	struct cul_x86_touch *touch;
	bool known = segment_base(t->trap, segment, &base);

	if (t->shape.addr32)
		addr = (uint32_t)addr;
	touch = add(t, kind, base + addr, width);
	touch->known = known;
	if (t->shape.rep || t->shape.repne) {
		touch->before = down ? 0 : UINT64_MAX;
		touch->after = down ? UINT64_MAX : 0;
	}
	if (kind == CUL_ACCESS_WRITE)
		touch->value_known = cul_x86_stored_value(t->insn, t->trap, width, &touch->value);
}

static void add_string(struct touches *t)
{
	unsigned prefix = t->insn->detail->x86.prefix[1];
	unsigned segment = prefix == X86_PREFIX_FS   ? X86_REG_FS
			   : prefix == X86_PREFIX_GS ? X86_REG_GS
						     : X86_REG_DS;

	switch (t->shape.opcode & ~1u) {
	case 0x6c:
	case 0xaa:
		add_string_side(t, CUL_ACCESS_WRITE, CUL_X86_RDI, X86_REG_ES);
		break;
	case 0x6e:
	case 0xac:
		add_string_side(t, CUL_ACCESS_READ, CUL_X86_RSI, segment);
		break;
	case 0xae:
		add_string_side(t, CUL_ACCESS_READ, CUL_X86_RDI, X86_REG_ES);
		break;
	case 0xa4:
	case 0xa6:
		add_string_side(t, CUL_ACCESS_READ, CUL_X86_RSI, segment);
		add_string_side(t,
			(t->shape.opcode & ~1) == 0xa4 ? CUL_ACCESS_WRITE : CUL_ACCESS_READ,
			CUL_X86_RDI, X86_REG_ES);
		break;
	}
}

/* By opcode, what capstone 4.0.2 gives a wrong size; 0: nothing of it. */
static unsigned mended_size(const struct touches *t)
{
	unsigned reg = t->insn->detail->x86.modrm >> 3 & 7;
	unsigned word = t->shape.rex_w ? 8 : t->shape.operand16 ? 2 : 4;

	if (t->shape.map == CUL_X86_LEGACY) {
		if (t->shape.opcode == 0xdd && reg == 7) /* fnstsw */
			return 2;
		if (t->shape.opcode == 0xff && (reg == 3 || reg == 5)) /* far calls and jumps */
			return word + 2;
		return 0;
	}
	if (t->shape.map != CUL_X86_0F)
		return 0;
	switch (t->shape.opcode) {
	case 0x03: /* lsl */
		return 2;
	case 0x2f: /* comiss, comisd */
		return t->shape.operand16 ? 8 : 4;
	case 0x60 ... 0x62: /* of MMX */
		return t->shape.operand16 ? 16 : 4;
	case 0xb2:
	case 0xb4:
	case 0xb5: /* lss lfs lgs */
		return word + 2;
	}
	return 0;
}

/* The forms of AVX and AVX-512: the same. What else EVEX loads has no size to rely on. */
static void set_vector(struct cul_x86_touch *touch, const cs_insn *insn)
{
	struct cul_x86_vector v;
	unsigned narrowed;

	if (!cul_x86_vector(insn->bytes, insn->size, &v) || v.legacy)
		return;
	narrowed = cul_x86_vector_narrowed(&v);
	if (narrowed)
		touch->width = narrowed;
	if (!v.evex && v.map == 1 && v.opcode == 0x2f)
		touch->width = v.pp ? 8 : 4;
	if (v.evex && touch->kind == CUL_ACCESS_READ &&
		!(v.map == 1 && (v.opcode == 0x10 || v.opcode == 0x28 || v.opcode == 0x6f)))
		touch->known = false;
}

/* Those that have no size, and those with a part of unknown size. */
static void set_size(struct cul_x86_touch *touch, const cs_insn *insn, bool operand16)
{
	/* SDM volume 1, 13.4: 512 bytes legacy, 64 header; how much follows is up to XCR0. */
	enum { XSAVE_SURE = 576, XSAVE_MORE = 16384 };

	switch (insn->id) {
	case X86_INS_FXSAVE:
	case X86_INS_FXSAVE64:
	case X86_INS_FXRSTOR:
	case X86_INS_FXRSTOR64:
		touch->width = 512;
		break;
	case X86_INS_XSAVE ... X86_INS_XSAVES64:
	case X86_INS_XRSTOR ... X86_INS_XRSTORS64:
		touch->width = XSAVE_SURE;
		touch->after = XSAVE_MORE;
		break;
	case X86_INS_FNSAVE:
	case X86_INS_FRSTOR:
		touch->width = operand16 ? 94 : 108;
		break;
	case X86_INS_FNSTENV:
	case X86_INS_FLDENV:
		touch->width = operand16 ? 14 : 28;
		break;
	}
}

/* With F3 these are ptwrite and clrssbsy, which capstone 4.0.2 takes for xsave and xsaveopt. */
static bool is_prefixed_0fae(const struct touches *t)
{
	return t->shape.map == CUL_X86_0F && t->shape.opcode == 0xae && t->shape.rep;
}

static bool is_cmpxchg(const cs_insn *insn)
{
	return insn->id == X86_INS_CMPXCHG || insn->id == X86_INS_CMPXCHG8B ||
	       insn->id == X86_INS_CMPXCHG16B;
}

/* A register as part of an address, before the instruction. False when it is gone. */
static bool address_reg(const struct touches *t, unsigned name, uint64_t *value)
{
	int index = cul_x86_reg_index(name);
	enum stack_use use = stack_use(t);

	if (name == X86_REG_INVALID || name == X86_REG_RIZ || name == X86_REG_EIZ) {
		*value = 0;
		return true;
	}
	if (name == X86_REG_RIP || name == X86_REG_EIP) {
		*value = t->insn->address + t->insn->size;
		return true;
	}
	if (index < 0)
		return false; /* a vector register: gather, scatter */
	cul_x86_reg_value(t->trap->regs, name, value);
	if (index == CUL_X86_RSP && use != STACK_NONE) {
		/* pop computes its operand's address after it has moved rsp: SDM, POP */
		if (use != STACK_POP)
			*value += use == STACK_CALL ? 8 : stack_width(t);
		return true;
	}
	/* cmpxchg loads rax (cmpxchg8b: and rdx) only where it fails */
	if ((index == CUL_X86_RAX || index == CUL_X86_RDX) && is_cmpxchg(t->insn) &&
		reg(t, CUL_X86_EFLAGS) & FLAG_ZF)
		return true;
	return !cul_x86_writes_reg(t->insn, index);
}

/* bt, bts, btr, btc with the bit's number in a register reach beyond the operand. */
static void displace_bit(const struct touches *t, struct cul_x86_touch *touch)
{
	const cs_x86_op *bit = &t->insn->detail->x86.operands[0];
	unsigned width = touch->width;
	uint64_t number;

	if (t->shape.map != CUL_X86_0F || (t->shape.opcode & 0xe7) != 0xa3 ||
		!cul_x86_reg_value(t->trap->regs, bit->reg, &number))
		return;
	if (width < 8) /* the number is signed: shift it up and back down */
		number = (uint64_t)((int64_t)(number << (64 - width * 8)) >> (64 - width * 8));
	touch->addr += (uint64_t)((int64_t)number >> (width == 8 ? 6 : width == 4 ? 5 : 4)) * width;
}

/* gather, scatter: capstone 4.0.2 gives the vector index as a general register. */
static bool has_vector_index(const struct touches *t)
{
	return t->shape.map == CUL_X86_VEX &&
	       (strstr(t->insn->mnemonic, "gather") || strstr(t->insn->mnemonic, "scatter"));
}

static void add_operand(struct touches *t, unsigned i)
{
	const cs_x86_op *op = &t->insn->detail->x86.operands[i];
	enum cul_access_kind kind = cul_x86_operand_access(t->insn, i);
	uint64_t base = 0, index = 0, segment = 0, addr;
	struct cul_x86_touch *touch;
	unsigned mended;
	bool known;

	if (kind == CUL_ACCESS_NONE)
		return;
	known = segment_base(t->trap, op->mem.segment, &segment) &&
		address_reg(t, op->mem.base, &base) && address_reg(t, op->mem.index, &index) &&
		!has_vector_index(t);
	addr = base + index * (uint64_t)op->mem.scale + (uint64_t)op->mem.disp;
	if (t->shape.addr32)
		addr = (uint32_t)addr;
	touch = add(t, kind, segment + addr, op->size);
	touch->known = known;
	mended = mended_size(t);
	if (mended)
		touch->width = mended;
	else if (is_prefixed_0fae(t))
		touch->width = t->shape.rex_w || kind == CUL_ACCESS_READ_WRITE ? 8 : 4;
	else
		set_size(touch, t->insn, t->shape.operand16 && !t->shape.rex_w);
	if (stack_use(t) == STACK_PUSH || stack_use(t) == STACK_POP)
		touch->width = stack_width(t);
	set_vector(touch, t->insn);
	displace_bit(t, touch);
	if (kind == CUL_ACCESS_WRITE && stack_use(t) == STACK_NONE)
		touch->value_known =
			cul_x86_stored_value(t->insn, t->trap, touch->width, &touch->value);
}

/* Memory behind a register that is not written as an operand. */
static void add_implicit(struct touches *t)
{
	struct cul_x86_touch *touch;
	uint64_t segment = 0;

	switch (t->insn->id) {
	case X86_INS_MASKMOVQ:
	case X86_INS_MASKMOVDQU:
	case X86_INS_VMASKMOVDQU:
		touch = add(t, CUL_ACCESS_WRITE, reg(t, CUL_X86_RDI),
			t->insn->id == X86_INS_MASKMOVQ ? 8 : 16);
		touch->known = t->insn->detail->x86.prefix[1] == 0;
		break;
	case X86_INS_XLATB: /* al, the index, is overwritten with the byte that was read */
		touch = add(t, CUL_ACCESS_READ, segment + reg(t, CUL_X86_RBX), 0);
		touch->after = 256;
		break;
	case X86_INS_ENTER:
	case X86_INS_LEAVE:
		add_frame(t);
		break;
	}
}

unsigned cul_x86_touches(
	const cs_insn *insn, const struct cul_trap *trap, struct cul_x86_touch out[CUL_X86_TOUCHES])
{
	struct touches t = {insn, trap, cul_x86_shape(insn), out, 0};
	enum stack_use use = stack_use(&t);

	if (cul_x86_is_string(&t.shape)) {
		add_string(&t);
		return t.n;
	}
	for (unsigned i = 0; i < insn->detail->x86.op_count && t.n < CUL_X86_TOUCHES - 1; i++) {
		if (insn->detail->x86.operands[i].type == X86_OP_MEM)
			add_operand(&t, i);
	}
	if (use != STACK_NONE)
		add_stack(&t, use);
	else
		add_implicit(&t);
	return t.n;
}
