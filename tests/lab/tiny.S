/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The smallest guests, written without any of guests/: what END does is said at
 * assembly, by one of BYTE=n, WIDE=n, CPUS=n, ARGS, HANG, TRIPLE, FLOOD.
 */
	.code32
	.text
	.globl _start
	.long	0x1badb002, 0, -0x1badb002
_start:
	movl	16(%ebx), %edi		/* the command line */
	movw	$0x3f8, %dx
	movl	$text, %esi
1:	lodsb
	testb	%al, %al
	jz	2f
	outb	%al, %dx
	jmp	1b
2:
#ifdef FLOOD
	movb	$'x', %al
3:	outb	%al, %dx
	jmp	3b
#endif
#ifdef BYTE
	movb	$BYTE, %al
	outb	%al, $0xf4
#endif
#ifdef CPUS				/* as many processors as CPUID tells? */
	movl	$1, %eax
	cpuid
	shrl	$16, %ebx
	subb	$CPUS, %bl
	movb	%bl, %al
	outb	%al, $0xf4
#endif
#ifdef ARGS				/* print the command line */
	movl	%edi, %esi
5:	lodsb
	testb	%al, %al
	jz	6f
	outb	%al, %dx
	jmp	5b
6:	outb	%al, $0xf4
#endif
#ifdef WIDE
	movl	$WIDE, %eax
	outl	%eax, $0xf4
#endif
#ifdef TRIPLE
	lidt	nothing
	int3
#endif
	cli
4:	hlt
	jmp	4b

nothing:
	.word	0
	.long	0
text:
	.asciz	"tiny\n"
