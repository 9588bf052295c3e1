/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program without a library that dies of SIGSEGV at a known place, for the cores of this
 * directory (make runs it). The first thread, the innermost call first:
 *
 *	crash handler <signal frame> interrupted middle outer begin _start
 *
 * where the access is to address 0x10, and two others:
 *
 *	sleeping thread_inner thread_outer spawn
 */
#include <stddef.h>

#define NOINLINE __attribute__((noinline, used))
#define STACK	 4096

enum { CLONE_FLAGS = 0x50f00, SIGNAL = 10, CRASH = 0x10 };

/* raw(number, a, b, c, d): the system call. spawn(function, stack): a thread that runs it. */
long raw(long number, long a, long b, long c, long d);
long spawn(void (*function)(void), void *stack);
void __restore_rt(void);

#if defined(__x86_64__)
enum { NR_SIGACTION = 13, NR_PAUSE = 34, NR_YIELD = 24, NR_KILL = 62, NR_GETPID = 39, MASK = 8 };
struct action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};
__asm__(".globl _start, raw, spawn, __restore_rt\n"
	".type _start, @function\n.type raw, @function\n.type spawn, @function\n"
	"_start: .cfi_startproc\n.cfi_undefined rip\n xor %ebp, %ebp\n call begin\n hlt\n .cfi_endproc\n"
	".size _start, . - _start\n"
	"raw: .cfi_startproc\n mov %rdi, %rax\n mov %rsi, %rdi\n mov %rdx, %rsi\n mov %rcx, %rdx\n"
	" mov %r8, %r10\n syscall\n ret\n .cfi_endproc\n.size raw, . - raw\n"
	"spawn: .cfi_startproc\n .cfi_undefined rip\n mov %rdi, %r12\n mov $0x50f00, %edi\n"
	" mov $56, %eax\n xor %edx, %edx\n xor %r10d, %r10d\n xor %r8d, %r8d\n syscall\n test %eax, %eax\n"
	" jz 1f\n ret\n1: xor %ebp, %ebp\n call *%r12\n hlt\n .cfi_endproc\n.size spawn, . - spawn\n"
	"nop\n__restore_rt: mov $15, %rax\n syscall\n");
#elif defined(__aarch64__)
enum { NR_SIGACTION = 134, NR_YIELD = 124, NR_KILL = 129, NR_GETPID = 172, NR_PAUSE = 73 /* ppoll */, MASK = 8 };
struct action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};
__asm__(".globl _start, raw, spawn\n"
	".type _start, %function\n.type raw, %function\n.type spawn, %function\n"
	"_start: .cfi_startproc\n.cfi_undefined x30\n mov x29, #0\n mov x30, #0\n bl begin\n brk #0\n"
	" .cfi_endproc\n.size _start, . - _start\n"
	"raw: .cfi_startproc\n mov x8, x0\n mov x0, x1\n mov x1, x2\n mov x2, x3\n mov x3, x4\n svc #0\n ret\n"
	" .cfi_endproc\n.size raw, . - raw\n"
	"spawn: .cfi_startproc\n .cfi_undefined x30\n mov x9, x0\n mov x0, #0xf00\n movk x0, #5, lsl #16\n"
	" mov x2, #0\n mov x3, #0\n mov x4, #0\n mov x8, #220\n svc #0\n cbz x0, 1f\n ret\n"
	"1: mov x29, #0\n mov x30, #0\n blr x9\n brk #0\n .cfi_endproc\n.size spawn, . - spawn\n");
#elif defined(__arm__)
enum { NR_SIGACTION = 174, NR_PAUSE = 29, NR_YIELD = 158, NR_KILL = 37, NR_GETPID = 20, MASK = 8 };
struct action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask[2];
};
__asm__(".globl _start, raw, spawn\n.arm\n"
	".type _start, %function\n.type raw, %function\n.type spawn, %function\n"
	"_start: .fnstart\n.cantunwind\n mov fp, #0\n mov lr, #0\n bl begin\n udf #0\n .fnend\n"
	".size _start, . - _start\n.globl __aeabi_unwind_cpp_pr0, __aeabi_unwind_cpp_pr1\n"
	"__aeabi_unwind_cpp_pr0: __aeabi_unwind_cpp_pr1: bx lr\n" /* the tables name these */
	"raw: .fnstart\n .save {r4, r7}\n push {r4, r7}\n mov r7, r0\n mov r0, r1\n mov r1, r2\n mov r2, r3\n"
	" ldr r3, [sp, #8]\n svc #0\n pop {r4, r7}\n bx lr\n .fnend\n.size raw, . - raw\n"
	"spawn: .fnstart\n.cantunwind\n mov ip, r0\n push {r4, r7}\n ldr r0, =0x50f00\n mov r2, #0\n mov r3, #0\n"
	" mov r4, #0\n mov r7, #120\n svc #0\n cmp r0, #0\n beq 1f\n pop {r4, r7}\n bx lr\n"
	"1: mov fp, #0\n mov lr, #0\n blx ip\n udf #0\n .fnend\n.ltorg\n.size spawn, . - spawn\n");
#elif defined(__mips__)
#ifdef __mips64
enum { NR_SIGACTION = 5013, NR_PAUSE = 5033, NR_YIELD = 5023, NR_KILL = 5060, NR_GETPID = 5038 };
#define CLONE "5055"
#define LOAD  "ld"
#define STORE "sd"
#define ADD   "daddiu"
#else
enum { NR_SIGACTION = 4194, NR_PAUSE = 4029, NR_YIELD = 4162, NR_KILL = 4037, NR_GETPID = 4020 };
#define CLONE "4120"
#define LOAD  "lw"
#define STORE "sw"
#define ADD   "addiu"
#endif
enum { MASK = 16 };
struct action {
	unsigned flags;
	void (*handler)(int);
	unsigned mask[4];
};
__asm__(".globl __start, raw, spawn\n.set noreorder\n"
	".type __start, @function\n.type raw, @function\n.type spawn, @function\n"
	"__start: move $31, $0\n jal begin\n nop\n break\n.size __start, . - __start\n"
#ifdef __mips64
	"raw: move $2, $4\n move $4, $5\n move $5, $6\n move $6, $7\n move $7, $8\n syscall\n jr $31\n nop\n"
#else
	"raw: move $2, $4\n move $4, $5\n move $5, $6\n move $6, $7\n lw $7, 16($29)\n syscall\n jr $31\n nop\n"
#endif
	".size raw, . - raw\n"
	"spawn: " STORE " $4, -64($5)\n " ADD " $5, $5, -64\n li $4, 0x50f00\n move $6, $0\n move $7, $0\n"
	" li $2, " CLONE "\n syscall\n beqz $2, 1f\n nop\n jr $31\n nop\n"
	"1: " LOAD " $25, 0($29)\n move $31, $0\n jalr $25\n nop\n break\n.size spawn, . - spawn\n.set reorder\n");
#else
#error "no such architecture here"
#endif

static volatile int n_ready;
static char stacks[2][STACK] __attribute__((aligned(16)));

static long call(long number, long a, long b, long c, long d)
{
	return raw(number, a, b, c, d);
}

NOINLINE void sleeping(void)
{
	__atomic_add_fetch(&n_ready, 1, __ATOMIC_SEQ_CST);
	for (;;)
		call(NR_PAUSE, 0, 0, 0, 0);
}

NOINLINE void thread_inner(void)
{
	sleeping();
	__asm__ volatile("");
}

NOINLINE void thread_outer(void)
{
	thread_inner();
	__asm__ volatile("");
}

NOINLINE int crash(volatile int *where)
{
	return *where + 1;
}

NOINLINE void handler(int signal)
{
	n_ready += crash((volatile int *)CRASH);
	__asm__ volatile("");
}

NOINLINE void interrupted(void)
{
	call(NR_KILL, call(NR_GETPID, 0, 0, 0, 0), SIGNAL, 0, 0);
	__asm__ volatile("");
}

NOINLINE void middle(void)
{
	interrupted();
	__asm__ volatile("");
}

NOINLINE void outer(void)
{
	middle();
	__asm__ volatile("");
}

NOINLINE void begin(void)
{
	struct action action = {0};

	action.handler = handler;
#if defined(__x86_64__)
	action.flags = 0x04000000; /* SA_RESTORER */
	action.restorer = __restore_rt;
#endif
	call(NR_SIGACTION, SIGNAL, (long)&action, 0, MASK);
	for (int i = 0; i < 2; i++)
		spawn(thread_outer, stacks[i] + STACK);
	while (n_ready < 2)
		call(NR_YIELD, 0, 0, 0, 0);
	outer();
	__asm__ volatile("");
}
