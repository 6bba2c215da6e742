// SPDX-License-Identifier: GPL-2.0-only
// IA32_PKRS.
@@
@@
 #define MSR_IA32_TSC_DEADLINE 0x000006E0
+#define MSR_IA32_PKRS 0x000006E1
