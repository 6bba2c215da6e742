// SPDX-License-Identifier: GPL-2.0-only
/* KVM-20: without PKS, VMX shows no trace of it. */
#include "nested.h"

static void controls_not_offered(void)
{
	check(!cpu_has_pks());
	check(!vmx_allows(MSR_VMX_ENTRY_CTLS, ENTRY_LOAD_PKRS));
	check(!vmx_allows(MSR_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_PKRS));
	check(!vmx_allows(MSR_VMX_EXIT_CTLS, EXIT_LOAD_PKRS));
	check(!vmx_allows(MSR_VMX_TRUE_EXIT_CTLS, EXIT_LOAD_PKRS));
}

static void begin(void)
{
	if (!(read_cr4() & CR4_VMXE))
		vmx_on();
	l2_create(&first, l2_vmcall);
}

static void entry_control_refused(void)
{
	begin();
	vmcs_control(ENTRY_CONTROLS, ENTRY_LOAD_PKRS, 0);
	expect_error(&first, VMERR_CONTROLS);
	vmcs_control(ENTRY_CONTROLS, 0, ENTRY_LOAD_PKRS);
	expect_exit(&first, EXITED_VMCALL);
}

static void exit_control_refused(void)
{
	begin();
	vmcs_control(EXIT_CONTROLS, EXIT_LOAD_PKRS, 0);
	expect_error(&first, VMERR_CONTROLS);
	vmcs_control(EXIT_CONTROLS, 0, EXIT_LOAD_PKRS);
	expect_exit(&first, EXITED_VMCALL);
}

static void cr4_bit_refused(void)
{
	begin();
	check(!(rdmsr(MSR_VMX_CR4_FIXED1) & CR4_PKS));
	vmcs_write(HOST_CR4, read_cr4() | CR4_PKS);
	expect_error(&first, VMERR_HOST_STATE);
	vmcs_write(HOST_CR4, read_cr4());
	vmcs_write(GUEST_CR4, read_cr4() | CR4_PKS);
	expect_exit(&first, ENTRY_FAILED | EXITED_BAD_GUEST);
	vmcs_write(GUEST_CR4, read_cr4());
	expect_exit(&first, EXITED_VMCALL);
}

static u8 read_vector, write_vector;

static void l2_accesses_msr(void)
{
	u64 v;

	read_vector = rdmsr_safe(MSR_PKRS, &v);
	write_vector = wrmsr_safe(MSR_PKRS, 0);
	l2_vmcall();
}

static void l2_msr_faults(void)
{
	if (arg_machine() == MACHINE_BARE)
		return skip("#GP for MSRs that the processor lacks");
	begin();
	vmcs_write(GUEST_RIP, (u64)l2_accesses_msr);
	expect_exit(&first, EXITED_VMCALL);
	check(read_vector == VEC_GP);
	check(write_vector == VEC_GP);
}

/* An exit comes before the fault for an MSR that is not there. */
static void l2_msr_exits_if_intercepted(void)
{
	begin();
	vmcs_write(GUEST_RIP, (u64)l2_accesses_msr);
	l2_intercept(&first, true, true);
	expect_exit(&first, EXITED_RDMSR);
	l2_skip(2, false);
	expect_exit(&first, EXITED_WRMSR);
}

/* With all four fields, where they can be written. */
static void fields_have_no_effect(void)
{
	begin();
	for (u32 f = GUEST_PKRS; f <= GUEST_PKRS_HIGH; f++)
		vmcs_try_write(f, ~0u);
	for (u32 f = HOST_PKRS; f <= HOST_PKRS_HIGH; f++)
		vmcs_try_write(f, ~0u);
	expect_exit(&first, EXITED_VMCALL);
}

#define TEST(name) { "nested.hidden." #name, name, 0 }
const struct test hidden_tests[] = {
	TEST(controls_not_offered), TEST(entry_control_refused),
	TEST(exit_control_refused), TEST(cr4_bit_refused), TEST(l2_msr_faults),
	TEST(l2_msr_exits_if_intercepted), TEST(fields_have_no_effect),
};
const unsigned int n_hidden_tests = ARRAY_SIZE(hidden_tests);
