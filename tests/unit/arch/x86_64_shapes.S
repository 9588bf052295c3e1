/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ways to touch eight bytes of memory, one function each, for x86_64_live.c: a child process
 * runs them under hardware watchpoints. `shape_var` is watched, rdi and rdx point to it, rsi to
 * other memory. What the CPU lacks ends in SIGILL, and the parent goes on at the function's end.
 *
 *	SHAPE expected, "the instruction", "what must come before it"
 *
 * expected: CERTAIN, LIKELY (an address that the instruction itself destroys), or the words for
 * what no code before the trap can show.
 */
#define UNKNOWN 0
#define LIKELY  1
#define CERTAIN 2

	.macro SHAPE expected, insn, setup=""
	.text
	.p2align 4
	.type shape_\@, @function
shape_\@:
	mov	%rsp, %r15
	lea	shape_var(%rip), %rdi
	mov	%rdi, %rdx
	lea	shape_other(%rip), %rsi
	movabs	$0x8182838485868788, %rax
	movabs	$0x9192939495969798, %rbx
	mov	$3, %ecx
	mov	%rdi, %r8
	mov	$0x21222324, %r9d
	\setup
	\insn
.Lend_\@:
	cld
	mov	%r15, %rsp
	ret
.Lfinish_\@:
	.section .rodata
.Ltext_\@:
	.asciz	"\insn"
	.section .data.rel.ro, "aw"
	.quad	shape_\@, .Lend_\@, .Lfinish_\@, .Ltext_\@, \expected
	.text
	.endm

	.section .data.rel.ro, "aw"
	.globl	shape_table
	.p2align 3
shape_table:

	/* plain moves */
	SHAPE CERTAIN, "movb $0x81, 3(%rdi)"
	SHAPE CERTAIN, "movw $0x8182, 2(%rdi)"
	SHAPE CERTAIN, "movl $0x81828384, 4(%rdi)"
	SHAPE CERTAIN, "movq $-5, (%rdi)"
	SHAPE CERTAIN, "mov %rax, (%rdi)"
	SHAPE CERTAIN, "mov %eax, 4(%rdi)"
	SHAPE CERTAIN, "mov %ax, 6(%rdi)"
	SHAPE CERTAIN, "mov %al, 7(%rdi)"
	SHAPE CERTAIN, "mov %ah, (%rdi)"
	SHAPE CERTAIN, "mov %bh, 1(%rdi)"
	SHAPE CERTAIN, "mov %r9b, (%rdi)"
	SHAPE CERTAIN, "mov %r9, (%r8)"
	SHAPE CERTAIN, "mov %rdi, (%rdi)"
	SHAPE CERTAIN, "mov %rax, shape_var(%rip)"
	SHAPE CERTAIN, "movl $7, shape_var+4(%rip)"
	SHAPE CERTAIN, "mov %eax, -24(%rdi, %rcx, 8)"
	SHAPE CERTAIN, "mov %eax, -4(%rdi)", "lea 4(%rdi), %rdi"
	SHAPE CERTAIN, "mov %eax, (, %rdi, 1)"
	SHAPE CERTAIN, "mov %rax, -4(%rdi)" /* the upper half alone */
	SHAPE CERTAIN, "mov %rsp, (%rdi)"
	SHAPE CERTAIN, "mov %cs, (%rdi)"
	SHAPE CERTAIN, "mov %ds, (%rdi)"
	SHAPE CERTAIN, "movnti %rax, (%rdi)"
	SHAPE CERTAIN, "movnti %eax, (%rdi)"
	SHAPE CERTAIN, "movbe %rax, (%rdi)"
	SHAPE CERTAIN, "movbe %ax, (%rdi)"
	SHAPE CERTAIN, "movbe (%rdi), %rax"
	SHAPE CERTAIN, "sete 5(%rdi)", "cmp %eax, %eax"
	SHAPE CERTAIN, "setne (%rdi)", "cmp %eax, %eax"
	SHAPE CERTAIN, "setl (%rdi)", "cmp $0, %ebx"
	SHAPE CERTAIN, "setbe (%rdi)", "cmp $1, %ebx"
	SHAPE CERTAIN, "setp (%rdi)", "cmp $1, %ebx"
	SHAPE CERTAIN, "mov (%rdi), %rax"
	SHAPE CERTAIN, "mov (%rdi), %ah"
	SHAPE LIKELY, "mov (%rdi), %rdi"
	SHAPE LIKELY, "mov (%rdi), %edi"
	SHAPE LIKELY, "movzbl (%rdi), %edi"
	SHAPE CERTAIN, "movslq (%rdi), %rax"
	SHAPE CERTAIN, "cmovne (%rdi), %eax"

	/* arithmetic */
	SHAPE CERTAIN, "add %rax, (%rdi)"
	SHAPE CERTAIN, "add (%rdi), %rax"
	SHAPE LIKELY, "add (%rdi), %rdi"
	SHAPE CERTAIN, "addl $1, 4(%rdi)"
	SHAPE CERTAIN, "adcb $1, 4(%rdi)"
	SHAPE CERTAIN, "subw $500, 4(%rdi)"
	SHAPE CERTAIN, "orl $0, (%rdi)"
	SHAPE CERTAIN, "andb $0, (%rdi)"
	SHAPE CERTAIN, "xor %cl, (%rdi)"
	SHAPE CERTAIN, "cmp %rax, (%rdi)"
	SHAPE CERTAIN, "cmp (%rdi), %rdi"
	SHAPE CERTAIN, "cmpl $5, (%rdi)"
	SHAPE CERTAIN, "test %rax, (%rdi)"
	SHAPE CERTAIN, "testb $5, (%rdi)"
	SHAPE CERTAIN, "incl (%rdi)"
	SHAPE CERTAIN, "decb (%rdi)"
	SHAPE CERTAIN, "negq (%rdi)"
	SHAPE CERTAIN, "notw (%rdi)"
	SHAPE CERTAIN, "shll %cl, (%rdi)"
	SHAPE CERTAIN, "shrq (%rdi)"
	SHAPE CERTAIN, "sarb $3, (%rdi)"
	SHAPE CERTAIN, "rolq $9, (%rdi)"
	SHAPE CERTAIN, "rcrl %cl, (%rdi)"
	SHAPE CERTAIN, "shld $3, %rax, (%rdi)"
	SHAPE CERTAIN, "shrd %cl, %eax, (%rdi)"
	SHAPE CERTAIN, "imul (%rdi), %eax"
	SHAPE CERTAIN, "imul $9, (%rdi), %eax"
	SHAPE CERTAIN, "mull (%rdi)"
	SHAPE LIKELY, "mulq (%rdx)"
	SHAPE CERTAIN, "divq (%rdi)", "movq $-1, (%rdi); xor %edx, %edx"
	SHAPE CERTAIN, "crc32q (%rdi), %rax"
	SHAPE CERTAIN, "popcnt (%rdi), %eax"
	SHAPE CERTAIN, "andn (%rdi), %rax, %rbx"
	SHAPE CERTAIN, "mulx (%rdi), %rax, %rbx"
	SHAPE LIKELY, "mulx (%rdi), %rdi, %rbx"

	/* atomic */
	SHAPE CERTAIN, "lock decl 4(%rdi)"
	SHAPE CERTAIN, "lock addq $-1, (%rdi)"
	SHAPE CERTAIN, "lock xadd %rax, (%rdi)"
	SHAPE LIKELY, "lock xadd %rdi, (%rdi)"
	SHAPE CERTAIN, "xchg %rax, (%rdi)"
	SHAPE CERTAIN, "xchg %cl, (%rdi)"
	SHAPE LIKELY, "xchg %rdi, (%rdi)"
	SHAPE CERTAIN, "lock cmpxchg %rcx, (%rdi)", "mov (%rdi), %rax"
	SHAPE CERTAIN, "lock cmpxchg %rcx, (%rdi)", "movq $1, (%rdi)"
	SHAPE CERTAIN, "cmpxchg %rcx, (%rax)", "mov %rdi, (%rdi); mov %rdi, %rax"
	SHAPE LIKELY, "cmpxchg %rcx, (%rax)", "movq $2, (%rdi); mov %rdi, %rax"
	SHAPE CERTAIN, "lock cmpxchg8b (%rdi)"
	SHAPE CERTAIN, "lock cmpxchg16b (%rdi)"
	SHAPE CERTAIN, "lock cmpxchg16b 16(%rdi)", "sub $16, %rdi"
	SHAPE CERTAIN, "btsl $5, (%rdi)"
	SHAPE CERTAIN, "lock btsl $37, (%rdi)"
	SHAPE CERTAIN, "btr %rax, (%rdi)", "mov $1600, %eax; sub $200, %rdi"
	SHAPE CERTAIN, "btc %rax, (%rdi)", "mov $-1600, %rax; add $200, %rdi"
	SHAPE CERTAIN, "bts %eax, (%rdi)", "mov $-1600, %eax; add $200, %rdi"
	SHAPE CERTAIN, "bts %ax, (%rdi)", "mov $-1600, %ax; add $200, %rdi"
	SHAPE CERTAIN, "bt %rax, (%rdi)", "mov $65, %eax; sub $8, %rdi"

	/* the stack */
	SHAPE CERTAIN, "push %rax", "lea 8(%rdi), %rsp"
	SHAPE CERTAIN, "push %r9", "lea 8(%rdi), %rsp"
	SHAPE CERTAIN, "push %rsp", "lea 8(%rdi), %rsp"
	SHAPE CERTAIN, "push %r12", "lea 8(%rdi), %rsp"
	SHAPE CERTAIN, "push $-7", "lea 8(%rdi), %rsp"
	SHAPE CERTAIN, "push $0x12345678", "lea 8(%rdi), %rsp"
	SHAPE CERTAIN, "pushw %ax", "lea 8(%rdi), %rsp"
	SHAPE CERTAIN, "pushw $0x1234", "lea 8(%rdi), %rsp"
	SHAPE CERTAIN, "push %fs", "lea 8(%rdi), %rsp"
	SHAPE CERTAIN, "pushfq", "lea 8(%rdi), %rsp"
	SHAPE CERTAIN, "push (%rsi)", "lea 8(%rdi), %rsp"
	SHAPE CERTAIN, "push (%rdi)", "lea -32(%rdi), %rsp"
	SHAPE CERTAIN, "push 32(%rsp)", "lea -32(%rdi), %rsp"
	SHAPE CERTAIN, "pop %rax", "mov %rdi, %rsp"
	SHAPE LIKELY, "pop %rsp", "mov %rdi, %rsp"
	SHAPE CERTAIN, "pop (%rsi)", "mov %rdi, %rsp"
	SHAPE CERTAIN, "pop (%rdi)", "lea -32(%rdi), %rsp"
	SHAPE CERTAIN, "pop 24(%rsp)", "lea -32(%rdi), %rsp"
	SHAPE CERTAIN, "popfq", "mov %rdi, %rsp; movq $0x202, (%rdi)"
	SHAPE CERTAIN, "leave", "mov %rdi, %rbp; mov %rsp, (%rdi)"
	SHAPE CERTAIN, "enter $16, $0", "lea 8(%rdi), %rsp"
	SHAPE CERTAIN, "enter $16, $2", "lea 16(%rdi), %rsp; mov %rsp, %rbp; addq $64, %rbp"
	SHAPE CERTAIN, "call 1f; 1:", "lea 8(%rdi), %rsp"
	SHAPE LIKELY, "call shape_callee", "lea 8(%rdi), %rsp"
	SHAPE LIKELY, "call *%rax", "lea 8(%rdi), %rsp; lea shape_callee(%rip), %rax"
	SHAPE LIKELY, "call *(%rsi)", "lea 8(%rdi), %rsp; lea shape_callee(%rip), %rax; mov %rax, (%rsi)"
	SHAPE LIKELY, "call shape_callee; nop", "lea 8(%rdi), %rsp"
	SHAPE UNKNOWN, "jmp *(%rdi); nop; 1:", "lea 1f(%rip), %rax; mov %rax, (%rdi)"
	SHAPE UNKNOWN, "call *(%rdi)", "lea shape_callee(%rip), %rax; mov %rax, (%rdi)"

	/* strings */
	SHAPE CERTAIN, "movsb"
	SHAPE CERTAIN, "movsw"
	SHAPE CERTAIN, "movsl", "add $7, %rdi; std"
	SHAPE CERTAIN, "movsq", "xchg %rsi, %rdi"
	SHAPE CERTAIN, "stosb"
	SHAPE CERTAIN, "stosw"
	SHAPE CERTAIN, "stosl"
	SHAPE CERTAIN, "stosq", "std"
	SHAPE CERTAIN, "lodsb", "mov %rdi, %rsi"
	SHAPE CERTAIN, "lodsq", "mov %rdi, %rsi"
	SHAPE CERTAIN, "scasl"
	SHAPE CERTAIN, "cmpsb"
	SHAPE CERTAIN, "rep movsb"
	SHAPE CERTAIN, "rep movsq"
	SHAPE CERTAIN, "rep movsq", "sub $16, %rdi"
	SHAPE CERTAIN, "rep movsb", "sub $64, %rdi; mov $128, %ecx"
	SHAPE CERTAIN, "rep movsb", "sub $512, %rdi; mov $1024, %ecx"
	SHAPE CERTAIN, "rep movsb", "sub $1024, %rdi; mov $4096, %ecx"
	SHAPE CERTAIN, "rep movsq", "add $64, %rdi; mov $16, %ecx; std"
	SHAPE CERTAIN, "rep stosb", "sub $512, %rdi; mov $1024, %ecx"
	SHAPE CERTAIN, "rep stosq", "sub $512, %rdi; mov $128, %ecx"
	SHAPE CERTAIN, "rep stosl", "mov $3, %ecx"
	SHAPE CERTAIN, "rep lodsb", "mov %rdi, %rsi"
	SHAPE CERTAIN, "repne scasb", "mov $20, %ecx; sub $8, %rdi; movq $0, (%rdi)"
	SHAPE CERTAIN, "repe cmpsb", "mov $20, %ecx"
	SHAPE LIKELY, "xlatb", "mov %rdi, %rbx; mov $3, %al"

	/* vectors */
	SHAPE CERTAIN, "movd %xmm1, 4(%rdi)"
	SHAPE CERTAIN, "movq %xmm1, (%rdi)"
	SHAPE CERTAIN, "movq (%rdi), %xmm1"
	SHAPE CERTAIN, "movss %xmm1, (%rdi)"
	SHAPE CERTAIN, "movsd %xmm1, (%rdi)"
	SHAPE CERTAIN, "movsd (%rdi), %xmm1"
	SHAPE CERTAIN, "movhps %xmm1, (%rdi)"
	SHAPE CERTAIN, "movlpd %xmm1, (%rdi)"
	SHAPE CERTAIN, "movhpd (%rdi), %xmm1"
	SHAPE CERTAIN, "movaps %xmm1, (%rdi)"
	SHAPE CERTAIN, "movups %xmm1, -8(%rdi)"
	SHAPE CERTAIN, "movdqu %xmm1, -12(%rdi)"
	SHAPE CERTAIN, "movntdq %xmm1, (%rdi)"
	SHAPE CERTAIN, "movntps %xmm1, (%rdi)"
	SHAPE CERTAIN, "movups (%rdi), %xmm1"
	SHAPE CERTAIN, "lddqu (%rdi), %xmm1"
	SHAPE CERTAIN, "addps (%rdi), %xmm1"
	SHAPE CERTAIN, "ptest (%rdi), %xmm1"
	SHAPE CERTAIN, "cvtsi2sdl (%rdi), %xmm1"
	SHAPE CERTAIN, "pextrb $1, %xmm1, 3(%rdi)"
	SHAPE CERTAIN, "pextrw $1, %xmm1, 2(%rdi)"
	SHAPE CERTAIN, "pextrq $1, %xmm1, (%rdi)"
	SHAPE CERTAIN, "extractps $1, %xmm1, (%rdi)"
	SHAPE CERTAIN, "maskmovdqu %xmm1, %xmm1", "pcmpeqb %xmm1, %xmm1"
	SHAPE CERTAIN, "movq %mm1, (%rdi)"
	SHAPE CERTAIN, "movntq %mm1, (%rdi)"
	SHAPE CERTAIN, "maskmovq %mm1, %mm1", "pcmpeqb %mm1, %mm1"
	SHAPE CERTAIN, "vmovdqu %ymm1, -16(%rdi)"
	SHAPE CERTAIN, "vmovaps %ymm1, -32(%rdi)", "add $32, %rdi"
	SHAPE CERTAIN, "vmovups (%rdi), %ymm1"
	SHAPE CERTAIN, "vmovntps %ymm1, (%rdi)"
	SHAPE CERTAIN, "vextracti128 $1, %ymm1, (%rdi)"
	SHAPE CERTAIN, "vmaskmovps %ymm1, %ymm1, (%rdi)", "vpcmpeqb %xmm1, %xmm1, %xmm1"
	SHAPE CERTAIN, "vcvtps2ph $0, %ymm1, (%rdi)"
	SHAPE CERTAIN, "vptest (%rdi), %ymm1"
	SHAPE CERTAIN, "vmovdqu64 %zmm1, 128(%rdi)", "sub $128, %rdi"
	/* what capstone 4.0.2 does not know: by its form, and in front of a store that it knows */
	SHAPE LIKELY, "vpmovdb %xmm1, (%rdi)"
	SHAPE LIKELY, "vextractf32x8 $1, %zmm1, -16(%rdi)"
	SHAPE CERTAIN, "vpmovdb %zmm1, (%rdi){%k1}", "kxnorw %k1, %k1, %k1"
	SHAPE CERTAIN, "vmovdqu8 %xmm1, (%rdi){%k1}", "kxnorw %k1, %k1, %k1"
	SHAPE LIKELY, "kmovq %k1, (%rdi)", "kxnorw %k1, %k1, %k1"
	SHAPE CERTAIN, "movl $0x81828384, 4(%rdi)", "vpaddusb %zmm1, %zmm2, %zmm3"
	SHAPE CERTAIN, "movl $0x81828384, 4(%rdi)", "vaddps {rn-sae}, %zmm1, %zmm2, %zmm3"
	SHAPE CERTAIN, "vpmovqb %zmm1, (%rdi)"
	SHAPE CERTAIN, "vmovups %zmm1, -64(%rdi)", "add $32, %rdi"
	SHAPE CERTAIN, "vmovdqu8 %zmm1, (%rdi) {%k1}", "kxnorq %k1, %k1, %k1"
	SHAPE CERTAIN, "vmovdqu8 (%rdi), %zmm1 {%k1}", "kxnorq %k1, %k1, %k1"
	SHAPE LIKELY, "vpaddd (%rdi){1to16}, %zmm1, %zmm2"
	SHAPE LIKELY, "vscatterdps %zmm1, (%rdi, %zmm2, 4) {%k1}", "kxnorw %k1, %k1, %k1; vpxord %zmm2, %zmm2, %zmm2"
	SHAPE LIKELY, "vpgatherdd %ymm3, (%rdi, %ymm2, 4), %ymm1", "vpcmpeqb %ymm3, %ymm3, %ymm3; vpxor %ymm2, %ymm2, %ymm2"

	/* state */
	SHAPE CERTAIN, "fxsave -64(%rdi)"
	SHAPE CERTAIN, "fxsave64 -64(%rdi)"
	SHAPE CERTAIN, "xsave -64(%rdi)", "mov $7, %eax; xor %edx, %edx"
	SHAPE CERTAIN, "xsavec (%rdi)", "mov $7, %eax; xor %edx, %edx"
	SHAPE LIKELY, "xsaveopt -640(%rdi)", "vpcmpeqb %ymm3, %ymm3, %ymm3; mov $7, %eax; xor %edx, %edx"
	SHAPE CERTAIN, "fnstenv (%rdi)"
	SHAPE CERTAIN, "fnsave -64(%rdi)"
	SHAPE CERTAIN, "fnstcw (%rdi)"
	SHAPE CERTAIN, "fldcw (%rdi)", "fnstcw (%rdi)"
	SHAPE CERTAIN, "stmxcsr (%rdi)"
	SHAPE CERTAIN, "ldmxcsr (%rdi)", "stmxcsr (%rdi)"
	SHAPE CERTAIN, "vstmxcsr (%rdi)"
	SHAPE CERTAIN, "fstpt (%rdi)", "fldz"
	SHAPE CERTAIN, "fstl (%rdi)", "fldz"
	SHAPE CERTAIN, "fldl (%rdi)"
	SHAPE CERTAIN, "fistpll (%rdi)", "fldz"
	SHAPE CERTAIN, "fisttps (%rdi)", "fldz"
	SHAPE CERTAIN, "fildl (%rdi)"
	SHAPE CERTAIN, "fbstp (%rdi)", "fldz"
	SHAPE CERTAIN, "fnstsw (%rdi)"

	/* segments: the base is in no register */
	SHAPE LIKELY, "incl %fs:(%rdi)", "sub %fs:0, %rdi"
	SHAPE LIKELY, "mov %rax, %fs:(%rdi)", "sub %fs:0, %rdi"
	SHAPE CERTAIN, "mov %rax, %gs:(%rdi)" /* 0 here, and given to the search */
	SHAPE CERTAIN, "endbr64; mov %rax, (%rdi)"
	SHAPE CERTAIN, "nopw (%rdi); mov %rax, (%rdi); lea (%rdi), %rax"
	SHAPE LIKELY, "jmp 1f; .byte 0x0f; 1: mov %rax, (%rdi)" /* data in the text */

	.section .data.rel.ro, "aw"
	.quad	0, 0, 0, 0, 0

	.text
	.globl	shape_callee
	.type	shape_callee, @function
	.p2align 4
shape_callee:
	nop
	ret
	.globl	shape_callee_end
shape_callee_end:

	/* void shape_run(void (*shape)(void)): it may change any register but r15 */
	.globl	shape_run
	.type	shape_run, @function
shape_run:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	sub	$8, %rsp
	call	*%rdi
	add	$8, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.bss
	.globl	shape_var
	.p2align 12
	.zero	16384
shape_var:
	.zero	16384
shape_other:
	.zero	16384

	.section .note.GNU-stack, "", @progbits
