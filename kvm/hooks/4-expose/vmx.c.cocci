// SPDX-License-Identifier: GPL-2.0-only
// CPUID (KVM-1).
@@
@@
 vmx_set_cpu_caps(void)
 {
 ...
 if (kvm_mpx_supported()) kvm_cpu_cap_check_and_set(X86_FEATURE_MPX);
+vmx_pks_set_cpu_caps();
 ...
 }

// Hardware runs with paging on where the guest has it off (KVM-12).
@@
expression e;
@@
-e &= ~(X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE)
+e &= ~(X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE | X86_CR4_PKS)
