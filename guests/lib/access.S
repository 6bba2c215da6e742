/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The accesses under test, each one instruction, runnable at either CPL. Each
 * exists twice: as it is, and with KVM's forced-emulation prefix in front.
 */
#include "x86.h"

	.macro fep
	ud2
	.ascii	"kvm"
	.endm

	.macro accesses prefix, name
	.globl \name\()_read, \name\()_write, \name\()_rmw, \name\()_load_fs
\name\()_read:
	\prefix
	mov	(%rdi), %eax
	ret
\name\()_write:
	\prefix
	mov	%esi, (%rdi)
	ret
\name\()_rmw:
	\prefix
	add	%esi, (%rdi)
	ret
\name\()_load_fs:
	xor	%esi, %esi
	\prefix
	mov	%edi, %fs
	mov	%fs, %eax
	mov	%esi, %fs
	ret
	.endm

	.section .user, "ax"
	accesses "", acc
	accesses fep, fep

	.globl acc_jump, acc_int31, acc_wrmsr, fep_nop
acc_jump:
	jmp	*%rdi
acc_int31:
	int	$0x31
	ret
acc_wrmsr:
	mov	%edi, %ecx
	mov	%esi, %eax
	xor	%edx, %edx
	wrmsr
	ret
fep_nop:
	fep
	nop
	ret

	.section .note.GNU-stack, "", @progbits
