// SPDX-License-Identifier: GPL-2.0-only
/* A processor without PKS shows no trace of it (PKS-10). */
#include "pks.h"

static void hidden_cpuid(void)
{
	check(!cpu_has_pks());
}

static void hidden_rdmsr(void)
{
	u64 v;

	check(rdmsr_safe(MSR_PKRS, &v) == VEC_GP);
	check(trap.error == 0);
}

static void hidden_wrmsr(void)
{
	check(wrmsr_safe(MSR_PKRS, 0) == VEC_GP);
	check(trap.error == 0);
	check(wrmsr_safe(MSR_PKRS, 0x55555554) == VEC_GP);
}

static void hidden_cr4(void)
{
	u64 before = read_cr4();

	if (arg_machine() == MACHINE_TCG)
		return skip("an answer to a reserved CR4 bit, which makes TCG hang");
	check(write_cr4_safe(before | CR4_PKS) == VEC_GP);
	check(trap.error == 0);
	check(read_cr4() == before);
	write_cr4(before);
}

const struct test hidden_tests[] = {
	{ "pks.hidden.cpuid_bit_clear", hidden_cpuid },
	{ "pks.hidden.rdmsr_faults", hidden_rdmsr, TCG_MSR, BARE_MSR },
	{ "pks.hidden.wrmsr_faults", hidden_wrmsr, TCG_MSR, BARE_MSR },
	{ "pks.hidden.cr4_bit_reserved", hidden_cr4 },
};
const unsigned int n_hidden_tests = ARRAY_SIZE(hidden_tests);
