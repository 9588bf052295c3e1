/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What A64 instructions do to the stack. Encodings: Arm Architecture Reference Manual, C4 and C6.
 */
#include "arch/arm64/arm64.h"

static int64_t sign(uint64_t value, unsigned bits)
{
	return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

/* Register 31 is the zero register where it is not the stack pointer. */
static unsigned general(unsigned reg)
{
	return reg == 31 ? CUL_NO_REG : reg;
}

static void lost(struct cul_flow_insn *out, unsigned reg)
{
	if (reg != CUL_NO_REG)
		cul_flow_effect(out, CUL_PATH_LOST, reg, 0, 0);
}

static void transfer(struct cul_flow_insn *out, bool load, unsigned reg, unsigned base, int64_t off)
{
	if (load && reg == CUL_NO_REG)
		return;
	cul_flow_effect(out, load ? CUL_PATH_LOAD : CUL_PATH_STORE, reg, base, off);
}

/* ldp, stp. Returns whether it was one. */
static bool pair(uint32_t w, struct cul_flow_insn *out)
{
	unsigned mode = w >> 23 & 3, base = w >> 5 & 31, opc = w >> 30;
	bool load = w >> 22 & 1, vector = w >> 26 & 1;
	bool tags = opc == 1 && !vector && !load; /* stgp, two words and their tag */
	int64_t off = sign(w >> 15 & 127, 7) * (vector ? 4 << opc : tags ? 16 : opc == 2 ? 8 : 4);

	if ((w & 0x3a000000) != 0x28000000)
		return false;
	if (mode == 3) /* before */
		cul_flow_effect(out, CUL_PATH_ADD, base, base, off);
	for (unsigned i = 0; i < 2 && !vector; i++) {
		unsigned reg = general(i ? w >> 10 & 31 : w & 31);

		if (opc == 2)
			transfer(out, load, reg, base, (mode == 2 || mode == 0 ? off : 0) + 8 * i);
		else if (load)
			lost(out, reg);
	}
	if (mode == 1) /* after */
		cul_flow_effect(out, CUL_PATH_ADD, base, base, off);
	return true;
}

/* ldr, str with an immediate. */
static bool single(uint32_t w, struct cul_flow_insn *out)
{
	unsigned size = w >> 30, base = w >> 5 & 31, reg = general(w & 31), mode = w >> 10 & 3;
	bool scaled = w >> 24 & 1, vector = w >> 26 & 1, load = w >> 22 & 3;
	bool whole = size == 3 && (w >> 22 & 3) <= 1;
	int64_t off = scaled ? (int64_t)(w >> 10 & 0xfff) << size : sign(w >> 12 & 511, 9);

	if ((w & 0x3a000000) != 0x38000000)
		return false;
	if (!scaled && w >> 21 & 1) { /* by a register, or atomic */
		if (!vector)
			lost(out, reg);
		return true;
	}
	if (!scaled && mode == 3)
		cul_flow_effect(out, CUL_PATH_ADD, base, base, off);
	if (!vector && whole)
		transfer(out, load, reg, base, scaled || mode == 0 ? off : 0);
	else if (!vector && load)
		lost(out, reg);
	if (!scaled && mode == 1)
		cul_flow_effect(out, CUL_PATH_ADD, base, base, off);
	return true;
}

/* The others that load or store: literals, exclusive and ordered accesses, tags of memory. */
static bool odd_access(uint32_t w, struct cul_flow_insn *out)
{
	unsigned base = w >> 5 & 31, mode = w >> 10 & 3;

	if ((w & 0x3b000000) == 0x18000000) { /* ldr of a literal; prfm */
		if (!(w >> 26 & 1) && w >> 30 != 3)
			lost(out, general(w & 31));
	} else if ((w & 0x3f000000) == 0x08000000) { /* ldxr, stxr, ldar, cas */
		if (w >> 22 & 1) {
			lost(out, general(w & 31));
			lost(out, general(w >> 10 & 31));
		}
		lost(out, general(w >> 16 & 31));
	} else if ((w & 0x3f200c00) == 0x19000000) { /* ldapur, stlur */
		if (w >> 22 & 3)
			lost(out, general(w & 31));
	} else if ((w & 0xff200000) == 0xd9200000) { /* stg and its kin; ldg */
		if (mode & 1)                        /* before or after: the base moves */
			cul_flow_effect(out, CUL_PATH_ADD, base, base, sign(w >> 12 & 511, 9) * 16);
		else if (mode == 0)
			lost(out, general(w & 31));
	} else {
		return false;
	}
	return true;
}

/* What SVE does to general registers, in units whose length only the thread knows. */
static bool scalable(uint32_t w, struct cul_flow_insn *out)
{
	if ((w & 0xffa0f000) == 0x04205000) /* addvl, addpl: 31 is sp */
		lost(out, w & 31);
	else if ((w & 0xffa0f000) == 0x04a05000 || (w & 0xff20e000) == 0x0420e000 ||
		 (w & 0xff38c000) == 0x25208000 || (w & 0xff38f800) == 0x25288800)
		/* rdvl; cntb, incb and their kin; cntp; incp and its kin */
		lost(out, general(w & 31));
	else
		return false;
	return true;
}

static bool arithmetic(uint32_t w, struct cul_flow_insn *out)
{
	unsigned dst = w & 31, src = w >> 5 & 31;
	int64_t imm = (int64_t)(w >> 10 & 0xfff) << (w >> 22 & 1 ? 12 : 0);

	if ((w & 0xbf800000) == 0x91000000) { /* add, sub of 64 bits with an immediate: 31 is sp */
		cul_flow_effect(out, CUL_PATH_ADD, dst, src, w >> 30 & 1 ? -imm : imm);
		return true;
	}
	if ((w & 0xffe0ffe0) == 0xaa0003e0) { /* mov of a register */
		if (general(dst) == CUL_NO_REG)
			return true;
		if (general(w >> 16 & 31) == CUL_NO_REG)
			cul_flow_effect(out, CUL_PATH_SET, dst, 0, 0);
		else
			cul_flow_effect(out, CUL_PATH_ADD, dst, w >> 16 & 31, 0);
		return true;
	}
	if ((w & 0xff800000) == 0xd2800000) { /* movz */
		cul_flow_effect(out, CUL_PATH_SET, dst, 0,
			(int64_t)((uint64_t)(w >> 5 & 0xffff) << (w >> 21 & 3) * 16));
		return true;
	}
	if ((w & 0xff800000) == 0xf2800000) { /* movk, of a constant whose bits there are 0 */
		cul_flow_effect(out, CUL_PATH_OR, dst, dst,
			(int64_t)((uint64_t)(w >> 5 & 0xffff) << (w >> 21 & 3) * 16));
		return true;
	}
	if ((w & 0xbf800000) == 0x91800000) { /* addg, subg: 31 is sp */
		lost(out, dst);
		return true;
	}
	if ((w & 0xbfe00000) == 0x8b200000) { /* add, sub, extended: sp may take part */
		if ((w & 0xfc00) != 0x6000) { /* of less than 64 bits, or shifted */
			lost(out, dst);
			return true;
		}
		out->effects[out->n_effects++] =
			(struct cul_flow_effect){w >> 30 & 1 ? CUL_PATH_DIFF : CUL_PATH_SUM,
				(uint8_t)dst, (uint8_t)src, (uint8_t)(w >> 16 & 31), 0};
		return true;
	}
	return false;
}

static bool jump(uint32_t w, uint64_t pc, struct cul_flow_insn *out)
{
	if ((w & 0x7c000000) == 0x14000000) { /* b, bl */
		out->end = w >> 31 ? CUL_PATH_CALL : CUL_PATH_JUMP;
		out->target = pc + (uint64_t)(sign(w & 0x3ffffff, 26) * 4);
	} else if ((w & 0xff000000) == 0x54000000 || (w & 0x7e000000) == 0x34000000) {
		out->end = CUL_PATH_BRANCH; /* b.cond; cbz, cbnz */
		out->target = pc + (uint64_t)(sign(w >> 5 & 0x7ffff, 19) * 4);
	} else if ((w & 0x7e000000) == 0x36000000) { /* tbz, tbnz */
		out->end = CUL_PATH_BRANCH;
		out->target = pc + (uint64_t)(sign(w >> 5 & 0x3fff, 14) * 4);
	} else if ((w & 0xfffffc1f) == 0xd65f0000 || (w & 0xfffffbff) == 0xd65f0bff) {
		out->end = CUL_PATH_RETURN; /* ret; retaa, retab */
	} else if ((w & 0xfffffc1f) == 0xd63f0000 || (w & 0xfefff800) == 0xd63f0800) {
		out->end = CUL_PATH_CALL; /* blr; blraa and its kin */
	} else if ((w & 0xfffffc1f) == 0xd61f0000 || (w & 0xfefff800) == 0xd61f0800) {
		/* The PLT, veneers and what BTI allows to tail calls use x16 and x17. */
		out->end = (w >> 5 & 30) == 16 ? CUL_PATH_TAIL : CUL_PATH_JUMP_REG;
	} else if ((w & 0xffe0001f) == 0xd4200000 || w >> 16 == 0) { /* brk, udf */
		out->end = CUL_PATH_STOP;
	} else {
		return false;
	}
	return true;
}

void cul_arm64_decode(const uint8_t *bytes, size_t size, uint64_t pc, struct cul_flow_insn *out)
{
	uint32_t w;

	if (size < 4)
		return;
	w = (uint32_t)bytes[3] << 24 | bytes[2] << 16 | bytes[1] << 8 | bytes[0];
	out->len = 4;
	if (jump(w, pc, out) || pair(w, out) || single(w, out) || odd_access(w, out) ||
		scalable(w, out) || arithmetic(w, out))
		return;
	if ((w >> 24 & 0x1f) == 0x10) /* adr, adrp */
		lost(out, general(w & 31));
	else if ((w & 0x1f800000) == 0x12000000 && (w >> 29 & 3) != 3) /* and, orr: 31 is sp */
		lost(out, w & 31);
	else if ((w & 0xfff00000) == 0xd5300000 || /* mrs */
		 (w >> 26 & 7) == 4 ||
		 (w >> 25 & 7) == 5) /* data processing, immediate, register */
		lost(out, general(w & 31));
}
