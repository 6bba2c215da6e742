// SPDX-License-Identifier: GPL-2.0-only
/* MSR-load and MSR-store lists with IA32_PKRS in them (PKS-16). */
#include "nested.h"

#define L1_PKRS		0x10a1b2c4u
#define GUEST_VALUE	0x11e2d3f8u
#define HOST_VALUE	0x27f60e5cu
#define L2_VALUE	0x00c0ffe0u
#define ENTRY_VALUE	0x01234560u
#define EXIT_VALUE	0x0fedcba0u

static struct msr_entry entry_list[4], store_list[4], load_list[4];
static u32 seen;

static void l2_reads_and_writes(void)
{
	seen = rdmsr(MSR_PKRS);
	write_pkrs(L2_VALUE);
	l2_exit();
	seen = rdmsr(MSR_PKRS);
	l2_vmcall();
}

/* PKRS entries, with another MSR in front so that positions differ. */
static void set_list(struct msr_entry *list, u32 count_field, u32 address_field,
		     u32 n, const u64 *values)
{
	list[0] = (struct msr_entry){ 0xc0000102, 0, 0 };	/* KERNEL_GS_BASE */
	for (u32 i = 0; i < n; i++)
		list[i + 1] = (struct msr_entry){ MSR_PKRS, 0, values[i] };
	vmcs_write(address_field, (u64)list);
	vmcs_write(count_field, n + 1);
}

static struct pkrs_vmcs begin(int controls)
{
	struct pkrs_vmcs v = {
		controls & 1, controls & 2, GUEST_VALUE, HOST_VALUE,
	};

	start(L1_PKRS);
	arm(&first, l2_reads_and_writes, &v);
	return v;
}

static void entry_list_wins(void)
{
	const u64 values[2] = { 0x05050500, ENTRY_VALUE };

	for (int i = 0; i < 8; i++) {
		struct pkrs_vmcs v = begin(i & 3);
		u32 n = i & 4 ? 2 : 1, pkrs = L2_VALUE;

		set_list(entry_list, ENTRY_MSR_LOAD_COUNT, ENTRY_MSR_LOAD_ADDR, n,
			 values + 2 - n);
		if (!expect_exit(&first, EXITED_VMCALL))
			return;
		cell("entry list of %u E%u X%u: L2 %08x L1 %08lx guest %016lx", n,
		     v.entry, v.exit, seen, rdmsr(MSR_PKRS), vmcs_read(GUEST_PKRS));
		check(seen == ENTRY_VALUE);
		pkrs_exit(&pkrs, &v);
		expect_pkrs("exit", pkrs, v.guest);
		/* And again, L2 going on, with the list as it is. */
		l2_skip(VMCALL_LENGTH, true);
		expect_exit(&first, EXITED_VMCALL);
		l2_mend();
		check(seen == ENTRY_VALUE);
		pkrs = ENTRY_VALUE;
		pkrs_exit(&pkrs, &v);
		expect_pkrs("second exit", pkrs, v.guest);
	}
}

static void exit_list_wins(void)
{
	const u64 values[2] = { 0x05050500, EXIT_VALUE };

	for (int i = 0; i < 8; i++) {
		u32 n = i & 4 ? 2 : 1;

		begin(i & 3);
		set_list(load_list, EXIT_MSR_LOAD_COUNT, EXIT_MSR_LOAD_ADDR, n,
			 values + 2 - n);
		expect_exit(&first, EXITED_VMCALL);
		cell("exit list of %u E%u X%u: L1 %08lx guest %016lx", n, i & 1,
		     i >> 1 & 1, rdmsr(MSR_PKRS), vmcs_read(GUEST_PKRS));
		check(seen == (i & 1 ? GUEST_VALUE : L1_PKRS));
		expect_pkrs("exit", EXIT_VALUE, L2_VALUE);
	}
}

/* Stores come before the host state is loaded: they have L2's value. */
static void store_list_has_l2_value(void)
{
	const u64 values[1] = { 0 }, loads[1] = { EXIT_VALUE };

	for (int i = 0; i < 8; i++) {
		begin(i & 3);
		set_list(store_list, EXIT_MSR_STORE_COUNT, EXIT_MSR_STORE_ADDR, 1, values);
		if (i & 4)
			set_list(load_list, EXIT_MSR_LOAD_COUNT, EXIT_MSR_LOAD_ADDR,
				 1, loads);
		store_list[1].value = ~0ull;
		expect_exit(&first, EXITED_VMCALL);
		cell("store list E%u X%u: %016lx", i & 1, i >> 1 & 1,
		     store_list[1].value);
		check(store_list[1].value == L2_VALUE);
		if (i & 4)
			check(rdmsr(MSR_PKRS) == EXIT_VALUE);
	}
}

/* All three lists, four entries in a row. */
static void lists_together(void)
{
	const u64 in[2] = { 1, ENTRY_VALUE }, out[2] = { 2, EXIT_VALUE };

	begin(3);
	vmcs_write(GUEST_RIP, (u64)l2_vmcall);
	set_list(entry_list, ENTRY_MSR_LOAD_COUNT, ENTRY_MSR_LOAD_ADDR, 2, in);
	set_list(store_list, EXIT_MSR_STORE_COUNT, EXIT_MSR_STORE_ADDR, 2, in);
	set_list(load_list, EXIT_MSR_LOAD_COUNT, EXIT_MSR_LOAD_ADDR, 2, out);
	for (int i = 0; i < 4; i++) {
		store_list[2].value = 0;
		expect_exit(&first, EXITED_VMCALL);
		expect_pkrs("exit", EXIT_VALUE, ENTRY_VALUE);
		check(store_list[2].value == ENTRY_VALUE);
		write_pkrs(L1_PKRS);
	}
}

/*
 * A bad entry: exit reason 34, its position in the qualification. The guest
 * field and the entries before it are loaded already; without an exit control
 * that is what L1 goes on with.
 */
static void bad_list_one(int controls, u32 bad, u64 value, u32 reserved)
{
	const u64 values[3] = { ENTRY_VALUE, ENTRY_VALUE + 16, ENTRY_VALUE + 32 };
	struct pkrs_vmcs v = begin(controls);
	u32 pkrs = L1_PKRS;

	set_list(entry_list, ENTRY_MSR_LOAD_COUNT, ENTRY_MSR_LOAD_ADDR, 3, values);
	entry_list[bad].value = value;
	entry_list[bad].reserved = reserved;
	expect_exit(&first, ENTRY_FAILED | EXITED_BAD_LIST);
	check(vmcs_read(EXIT_QUALIFICATION) == bad + 1);
	pkrs_entry(&pkrs, &v);
	if (bad > 1)
		pkrs = values[bad - 2];
	pkrs_failed_entry(&pkrs, &v);
	cell("bad entry %u E%u X%u: qualification %lu L1 %08lx guest %016lx", bad + 1,
	     v.entry, v.exit, vmcs_read(EXIT_QUALIFICATION), rdmsr(MSR_PKRS),
	     vmcs_read(GUEST_PKRS));
	expect_pkrs("failed entry", pkrs, GUEST_VALUE);
	vmcs_write(ENTRY_MSR_LOAD_COUNT, 0);
	write_pkrs(L1_PKRS);
	expect_exit(&first, EXITED_VMCALL);
	check(seen == (v.entry ? GUEST_VALUE : L1_PKRS));
}

static void bad_value_fails_entry(void)
{
	for (int i = 0; i < 12; i++) {
		bad_list_one(i & 3, 1 + i / 4, 1ull << 32, 0);
		bad_list_one(i & 3, 1 + i / 4, 1ull << 63 | 4, 0);
	}
}

static void reserved_bits_fail_entry(void)
{
	for (int i = 0; i < 12; i++)
		bad_list_one(i & 3, 1 + i / 4, ENTRY_VALUE, 1);
}

#define TEST(name) { "nested.list." #name, name, 0 }
const struct test list_tests[] = {
	TEST(entry_list_wins), TEST(exit_list_wins), TEST(store_list_has_l2_value),
	TEST(lists_together), TEST(bad_value_fails_entry),
	TEST(reserved_bits_fail_entry),
};
const unsigned int n_list_tests = ARRAY_SIZE(list_tests);
