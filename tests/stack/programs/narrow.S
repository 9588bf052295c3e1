# SPDX-License-Identifier: GPL-2.0-or-later
# A 32-bit program, of system calls alone: it says "ready" and pauses.
	.text
	.globl _start
	.type _start, @function
_start:
	movl $4, %eax		# write
	movl $1, %ebx
	movl $text, %ecx
	movl $6, %edx
	int $0x80
	call wait_for_ever
	.size _start, . - _start

	.type wait_for_ever, @function
wait_for_ever:
	movl $29, %eax		# pause
	int $0x80
	jmp wait_for_ever
	.size wait_for_ever, . - wait_for_ever

	.section .rodata
text:
	.ascii "ready\n"
	.section .note.GNU-stack, "", @progbits
