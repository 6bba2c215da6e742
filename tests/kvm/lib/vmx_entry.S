/* SPDX-License-Identifier: GPL-2.0-only */
#include "../../../guests/lib/vectors.h"
#include "guest.h"

	.text

/*
 * %rdi: L2's function, %rsi: its argument, %edx: launched already.
 * Returns 0 after an exit, 1 after VMfailInvalid, 2 after VMfailValid.
 */
	.globl vmx_enter
vmx_enter:
	push_saved
	pushf
	push	%gs:CPU_STACK
	/* Not the VMCS's own field: in an enlightened one it may have to stay. */
	mov	%rsp, %gs:CPU_HOST_STACK
	test	%edx, %edx
	jnz	1f
	vmlaunch
	jmp	2f
1:	vmresume
2:	mov	$1, %eax
	mov	$2, %ecx
	cmovz	%ecx, %eax
	jmp	3f
	.globl vmx_exited
vmx_exited:
	mov	%gs:CPU_HOST_STACK, %rsp
	xor	%eax, %eax
3:	pop	%gs:CPU_STACK
	/* An exit clears IF: put it back. */
	popf
	pop_saved
	ret

	.globl vmx_l2_start
vmx_l2_start:
	mov	%rdi, %rax
	mov	%rsi, %rdi
	call	*%rax
1:	vmcall
	jmp	1b

	.section .note.GNU-stack, "", @progbits
