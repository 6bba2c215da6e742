// SPDX-License-Identifier: GPL-2.0-only
// The register, its place in the register cache, and the MMU's role bit.
@@
@@
 enum kvm_reg {
 ...,
 VCPU_EXREG_EXIT_INFO_2,
+VCPU_EXREG_PKRS,
 };

@@
@@
 struct kvm_vcpu_arch {
 ...
 u32 pkru;
+u32 pkrs;
 ...
 };

@@
@@
 union kvm_mmu_extended_role {
 ...
 struct {
 ...
 unsigned int cr4_pke:1;
+unsigned int cr4_pks:1;
 ...
 };
 };
