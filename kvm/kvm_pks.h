/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PKS in the part of KVM that all vendors share: who has it, the register, and
 * the software page walk. The rules themselves are in pks.h.
 *
 * The way of a PKRS value: the guest's WRMSR changes the register without a VM
 * exit; the next VM exit saves it to GUEST_IA32_PKRS; a software walk asks
 * kvm_pkrs_read(), which reads that field once an exit, if at all.
 */
#ifndef __ARCH_X86_KVM_KVM_PKS_H
#define __ARCH_X86_KVM_KVM_PKS_H

#include <linux/kvm_host.h>

#include "compat.h"
#include "cpuid.h"
#include "kvm_cache_regs.h"
#include "pks.h"

/*
 * kvm_pks_exposed() - does the guest have PKS? (KVM-1, KVM-4)
 *
 * Userspace may set a CPUID bit that KVM does not advertise: both must agree.
 */
static inline bool kvm_pks_exposed(struct kvm_vcpu *vcpu)
{
	return kvm_cpu_cap_has(X86_FEATURE_PKS) &&
	       guest_cpuid_has(vcpu, X86_FEATURE_PKS);
}

/*
 * kvm_pks_cr4_reserved_bits() - __cr4_reserved_bits() with PKS known (KVM-4).
 * @has: macro or function (@c, feature) that tells what @c has
 *
 * CR4.PKS is reserved to the stock macro whatever @c has.
 */
#define kvm_pks_cr4_reserved_bits(has, c)				\
	(__cr4_reserved_bits(has, c) &					\
	 ~(has(c, X86_FEATURE_PKS) ? (u64)X86_CR4_PKS : 0))

/*
 * kvm_pks_hides_msr() - must @msr be left out of KVM_GET_MSR_INDEX_LIST?
 *
 * IA32_PKRS is listed iff PKS is advertised (KVM-8).
 */
static inline bool kvm_pks_hides_msr(u32 msr)
{
	return msr == MSR_IA32_PKRS && !kvm_cpu_cap_has(X86_FEATURE_PKS);
}

/*
 * kvm_pkrs_read() - the PKRS of the vCPU, or of L2 while that is active.
 *
 * Reads GUEST_IA32_PKRS at most once a VM exit (KVM-6). Call it only where PKS
 * can be in use: the field need not exist otherwise.
 */
static inline u32 kvm_pkrs_read(struct kvm_vcpu *vcpu)
{
	if (!kvm_register_is_available(vcpu, VCPU_EXREG_PKRS))
		kvm_x86_call(cache_reg)(vcpu, VCPU_EXREG_PKRS);

	return vcpu->arch.pkrs;
}

/*
 * kvm_pks_update_mask() - add PKS to the key mask of @mmu (KVM-13, KVM-14).
 *
 * To be called wherever the mask of PKRU has just been made: @mmu's paging
 * mode, CR4.PKS or CR0.WP changed.
 */
static inline void kvm_pks_update_mask(struct kvm_mmu *mmu)
{
	if (mmu->cpu_role.ext.cr4_pks)
		mmu->pkru_mask |= pks_mask(mmu->cpu_role.base.cr0_wp);
}

/*
 * kvm_pks_rights() - the protection-key register that decides on an address.
 * @user: is it a user-mode address, U/S set in every entry of the walk?
 *
 * The address chooses, not the access (PKS-2). While the guest does not use
 * PKS its mask has no bit for a supervisor-mode address, so any value does.
 */
static inline u32 kvm_pks_rights(struct kvm_vcpu *vcpu, struct kvm_mmu *mmu,
				 bool user)
{
	if (user)
		return vcpu->arch.pkru;

	return mmu->cpu_role.ext.cr4_pks ? kvm_pkrs_read(vcpu) : 0;
}

#endif /* __ARCH_X86_KVM_KVM_PKS_H */
