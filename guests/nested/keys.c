// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keys at work: which accesses of L2, and of L1 after it, the vault's key
 * forbids, and who gets the fault. Each with and without EPT of L1's.
 */
#include "nested.h"

#define READ_FAULT	(PF_P | PF_PK)
#define WRITE_FAULT	(PF_P | PF_W | PF_PK)
#define NONE		(~0u)

static u32 read_error, write_error;	/* what an L2 or L1 got, or NONE */

static u32 answer(bool ran)
{
	if (ran)
		return NONE;
	check(trap.vector == VEC_PF);
	check(trap.cr2 == VAULT);
	return trap.error;
}

static void access_vault(void)
{
	read_error = answer(call_at(0, acc_read, VAULT, 0));
	write_error = answer(call_at(0, acc_write, VAULT, 1));
}

static void l2_accesses_vault(void)
{
	for (;;) {
		access_vault();
		l2_exit();
	}
}

static void expect_answers(const char *who, u32 pkrs, bool on)
{
	u32 read = on && pkrs & VAULT_AD ? READ_FAULT : NONE;
	u32 write = on && pkrs & (VAULT_AD | VAULT_WD) ? WRITE_FAULT : NONE;

	if (read_error != read)
		fail("%s reads with PKRS 0x%x: 0x%x, not 0x%x", who, pkrs, read_error, read);
	if (write_error != write)
		fail("%s writes with PKRS 0x%x: 0x%x, not 0x%x", who, pkrs, write_error, write);
}

static const u32 values[] = { 0, VAULT_WD, VAULT_AD, VAULT_AD | VAULT_WD };

static void begin(void (*code)(void), const struct pkrs_vmcs *v, bool ept)
{
	start(0);
	arm(&first, code, v);
	if (ept)
		l2_use_ept();
}

/* L2 by its PKRS, then L1 by the one that the exit left it. */
static void check_pair(u32 l2, u32 l1, int controls, bool ept)
{
	struct pkrs_vmcs v = { controls & 1, controls & 2, l2, l1 };
	u32 pkrs = l1 ^ VAULT_AD;

	begin(l2_accesses_vault, &v, ept);
	write_pkrs(pkrs);
	pkrs_entry(&pkrs, &v);
	expect_exit(&first, EXITED_VMCALL);
	expect_answers("L2", pkrs, true);
	pkrs_exit(&pkrs, &v);
	access_vault();
	expect_answers("L1", pkrs, true);
}

static void both_obey_their_own(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++)
		for (unsigned int j = 0; j < ARRAY_SIZE(values); j++)
			for (int k = 0; k < 8; k++)
				check_pair(values[i], values[j], k & 3, k & 4);
}

/* CR4.PKS in L1 and in L2 are two: each closes the vault for its own only. */
static void cr4_of_each_counts(void)
{
	struct pkrs_vmcs v = { true, true, VAULT_AD, VAULT_AD };

	for (int i = 0; i < 8; i++) {
		bool l1 = i & 1, l2 = i & 2;
		u64 cr4 = cr4_base() | CR4_VMXE;

		begin(l2_accesses_vault, &v, i & 4);
		vmcs_write(GUEST_CR4, cr4 | (l2 ? CR4_PKS : 0));
		vmcs_write(HOST_CR4, cr4 | (l1 ? CR4_PKS : 0));
		expect_exit(&first, EXITED_VMCALL);
		expect_answers("L2", VAULT_AD, l2);
		check(read_cr4() == (cr4 | (l1 ? CR4_PKS : 0)));
		access_vault();
		expect_answers("L1", VAULT_AD, l1);
	}
}

/* Either of L1 and L2 may have 5-level paging alone: each exit changes CR4.LA57. */
static void la57_of_each_counts(void)
{
	struct pkrs_vmcs v = { true, true, VAULT_AD, VAULT_WD };
	u64 other = cr4_base() ^ CR4_LA57, on = CR4_VMXE | CR4_PKS;

	if (!cpu_has_la57())
		return skip("5-level paging");
	for (int ept = 0; ept < 2; ept++) {
		begin(l2_accesses_vault, &v, ept);
		vmcs_write(GUEST_CR4, other | on);
		vmcs_write(GUEST_CR3, (u64)(other & CR4_LA57 ? boot_pml5 : boot_pml4));
		for (int i = 0; i < 2; i++) {
			expect_exit(&first, EXITED_VMCALL);
			expect_answers("L2", VAULT_AD, true);
			check(vmcs_read(GUEST_CR4) == (other | on));
			check(read_cr4() == (cr4_base() | on));
			access_vault();
			expect_answers("L1", VAULT_WD, true);
			l2_skip(VMCALL_LENGTH, false);
		}
	}
}

static void l2_switches_cr4(void)
{
	for (;;) {
		write_cr4(read_cr4() ^ CR4_PKS);
		access_vault();
		l2_exit();
	}
}

/* L2's own MOV to CR4, which L1 lets it make, and sees afterwards. */
static void l2_changes_cr4(void)
{
	struct pkrs_vmcs v = { true, true, VAULT_AD, 0 };

	for (int ept = 0; ept < 2; ept++) {
		begin(l2_switches_cr4, &v, ept);
		for (int i = 0; i < 6; i++) {
			if (!expect_exit(&first, EXITED_VMCALL))
				break;
			l2_mend();
			expect_answers("L2", VAULT_AD, i & 1);
			check(!(vmcs_read(GUEST_CR4) & CR4_PKS) == !(i & 1));
			l2_skip(VMCALL_LENGTH, true);
		}
		l2_mend();
	}
}

/* L1 owns the bit by its mask: the MOV exits, what L2 reads is the shadow. */
static void l1_owns_cr4_bit(void)
{
	struct pkrs_vmcs v = { true, true, VAULT_AD, 0 };

	begin(l2_switches_cr4, &v, false);
	vmcs_write(CR4_MASK, CR4_PKS);
	vmcs_write(CR4_SHADOW, 0);
	if (!expect_exit(&first, EXITED_CR))
		return;
	l2_skip(vmcs_read(EXIT_INSTRUCTION_LENGTH), false);
	expect_exit(&first, EXITED_VMCALL);
	expect_answers("L2", VAULT_AD, true);
}

static void expect_pf(u32 error)
{
	expect_exit(&first, EXITED_EXCEPTION);
	check((vmcs_read(EXIT_EVENT) & 0x800007ff) == (0x80000300 | VEC_PF));
	check(vmcs_read(EXIT_EVENT_CODE) == error);
	check(vmcs_read(EXIT_QUALIFICATION) == VAULT);
}

/* By the error code L1 can have the key faults and no others, or the others. */
static void l1_selects_key_faults(void)
{
	struct pkrs_vmcs v = { true, true, VAULT_AD, 0 };

	for (int ept = 0; ept < 2; ept++) {
		begin(l2_accesses_vault, &v, ept);
		vmcs_write(EXCEPTION_BITMAP, 1u << VEC_PF);
		vmcs_write(PF_CODE_MASK, PF_PK);
		vmcs_write(PF_CODE_MATCH, PF_PK);
		expect_pf(READ_FAULT);
		expect_pkrs("#PF exit", 0, VAULT_AD);
		vmcs_write(GUEST_PKRS, VAULT_WD);
		expect_pf(WRITE_FAULT);
		vmcs_write(GUEST_PKRS, 0);
		expect_exit(&first, EXITED_VMCALL);
		expect_answers("L2", 0, true);
		vmcs_write(PF_CODE_MATCH, 0);
		vmcs_write(GUEST_PKRS, VAULT_AD);
		l2_skip(VMCALL_LENGTH, false);
		expect_exit(&first, EXITED_VMCALL);
		expect_answers("L2", VAULT_AD, true);
	}
}

/* L1 mends PKRS for L2 and has it try again, without and with a VMWRITE. */
static void retry_after_fault(void)
{
	struct pkrs_vmcs v = { false, false, 0, 0 };

	begin(l2_accesses_vault, &v, true);
	vmcs_write(EXCEPTION_BITMAP, 1u << VEC_PF);
	write_pkrs(VAULT_AD);
	expect_pf(READ_FAULT);
	write_pkrs(VAULT_WD);
	expect_pf(WRITE_FAULT);
	write_pkrs(0);
	expect_exit(&first, EXITED_VMCALL);
	expect_answers("L2", 0, true);
}

/* L1 has L2 take a key fault that never was. */
static void l1_injects_key_fault(void)
{
	struct pkrs_vmcs v = { true, true, 0, 0 };

	begin(l2_accesses_vault, &v, true);
	vmcs_write(EXCEPTION_BITMAP, 1u << VEC_PF);
	vmcs_write(GUEST_PKRS, VAULT_AD);
	expect_pf(READ_FAULT);
	vmcs_write(GUEST_PKRS, 0);
	write_cr2(VAULT);
	vmcs_write(ENTRY_EVENT, 0x80000b00 | VEC_PF);
	vmcs_write(0x4018, READ_FAULT);		/* its error code */
	expect_exit(&first, EXITED_VMCALL);
	check(read_error == READ_FAULT);
	check(write_error == NONE);
}

static void l2_wp_clear(void)
{
	write_cr0(read_cr0() & ~(u64)CR0_WP);
	access_vault();
	write_cr0(read_cr0() | CR0_WP);
	l2_vmcall();
}

/* PKS-5 in L2: without CR0.WP, WD forbids nothing. */
static void wp_of_l2_counts(void)
{
	struct pkrs_vmcs v = { true, true, VAULT_WD, VAULT_WD };

	for (int ept = 0; ept < 2; ept++) {
		begin(l2_wp_clear, &v, ept);
		expect_exit(&first, EXITED_VMCALL);
		check(read_error == NONE && write_error == NONE);
		access_vault();
		expect_answers("L1", VAULT_WD, true);
	}
}

/* L1 changes the page's key between two clean entries. */
static void key_change_between_entries(void)
{
	struct pkrs_vmcs v = { true, true, VAULT_AD, 0 };
	u64 *leaf = entry(VAULT, 1);

	for (int ept = 0; ept < 2; ept++) {
		begin(l2_accesses_vault, &v, ept);
		for (int i = 0; i < 4; i++) {
			if (!expect_exit(&first, EXITED_VMCALL))
				break;
			l2_mend();
			expect_answers("L2", VAULT_AD, !(i & 1));
			*leaf ^= PTE_KEY(2);
			invlpg(VAULT);
			l2_skip(VMCALL_LENGTH, true);
		}
		l2_mend();
	}
}

#define TEST(name) { "nested.keys." #name, name, 0 }
const struct test key_tests[] = {
	TEST(both_obey_their_own), TEST(cr4_of_each_counts),
	TEST(la57_of_each_counts), TEST(l2_changes_cr4),
	TEST(l1_owns_cr4_bit), TEST(l1_selects_key_faults), TEST(retry_after_fault),
	TEST(l1_injects_key_fault), TEST(wp_of_l2_counts),
	TEST(key_change_between_entries),
};
const unsigned int n_key_tests = ARRAY_SIZE(key_tests);
