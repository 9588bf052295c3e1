/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stubs of the procedure linkage table, as binutils 2.40, gold and lld write them. */
#include <string.h>

#include "arch/x86_64/x86_64.h"

static bool starts_with(const uint8_t *code, size_t size, const char *bytes, size_t n)
{
	return size >= n && memcmp(code, bytes, n) == 0;
}

/* [endbr64] [bnd] jmp *slot(%rip), padded to 8 or 16 bytes or with the push of the lazy form. */
bool cul_x86_stub(const uint8_t *code, size_t size, uint64_t addr, uint64_t *slot, unsigned *length)
{
	bool branch_target = starts_with(code, size, "\xf3\x0f\x1e\xfa", 4);
	size_t at = branch_target ? 4 : 0;
	int32_t offset;

	if (starts_with(code + at, size - at, "\xf2\xff\x25", 3))
		at++;
	if (!starts_with(code + at, size - at, "\xff\x25", 2) || size - at < 6)
		return false;
	offset = (int32_t)(code[at + 2] | code[at + 3] << 8 | code[at + 4] << 16 |
			   (uint32_t)code[at + 5] << 24);
	at += 6;
	*slot = addr + at + (uint64_t)(int64_t)offset;
	*length = branch_target || starts_with(code + at, size - at, "\x68", 1) ? 16 : 8;
	return true;
}
