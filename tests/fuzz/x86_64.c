/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as code, any registers. The input: one byte of choices, then 21 registers of 8
 * bytes, the watched address, then the code.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"

enum { N_REGS = 21, RIP = 16, HEAD = 1 + (N_REGS + 1) * 8 };

static void check(const struct cul_insn *insn, const struct cul_code *code)
{
	if (insn->certainty == CUL_UNKNOWN) {
		if (insn->text[0] || insn->access != CUL_ACCESS_NONE)
			abort();
		return;
	}
	if (!memchr(insn->text, 0, sizeof(insn->text)) || !insn->text[0])
		abort();
	if (insn->addr && (insn->addr - code->addr >= code->size || !insn->len || insn->len > 15))
		abort();
	if (insn->value_known && insn->width < 8 && insn->value >> insn->width * 8)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum cul_access_kind watches[] = {
		CUL_ACCESS_WRITE, CUL_ACCESS_READ_WRITE, CUL_ACCESS_EXECUTE, CUL_ACCESS_WRITE};
	struct cul_regs regs = {0};
	struct cul_trap trap = {&regs};
	struct cul_code code;
	struct cul_insn insn;

	if (size < HEAD)
		return 0;
	memcpy(regs.r, data + 1, N_REGS * sizeof(regs.r[0]));
	memcpy(&trap.addr, data + 1 + N_REGS * 8, sizeof(trap.addr));
	trap.size = 1u << (data[0] >> 4 & 3);
	trap.watch = watches[data[0] & 3];
	trap.gs_known = data[0] & 0x40;
	code = (struct cul_code){data + HEAD, size - HEAD, regs.r[15], data[0] & 8};
	if (data[0] & 4) /* most of the time somewhere in the code */
		regs.r[RIP] = code.addr + regs.r[RIP] % (code.size + 1);
	if (cul_arch_x86_64.find_access(&code, &trap, &insn))
		return 0;
	check(&insn, &code);
	cul_arch_x86_64.decode(&code, regs.r[RIP], &insn);
	return 0;
}
