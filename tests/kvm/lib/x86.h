/* SPDX-License-Identifier: GPL-2.0-only */
/* Encodings; those of PKS are in spec/pks.md, and in no stock header. */
#ifndef TESTS_KVM_X86_H
#define TESTS_KVM_X86_H

#define MSR_PKRS	0x6e1
#define MSR_BIOS_SIGN_ID 0x8b	/* intercepted on every kernel: KVM emulates it */
#define MSR_FS_BASE	0xc0000100
#define MSR_GS_BASE	0xc0000101
#define CR0_PE		(1u << 0)
#define CR0_MP		(1u << 1)
#define CR0_ET		(1u << 4)
#define CR0_NE		(1u << 5)
#define CR0_WP		(1u << 16)
#define CR0_PG		(1u << 31)
#define CR4_PSE		(1u << 4)
#define CR4_PAE		(1u << 5)
#define CR4_OSFXSR	(1u << 9)
#define CR4_OSXMMEXCPT	(1u << 10)
#define CR4_PKE		(1u << 22)
#define CR4_PKS		(1u << 24)
#define EFER_LME	(1u << 8)
#define EFER_LMA	(1u << 10)
#define EFER_NX		(1u << 11)

/* Paging entries */
#define PTE_P		(1ull << 0)
#define PTE_W		(1ull << 1)
#define PTE_U		(1ull << 2)
#define PTE_A		(1ull << 5)
#define PTE_D		(1ull << 6)
#define PTE_PS		(1ull << 7)
#define PTE_KEY(k)	((unsigned long long)(k) << 59)
#define PTE_ADDRESS	0x000ffffffffff000ull

/* Bits of a key's pair in PKRS and PKRU */
#define KEY_AD		1u
#define KEY_WD		2u
#define KEY_BITS(k, bits) ((uint32_t)(bits) << (2 * (k)))

/* Page-fault error code */
#define PF_P		(1 << 0)
#define PF_W		(1 << 1)
#define PF_U		(1 << 2)
#define PF_RSVD		(1 << 3)
#define PF_I		(1 << 4)
#define PF_PK		(1 << 5)

enum { VECTOR_UD = 6, VECTOR_DF = 8, VECTOR_GP = 13, VECTOR_PF = 14 };

#endif
