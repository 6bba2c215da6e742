// SPDX-License-Identifier: GPL-2.0-only
// The last two words of padding, free in every supported kernel (KVM-22). They
// are migration ABI: their offsets are asserted.
@@
@@
 struct vmcs12 {
 ...
 natural_width paddingl[
-8
+6
 ];
+u64 guest_ia32_pkrs;
+u64 host_ia32_pkrs;
 u32 pin_based_vm_exec_control;
 ...
 };

@@
@@
 CHECK_OFFSET(host_rip, 672);
+CHECK_OFFSET(guest_ia32_pkrs, 728);
+CHECK_OFFSET(host_ia32_pkrs, 736);
