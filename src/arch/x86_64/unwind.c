/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/x86_64/x86_64.h"

/* System V ABI, AMD64 supplement 1.0, figure 3.36: DWARF register number mapping. */
static const uint8_t dwarf_regs[] = {
	CUL_X86_RAX,
	CUL_X86_RDX,
	CUL_X86_RCX,
	CUL_X86_RBX,
	CUL_X86_RSI,
	CUL_X86_RDI,
	CUL_X86_RBP,
	CUL_X86_RSP,
	CUL_X86_R8,
	CUL_X86_R9,
	CUL_X86_R10,
	CUL_X86_R11,
	CUL_X86_R12,
	CUL_X86_R13,
	CUL_X86_R14,
	CUL_X86_R15,
	CUL_X86_RIP,
};

/*
 * At the trampoline the stack pointer is at the ucontext of struct rt_sigframe, whose uc_mcontext
 * is at 40 (arch/x86/include/uapi/asm/sigcontext.h, struct sigcontext_64).
 */
static const struct cul_signal_reg signal_regs[] = {
	{CUL_X86_R8, 40},
	{CUL_X86_R9, 48},
	{CUL_X86_R10, 56},
	{CUL_X86_R11, 64},
	{CUL_X86_R12, 72},
	{CUL_X86_R13, 80},
	{CUL_X86_R14, 88},
	{CUL_X86_R15, 96},
	{CUL_X86_RDI, 104},
	{CUL_X86_RSI, 112},
	{CUL_X86_RBP, 120},
	{CUL_X86_RBX, 128},
	{CUL_X86_RDX, 136},
	{CUL_X86_RAX, 144},
	{CUL_X86_RCX, 152},
	{CUL_X86_RSP, 160},
	{CUL_X86_RIP, 168},
	{CUL_X86_EFLAGS, 176},
};

/* rt_sigreturn is system call 15: with a 64-bit (glibc) and a 32-bit (musl) move. */
static const struct cul_signal_frame signals[] = {
	{{0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05}, 9, {0, 7}, signal_regs,
		sizeof(signal_regs) / sizeof(signal_regs[0])},
	{{0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05}, 7, {0, 5}, signal_regs,
		sizeof(signal_regs) / sizeof(signal_regs[0])},
};

static const struct cul_fp_layout fp_layouts[] = {{CUL_X86_RBP, 0, 8, 16}};

/* Bytes of ModRM, SIB and displacement. */
static unsigned operand_length(const uint8_t *modrm, size_t size)
{
	unsigned mod = modrm[0] >> 6, rm = modrm[0] & 7;
	unsigned len = 1, disp = mod == 1 ? 1 : mod == 2 ? 4 : 0;

	if (mod == 3)
		return 1;
	if (rm == 4) {
		if (size < 2)
			return 0;
		len++;
		if (mod == 0 && (modrm[1] & 7) == 5)
			disp = 4;
	} else if (mod == 0 && rm == 5) {
		disp = 4;
	}
	return len + disp;
}

/* call rel32 (e8) and call r/m64 (ff /2), Intel SDM volume 2, CALL. */
static bool after_call(const uint8_t *bytes, size_t size, uint64_t ra, uint64_t *target)
{
	if (size >= 5 && bytes[size - 5] == 0xe8) {
		const uint8_t *at = bytes + size - 4;
		uint32_t rel = at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;

		if (target)
			*target = ra + (uint64_t)(int64_t)(int32_t)rel;
		return true;
	}
	for (size_t len = 2; len <= 7 && len <= size; len++) {
		const uint8_t *at = bytes + size - len;

		if (at[0] != 0xff || (at[1] >> 3 & 7) != 2)
			continue;
		if (1 + operand_length(at + 1, len - 1) != len)
			continue;
		if (target)
			*target = 0;
		return true;
	}
	return false;
}

/* mov $60, %al (musl) or %eax (glibc); syscall */
static const struct cul_exit_code exits[] = {
	{{0xb0, 0x3c, 0x0f, 0x05}, 4}, {{0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05}, 7}};

const struct cul_arch_unwind cul_x86_unwind = {
	.dwarf_regs = dwarf_regs,
	.n_dwarf_regs = sizeof(dwarf_regs) / sizeof(dwarf_regs[0]),
	.reg_fp = CUL_X86_RBP,
	.reg_lr = CUL_NO_REG,
	.stack_align = 8,
	.insn_align = 1,
	.preserved = 1ull << CUL_X86_RBX | 1ull << CUL_X86_RBP | 1ull << CUL_X86_R12 |
		     1ull << CUL_X86_R13 | 1ull << CUL_X86_R14 | 1ull << CUL_X86_R15,
	.fp_layouts = fp_layouts,
	.n_fp_layouts = 1,
	.signals = signals,
	.n_signals = sizeof(signals) / sizeof(signals[0]),
	.exits = exits,
	.n_exits = sizeof(exits) / sizeof(exits[0]),
	.after_call = after_call,
	.call_bytes = 7,
	.analyse = cul_x86_analyse,
};
