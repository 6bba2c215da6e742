// SPDX-License-Identifier: GPL-2.0-only
// CR4.PKS is reserved to a guest that does not have PKS (KVM-4).
@@
expression has, c;
@@
-__cr4_reserved_bits(has, c)
+kvm_pks_cr4_reserved_bits(has, c)
