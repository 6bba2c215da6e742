// SPDX-License-Identifier: GPL-2.0-only
// The fields that L1 reads and writes (KVM-22).
@@
identifier tbl;
type T;
@@
 T tbl[] = {
 ...,
 FIELD64(GUEST_BNDCFGS, guest_bndcfgs),
+FIELD64(GUEST_IA32_PKRS, guest_ia32_pkrs),
+FIELD64(HOST_IA32_PKRS, host_ia32_pkrs),
 ...
 };
