/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PKS on VMX: controls, VMCS fields, IA32_PKRS and its interception.
 */
#ifndef __KVM_X86_VMX_PKS_H
#define __KVM_X86_VMX_PKS_H

#include "kvm_pks.h"
#include "vmcs12.h"
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

/* L1 and L2: E and X are L1's entry and exit load controls in vmcs12. */
void nested_vmx_pks_setup_ctls(struct vmcs_config *vmcs_conf);
void nested_vmx_pkrs_snapshot(struct kvm_vcpu *vcpu);
void nested_vmx_pkrs_enter(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12,
			   bool run_pending);
void nested_vmx_pkrs_save(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12);
void nested_vmx_pkrs_leave(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12,
			   u32 exit_reason);
void nested_vmx_pkrs_exit(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12);
void nested_vmx_pkrs_stays(struct kvm_vcpu *vcpu);

/*
 * nested_vmx_pkrs_forced() - undo nested_vmx_pkrs_exit() if there was no VM exit.
 * @exit_reason: what L1 sees; -1 if nothing, for SMM or for userspace
 */
static inline void nested_vmx_pkrs_forced(struct kvm_vcpu *vcpu, u32 exit_reason)
{
	if (exit_reason == -1)
		nested_vmx_pkrs_stays(vcpu);
}

/* nested_vmx_guest_pkrs_valid() - exit reason 33 if not (PKS-15, KVM-19). */
static inline bool nested_vmx_guest_pkrs_valid(struct vmcs12 *vmcs12)
{
	return !(vmcs12->vm_entry_controls & VM_ENTRY_LOAD_IA32_PKRS) ||
	       pks_valid(vmcs12->guest_ia32_pkrs);
}

/* nested_vmx_host_pkrs_valid() - VMfailValid 8 if not (PKS-15, KVM-19). */
static inline bool nested_vmx_host_pkrs_valid(struct vmcs12 *vmcs12)
{
	return !(vmcs12->vm_exit_controls & VM_EXIT_LOAD_IA32_PKRS) ||
	       pks_valid(vmcs12->host_ia32_pkrs);
}

void vmx_pks_dump_guest(u32 vmentry_ctl);
void vmx_pks_dump_host(u32 vmexit_ctl);

#endif /* __KVM_X86_VMX_PKS_H */
