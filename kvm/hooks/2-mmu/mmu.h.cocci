// SPDX-License-Identifier: GPL-2.0-only
// CR4.PKS is a role bit (KVM-12); the address chooses the register (PKS-2).
@@
@@
 #include "cpuid.h"
+#include "kvm_pks.h"

@@
@@
 X86_CR4_PKE
+ | X86_CR4_PKS

@@
typedef u32;
expression E;
@@
 permission_fault(...)
 {
 <...
-vcpu->arch.pkru >> (E)
+kvm_pks_rights(vcpu, mmu, pte_access & PT_USER_MASK) >> (E)
 ...>
 }
