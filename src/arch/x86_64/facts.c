/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>

#include "arch/core.h"
#include "arch/x86_64/x86_64.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

/* struct pt_regs, arch/x86/include/asm/ptrace.h; the same order as user_regs_struct's head. */
/* clang-format off */
static const char *const reg_names[CUL_X86_N_REGS] = {
	"r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax",
	"rcx", "rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss",
};
/* clang-format on */

/* arch/x86/entry/entry_64.S, entry_SYSCALL_64: the number is kept in orig_rax. */
static const unsigned syscall_regs[] = {CUL_X86_ORIG_RAX, CUL_X86_RDI, CUL_X86_RSI, CUL_X86_RDX,
	CUL_X86_R10, CUL_X86_R8, CUL_X86_R9};

/* arch/x86/include/asm/syscall_wrapper.h (v6.12): SC_X86_64_REGS_TO_ARGS, SC_IA32_REGS_TO_ARGS. */
static const unsigned ia32_syscall_regs[] = {
	CUL_X86_RBX, CUL_X86_RCX, CUL_X86_RDX, CUL_X86_RSI, CUL_X86_RDI, CUL_X86_RBP};

static const struct cul_arch_syscall syscalls[] = {
	{"__x64_sys_", syscall_regs + 1, false}, {"__ia32_sys_", ia32_syscall_regs, true}, {0}};

/* CPUID.1:ECX[31]: 0 on every processor (Intel SDM, volume 2, CPUID), set by hypervisors. */
static bool in_virtual_machine(void)
{
#ifdef __x86_64__
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx >> 31;
#else
	return false;
#endif
}

/*
 * Breakpoint facts: Intel SDM volume 3, "Debug Registers" (4 registers, R/W and LEN
 * fields, data breakpoints are traps) and arch/x86/kernel/hw_breakpoint.c (HW_BREAKPOINT_R
 * alone is refused).
 */
const struct cul_arch cul_arch_x86_64 = {
	.name = "x86_64",
	.word = 8,
	.elf_machine = EM_X86_64,
	.trap_after = true,
	.watch_slots = 4,
	.watch_max = 8,
	.watch_read_only = false,
	.n_regs = CUL_X86_N_REGS,
	.reg_names = reg_names,
	.reg_ip = CUL_X86_RIP,
	.reg_sp = CUL_X86_RSP,
	.reg_flags = CUL_X86_EFLAGS,
	.arg_regs = cul_x86_arg_regs,
	.n_arg_regs = CUL_X86_N_ARG_REGS,
	.reg_ret = CUL_X86_RAX,
	.syscall_regs = syscall_regs,
	.syscalls = syscalls,
	.place_args = cul_x86_place_args,
	.returns_in_memory = cul_x86_returns_in_memory,
	.own_trap = 0xf1, /* exc_debug_user(): an empty DR6 is taken for int1 */
	.in_virtual_machine = in_virtual_machine,
	.find_access = cul_x86_find_access,
	.decode = cul_x86_decode,
	.stub = cul_x86_stub,
	.unwind = &cul_x86_unwind,
	.core = &cul_x86_core,
};
