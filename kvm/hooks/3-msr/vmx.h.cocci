// SPDX-License-Identifier: GPL-2.0-only
// Both load controls are used wherever the CPU has them (KVM-3).
@@
@@
 VM_ENTRY_LOAD_IA32_RTIT_CTL
+ | VM_ENTRY_LOAD_IA32_PKRS

@@
@@
 VM_EXIT_CLEAR_IA32_RTIT_CTL
+ | VM_EXIT_LOAD_IA32_PKRS

// What a VM exit makes unknown to the register cache (KVM-6).
@@
@@
 (1 << VCPU_EXREG_EXIT_INFO_2)
+ | (1 << VCPU_EXREG_PKRS)
