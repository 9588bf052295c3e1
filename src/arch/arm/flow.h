/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ARM instructions do to the stack: A32 in flow_a32.c, T32 (Thumb) in flow_t32.c. Encodings:
 * Arm Architecture Reference Manual for A-profile, F2 to F5 (T32 and A32). A return by `pop {pc}`
 * is told as the link register being loaded, and a return.
 */
#ifndef CUL_ARCH_ARM_FLOW_H
#define CUL_ARCH_ARM_FLOW_H

#include "arch/arm/arm.h"
#include "arch/flow.h"

enum { ARM_COND_ALWAYS = 14 };

void cul_arm_a32(const uint8_t *bytes, size_t size, uint64_t pc, struct cul_flow_insn *out);
void cul_arm_t32(const uint8_t *bytes, size_t size, uint64_t pc, struct cul_flow_insn *out);
/* Whether a condition of an instruction holds with these flags. */
bool cul_arm_holds(unsigned condition, uint64_t cpsr);

/* Coprocessors (VFP) and SIMD, which both encode the same: bits 27-26 of `w` are 11. */
void cul_arm_coprocessor(uint32_t w, struct cul_flow_insn *out);

/* A register and the word at base + off. */
void cul_arm_transfer(
	struct cul_flow_insn *out, bool load, unsigned reg, unsigned base, int64_t off);
/* ldm, stm: from base + off upwards; the base is not moved. */
void cul_arm_block(struct cul_flow_insn *out, bool load, unsigned base, uint32_t list, int64_t off);

struct arm_address {
	unsigned base;
	int64_t off;
	bool before; /* the offset counts for this access already */
	bool back;   /* the base is moved by it */
};

/* ldr, str of a word. */
void cul_arm_single(
	struct cul_flow_insn *out, bool load, unsigned reg, const struct arm_address *at);

static inline uint32_t arm_bits(uint32_t w, unsigned low, unsigned n)
{
	return w >> low & ((1u << n) - 1);
}

static inline int64_t arm_sign(uint32_t value, unsigned bits)
{
	return (int32_t)(value << (32 - bits)) >> (32 - bits);
}

static inline void arm_lost(struct cul_flow_insn *out, unsigned reg)
{
	cul_flow_effect(out, CUL_PATH_LOST, reg, 0, 0);
}

static inline void arm_two(
	struct cul_flow_insn *out, enum cul_flow_kind kind, unsigned dst, unsigned a, unsigned b)
{
	cul_flow_effect(out, kind, dst, a, 0);
	out->effects[out->n_effects - 1].b = (uint8_t)b;
}

static inline uint32_t arm_word(const uint8_t *b)
{
	return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

#endif
