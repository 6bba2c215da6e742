// SPDX-License-Identifier: GPL-2.0-only
/*
 * Protection Keys for Supervisor pages (PKS) for guests, on VMX.
 *
 * The guest owns IA32_PKRS: it reads and writes the register without a VM
 * exit. Hardware switches it with the load controls, which are on in every
 * VMCS for as long as the module is loaded: toggling them with the guest's
 * CPUID or CR4 would act on the wrong VMCS while L2 is active.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/moduleparam.h>

#include "capabilities.h"
#include "pks.h"

static bool __read_mostly enable_pks = true;
module_param_named(pks, enable_pks, bool, 0444);

/*
 * vmx_pks_adjust_controls() - use both load controls or none (KVM-2).
 * @entry: VM-entry controls that the CPU supports and KVM wants
 * @exit: VM-exit controls that the CPU supports and KVM wants
 *
 * The common check of such pairs would refuse to load kvm_intel on a CPU that
 * the kernel without PKS runs on.
 */
void vmx_pks_adjust_controls(u32 *entry, u32 *exit)
{
	if (!(*entry & VM_ENTRY_LOAD_IA32_PKRS) ||
	    !(*exit & VM_EXIT_LOAD_IA32_PKRS)) {
		*entry &= ~VM_ENTRY_LOAD_IA32_PKRS;
		*exit &= ~VM_EXIT_LOAD_IA32_PKRS;
	}
}

/*
 * vmx_pks_set_cpu_caps() - advertise PKS, or show the parameter as off (KVM-1).
 *
 * Without EPT the CPU walks KVM's tables, which carry no keys of the guest.
 * The host kernel need not use PKS: what counts is raw CPUID.
 */
void __init vmx_pks_set_cpu_caps(void)
{
	if (!IS_ENABLED(CONFIG_X86_64) || !enable_ept ||
	    !cpu_has_load_ia32_pkrs() || !boot_cpu_has(X86_FEATURE_PKS))
		enable_pks = false;

	if (enable_pks)
		kvm_cpu_cap_set(X86_FEATURE_PKS);
}

/*
 * vmx_pks_init_vmcs() - RESET (PKS-12, KVM-9).
 *
 * INIT preserves PKRS and SMM neither saves nor loads it: neither is hooked.
 * Not by way of the MSR, for the guest has no CPUID yet that would allow it.
 */
void vmx_pks_init_vmcs(struct vcpu_vmx *vmx)
{
	if (cpu_has_load_ia32_pkrs())
		vmx_pkrs_write(&vmx->vcpu, 0);
}

/*
 * vmx_pks_set_intercept() - pass IA32_PKRS through iff the guest has PKS.
 *
 * To be called when the guest's CPUID or the MSR filters changed (KVM-4,
 * KVM-5): what a filter denies stays intercepted, reads and writes each.
 */
void vmx_pks_set_intercept(struct kvm_vcpu *vcpu)
{
	vmx_set_intercept_for_msr(vcpu, MSR_IA32_PKRS, MSR_TYPE_RW,
				  !kvm_pks_exposed(vcpu));
}

/*
 * vmx_pks_refresh_host() - keep HOST_IA32_PKRS at what the host uses (KVM-10).
 * @cr4: the host's CR4, just written to the loaded VMCS
 *
 * A host that does not use PKS has 0 there, and comes here only when its CR4
 * changed. PKRS has no shadow to compare with: a host that does use it is made
 * to come back before every entry, by a recorded CR4 that never matches.
 */
void vmx_pks_refresh_host(struct vcpu_vmx *vmx, unsigned long cr4)
{
	u64 pkrs = 0;

	if (!cpu_has_load_ia32_pkrs())
		return;

	if (cr4 & X86_CR4_PKS) {
		rdmsrl(MSR_IA32_PKRS, pkrs);
		vmx->loaded_vmcs->host_state.cr4 = ~cr4;
	}

	vmcs_write64(HOST_IA32_PKRS, pkrs);
}

/* vmx_pkrs_cache() - load the cache from the VMCS, see kvm_pkrs_read(). */
void vmx_pkrs_cache(struct kvm_vcpu *vcpu)
{
	u64 pkrs = vmcs_read64(GUEST_IA32_PKRS);

	WARN_ON_ONCE(!pks_valid(pkrs));
	vcpu->arch.pkrs = pkrs;
}

/*
 * vmx_pkrs_write() - set the PKRS of the loaded VMCS.
 *
 * Never skipped for a value that the cache seems to hold already: the guest
 * changes the register behind KVM's back (KVM-7).
 */
void vmx_pkrs_write(struct kvm_vcpu *vcpu, u32 pkrs)
{
	vcpu->arch.pkrs = pkrs;
	kvm_register_mark_available(vcpu, VCPU_EXREG_PKRS);
	vmcs_write64(GUEST_IA32_PKRS, pkrs);
}

/*
 * vmx_pkrs_get_msr() - RDMSR that exits, and KVM_GET_MSRS (KVM-4, KVM-8).
 *
 * Returns 0, or KVM_MSR_RET_UNSUPPORTED to a guest without PKS: common code
 * makes that #GP for the guest, and for the host what it allows with every
 * advertised MSR.
 */
int vmx_pkrs_get_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info)
{
	if (!kvm_pks_exposed(vcpu))
		return KVM_MSR_RET_UNSUPPORTED;

	msr_info->data = kvm_pkrs_read(vcpu);
	return 0;
}

/*
 * vmx_pkrs_set_msr() - WRMSR that exits, and KVM_SET_MSRS (KVM-4, KVM-8).
 *
 * Returns 0; 1 if a reserved bit is set (PKS-10); KVM_MSR_RET_UNSUPPORTED as
 * vmx_pkrs_get_msr() does. Nothing is changed unless 0 is returned.
 */
int vmx_pkrs_set_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info)
{
	if (!kvm_pks_exposed(vcpu))
		return KVM_MSR_RET_UNSUPPORTED;

	if (!pks_valid(msr_info->data))
		return 1;

	vmx_pkrs_write(vcpu, msr_info->data);
	return 0;
}

/* vmx_pks_dump_guest() - the guest's part of dump_vmcs() (KVM-11). */
void vmx_pks_dump_guest(u32 vmentry_ctl)
{
	if (vmentry_ctl & VM_ENTRY_LOAD_IA32_PKRS)
		pr_err("PKRS = 0x%016llx\n", vmcs_read64(GUEST_IA32_PKRS));
}

/* vmx_pks_dump_host() - the host's part of dump_vmcs() (KVM-11). */
void vmx_pks_dump_host(u32 vmexit_ctl)
{
	if (vmexit_ctl & VM_EXIT_LOAD_IA32_PKRS)
		pr_err("PKRS = 0x%016llx\n", vmcs_read64(HOST_IA32_PKRS));
}
