/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules of Protection Keys for Supervisor pages as pure C.
 *
 * No KVM type appears here, so that the kernel, the unit tests and a prover
 * compile the same lines. PKS-n names a rule of the processor.
 */
#ifndef __ARCH_X86_KVM_PKS_H
#define __ARCH_X86_KVM_PKS_H

#include <linux/types.h>

/* The two bits that a protection-key register holds for each of its 16 keys. */
#define PKS_AD	1u	/* access disable */
#define PKS_WD	2u	/* write disable */

/* Page-fault error code bits that an access can be described by. */
#define PKS_PFEC_WRITE	(1u << 1)
#define PKS_PFEC_USER	(1u << 2)
#define PKS_PFEC_FETCH	(1u << 4)

/*
 * pks_valid() - may @data be the value of IA32_PKRS? (PKS-10, PKS-15)
 *
 * Bits 63:32 are reserved: WRMSR of them is #GP(0), and a VM entry that would
 * load them from a VMCS field fails.
 */
static inline bool pks_valid(u64 data)
{
	return !(data >> 32);
}

/*
 * pks_forbidding_bits() - which of a key's two bits can forbid an access to a
 * supervisor-mode address?
 * @pfec: the access, as PKS_PFEC_* bits; others are ignored
 * @wp: CR0.WP
 *
 * Returns a subset of PKS_AD | PKS_WD; the access faults on its key, and the
 * error code carries PK, iff the key has one of them set. Other reasons for a
 * fault play no part in it (PKS-7), and no key is special (PKS-8).
 */
static inline u32 pks_forbidding_bits(u32 pfec, bool wp)
{
	if (pfec & PKS_PFEC_FETCH)		/* PKS-3 */
		return 0;

	if (!(pfec & PKS_PFEC_WRITE))		/* PKS-4 */
		return PKS_AD;

	if (wp || (pfec & PKS_PFEC_USER))	/* PKS-5 */
		return PKS_AD | PKS_WD;

	return PKS_AD;
}

/*
 * pks_mask() - pks_forbidding_bits() of every kind of access, as a table.
 * @wp: CR0.WP
 *
 * The layout is that of KVM's struct kvm_mmu.pkru_mask: two bits for each
 * access, found at bit number pfec, where pfec bit 0 is clear and bit 3 tells
 * a user-mode address. Those of user-mode addresses are left clear here, they
 * are PKRU's (PKS-2).
 */
static inline u32 pks_mask(bool wp)
{
	const u32 all = PKS_PFEC_WRITE | PKS_PFEC_USER | PKS_PFEC_FETCH;
	u32 mask = 0, pfec;

	for (pfec = 0; pfec <= all; pfec += 2) {
		if ((pfec & all) == pfec)
			mask |= pks_forbidding_bits(pfec, wp) << pfec;
	}

	return mask;
}

#endif /* __ARCH_X86_KVM_PKS_H */
