// SPDX-License-Identifier: GPL-2.0-only
/* Exit status 0 iff this CPU has PKS, CPUID.(7,0):ECX[31], and VMX, 1:ECX[5]. */
#include <cpuid.h>

int main(void)
{
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 5))
		return 1;
	return !(__get_cpuid_count(7, 0, &a, &b, &c, &d) && c & 1u << 31);
}
