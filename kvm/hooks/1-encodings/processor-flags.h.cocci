// SPDX-License-Identifier: GPL-2.0-only
// CR4.PKS.
@@
@@
 #define X86_CR4_PKE _BITUL(X86_CR4_PKE_BIT)
+#define X86_CR4_PKS_BIT 24
+#define X86_CR4_PKS _BITUL(X86_CR4_PKS_BIT)
