/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a multiboot loader's 32-bit protected mode to guest_main() in long mode.
 */
#include "x86.h"

#define MULTIBOOT_MAGIC	0x1badb002

	.section .multiboot, "a"
	.balign 4
	.long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

	.text
	.code32
	.globl _start
_start:
	cli
	cld
	mov	$stack_top, %esp
	mov	%ebx, %edi			# multiboot information

	/* 512 pages of 2 MiB, accessed and dirty, key OWN_KEY. */
	mov	$boot_pd, %ebx
	mov	$0x000000e3, %eax
	xor	%ecx, %ecx
1:	mov	%eax, (%ebx, %ecx, 8)
	movl	$(OWN_KEY << 27), 4(%ebx, %ecx, 8)
	add	$0x200000, %eax
	inc	%ecx
	cmp	$512, %ecx
	jne	1b
	movl	$(boot_pd + 0x27), boot_pdpt
	movl	$(boot_pdpt + 0x27), boot_pml4
	movl	$(boot_pml4 + 0x27), boot_pml5

	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$boot_pml4, %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	$(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE), %eax
	mov	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$SEL_CODE64, $start64

	.code64
start64:
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	mov	%edi, %edi
	call	lib_main
1:	hlt
	jmp	1b

	/* void use_root(u64 *root, u64 cr4): CR4.LA57 changes with paging off only. */
	.globl use_root
use_root:
	ljmp	*use_root_pointer
	.code32
use_root32:
	mov	%cr0, %eax
	and	$~CR0_PG, %eax
	mov	%eax, %cr0
	mov	%esi, %cr4
	mov	%edi, %cr3
	or	$CR0_PG, %eax
	mov	%eax, %cr0
	ljmp	$SEL_CODE64, $1f
	.code64
1:	ret

	.data
use_root_pointer:
	.long	use_root32
	.word	SEL_CODE32
gdt_pointer:
	.word	GDT_ENTRIES * 8 - 1
	.quad	gdt

	.bss
	.balign 4096
	.globl boot_pml5, boot_pml4, boot_pd
boot_pml5:
	.skip	4096
boot_pml4:
	.skip	4096
boot_pdpt:
	.skip	4096
boot_pd:
	.skip	4096
	.skip	65536
stack_top:

	.section .note.GNU-stack, "", @progbits
