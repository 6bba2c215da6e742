/* SPDX-License-Identifier: GPL-2.0-only */
/* For assembly, of the guests and of tests/kvm. */

/* The first 32 vectors, 16 bytes each. */
	.macro	vector_stubs to
	vector = 0
	.rept	32
	.balign	16
	/* Vectors 8, 10-14, 17, 21, 29 and 30 push an error code; for the others push one. */
	.if	!((0x60227d00 >> vector) & 1)
	push	$0
	.endif
	push	$vector
	jmp	\to
	vector = vector + 1
	.endr
	.endm

/* The registers that a function of C has to keep. */
	.macro	push_saved
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	.endm
	.macro	pop_saved
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	.endm
