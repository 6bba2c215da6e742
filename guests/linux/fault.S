/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accesses that nobody opened a window for, and the page-fault handler that is in
 * force while they are tried (see vault.c).
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

	.text

/* bool stray_write(u64 *to, u64 value), bool stray_read(u64 *from): whether it was done. */
SYM_FUNC_START(stray_write)
	movq	%rsi, (%rdi)
	movl	$1, %eax
	RET
SYM_FUNC_END(stray_write)

SYM_FUNC_START(stray_read)
	movq	(%rdi), %rax
	movl	$1, %eax
	RET
SYM_FUNC_END(stray_read)

/*
 * A fault at the vault: note it, and make the function that it happened in, one of
 * the two above before it has used the stack, return 0. Any other is for Linux.
 */
SYM_CODE_START(vault_page_fault)
	UNWIND_HINT_IRET_REGS offset=8
	ENDBR
	pushq	%rax
	movq	%cr2, %rax
	cmpq	vault(%rip), %rax
	jne	.Lother
	movq	%rax, fault_address(%rip)
	/* rax, error code, RIP, CS, RFLAGS, RSP, SS */
	movq	8(%rsp), %rax
	movq	%rax, fault_code(%rip)
	movq	16(%rsp), %rax
	movq	%rax, fault_ip(%rip)
	movq	40(%rsp), %rax
	movq	(%rax), %rax
	movq	%rax, 16(%rsp)
	addq	$8, 40(%rsp)
	xorl	%eax, %eax
	addq	$16, %rsp
	iretq
.Lother:
	popq	%rax
	ANNOTATE_RETPOLINE_SAFE
	jmp	*linux_page_fault(%rip)
SYM_CODE_END(vault_page_fault)
