/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_X86_VMX_NESTED_PKS_H
#define __KVM_X86_VMX_NESTED_PKS_H

#include "cpuid.h"
#include "pks.h"
#include "vmcs12.h"

/*
 * IA32_PKRS of L1 and L2.  Hardware loads it from vmcs01 or vmcs02 whatever L1
 * asks for, so what vmcs12's controls leave alone is carried over by KVM, in
 * nested.pkrs.
 *
 * A vCPU without PKS has nothing to carry.  Its L1 may set the controls all the
 * same, capability MSRs are userspace's, but they move nothing.
 */
static inline void nested_vmx_stash_pkrs(struct kvm_vcpu *vcpu)
{
	/* Not from the register cache, a VM-Exit has just emptied it. */
	if (guest_cpu_cap_has(vcpu, X86_FEATURE_PKS))
		to_vmx(vcpu)->nested.pkrs = vmcs_read64(GUEST_IA32_PKRS);
}

/*
 * L2 exits for what L0 or L1 wants to see.  Like the x2APIC MSRs, whole words of
 * the bitmaps are merged: a bit at a time takes three times as long.
 */
static inline void nested_vmx_merge_pkrs_bitmaps(struct kvm_vcpu *vcpu,
						 unsigned long *msr_bitmap_l1,
						 unsigned long *msr_bitmap_l0)
{
	unsigned long *msr_bitmap_l01 = to_vmx(vcpu)->vmcs01.msr_bitmap;
	unsigned int read = MSR_IA32_PKRS / BITS_PER_LONG;
	unsigned int write = read + 0x800 / sizeof(long);

	if (!guest_cpu_cap_has(vcpu, X86_FEATURE_PKS))
		return;

	msr_bitmap_l0[read] = msr_bitmap_l1[read] | msr_bitmap_l01[read];
	msr_bitmap_l0[write] = msr_bitmap_l1[write] | msr_bitmap_l01[write];
}

/*
 * Without the VM-Entry control, vmcs12's field was not checked.  The register
 * cache needs no update, vmx_switch_vmcs() has just emptied it.
 */
static inline void nested_vmx_load_guest_pkrs(struct kvm_vcpu *vcpu,
					      struct vmcs12 *vmcs12,
					      bool run_pending)
{
	u32 pkrs = to_vmx(vcpu)->nested.pkrs;

	if (!guest_cpu_cap_has(vcpu, X86_FEATURE_PKS))
		return;

	if ((vmcs12->vm_entry_controls & VM_ENTRY_LOAD_IA32_PKRS) && run_pending)
		pkrs = vmcs12->guest_ia32_pkrs;
	vmcs_write64(GUEST_IA32_PKRS, pkrs);
}

/* PKRS is saved whatever the controls are, if the vCPU is told to have them. */
static inline bool nested_vmx_has_guest_pkrs(struct kvm_vcpu *vcpu)
{
	return to_vmx(vcpu)->nested.msrs.entry_ctls_high & VM_ENTRY_LOAD_IA32_PKRS;
}

/* Userspace reads the state of L2, which may go on. */
static inline void nested_vmx_sync_pkrs(struct kvm_vcpu *vcpu,
					struct vmcs12 *vmcs12)
{
	if (guest_cpu_cap_has(vcpu, X86_FEATURE_PKS) &&
	    nested_vmx_has_guest_pkrs(vcpu))
		vmcs12->guest_ia32_pkrs = kvm_read_pkrs(vcpu);
}

/* vmcs02 is about to be left; exit_reason is -1 if L1 sees no VM-Exit. */
static inline void nested_vmx_save_pkrs(struct kvm_vcpu *vcpu,
					struct vmcs12 *vmcs12, u32 exit_reason)
{
	if (!guest_cpu_cap_has(vcpu, X86_FEATURE_PKS))
		return;

	/* L2 never ran if only hardware found its state to be invalid. */
	if ((exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY) && exit_reason != -1)
		return;

	nested_vmx_stash_pkrs(vcpu);
	if (nested_vmx_has_guest_pkrs(vcpu))
		vmcs12->guest_ia32_pkrs = to_vmx(vcpu)->nested.pkrs;
}

/*
 * L1 goes on.  Leaving L2 for SMM, or because userspace sets another state, is
 * no VM-Exit and keeps PKRS as it is.  The register cache is empty here, too.
 */
static inline void nested_vmx_load_host_pkrs(struct kvm_vcpu *vcpu,
					     struct vmcs12 *vmcs12,
					     u32 exit_reason)
{
	u32 pkrs = to_vmx(vcpu)->nested.pkrs;

	if (!guest_cpu_cap_has(vcpu, X86_FEATURE_PKS))
		return;

	if ((vmcs12->vm_exit_controls & VM_EXIT_LOAD_IA32_PKRS) &&
	    exit_reason != -1)
		pkrs = vmcs12->host_ia32_pkrs;
	vmcs_write64(GUEST_IA32_PKRS, pkrs);
}

#endif /* __KVM_X86_VMX_NESTED_PKS_H */
