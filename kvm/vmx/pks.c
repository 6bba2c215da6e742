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
 * vmx_pks_supported() - can guests have PKS? (KVM-1)
 *
 * Without EPT the CPU walks KVM's tables, which carry no keys of the guest.
 * The host kernel need not use PKS: what counts is raw CPUID. But it must have
 * keys at all, and be of 64 bits: else every entry has key 0 for KVM's walk.
 */
static bool vmx_pks_supported(struct vmcs_config *vmcs_conf)
{
	return enable_pks && enable_ept &&
	       IS_ENABLED(CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS) &&
	       (vmcs_conf->vmentry_ctrl & VM_ENTRY_LOAD_IA32_PKRS) &&
	       boot_cpu_has(X86_FEATURE_PKS);
}

/* vmx_pks_set_cpu_caps() - advertise PKS, or show the parameter as off. */
void __init vmx_pks_set_cpu_caps(void)
{
	enable_pks = vmx_pks_supported(&vmcs_config);

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
 * KVM-5): what a filter denies stays intercepted, reads and writes each. L2's
 * bitmap is merged at L1's next VM entry: until then L0 sees all its accesses.
 */
void vmx_pks_set_intercept(struct kvm_vcpu *vcpu)
{
	unsigned long *l2_bitmap = to_vmx(vcpu)->nested.vmcs02.msr_bitmap;

	vmx_set_intercept_for_msr(vcpu, MSR_IA32_PKRS, MSR_TYPE_RW,
				  !kvm_pks_exposed(vcpu));

	if (is_guest_mode(vcpu) && l2_bitmap) {
		vmx_set_msr_bitmap_read(l2_bitmap, MSR_IA32_PKRS);
		vmx_set_msr_bitmap_write(l2_bitmap, MSR_IA32_PKRS);
	}
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

/*
 * nested_vmx_pks_setup_ctls() - offer L1 both load controls (KVM-20).
 *
 * Iff KVM advertises PKS; userspace may narrow what a vCPU offers.
 */
void nested_vmx_pks_setup_ctls(struct vmcs_config *vmcs_conf)
{
	if (vmx_pks_supported(vmcs_conf)) {
		vmcs_conf->nested.entry_ctls_high |= VM_ENTRY_LOAD_IA32_PKRS;
		vmcs_conf->nested.exit_ctls_high |= VM_EXIT_LOAD_IA32_PKRS;
	}
}

/*
 * nested_vmx_pkrs_snapshot() - keep the value of the VMCS about to be left.
 *
 * A value that no control loads crosses the switch between vmcs01 and vmcs02
 * in nested.pkrs. Before a VM entry it is L1's. When KVM_SET_NESTED_STATE
 * follows KVM_SET_MSRS it is L2's, and in the other order KVM_SET_MSRS writes
 * vmcs02 later (KVM-23). Where an entry fails for its MSR-load list, it is
 * what that entry has loaded by then (KVM-19).
 *
 * Not by way of the register cache: a VM exit has just emptied it, and each
 * exit of L2 to L1 and back comes here twice.
 */
void nested_vmx_pkrs_snapshot(struct kvm_vcpu *vcpu)
{
	if (cpu_has_load_ia32_pkrs())
		to_vmx(vcpu)->nested.pkrs = vmcs_read64(GUEST_IA32_PKRS);
}

/*
 * nested_vmx_pkrs_enter() - the value that L2 starts with (KVM-17).
 * @run_pending: L1 has just made the entry, so that its controls count
 *
 * Without E the field of vmcs12 was not checked: it never gets to hardware.
 */
void nested_vmx_pkrs_enter(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12,
			   bool run_pending)
{
	if (!cpu_has_load_ia32_pkrs())
		return;

	if (run_pending && (vmcs12->vm_entry_controls & VM_ENTRY_LOAD_IA32_PKRS))
		vmx_pkrs_write(vcpu, vmcs12->guest_ia32_pkrs);
	else
		vmx_pkrs_write(vcpu, to_vmx(vcpu)->nested.pkrs);
}

/* Does vmcs12 have the field? Not if userspace says that the CPU has not. */
static bool nested_vmx_has_guest_pkrs(struct vcpu_vmx *vmx)
{
	return vmx->nested.msrs.entry_ctls_high & VM_ENTRY_LOAD_IA32_PKRS;
}

/*
 * nested_vmx_pkrs_save() - save L2's value, whatever E and X (KVM-18, KVM-23).
 *
 * To be called with vmcs02 loaded.
 */
void nested_vmx_pkrs_save(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12)
{
	if (nested_vmx_has_guest_pkrs(to_vmx(vcpu)))
		vmcs12->guest_ia32_pkrs = kvm_pkrs_read(vcpu);
}

/*
 * nested_vmx_pkrs_leave() - vmcs02 is left for L1 (KVM-18, KVM-19).
 * @exit_reason: what L1 will see, or -1 if nothing
 *
 * An entry that only hardware found invalid comes here, too: L2 never ran, so
 * that nothing is saved, and L1's value is in nested.pkrs still.
 */
void nested_vmx_pkrs_leave(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12,
			   u32 exit_reason)
{
	if (exit_reason != -1 && (exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY))
		return;

	nested_vmx_pkrs_snapshot(vcpu);
	if (nested_vmx_has_guest_pkrs(to_vmx(vcpu)))
		vmcs12->guest_ia32_pkrs = to_vmx(vcpu)->nested.pkrs;
}

/*
 * nested_vmx_pkrs_exit() - the value that L1 continues with (KVM-18, KVM-19).
 *
 * To be called with vmcs01 loaded. Without X it is what was live when vmcs02
 * was left: L2's last, or after an entry that failed before it loaded
 * anything, L1's own.
 */
void nested_vmx_pkrs_exit(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12)
{
	if (!cpu_has_load_ia32_pkrs())
		return;

	if (vmcs12->vm_exit_controls & VM_EXIT_LOAD_IA32_PKRS)
		vmx_pkrs_write(vcpu, vmcs12->host_ia32_pkrs);
	else
		vmx_pkrs_write(vcpu, to_vmx(vcpu)->nested.pkrs);
}

/*
 * nested_vmx_pkrs_stays() - L2 is left without a VM exit (PKS-12, KVM-23).
 *
 * KVM loads L1's host state then, too, but no exit control has a say: PKRS
 * stays. SMM sees it, and RSM goes on with what SMM has left. What KVM_SET_MSRS
 * wrote before KVM_SET_NESTED_STATE, over an L2 that goes, is the new state's.
 */
void nested_vmx_pkrs_stays(struct kvm_vcpu *vcpu)
{
	if (cpu_has_load_ia32_pkrs())
		vmx_pkrs_write(vcpu, to_vmx(vcpu)->nested.pkrs);
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
