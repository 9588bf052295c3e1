/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/core.h"
#include "arch/mips/decode.h"
#include "arch/mips/mips.h"

#include <elf.h>

/* 0-31 are the general registers; gcc's hi and lo are 64 and 65, which frames do not need. */
static const uint8_t dwarf_regs[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
	18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

/* s0-s7, gp (n64: always; o32: by those who call through it), s8. */
#define PRESERVED (0xffull << CUL_MIPS_S0 | 1ull << CUL_MIPS_GP | 1ull << CUL_MIPS_S8)

/*
 * Signal frames (arch/mips/kernel/signal.c, struct sigframe and rt_sigframe; signal_o32.c is the
 * same for 32-bit programs on a 64-bit kernel): 16 bytes for arguments and 8 for the trampoline
 * that the stack held once; rt: siginfo of 128 bytes, ucontext whose mcontext is at 24 (o32) or 40.
 * Registers are 64 bits wide in each of them: of a big-endian o32 process the low half comes
 * second.
 */
#define REGS_8(base, low, first)                                                                   \
	{first, (base) + (first)*8 + (low)}, {first + 1, (base) + (first + 1) * 8 + (low)},        \
		{first + 2, (base) + (first + 2) * 8 + (low)},                                     \
		{first + 3, (base) + (first + 3) * 8 + (low)},                                     \
		{first + 4, (base) + (first + 4) * 8 + (low)},                                     \
		{first + 5, (base) + (first + 5) * 8 + (low)},                                     \
		{first + 6, (base) + (first + 6) * 8 + (low)},                                     \
	{                                                                                          \
		first + 7, (base) + (first + 7) * 8 + (low)                                        \
	}
#define ALL_REGS(base, low)                                                                        \
	REGS_8(base, low, 0), REGS_8(base, low, 8), REGS_8(base, low, 16), REGS_8(base, low, 24)

/* o32: sigcontext is regmask, status, pc, regs. sigframe: it is at 24; rt_sigframe: at 24+128+24.
 */
#define O32(name, low)                                                                             \
	static const struct cul_signal_reg name##_regs[] = {                                       \
		ALL_REGS(24 + 16, low), {CUL_MIPS_EPC, 24 + 8 + (low)}};                           \
	static const struct cul_signal_reg name##_rt_regs[] = {                                    \
		ALL_REGS(24 + 128 + 24 + 16, low), {CUL_MIPS_EPC, 24 + 128 + 24 + 8 + (low)}}

/* n64: regs come first; then f0-f31, hi, lo and three of each more, pc. */
enum { N64_MCONTEXT = 24 + 128 + 40, N64_PC = N64_MCONTEXT + 64 * 8 + 8 * 8 };

O32(be, 4);
O32(le, 0);
static const struct cul_signal_reg n64_regs[] = {ALL_REGS(N64_MCONTEXT, 0), {CUL_MIPS_EPC, N64_PC}};

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* li $v0, __NR_sigreturn (4119), __NR_rt_sigreturn (4193; n64: 5211); syscall. */
static const struct cul_signal_frame be_signals[] = {
	{{0x24, 0x02, 0x10, 0x17, 0, 0, 0, 0x0c}, 8, {0, 4}, be_regs, N(be_regs)},
	{{0x24, 0x02, 0x10, 0x61, 0, 0, 0, 0x0c}, 8, {0, 4}, be_rt_regs, N(be_rt_regs)},
};
static const struct cul_signal_frame le_signals[] = {
	{{0x17, 0x10, 0x02, 0x24, 0x0c, 0, 0, 0}, 8, {0, 4}, le_regs, N(le_regs)},
	{{0x61, 0x10, 0x02, 0x24, 0x0c, 0, 0, 0}, 8, {0, 4}, le_rt_regs, N(le_rt_regs)},
};
static const struct cul_signal_frame be64_signals[] = {
	{{0x24, 0x02, 0x14, 0x5b, 0, 0, 0, 0x0c}, 8, {0, 4}, n64_regs, N(n64_regs)},
};
static const struct cul_signal_frame le64_signals[] = {
	{{0x5b, 0x14, 0x02, 0x24, 0x0c, 0, 0, 0}, 8, {0, 4}, n64_regs, N(n64_regs)},
};

static uint32_t word_be(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

static uint32_t word_le(const uint8_t *b)
{
	return (uint32_t)b[3] << 24 | b[2] << 16 | b[1] << 8 | b[0];
}

/* The call is before its delay slot. */
static bool is_call(uint32_t w, uint64_t ra, uint64_t *target)
{
	struct cul_flow_insn insn = {0};

	cul_mips_decode(w, 8, ra - 8, &insn);
	if (insn.end != CUL_PATH_CALL)
		return false;
	if (target)
		*target = insn.target;
	return true;
}

/* li v0, __NR_exit (4001: o32, 5058: n64); syscall */
static const struct cul_exit_code be_exits[] = {{{0x24, 2, 0x0f, 0xa1, 0, 0, 0, 0x0c}, 8}};
static const struct cul_exit_code le_exits[] = {{{0xa1, 0x0f, 2, 0x24, 0x0c, 0, 0, 0}, 8}};
static const struct cul_exit_code be64_exits[] = {{{0x24, 2, 0x13, 0xc2, 0, 0, 0, 0x0c}, 8}};
static const struct cul_exit_code le64_exits[] = {{{0xc2, 0x13, 2, 0x24, 0x0c, 0, 0, 0}, 8}};

#define FLAVOUR(name, order, bytes, signal_frames, exit_codes)                                     \
	static void name##_decode(                                                                 \
		const uint8_t *code, size_t size, uint64_t pc, struct cul_flow_insn *out)          \
	{                                                                                          \
		if (size >= 4)                                                                     \
			cul_mips_decode(word_##order(code), bytes, pc, out);                       \
	}                                                                                          \
	static bool name##_after_call(                                                             \
		const uint8_t *code, size_t size, uint64_t ra, uint64_t *target)                   \
	{                                                                                          \
		return size >= 8 && is_call(word_##order(code + size - 8), ra, target);            \
	}                                                                                          \
	static int name##_analyse(const struct cul_code *code, const struct cul_code_place *at,    \
		struct cul_rules *out)                                                             \
	{                                                                                          \
		static const struct cul_flow_arch arch = {32, CUL_MIPS_SP, CUL_MIPS_RA,            \
			CUL_MIPS_EPC, CUL_MIPS_ZERO, 4, PRESERVED, name##_decode};                 \
		return cul_flow_analyse(&arch, code, at, out);                                     \
	}                                                                                          \
	const struct cul_arch_unwind cul_##name##_unwind = {                                       \
		.dwarf_regs = dwarf_regs,                                                          \
		.n_dwarf_regs = N(dwarf_regs),                                                     \
		.reg_fp = CUL_MIPS_S8,                                                             \
		.reg_lr = CUL_MIPS_RA,                                                             \
		.stack_align = bytes * 2,                                                          \
		.insn_align = 4,                                                                   \
		.preserved = PRESERVED,                                                            \
		.signals = signal_frames,                                                          \
		.n_signals = N(signal_frames),                                                     \
		.exits = exit_codes,                                                               \
		.n_exits = N(exit_codes),                                                          \
		.after_call = name##_after_call,                                                   \
		.call_bytes = 8,                                                                   \
		.analyse = name##_analyse,                                                         \
	}

FLAVOUR(mips, be, 4, be_signals, be_exits);
FLAVOUR(mipsel, le, 4, le_signals, le_exits);
FLAVOUR(mips64, be, 8, be64_signals, be64_exits);
FLAVOUR(mips64el, le, 8, le64_signals, le64_exits);

/* clang-format off */
static const char *const reg_names[CUL_MIPS_N_REGS] = {
	"zero", "at", "v0", "v1", "a0", "a1", "a2", "a3", "t0", "t1", "t2", "t3", "t4", "t5", "t6",
	"t7", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "t8", "t9", "k0", "k1", "gp", "sp",
	"s8", "ra", "lo", "hi", "pc", "badvaddr", "status", "cause",
};
/* clang-format on */

#define ARCH(id, bytes, big, notes)                                                                \
	const struct cul_arch cul_arch_##id = {                                                    \
		.name = #id,                                                                       \
		.word = bytes,                                                                     \
		.big_endian = big,                                                                 \
		.elf_machine = EM_MIPS,                                                            \
		.n_regs = CUL_MIPS_N_REGS,                                                         \
		.reg_names = reg_names,                                                            \
		.reg_ip = CUL_MIPS_EPC,                                                            \
		.reg_sp = CUL_MIPS_SP,                                                             \
		.reg_flags = CUL_MIPS_STATUS,                                                      \
		.reg_ret = CUL_MIPS_V0,                                                            \
		.unwind = &cul_##id##_unwind,                                                      \
		.core = &notes,                                                                    \
	}

ARCH(mips, 4, true, cul_mips_core);
ARCH(mipsel, 4, false, cul_mips_core);
ARCH(mips64, 8, true, cul_mips64_core);
ARCH(mips64el, 8, false, cul_mips64_core);
