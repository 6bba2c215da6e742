// SPDX-License-Identifier: GPL-2.0-only
// CPUID.(7,0):ECX[31]. In front, for a comment that ends the anchor's line
// would move to the line that follows it.
@@
@@
+#define X86_FEATURE_PKS (16*32+31)
 #define X86_FEATURE_SGX_LC (16*32+30)
