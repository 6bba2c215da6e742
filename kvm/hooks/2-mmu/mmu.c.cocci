// SPDX-License-Identifier: GPL-2.0-only
// The role bit and the key mask (KVM-12 to KVM-15).
@@
expression mmu;
@@
 update_pkru_bitmask(mmu);
+kvm_pks_update_mask(mmu);

@@
expression role, regs;
@@
 role.ext.cr4_pke = ____is_efer_lma(regs) && ____is_cr4_pke(regs);
+role.ext.cr4_pks = ____is_efer_lma(regs) && (regs->cr4 & X86_CR4_PKS);

@@
expression E;
@@
-E & ~X86_CR4_PKE
+E & ~(X86_CR4_PKE | X86_CR4_PKS)
