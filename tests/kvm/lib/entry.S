/* SPDX-License-Identifier: GPL-2.0-only */
#include "../../../guests/lib/vectors.h"
#include "guest.h"

	.text

/* %rdi: the guest's function, %rsi: its argument */
	.globl guest_entry
guest_entry:
	mov	%rdi, %rax
	mov	%rsi, %rdi
	call	*%rax
1:	mov	$PORT_DONE, %edx
	outb	%al, %dx
	jmp	1b

	.globl guest_try
guest_try:
	push_saved
	push	%gs:CPU_STACK
	mov	%rsp, %gs:CPU_STACK
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	call	*%rax
	mov	$-1, %eax
leave_try:
	pop	%gs:CPU_STACK
	pop_saved
	ret

	.globl guest_user
guest_user:
	mov	$USER_ALIAS, %rax
	add	%rax, %rdi
	push	$SEL_USER_DATA
	push	$0
	push	$0x3202		/* IF, IOPL 3 */
	push	$SEL_USER_CODE
	push	%rdi
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	iretq

/*
 * Every exception ends in guest_try(), as a longjmp() would: there is nothing
 * to return to, so all vectors can share one IST stack.
 */
	.globl guest_vectors
	.balign	16
guest_vectors:
	vector_stubs exception

exception:
	pop	%gs:CPU_VECTOR
	pop	%gs:CPU_ERROR
	pop	%gs:CPU_RIP
	mov	%cr2, %rax
	mov	%rax, %gs:CPU_ADDRESS
	cmpq	$0, %gs:CPU_STACK
	je	1f
	mov	%gs:CPU_STACK, %rsp
	mov	%gs:CPU_VECTOR, %eax
	cld
	jmp	leave_try
1:	mov	$PORT_PANIC, %edx
	outb	%al, %dx
	jmp	1b

	.macro	probe name, insn:vararg
	.globl	\name
	.balign	16
\name:
	\insn
	ud2
	int3
	.endm

	/* KVM emulates what follows the prefix, under kvm.force_emulation_prefix=1. */
	.macro	forced name, insn:vararg
	.globl	\name
	.balign	16
\name:
	ud2
	.ascii	"kvm"
	\insn
	ud2
	int3
	.endm

	probe probe_read, mov (%rdi), %al
	probe probe_write, mov %al, (%rdi)
	probe probe_rmw, orb $1, (%rdi)
	forced probe_read_forced, mov (%rdi), %al
	forced probe_write_forced, mov %al, (%rdi)
	forced probe_rmw_forced, orb $1, (%rdi)
	/* %rsi is not memory: the processor stops there, KVM emulates the rest. */
	probe probe_read_mmio, cmpsb
	probe probe_write_mmio, movsb

	/* The ports are userspace's, and KVM moves the byte. */
	.macro	string_io name, insn
	.globl	\name
	.balign	16
\name:
	mov	%rdi, %rsi
	mov	$PORT_STRING, %edx
	\insn
	ud2
	int3
	.endm

	string_io probe_outs, outsb
	string_io probe_ins, insb
	forced probe_locked_forced, lock orb $1, (%rdi)

	probe probe_load_ds, mov %edi, %ds
	forced probe_load_ds_forced, mov %edi, %ds
	probe probe_read8, mov (%rdi), %rax
	forced probe_read8_forced, mov (%rdi), %rax

	.section .note.GNU-stack, "", @progbits
