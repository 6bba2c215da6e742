/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Modes in which protection keys mean nothing (PKS-1): paging off, 32-bit
 * paging, PAE paging; and compatibility mode, in which they do.
 */
#include "x86.h"

/* Offsets in struct legacy. */
#define L_CR0		0
#define L_CR3		4
#define L_CR4		8
#define L_PKRS		12
#define L_ADDRESS	16
#define L_VALUE		20
#define L_FAULTED	24
#define L_FLIP		28
#define L_AFTER		32

	.text
	.code64
	/* u32 compat_read(u32 *p): far call to 32-bit code and back. */
	.globl compat_read
compat_read:
	push	%rbp
	mov	%rsp, %rbp
	lcall	*compat_pointer
	mov	%rbp, %rsp
	pop	%rbp
	ret

	.code32
compat32:
	mov	(%edi), %eax
	lret

	/* void legacy_access(struct legacy *l); all of it below 4 GiB. */
	.code64
	.globl legacy_access
legacy_access:
	push	%rbx
	push	%rbp
	mov	%cr0, %rax
	mov	%eax, saved_cr0
	mov	%cr3, %rax
	mov	%eax, saved_cr3
	mov	%cr4, %rax
	mov	%eax, saved_cr4
	sidt	saved_idt
	call	build_idt32
	mov	%rsp, %rbp
	ljmp	*legacy_pointer

	.code32
legacy32:
	mov	$SEL_DATA, %eax
	mov	%eax, %ss
	mov	%eax, %ds
	mov	saved_cr0, %eax
	and	$~CR0_PG, %eax
	mov	%eax, %cr0
	mov	$~EFER_LME, %esi
	xor	%ebx, %ebx
	call	set_lme
	lidt	idt32_pointer
	mov	L_CR4(%edi), %eax
	mov	%eax, %cr4
	mov	L_PKRS(%edi), %eax
	call	set_pkrs
	mov	L_CR3(%edi), %eax
	mov	%eax, %cr3
	movl	$0, L_FAULTED(%edi)
	mov	L_CR0(%edi), %eax
	mov	%eax, %cr0
	jmp	1f
1:	mov	L_ADDRESS(%edi), %ebx
	mov	(%ebx), %eax
	mov	%eax, L_VALUE(%edi)
	inc	%eax
	mov	%eax, (%ebx)
	mov	%cr4, %eax
	xor	L_FLIP(%edi), %eax
	mov	%eax, %cr4
	mov	(%ebx), %eax
	mov	%eax, L_AFTER(%edi)
	jmp	back

fault32:
	mov	%ebp, %esp
	movl	$1, L_FAULTED(%edi)
back:
	mov	saved_cr0, %eax
	and	$~CR0_PG, %eax
	mov	%eax, %cr0
	jmp	1f
1:	xor	%eax, %eax
	call	set_pkrs
	mov	saved_cr4, %eax
	mov	%eax, %cr4
	mov	saved_cr3, %eax
	mov	%eax, %cr3
	mov	$~0, %esi
	mov	$EFER_LME, %ebx
	call	set_lme
	mov	saved_cr0, %eax
	mov	%eax, %cr0
	ljmp	$SEL_CODE64, $legacy64

	/* EFER = EFER & ESI | EBX */
set_lme:
	mov	$MSR_EFER, %ecx
	rdmsr
	and	%esi, %eax
	or	%ebx, %eax
	wrmsr
	ret

	/* Where CR4.PKS is to be set: not on a processor without PKS. */
set_pkrs:
	testl	$CR4_PKS, L_CR4(%edi)
	jz	1f
	mov	$MSR_PKRS, %ecx
	xor	%edx, %edx
	wrmsr
1:	ret

	.code64
legacy64:
	lidt	saved_idt
	mov	%ebp, %esp
	pop	%rbp
	pop	%rbx
	ret

	/* Every exception of the 32-bit modes goes to fault32. */
build_idt32:
	mov	$fault32, %eax
	mov	%eax, %edx
	and	$0xffff, %eax
	or	$(SEL_CODE32 << 16), %eax
	and	$0xffff0000, %edx
	or	$0x8e00, %edx
	xor	%ecx, %ecx
1:	mov	%eax, idt32(, %rcx, 8)
	mov	%edx, idt32 + 4(, %rcx, 8)
	inc	%ecx
	cmp	$32, %ecx
	jne	1b
	ret

	.data
compat_pointer:
	.long	compat32
	.word	SEL_CODE32
legacy_pointer:
	.long	legacy32
	.word	SEL_CODE32
idt32_pointer:
	.word	32 * 8 - 1
	.long	idt32

	.bss
	.balign 8
idt32:
	.skip	32 * 8
saved_idt:
	.skip	16
saved_cr0:
	.skip	4
saved_cr3:
	.skip	4
saved_cr4:
	.skip	4

	.section .note.GNU-stack, "", @progbits
