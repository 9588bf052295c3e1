/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm/flow.h"
#include "arch/core.h"

#include <elf.h>

/* DWARF for the Arm Architecture, 4.1: r0-r15. */
static const uint8_t dwarf_regs[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/*
 * arch/arm/kernel/signal.c: struct sigframe is a ucontext, struct rt_sigframe a siginfo of 128
 * bytes and one; uc_mcontext is at 20 (uapi/asm/sigcontext.h): trap_no, error_code, oldmask, r0 ...
 * pc, cpsr.
 */
#define R(base, i)                                                                                 \
	{                                                                                          \
		i, (base) + 20 + 12 + (i)*4                                                        \
	}
#define ALL(base)                                                                                  \
	R(base, 0), R(base, 1), R(base, 2), R(base, 3), R(base, 4), R(base, 5), R(base, 6),        \
		R(base, 7), R(base, 8), R(base, 9), R(base, 10), R(base, 11), R(base, 12),         \
		R(base, 13), R(base, 14), R(base, 15), R(base, 16)

static const struct cul_signal_reg plain_regs[] = {ALL(0)};
static const struct cul_signal_reg rt_regs[] = {ALL(128)};
enum { N_SIGNAL_REGS = 17 };

/*
 * uc_regspace, at 232, begins with the record of a coprocessor (asm/ucontext.h): VFP_MAGIC or, of
 * kernels that know of another one, IWMMXT_MAGIC or DUMMY_MAGIC.
 */
#define MARKS                                                                                      \
	{                                                                                          \
		0x56465001, 0x12ef842a, 0xb0d9ed01                                                 \
	}
#define PLAIN plain_regs, N_SIGNAL_REGS, 232, MARKS
#define RT    rt_regs, N_SIGNAL_REGS, 128 + 232, MARKS

/* mov r7, #119 (sigreturn) or #173 (rt_sigreturn); svc: of C libraries and the kernel's own, which
 * is for OABI, too, in ARM code (arch/arm/kernel/sigreturn_codes.S) */
static const struct cul_signal_frame signals[] = {
	{{0x77, 0x70, 0xa0, 0xe3, 0, 0, 0, 0xef}, 8, {0, 4}, PLAIN},
	{{0xad, 0x70, 0xa0, 0xe3, 0, 0, 0, 0xef}, 8, {0, 4}, RT},
	{{0x77, 0x70, 0xa0, 0xe3, 0x77, 0, 0x90, 0xef}, 8, {0, 4}, PLAIN},
	{{0xad, 0x70, 0xa0, 0xe3, 0xad, 0, 0x90, 0xef}, 8, {0, 4}, RT},
	{{0x77, 0x27, 0x00, 0xdf}, 4, {0, 2}, PLAIN},
	{{0xad, 0x27, 0x00, 0xdf}, 4, {0, 2}, RT},
	/* glibc's own, of Thumb */
	{{0x4f, 0xf0, 0x77, 0x07, 0x00, 0xdf}, 6, {0, 4}, PLAIN},
	{{0x4f, 0xf0, 0xad, 0x07, 0x00, 0xdf}, 6, {0, 4}, RT},
};

/*
 * Where fp points: clang's and gcc's Thumb: at the saved fp, lr above it; gcc's ARM: at the saved
 * lr, fp below it; APCS (-mapcs-frame): at the saved pc, below it lr, sp and fp.
 */
static const struct cul_fp_layout fp_layouts[] = {
	{CUL_ARM_FP, -12, -4, 4},
	{CUL_ARM_FP, -4, 0, 4},
	{CUL_ARM_FP, 0, 4, 8},
	{CUL_ARM_R7, 0, 4, 8},
};

/* Bits of CPSR: T, the condition flags. */
#define CPSR_T    (1ull << 5)
#define CPSR_NZCV (0xfull << 28)

static bool is_call(
	void (*decode)(const uint8_t *bytes, size_t size, uint64_t pc, struct cul_flow_insn *out),
	const uint8_t *bytes, unsigned len, uint64_t ra, uint64_t *target)
{
	struct cul_flow_insn insn = {0};

	decode(bytes, len, ra - len, &insn);
	if (insn.end != CUL_PATH_CALL || insn.len != len)
		return false;
	if (target)
		*target = insn.target;
	return true;
}

static bool after_call(const uint8_t *bytes, size_t size, uint64_t ra, uint64_t *target)
{
	const uint8_t *end = bytes + size;

	if (ra & 1) {
		ra &= ~1ull;
		return (size >= 4 && is_call(cul_arm_t32, end - 4, 4, ra, target)) ||
		       (size >= 2 && is_call(cul_arm_t32, end - 2, 2, ra, target));
	}
	if (size < 4 || ra % 4)
		return false;
	if (is_call(cul_arm_a32, end - 4, 4, ra, target))
		return true;
	/* Old code: mov lr, pc before a jump. */
	if (target)
		*target = 0;
	return size >= 8 && arm_word(end - 8) == 0xe1a0e00f;
}

static int analyse(
	const struct cul_code *code, const struct cul_code_place *at, struct cul_rules *out)
{
	static const struct cul_flow_arch a32 = {CUL_ARM_PC, CUL_ARM_SP, CUL_ARM_LR, CUL_ARM_PC,
		CUL_NO_REG, 4, CUL_ARM_PRESERVED, cul_arm_a32, cul_arm_holds};
	static const struct cul_flow_arch t32 = {CUL_ARM_PC, CUL_ARM_SP, CUL_ARM_LR, CUL_ARM_PC,
		CUL_NO_REG, 2, CUL_ARM_PRESERVED, cul_arm_t32, cul_arm_holds};

	return cul_flow_analyse(at->flags & CPSR_T ? &t32 : &a32, code, at, out);
}

/* mov r7, #1; svc 0: ARM, and Thumb's long and short form */
static const struct cul_exit_code exits[] = {{{1, 0x70, 0xa0, 0xe3, 0, 0, 0, 0xef}, 8},
	{{0x4f, 0xf0, 1, 7, 0, 0xdf}, 6}, {{1, 0x27, 0, 0xdf}, 4}};

static const struct cul_arch_unwind unwind = {
	.dwarf_regs = dwarf_regs,
	.n_dwarf_regs = sizeof(dwarf_regs),
	.reg_fp = CUL_ARM_FP,
	.reg_lr = CUL_ARM_LR,
	.stack_align = 8,
	.insn_align = 2,
	.preserved = CUL_ARM_PRESERVED,
	.pc_clear = 1,
	.fp_layouts = fp_layouts,
	.n_fp_layouts = sizeof(fp_layouts) / sizeof(fp_layouts[0]),
	.signals = signals,
	.n_signals = sizeof(signals) / sizeof(signals[0]),
	.exits = exits,
	.n_exits = sizeof(exits) / sizeof(exits[0]),
	.has_exidx = true,
	.after_call = after_call,
	.call_bytes = 8,
	.analyse = analyse,
	.flags_used = CPSR_T | CPSR_NZCV,
	.pc_mode = 1,
	.flags_mode = CPSR_T,
};

static const char *const reg_names[CUL_ARM_N_REGS] = {"r0", "r1", "r2", "r3", "r4", "r5", "r6",
	"r7", "r8", "r9", "r10", "r11", "r12", "sp", "lr", "pc", "cpsr", "orig_r0"};

const struct cul_arch cul_arch_arm = {
	.name = "arm",
	.word = 4,
	.elf_machine = EM_ARM,
	.n_regs = CUL_ARM_N_REGS,
	.reg_names = reg_names,
	.reg_ip = CUL_ARM_PC,
	.reg_sp = CUL_ARM_SP,
	.reg_flags = CUL_ARM_CPSR,
	.stub = cul_arm_stub,
	.unwind = &unwind,
	.core = &cul_arm_core,
};
