/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest that sets the bits CR4 of that register, says so on COM1 and halts. */
	.code32
	.text
	.globl _start
	.long	0x1badb002, 0, -0x1badb002
_start:
	movl	%cr4, %eax
	orl	$CR4, %eax
	movl	%eax, %cr4
	movw	$0x3f8, %dx
	movb	$'\n', %al
	outb	%al, %dx
	cli
1:	hlt
	jmp	1b
