/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Four million frames in a function whose table takes a thousand operations to tell where its
 * caller's is.
 */
	.globl	main, costly, behind
	.type	main, @function
main:
	leaq	room_end(%rip), %rsp
	leaq	behind(%rip), %rax
	movl	$4000000, %ecx
1:	pushq	%rax
	loop	1b
	leaq	text(%rip), %rsi
	movl	$1, %eax
	movl	$1, %edi
	movl	$6, %edx
	syscall
	jmp	wait
	.size	main, . - main

	.type	costly, @function
costly:
	.cfi_startproc
	/* CFA = rsp + 8, after counting down from 240 */
	.cfi_escape 0x0f, 11, 0x77, 8, 0x08, 240, 0x31, 0x1c, 0x12, 0x28, 0xfa, 0xff, 0x13
	call	wait
behind:
wait:	movl	$34, %eax
	syscall
	jmp	wait
	.cfi_endproc
	.size	costly, . - costly

	.section .rodata
text:	.ascii	"ready\n"
	.bss
room:	.skip	32 << 20
room_end:
	.section .note.GNU-stack, "", @progbits
