/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PKS on VMX: controls, VMCS fields, IA32_PKRS and its interception.
 */
#ifndef __KVM_X86_VMX_PKS_H
#define __KVM_X86_VMX_PKS_H

#include "kvm_pks.h"
#include "vmx.h"

/* Does KVM use the load-PKRS controls? Then both PKRS fields exist (KVM-2). */
static inline bool cpu_has_load_ia32_pkrs(void)
{
	return vmcs_config.vmentry_ctrl & VM_ENTRY_LOAD_IA32_PKRS;
}

/* Set-up, once for the module. */
void vmx_pks_adjust_controls(u32 *entry, u32 *exit);
void vmx_pks_set_cpu_caps(void);

/* The life of a vCPU. */
void vmx_pks_init_vmcs(struct vcpu_vmx *vmx);
void vmx_pks_set_intercept(struct kvm_vcpu *vcpu);
void vmx_pks_refresh_host(struct vcpu_vmx *vmx, unsigned long cr4);

/* IA32_PKRS. */
void vmx_pkrs_cache(struct kvm_vcpu *vcpu);
void vmx_pkrs_write(struct kvm_vcpu *vcpu, u32 pkrs);
int vmx_pkrs_get_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info);
int vmx_pkrs_set_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info);

void vmx_pks_dump_guest(u32 vmentry_ctl);
void vmx_pks_dump_host(u32 vmexit_ctl);

#endif /* __KVM_X86_VMX_PKS_H */
