// SPDX-License-Identifier: GPL-2.0-only
/* The dirty bit, and the register as such: PKS-9 to PKS-12. */
#include "pks.h"

/* PKS-9: the dirty bit. */

static void refused_write_is_not_dirty(void)
{
	vault(SUPER, AD);
	expect_write(0, PF_P | PF_W | PF_PK);
	check(!(*leaf & PTE_D));
	call_at(0, acc_rmw, VAULT, 1);
	check(!(*leaf & PTE_D));
	write_pkrs(WD);
	expect_write(0, PF_P | PF_W | PF_PK);
	expect_rmw(0, PF_P | PF_W | PF_PK);
	check(!(*leaf & PTE_D));
	check(content[0] == 0xc3c3c3c3);
	expect_read(0, NONE);
	check(!(*leaf & PTE_D));
}

static void permitted_write_is_dirty(void)
{
	vault(SUPER, 0);
	expect_write(0, NONE);
	check(*leaf & PTE_D);
	vault(SUPER, WD);
	clear_wp();
	expect_write(0, NONE);
	check(*leaf & PTE_D);
}

/* PKS-10: the register. */

static void high_bits_fault(void)
{
	u64 v;

	write_pkrs(0x5a5a5a5a);
	for (int bit = 32; bit < 64; bit++) {
		check(wrmsr_safe(MSR_PKRS, 1ull << bit | 1) == VEC_GP);
		check(trap.error == 0);
		check(rdmsr_safe(MSR_PKRS, &v) == NO_FAULT);
		check(v == 0x5a5a5a5a);
	}
}

static void low_bits_stick(void)
{
	u64 v;

	for (int bit = 0; bit < 32; bit++) {
		check(wrmsr_safe(MSR_PKRS, 1u << bit) == NO_FAULT);
		check(rdmsr_safe(MSR_PKRS, &v) == NO_FAULT);
		check(v == 1u << bit);
	}
}

/* The same with CR4.PKS set; the tests before this one had it clear. */
static void low_bits_stick_in_use(void)
{
	vault(SUPER, 0);
	for (int bit = 0; bit < 2 * OWN_KEY; bit++) {
		write_pkrs(1u << bit);
		check(rdmsr(MSR_PKRS) == 1u << bit);
	}
}

static void user_mode_cannot_write(void)
{
	vault(SUPER, AD);
	check(!call_at(3, acc_wrmsr, MSR_PKRS, 0));
	check(trap.vector == VEC_GP);
	check(rdmsr(MSR_PKRS) == AD);
}

static void no_flush_needed(void)
{
	vault(SUPER, 0);
	for (int i = 0; i < 100; i++) {
		write_pkrs(0);
		expect_write(0, NONE);
		write_pkrs(WD);
		expect_write(0, PF_P | PF_W | PF_PK);
		expect_read(0, NONE);
		write_pkrs(AD);
		expect_read(0, PF_P | PF_PK);
	}
}

/* A push, PKRS, and a push again. */
static void push_around_pkrs(u64 top, u64 pkrs)
{
	asm volatile("mov %%rsp, %%rbx\n\t"
		     "mov %0, %%rsp\n\t"
		     "push %%rax\n\t"
		     "wrmsr\n\t"
		     "push %%rax\n\t"
		     "mov %%rbx, %%rsp"
		     : : "D"(top), "a"(pkrs), "d"(0), "c"(MSR_PKRS) : "rbx", "memory");
}

/* The vault is the stack: an emulator's cached stack page must not live on. */
static void push_needs_no_flush(void)
{
	const u64 top = VAULT + 128;

	vault(SUPER, 0);
	idt[VEC_PF].ist = 1;
	check(call_at(0, push_around_pkrs, top, 0));
	check(!call_at(0, push_around_pkrs, top, WD));
	check(trap.vector == VEC_PF);
	check(trap.error == (PF_P | PF_W | PF_PK));
	check(trap.cr2 == top - 16);
	idt[VEC_PF].ist = 0;
}

/* PKS-11: a change of CR4.PKS takes no flush, one of a key does. */

static void cr4_toggle_counts_at_once(void)
{
	vault(SUPER, AD);
	for (int i = 0; i < 3; i++) {
		write_cr4(read_cr4() & ~(u64)CR4_PKS);
		expect_read(0, NONE);
		write_cr4(read_cr4() | CR4_PKS);
		expect_read(0, PF_P | PF_PK);
	}
}

static void key_change_with_invlpg(void)
{
	vault(SUPER, AD);
	expect_read(0, PF_P | PF_PK);
	vault(PTE_P | PTE_W | PTE_KEY(KEY + 1), AD);
	expect_read(0, NONE);
	vault(SUPER, AD);
	expect_read(0, PF_P | PF_PK);
}

/* PKS-12 */

static void zero_after_reset(void)
{
	check(reset_pkrs == 0);
}

/* PKRS is no XSAVE state, the PKRU component next to it included. */
static void xrstor_keeps(void)
{
	static u8 area[PAGE_SIZE] __attribute__((aligned(64)));
	u32 mask;

	if (!cpu_has_xsave())
		return skip("XSAVE");
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXSAVE);
	mask = cpuid(0xd, 0).a & (1u << 9 | 3);
	xsetbv(0, mask);
	write_pkrs(0x11111111);
	asm volatile("xsave64 %0" : "+m"(area) : "a"(mask), "d"(0));
	write_pkrs(0x22222222);
	asm volatile("xrstor64 %0" : : "m"(area), "a"(mask), "d"(0));
	check(rdmsr(MSR_PKRS) == 0x22222222);
	check(!(cpuid(0xd, 0).d | cpuid(0xd, 1).d));
}

const struct test register_tests[] = {
	{ "pks.rule9.refused_write_is_not_dirty", refused_write_is_not_dirty },
	{ "pks.rule9.permitted_write_is_dirty", permitted_write_is_dirty },
	{ "pks.rule10.high_bits_fault", high_bits_fault },
	{ "pks.rule10.low_bits_stick", low_bits_stick },
	{ "pks.rule10.low_bits_stick~in_use", low_bits_stick_in_use },
	{ "pks.rule10.user_mode_cannot_write", user_mode_cannot_write },
	{ "pks.rule10.no_flush_needed", no_flush_needed },
	{ "pks.rule10.push_needs_no_flush", push_needs_no_flush },
	{ "pks.rule11.cr4_toggle_counts_at_once", cr4_toggle_counts_at_once, TCG_CR4 },
	{ "pks.rule11.key_change_with_invlpg", key_change_with_invlpg },
	{ "pks.rule12.zero_after_reset", zero_after_reset },
	{ "pks.rule12.xrstor_keeps", xrstor_keeps },
};
const unsigned int n_register_tests = ARRAY_SIZE(register_tests);
