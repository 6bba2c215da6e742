/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_X86_VMX_PKS_H
#define __KVM_X86_VMX_PKS_H

#include "../pks.h"
#include "vmx.h"

/*
 * A guest that has PKS owns IA32_PKRS: it reads and writes the register without
 * a VM-Exit.  Hardware saves it to GUEST_IA32_PKRS on VM-Exit, and switches it
 * with the load controls, which are on in every VMCS for as long as the module
 * is loaded.
 */
void vmx_cache_pkrs(struct kvm_vcpu *vcpu);
int vmx_get_pkrs(struct kvm_vcpu *vcpu, struct msr_data *msr_info);
int vmx_set_pkrs(struct kvm_vcpu *vcpu, struct msr_data *msr_info);

/*
 * Never skip the write because the cache holds the value already, the guest
 * changes the register behind KVM's back.
 */
static inline void vmx_write_pkrs(struct kvm_vcpu *vcpu, u32 pkrs)
{
	vcpu->arch.pkrs = pkrs;
	kvm_register_mark_available(vcpu, VCPU_REG_PKRS);
	vmcs_write64(GUEST_IA32_PKRS, pkrs);
}

#endif /* __KVM_X86_VMX_PKS_H */
