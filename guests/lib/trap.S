/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exceptions, and the calls that survive them. Handlers never return to where
 * the exception came from: they end the call_at() in progress, or the guest.
 */
#include "vectors.h"
#include "x86.h"

/* Offsets in struct trap. */
#define TRAP_VECTOR	0
#define TRAP_ERROR	8
#define TRAP_RIP	16
#define TRAP_CR2	24
#define TRAP_VALUE	32

	.text
	/* VECTOR_STUB_SIZE (16) bytes each. */
	.globl vector_stubs
	.balign 16
vector_stubs:
	vector_stubs common

common:
	cmpq	$0, call_rsp
	je	fatal
	mov	%rax, trap + TRAP_VALUE
	pop	%rax
	mov	%rax, trap + TRAP_VECTOR
	pop	%rax
	mov	%rax, trap + TRAP_ERROR
	pop	%rax
	mov	%rax, trap + TRAP_RIP
	mov	%cr2, %rax
	mov	%rax, trap + TRAP_CR2
	xor	%eax, %eax
	jmp	end_call

fatal:
	mov	%rsp, %rdi
	call	trap_fatal

	/*
	 * The call ran to its end. The stack in use may be under test (PKS-6):
	 * leave it without touching it.
	 */
	.globl landing
landing:
	mov	%rax, trap + TRAP_VALUE
	movq	$NO_FAULT, trap + TRAP_VECTOR
	mov	$1, %eax

end_call:
	mov	$SEL_DATA, %ecx
	mov	%ecx, %ss
	mov	call_rsp, %rsp
	movq	$0, call_rsp
	pop_saved
	ret

	/* bool call_at(int cpl, const void *fn, u64 a, u64 b) */
	.globl call_at
call_at:
	push_saved
	mov	%rsp, call_rsp
	mov	%edi, %eax
	mov	%rsi, %r8
	mov	%rdx, %rdi
	mov	%rcx, %rsi
	test	%eax, %eax
	jnz	1f
	sub	$8, %rsp		/* the call finds the stack aligned */
	call	*%r8
	jmp	landing
1:	sub	$user_start, %r8
	add	user_code, %r8
	pushfq
	pop	%r9
	push	$SEL_USER_DATA
	push	user_stack
	push	%r9
	push	$SEL_USER_CODE
	push	%r8
	iretq

	.section .user, "ax"
	.globl user_exit
user_exit:
	int	$VEC_LAND

	.bss
	.balign 8
	.globl trap, user_code, user_stack
trap:
	.skip	40
call_rsp:
	.skip	8
user_code:
	.skip	8
user_stack:
	.skip	8

	.section .note.GNU-stack, "", @progbits
