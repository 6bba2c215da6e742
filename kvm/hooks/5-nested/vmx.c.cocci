// SPDX-License-Identifier: GPL-2.0-only
// CR4_FIXED1 follows the guest's CPUID (KVM-20).
@@
@@
 cr4_fixed1_update(X86_CR4_PKE, ecx, feature_bit(PKU));
+cr4_fixed1_update(X86_CR4_PKS, ecx, feature_bit(PKS));
