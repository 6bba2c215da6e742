/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulated machine's whole firmware, the last 4 KiB below 4 GiB: enter
 * 32-bit protected mode as the PVH and multiboot boot protocols want it and
 * jump. Kernel, initramfs and the block that says where to jump are in RAM
 * already (boot.c), so there is nothing to probe and nothing to load.
 */
#define BLOCK 0x10000			/* boot.c: entry, EAX, EBX, table of processors */
#define LOW 0x9fc00			/* where systems look for that; 1 KiB */

	.code16
	.globl rom
rom:
	cli
	lgdtl	%cs:(gdtr - rom + 0xf000)
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$8, $flat

	.code32
flat:
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%eax, %ss
	xorl	%esp, %esp
	movl	$0x1a0, %ecx		/* IA32_MISC_ENABLE: fast string operations, */
	rdmsr				/* or Linux copies and clears by loops */
	orl	$1, %eax
	wrmsr
	movl	$0x3fb, %edx		/* COM1: 8 bits, which firmware sets up */
	movb	$3, %al
	outb	%al, %dx
	movl	BLOCK + 12, %esi	/* or 0, where there are zeros */
	movl	$LOW, %edi
	movl	$0x400 / 4, %ecx
	rep movsl
	movl	BLOCK + 4, %eax
	movl	BLOCK + 8, %ebx
	jmp	*BLOCK

	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* flat code */
	.quad	0x00cf93000000ffff	/* flat data */
gdtr:
	.word	gdtr - gdt - 1
	.long	gdt

	.org	0xff0			/* where the CPU starts */
	.code16
	jmp	rom
	.org	0x1000
