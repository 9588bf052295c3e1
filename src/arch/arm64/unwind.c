/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm64/arm64.h"

#include <elf.h>

#include "arch/core.h"

/* DWARF for the Arm 64-bit Architecture, table 4: x0-x30 and sp; 32 is the pc. */
static const uint8_t dwarf_regs[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
	18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};

/* struct rt_sigframe (arch/arm64/kernel/signal.c): siginfo of 128 bytes, then ucontext, whose */
/* uc_mcontext is at 176 (uapi/asm/ucontext.h): fault_address, regs[31], sp, pc, pstate. */
enum { REGS = 128 + 176 + 8 };

#define R(i)                                                                                       \
	{                                                                                          \
		i, REGS + (i)*8                                                                    \
	}
static const struct cul_signal_reg signal_regs[] = {R(0), R(1), R(2), R(3), R(4), R(5), R(6), R(7),
	R(8), R(9), R(10), R(11), R(12), R(13), R(14), R(15), R(16), R(17), R(18), R(19), R(20),
	R(21), R(22), R(23), R(24), R(25), R(26), R(27), R(28), R(29), R(30), R(31), R(32), R(33)};

/*
 * mov x8, #139 (rt_sigreturn); svc #0. The first record behind the registers is that of FPSIMD
 * (uapi/asm/sigcontext.h: FPSIMD_MAGIC), at a multiple of 16.
 */
static const struct cul_signal_frame signals[] = {
	{{0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4}, 8, {0, 4}, signal_regs, CUL_ARM64_N_REGS,
		REGS + 34 * 8 + 8, {0x46508001}},
};

/* Procedure Call Standard, 6.4.6: the frame record. It lies below the rest of the frame. */
static const struct cul_fp_layout fp_layouts[] = {{CUL_ARM64_FP, 0, 8, 16}};

static bool after_call(const uint8_t *bytes, size_t size, uint64_t ra, uint64_t *target)
{
	struct cul_flow_insn insn = {0};

	if (size < 4)
		return false;
	cul_arm64_decode(bytes + size - 4, 4, ra - 4, &insn);
	if (insn.end != CUL_PATH_CALL)
		return false;
	if (target)
		*target = insn.target;
	return true;
}

#define PRESERVED (0x7ffull << 19) /* x19-x29 */

static int analyse(
	const struct cul_code *code, const struct cul_code_place *at, struct cul_rules *out)
{
	static const struct cul_flow_arch arch = {CUL_ARM64_SP + 1, CUL_ARM64_SP, CUL_ARM64_LR,
		CUL_ARM64_PC, CUL_NO_REG, 4, PRESERVED, cul_arm64_decode};

	return cul_flow_analyse(&arch, code, at, out);
}

/* mov x8, #93; svc #0 */
static const struct cul_exit_code exits[] = {{{0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4}, 8}};

static const struct cul_arch_unwind unwind = {
	.dwarf_regs = dwarf_regs,
	.n_dwarf_regs = sizeof(dwarf_regs),
	.reg_fp = CUL_ARM64_FP,
	.reg_lr = CUL_ARM64_LR,
	.stack_align = 16,
	.insn_align = 4,
	.preserved = PRESERVED,
	/*
	 * A signature (pointer authentication) is above the 48 bits of a user's address; kernels
	 * for fewer tell of the others (cul_unwinder_signature).
	 */
	.pc_clear = 0xffffull << 48,
	.fp_layouts = fp_layouts,
	.n_fp_layouts = 1,
	.signals = signals,
	.n_signals = 1,
	.exits = exits,
	.n_exits = 1,
	.after_call = after_call,
	.call_bytes = 4,
	.analyse = analyse,
};

/* clang-format off */
static const char *const reg_names[CUL_ARM64_N_REGS] = {
	"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
	"x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26",
	"x27", "x28", "x29", "x30", "sp", "pc", "pstate",
};
/* clang-format on */

static const unsigned syscall_regs[] = {8, 0, 1, 2, 3, 4, 5};

/* arch/arm64/include/asm/syscall_wrapper.h (v6.12): SC_ARM64_REGS_TO_ARGS. */
static const struct cul_arch_syscall syscalls[] = {{"__arm64_sys_", syscall_regs + 1, false}, {0}};

const struct cul_arch cul_arch_aarch64 = {
	.name = "aarch64",
	.word = 8,
	.elf_machine = EM_AARCH64,
	.n_regs = CUL_ARM64_N_REGS,
	.reg_names = reg_names,
	.reg_ip = CUL_ARM64_PC,
	.reg_sp = CUL_ARM64_SP,
	.reg_flags = CUL_ARM64_PSTATE,
	.syscall_regs = syscall_regs,
	.syscalls = syscalls,
	.syscall_back = 4, /* do_signal() of arch/arm64/kernel/signal.c, before it stops */
	.stub = cul_arm64_stub,
	.unwind = &unwind,
	.core = &cul_arm64_core,
};
