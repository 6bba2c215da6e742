// SPDX-License-Identifier: GPL-2.0-only
@@
@@
 #include "nested.h"
+#include "pks.h"

// One control without the other counts as neither (KVM-2).
@@
@@
+vmx_pks_adjust_controls(&_vmentry_control, &_vmexit_control);
+
 for (i = 0; i < ARRAY_SIZE(vmcs_entry_exit_pairs); i++) { ... }

// Passed through, but not by the table of such MSRs (KVM-4, KVM-5).
@@
typedef u32;
identifier msr, i;
@@
 vmx_get_passthrough_msr_slot(u32 msr)
 {
 int i;
+
+if (msr == MSR_IA32_PKRS)
+	return -ENOENT;
 ...
 }

@@
identifier vcpu;
@@
 vmx_msr_filter_changed(struct kvm_vcpu *vcpu)
 {
 ... when any
 if (vmx_pt_mode_is_host_guest()) pt_update_intercept_for_msr(vcpu);
+vmx_pks_set_intercept(vcpu);
 }

@@
identifier vcpu;
@@
 vmx_vcpu_after_set_cpuid(struct kvm_vcpu *vcpu)
 {
 ... when any
+vmx_pks_set_intercept(vcpu);
 set_cr4_guest_host_mask(...);
 ...
 }

// RDMSR, WRMSR, KVM_GET_MSRS, KVM_SET_MSRS (KVM-4, KVM-8).
@@
identifier vcpu, mi;
@@
 vmx_get_msr(struct kvm_vcpu *vcpu, struct msr_data *mi)
 {
 <...
 switch (mi->index) {
+case MSR_IA32_PKRS:
+	return vmx_pkrs_get_msr(vcpu, mi);
 case MSR_FS_BASE:
 ...
 }
 ...>
 }

@@
identifier vcpu, mi, index;
@@
 vmx_set_msr(struct kvm_vcpu *vcpu, struct msr_data *mi)
 {
 <...
 switch (index) {
+case MSR_IA32_PKRS:
+	return vmx_pkrs_set_msr(vcpu, mi);
 case MSR_EFER:
 ...
 }
 ...>
 }

// The register cache (KVM-6). Not a case: the compiler makes a tree of compares
// of this switch, and one more would lengthen the way to CR3 and CR4 (KVM-16).
@@
identifier reg, vcpu;
@@
 vmx_cache_reg(struct kvm_vcpu *vcpu, enum kvm_reg reg)
 {
 <...
+if (reg == VCPU_EXREG_PKRS) {
+	vmx_pkrs_cache(vcpu);
+	break;
+}
 KVM_BUG_ON(1, vcpu->kvm);
 ...>
 }

// RESET (KVM-9).
@@
identifier vmx;
@@
 static void init_vmcs(struct vcpu_vmx *vmx)
 {
 ...
 vmx_setup_uret_msrs(vmx);
+vmx_pks_init_vmcs(vmx);
 }

// The host's value (KVM-10).
@@
identifier vmx;
@@
 vmx_set_constant_host_state(struct vcpu_vmx *vmx)
 {
 ...
 if (cpu_has_load_ia32_efer()) vmcs_write64(HOST_IA32_EFER, ...);
+vmx_pks_refresh_host(vmx, cr4);
 }

@@
expression vmx, c;
@@
 if (unlikely(c != vmx->loaded_vmcs->host_state.cr4)) {
 ...
 vmx->loaded_vmcs->host_state.cr4 = c;
+vmx_pks_refresh_host(vmx, c);
 }

// dump_vmcs() (KVM-11).
@@
identifier ctl;
@@
 if (ctl & VM_ENTRY_LOAD_BNDCFGS) pr_err(...);
+vmx_pks_dump_guest(ctl);

@@
identifier ctl;
@@
 if (ctl & VM_EXIT_LOAD_IA32_PAT) pr_err(...);
+vmx_pks_dump_host(ctl);
