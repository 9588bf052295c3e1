/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stubs of the procedure linkage table, as binutils 2.40 and lld write them. */
#include "arch/arm64/arm64.h"

static uint32_t insn_at(const uint8_t *code, size_t i)
{
	return code[4 * i] | code[4 * i + 1] << 8 | code[4 * i + 2] << 16 |
	       (uint32_t)code[4 * i + 3] << 24;
}

/* [bti c] adrp x16, page; ldr x17, [x16, #offset]; add x16, ...; [autia1716]; br x17 */
bool cul_arm64_stub(
	const uint8_t *code, size_t size, uint64_t addr, uint64_t *slot, unsigned *length)
{
	size_t n = size / 4, i = n > 0 && insn_at(code, 0) == 0xd503245f ? 1 : 0, end = i + 3;
	uint32_t adrp, ldr;
	uint64_t page;

	if (n < i + 4)
		return false;
	adrp = insn_at(code, i);
	ldr = insn_at(code, i + 1);
	if (n > end && insn_at(code, end) == 0xd503219f)
		end++;
	if ((adrp & 0x9f00001f) != 0x90000010 || (ldr & 0xffc003ff) != 0xf9400211 || n <= end ||
		insn_at(code, end) != 0xd61f0220)
		return false;
	page = (uint64_t)(adrp >> 5 & 0x7ffff) << 2 | (adrp >> 29 & 3);
	if (page & 1ull << 20)
		page |= ~0ull << 21;
	*slot = ((addr + 4 * i) & ~0xfffull) + (page << 12) + (ldr >> 10 & 0xfff) * 8;
	*length = (unsigned)(4 * (end + 1));
	return true;
}
