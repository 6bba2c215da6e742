// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VMX offers of PKS, the fields as such, and L2's accesses to the MSR
 * (KVM-20, KVM-21).
 */
#include "nested.h"

#define L1_PKRS		0x10a1b2c4u
#define L2_VALUE	0x00c0ffe0u

static const struct pkrs_vmcs both = { true, true, 0x11e2d3f8, 0x27f60e5c };
static const struct pkrs_vmcs none = { false, false, 0x11e2d3f8, 0x27f60e5c };

/* Allowed to be 1 and to be 0, by both generations of the MSRs. */
static void controls_offered(void)
{
	check(vmx_allows(MSR_VMX_ENTRY_CTLS, ENTRY_LOAD_PKRS));
	check(vmx_allows(MSR_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_PKRS));
	check(vmx_allows(MSR_VMX_EXIT_CTLS, EXIT_LOAD_PKRS));
	check(vmx_allows(MSR_VMX_TRUE_EXIT_CTLS, EXIT_LOAD_PKRS));
	check(!(rdmsr(MSR_VMX_ENTRY_CTLS) & ENTRY_LOAD_PKRS));
	check(!(rdmsr(MSR_VMX_TRUE_ENTRY_CTLS) & ENTRY_LOAD_PKRS));
	check(!(rdmsr(MSR_VMX_EXIT_CTLS) & EXIT_LOAD_PKRS));
	check(!(rdmsr(MSR_VMX_TRUE_EXIT_CTLS) & EXIT_LOAD_PKRS));
}

static void cr4_bit_flexible(void)
{
	check(rdmsr(MSR_VMX_CR4_FIXED1) & CR4_PKS);
	check(!(rdmsr(MSR_VMX_CR4_FIXED0) & CR4_PKS));
}

static void field_halves(u32 field)
{
	u64 v;

	check(!vmcs_try_write(field, 0x0123456789abcdef));
	check(!vmcs_try_read(field, &v) && v == 0x0123456789abcdef);
	check(!vmcs_try_read(field + 1, &v) && v == 0x01234567);
	check(!vmcs_try_write(field + 1, 0xffffffff89abcdef));
	check(!vmcs_try_read(field + 1, &v) && v == 0x89abcdef);
	check(!vmcs_try_read(field, &v) && v == 0x89abcdef89abcdef);
	check(!vmcs_try_write(field, ~0ull));
	check(!vmcs_try_write(field + 1, 0));
	check(!vmcs_try_read(field, &v) && v == 0xffffffff);
	check(!vmcs_try_write(field, 5));
}

static void four_encodings(void)
{
	start(L1_PKRS);
	arm(&first, l2_vmcall, &none);
	field_halves(GUEST_PKRS);
	field_halves(HOST_PKRS);
	check(vmcs_read(GUEST_PKRS) == 5);
	/* The same right after an exit: all four are there at once. */
	expect_exit(&first, EXITED_VMCALL);
	check(vmcs_read(GUEST_PKRS_HIGH) == 0);
	check(vmcs_read(HOST_PKRS_HIGH) == 0);
	expect_pkrs("exit", L1_PKRS, L1_PKRS);
	field_halves(HOST_PKRS);
	field_halves(GUEST_PKRS);
}

/* The guest field first of all: by its high half, which is read alone. */
static void high_half_after_exit(void)
{
	start(L1_PKRS);
	arm(&first, l2_vmcall, &none);
	vmcs_write(GUEST_PKRS, ~0ull);
	expect_exit(&first, EXITED_VMCALL);
	check(vmcs_read(GUEST_PKRS_HIGH) == 0);
}

/* The fields of two VMCSs are two. */
static void fields_of_two(void)
{
	start(L1_PKRS);
	arm(&first, l2_vmcall, &both);
	arm(&second, l2_vmcall, &none);
	vmcs_write(GUEST_PKRS, 0x30);
	vmcs_write(HOST_PKRS, 0x40);
	l2_current(&first);
	check(vmcs_read(GUEST_PKRS) == both.guest);
	check(vmcs_read(HOST_PKRS) == both.host);
	l2_current(&second);
	check(vmcs_read(GUEST_PKRS) == 0x30);
	check(vmcs_read(HOST_PKRS) == 0x40);
}

static u32 seen;
static u8 vector;

static void l2_writes(void)
{
	for (;;) {
		write_pkrs(L2_VALUE);
		seen = rdmsr(MSR_PKRS);
		l2_exit();
	}
}

/* L1 intercepts the write and does it for L2, in the guest field. */
static void l1_emulates_write(void)
{
	start(L1_PKRS);
	arm(&first, l2_writes, &both);
	l2_intercept(&first, false, true);
	if (!expect_exit(&first, EXITED_WRMSR))
		return;
	expect_pkrs("WRMSR exit", both.host, both.guest);
	check(first.regs[RAX] == L2_VALUE && first.regs[RCX] == MSR_PKRS);
	vmcs_write(GUEST_PKRS, 0x01010100);
	l2_skip(2, false);
	expect_exit(&first, EXITED_VMCALL);
	check(seen == 0x01010100);
	expect_pkrs("exit", both.host, 0x01010100);
}

/* L2 goes round once, without a VMWRITE; what exits does so on its way. */
static bool round_without_vmwrite(bool read, bool write)
{
	l2_intercept(&first, read, write);
	l2_skip(VMCALL_LENGTH, true);
	if (write) {
		if (!expect_exit(&first, EXITED_WRMSR))
			return false;
		l2_mend();
		l2_skip(2, true);
	}
	if (read) {
		if (!expect_exit(&first, EXITED_RDMSR))
			return false;
		l2_mend();
		l2_skip(2, true);
	}
	if (!expect_exit(&first, EXITED_VMCALL))
		return false;
	l2_mend();
	return true;
}

/* The bitmap is memory: a change of it alone is obeyed. */
static void bitmap_change_without_vmwrite(void)
{
	start(L1_PKRS);
	for (int i = 0; i < 4; i++) {
		bool right;

		arm(&first, l2_writes, i & 1 ? &both : &none);
		right = expect_exit(&first, EXITED_VMCALL);
		for (int j = 1; right && j < 5; j++)
			right = round_without_vmwrite(j & 2, j & 1);
	}
	l2_mend();
}

static void without_bitmap(void)
{
	start(L1_PKRS);
	arm(&first, l2_writes, &both);
	vmcs_control(PROC_CONTROLS, 0, PROC_MSR_BITMAP);
	if (!expect_exit(&first, EXITED_WRMSR))
		return;
	l2_skip(2, false);
	expect_exit(&first, EXITED_RDMSR);
	vmcs_control(PROC_CONTROLS, PROC_MSR_BITMAP, 0);
	expect_exit(&first, EXITED_VMCALL);
	check(seen == both.guest);
}

static void l2_writes_high_bits(void)
{
	write_pkrs(L2_VALUE);
	vector = wrmsr_safe(MSR_PKRS, 1ull << 32);
	seen = rdmsr(MSR_PKRS);
	l2_vmcall();
}

static void high_bits_fault_in_l2(void)
{
	start(L1_PKRS);
	arm(&first, l2_writes_high_bits, &both);
	expect_exit(&first, EXITED_VMCALL);
	check(vector == VEC_GP);
	check(seen == L2_VALUE);
	expect_pkrs("exit", both.host, L2_VALUE);
}

static void high_bits_exit_to_l1(void)
{
	start(L1_PKRS);
	arm(&first, l2_writes_high_bits, &both);
	vmcs_write(EXCEPTION_BITMAP, 1u << VEC_GP);
	expect_exit(&first, EXITED_EXCEPTION);
	check((vmcs_read(EXIT_EVENT) & 0xff) == VEC_GP);
	check(vmcs_read(EXIT_EVENT_CODE) == 0);
	expect_pkrs("exit", both.host, L2_VALUE);
}

/* An intercepted write exits before its value is looked at. */
static void high_bits_intercepted(void)
{
	start(L1_PKRS);
	arm(&first, l2_writes_high_bits, &both);
	l2_intercept(&first, false, true);
	if (!expect_exit(&first, EXITED_WRMSR))
		return;
	l2_skip(2, false);
	expect_exit(&first, EXITED_WRMSR);
	check(first.regs[RDX] == 1);
	expect_pkrs("exit", both.host, both.guest);
}

static void l2_writes_often(void)
{
	for (u32 i = 0;; i++) {
		for (int j = 0; j < 20; j++)
			write_pkrs(i << 8 | j << 2);
		l2_exit();
	}
}

/* Many values between two exits, many exits in a row without a VMWRITE. */
static void last_value_counts(void)
{
	for (int i = 0; i < 4; i++) {
		struct pkrs_vmcs v = { i & 1, i & 2, both.guest, both.host };

		start(L1_PKRS);
		arm(&first, l2_writes_often, &v);
		for (u32 j = 0; j < 50; j++) {
			u32 last = j << 8 | 19 << 2;

			if (!expect_exit(&first, EXITED_VMCALL))
				break;
			l2_mend();
			expect_pkrs("exit", i & 2 ? both.host : last, last);
			l2_skip(VMCALL_LENGTH, true);
		}
		l2_mend();
	}
}

#define TEST(name) { "nested.msr." #name, name, 0 }
const struct test msr_tests[] = {
	TEST(controls_offered), TEST(cr4_bit_flexible), TEST(four_encodings),
	TEST(high_half_after_exit), TEST(fields_of_two), TEST(l1_emulates_write),
	TEST(bitmap_change_without_vmwrite), TEST(without_bitmap),
	TEST(high_bits_fault_in_l2), TEST(high_bits_exit_to_l1),
	TEST(high_bits_intercepted), TEST(last_value_counts),
};
const unsigned int n_msr_tests = ARRAY_SIZE(msr_tests);
