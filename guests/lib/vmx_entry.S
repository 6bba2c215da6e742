/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VM entry and exit. HOST_RSP is a constant, so that an entry needs no VMWRITE:
 * the real stack pointer is kept in memory.
 */
#include "vectors.h"

	.macro each_reg op
	\op	%rax, 0
	\op	%rcx, 1
	\op	%rdx, 2
	\op	%rbx, 3
	\op	%rbp, 5
	\op	%rsi, 6
	\op	%r8, 8
	\op	%r9, 9
	\op	%r10, 10
	\op	%r11, 11
	\op	%r12, 12
	\op	%r13, 13
	\op	%r14, 14
	\op	%r15, 15
	.endm
	.macro load reg, n
	mov	8 * \n(%rdi), \reg
	.endm
	.macro save reg, n
	mov	\reg, 8 * \n(%rdi)
	.endm

	.text
	/* u32 vmx_enter(u64 *regs, u32 resume): 0, or CF and ZF as 1 and 2 */
	.globl vmx_enter
vmx_enter:
	push_saved
	mov	%rsp, l1_rsp
	mov	%rdi, l2_regs
	test	%esi, %esi
	each_reg load
	mov	8 * 7(%rdi), %rdi
	jnz	1f
	vmlaunch
	jmp	2f
1:	vmresume
2:	setc	%al
	setz	%cl
	movzbl	%al, %eax
	movzbl	%cl, %ecx
	lea	(%rax, %rcx, 2), %eax
	jmp	3f

	.globl vmx_exit
vmx_exit:
	push	%rdi
	mov	l2_regs, %rdi
	each_reg save
	pop	8 * 7(%rdi)
	xor	%eax, %eax
3:	mov	l1_rsp, %rsp
	pop_saved
	ret

	.bss
	.balign 16
	.globl exit_stack_top
	.skip	64
exit_stack_top:
l1_rsp:
	.skip	8
l2_regs:
	.skip	8

	.section .note.GNU-stack, "", @progbits
