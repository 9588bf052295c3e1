/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stubs of the procedure linkage table, as binutils 2.40 and lld 14 write them for ARM. */
#include "arch/arm/arm.h"
#include "arch/arm/flow.h"

enum {
	ADD_IP_PC = 0xe28fc,
	ADD_IP_IP = 0xe28cc,
	LOAD_PC = 0xe5bcf, /* ldr pc, [ip, #offset]! */
	BX_PC = 0x4778,    /* Thumb code comes in here */
	BX_PC_BYTES = 4,
};

/* Of add: 8 bits, rotated to the right by twice the 4 above them. */
static uint32_t immediate(uint32_t word)
{
	uint32_t value = word & 0xff;
	unsigned by = (word >> 8 & 0xf) * 2;

	return by ? value >> by | value << (32 - by) : value;
}

/* ldr ip, [pc, #4]; add ip, ip, pc; ldr pc, [ip]; .word distance */
static bool far_stub(
	const uint8_t *code, size_t size, uint64_t addr, uint64_t *slot, unsigned *length)
{
	if (size < 16 || arm_word(code) != 0xe59fc004 || arm_word(code + 4) != 0xe08cc00f ||
		arm_word(code + 8) != 0xe59cf000)
		return false;
	*slot = (uint32_t)(addr + 12 + arm_word(code + 12));
	*length = 16;
	return true;
}

/* add ip, pc, #high; [add ip, ip, #middle;] [...] ldr pc, [ip, #low]! */
static bool near_stub(
	const uint8_t *code, size_t size, uint64_t addr, uint64_t *slot, unsigned *length)
{
	uint32_t at;
	size_t i = 1, n = size / 4;

	if (n < 2 || arm_word(code) >> 12 != ADD_IP_PC)
		return false;
	at = (uint32_t)addr + 8 + immediate(arm_word(code));
	for (; i < n && i < 3 && arm_word(code + 4 * i) >> 12 == ADD_IP_IP; i++)
		at += immediate(arm_word(code + 4 * i));
	if (i == n || arm_word(code + 4 * i) >> 12 != LOAD_PC)
		return false;
	*slot = at + (arm_word(code + 4 * i) & 0xfff);
	*length = (unsigned)(4 * (i + 1));
	return true;
}

bool cul_arm_stub(const uint8_t *code, size_t size, uint64_t addr, uint64_t *slot, unsigned *length)
{
	size_t before = size >= BX_PC_BYTES && (code[0] | code[1] << 8) == BX_PC ? BX_PC_BYTES : 0;

	code += before;
	size -= before;
	addr += before;
	if (!near_stub(code, size, addr, slot, length) && !far_stub(code, size, addr, slot, length))
		return false;
	*length += (unsigned)before;
	return true;
}
