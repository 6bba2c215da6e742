// SPDX-License-Identifier: GPL-2.0-only
@@
@@
 #include "nested.h"
+#include "pks.h"

// The controls that L1 may set (KVM-20).
@@
expression conf;
@@
 nested_vmx_setup_entry_ctls(conf, ...);
+nested_vmx_pks_setup_ctls(conf);

// Checks of vmcs12 (KVM-19).
@@
identifier vcpu, vmcs12;
@@
 nested_vmx_check_host_state(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12)
 {
 ... when any
+if (CC(!nested_vmx_host_pkrs_valid(vmcs12)))
+	return -EINVAL;
+
 if ((vmcs12->vm_exit_controls & VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL) && ...) return -EINVAL;
 ...
 }

@@
identifier vcpu, vmcs12, code;
@@
 nested_vmx_check_guest_state(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12, enum vm_entry_failure_code *code)
 {
 ... when any
+if (CC(!nested_vmx_guest_pkrs_valid(vmcs12)))
+	return -EINVAL;
+
 if (nested_vmx_check_vmcs_link_ptr(vcpu, vmcs12)) { ... }
 ...
 }

// MSR bitmaps of L0 and L1 (KVM-21).
@@
expression vmx, l1, l0;
@@
 nested_vmx_set_intercept_for_msr(vmx, l1, l0, MSR_IA32_SPEC_CTRL, MSR_TYPE_RW);
+
+nested_vmx_set_intercept_for_msr(vmx, l1, l0, MSR_IA32_PKRS, MSR_TYPE_RW);

// VM entry (KVM-17, KVM-19, KVM-23).
@@
expression vcpu, vmx;
@@
+nested_vmx_pkrs_snapshot(vcpu);
 vmx_switch_vmcs(vcpu, &vmx->nested.vmcs02);

@@
expression vcpu, vmcs12, pending;
@@
 if (pending && (vmcs12->vm_entry_controls & VM_ENTRY_LOAD_IA32_PAT)) { ... }
 else if (...) { ... }
+nested_vmx_pkrs_enter(vcpu, vmcs12, pending);
+
 vcpu->arch.tsc_offset = kvm_calc_nested_tsc_offset(...);

@@
expression reason;
@@
 reason.basic = EXIT_REASON_MSR_LOAD_FAIL;
+nested_vmx_pkrs_snapshot(vcpu);

// VM exit (KVM-18, KVM-19).
@@
identifier reason;
@@
 nested_vmx_vmexit(struct kvm_vcpu *vcpu, u32 reason, ...)
 {
 <...
 sync_vmcs02_to_vmcs12(vcpu, vmcs12);
+nested_vmx_pkrs_leave(vcpu, vmcs12, reason);
 ...>
 }

// L2 is left for an SMI or by KVM_SET_NESTED_STATE: no VM exit (PKS-12, KVM-23).
@@
identifier reason;
@@
 nested_vmx_vmexit(struct kvm_vcpu *vcpu, u32 reason, ...)
 {
 <...
 load_vmcs12_host_state(vcpu, vmcs12);
+nested_vmx_pkrs_forced(vcpu, reason);
 ...>
 }

// KVM_GET_NESTED_STATE (KVM-23).
@@
expression vcpu, v12;
@@
 sync_vmcs02_to_vmcs12(vcpu, v12);
+nested_vmx_pkrs_save(vcpu, v12);
 sync_vmcs02_to_vmcs12_rare(vcpu, v12);

@@
expression v12;
@@
+nested_vmx_pkrs_exit(vcpu, v12);
 if (v12->vm_exit_controls & VM_EXIT_LOAD_IA32_PAT) {
 ...
 vcpu->arch.pat = v12->host_ia32_pat;
 }

// An entry that only hardware finds invalid is VMfail to L1: it loads no list.
// KVM undoes the entry's list by the exit's. PKRS is in vmcs01 untouched (KVM-19).
@@
expression h, g;
@@
 nested_vmx_restore_host_state(struct kvm_vcpu *vcpu)
 {
 <...
-if (h.index != g.index)
+if (h.index != g.index || g.index == MSR_IA32_PKRS)
	continue;
 ...>
 }

// The host's value, with nested_early_check (KVM-25).
@@
expression vmx, c;
@@
 if (unlikely(c != vmx->loaded_vmcs->host_state.cr4)) {
 ...
 vmx->loaded_vmcs->host_state.cr4 = c;
+vmx_pks_refresh_host(vmx, c);
 }
