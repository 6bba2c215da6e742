// SPDX-License-Identifier: GPL-2.0-only
// CR4.PKS is reserved to a KVM that does not have PKS (KVM-4).
@@
expression has, c;
@@
-__cr4_reserved_bits(has, c)
+kvm_pks_cr4_reserved_bits(has, c)

// The MSR list (KVM-8).
@@
identifier tbl =~ "^msrs_to_save";
@@
 static const u32 tbl[] = {
 ...,
 MSR_IA32_UMWAIT_CONTROL,
+MSR_IA32_PKRS,
 ...
 };

@@
expression index, l, h;
@@
-rdmsr_safe(index, l, h)
+rdmsr_safe(index, l, h) || kvm_pks_hides_msr(index)
