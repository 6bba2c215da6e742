// SPDX-License-Identifier: GPL-2.0-only
// MOV to CR4 that changes PKS flushes (PKS-11).
@@
expression a, b;
@@
-(a ^ b) & X86_CR4_PAE
+(a ^ b) & (X86_CR4_PAE | X86_CR4_PKS)
