/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Protection Keys for Supervisor pages: which accesses a key forbids.
 *
 * Nothing of KVM is needed here, so that a test or a prover can compile the
 * same lines.
 */
#ifndef __ARCH_X86_KVM_PKS_H
#define __ARCH_X86_KVM_PKS_H

#include <linux/types.h>

/* The two bits that a protection-key register holds for each of its 16 keys. */
#define PKS_AD	1u	/* access disable */
#define PKS_WD	2u	/* write disable */

/* Bits of a page fault's error code that describe the access. */
#define PKS_PFEC_WRITE	(1u << 1)
#define PKS_PFEC_USER	(1u << 2)
#define PKS_PFEC_FETCH	(1u << 4)

/* Bits 63:32 of IA32_PKRS are reserved, in the MSR and in the VMCS. */
static inline bool pks_valid(u64 data)
{
	return !(data >> 32);
}

/*
 * The bits of a key that forbid an access to a supervisor-mode address.  Other
 * reasons for a fault play no part in it: a user-mode access, which faults on
 * U/S anyway, is told by the error code's PK bit what the key would have done.
 */
static inline u32 pks_forbidding_bits(u32 pfec, bool wp)
{
	if (pfec & PKS_PFEC_FETCH)
		return 0;

	if (!(pfec & PKS_PFEC_WRITE))
		return PKS_AD;

	/* CR0.WP=0 lets supervisor-mode writes through, as for CR0.WP and R/W. */
	if (wp || (pfec & PKS_PFEC_USER))
		return PKS_AD | PKS_WD;

	return PKS_AD;
}

/*
 * The forbidding bits of all accesses, in the layout of KVM's pkr_mask: two
 * bits at bit number pfec, where pfec bit 0 is clear and bit 3 tells a
 * user-mode address.  Those of user-mode addresses are PKRU's, and clear here.
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
