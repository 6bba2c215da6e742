// SPDX-License-Identifier: GPL-2.0-only
// The value that crosses a switch between vmcs01 and vmcs02 (KVM-17, KVM-18).
@@
@@
 struct nested_vmx {
 ...
 u64 pre_vmenter_bndcfgs;
+u32 pkrs;
 ...
 };
