// SPDX-License-Identifier: GPL-2.0-only
/* Which accesses the keys forbid, and the error codes: PKS-1 to PKS-8. */
#include "pks.h"

/* PKS-1: active in long mode with CR4.PKS only. */

static void cr4_clear_means_nothing(void)
{
	vault(SUPER, ~KEY_AD(OWN_KEY) & ~KEY_WD(OWN_KEY));
	write_cr4(read_cr4() & ~(u64)CR4_PKS);
	flush_all();
	expect_read(0, NONE);
	expect_write(0, NONE);
	expect_rmw(0, NONE);
}

static void compatibility_mode_checks(void)
{
	vault(SUPER, AD);
	expect("32-bit code's read", 0, compat_read, VAULT, PF_P | PF_PK);
	write_pkrs(0);
	expect("32-bit code's read", 0, compat_read, VAULT, NONE);
}

/* Every key closed, CR4.PKS set: the mode's accesses pass all the same. */
static void in_legacy_mode(u32 cr0, u32 cr3, u32 cr4)
{
	struct legacy l = {
		.cr0 = CR0_WP | CR0_NE | CR0_ET | CR0_PE | cr0, .cr3 = cr3,
		.cr4 = CR4_PKS | cr4, .pkrs = ~0u, .address = (u64)content,
	};

	content[0] = 41;
	legacy_access(&l);
	check(!l.faulted);
	check(l.value == 41);
	check(content[0] == 42);
}

static void paging_off_means_nothing(void)
{
	in_legacy_mode(0, 0, 0);
}

static void two_level_means_nothing(void)
{
	u32 *pd = page_alloc();

	for (u32 i = 0; i < 1024; i++)
		pd[i] = i << 22 | PTE_PS | PTE_W | PTE_P;
	in_legacy_mode(CR0_PG, (u64)pd, CR4_PSE);
}

static void pae_means_nothing(void)
{
	u64 *pdpt = page_alloc(), *pd = page_alloc();

	pdpt[0] = (u64)pd | PTE_P;
	for (u64 i = 0; i < 512; i++)
		pd[i] = i << 21 | PTE_PS | PTE_W | PTE_P;
	in_legacy_mode(CR0_PG, (u64)pdpt, CR4_PAE);
}

/* PKS-2: the address chooses the register. */

static void pkrs_decides_supervisor_page(void)
{
	if (!cpu_has_pku())
		return skip("PKU");
	vault(SUPER, 0);
	set_pkru(AD | WD);
	expect_read(0, NONE);
	expect_write(0, NONE);
	set_pkru(0);
	write_pkrs(AD);
	expect_read(0, PF_P | PF_PK);
}

static void pkru_decides_user_page(void)
{
	if (!cpu_has_pku())
		return skip("PKU");
	vault(USER, AD | WD);
	set_pkru(0);
	expect_write(0, NONE);
	expect_read(3, NONE);
	expect_write(3, NONE);
	write_pkrs(0);
	set_pkru(AD);
	expect_read(0, PF_P | PF_PK);
	expect_read(3, PF_P | PF_U | PF_PK);
	set_pkru(WD);
	expect_read(3, NONE);
	expect_write(0, PF_P | PF_W | PF_PK);
	expect_write(3, PF_P | PF_W | PF_U | PF_PK);
	clear_wp();
	expect_write(0, NONE);
	expect_write(3, PF_P | PF_W | PF_U | PF_PK);
}

static void user_page_without_pke(void)
{
	vault(USER, AD | WD);
	expect_write(0, NONE);
	expect_write(3, NONE);
}

/* U/S=0 in one upper entry makes the address a supervisor-mode address. */
static void upper_level_decides(void)
{
	if (!cpu_has_pku())
		return skip("PKU");
	for (int level = 2; level <= root_level; level++) {
		u64 *upper = entry(VAULT, level);

		vault(USER, AD);
		set_pkru(0);
		*upper &= ~PTE_U;
		flush_all();
		expect_read(0, PF_P | PF_PK);
		write_pkrs(0);
		set_pkru(AD | WD);
		expect_write(0, NONE);
		*upper |= PTE_U;
		flush_all();
		expect_read(0, PF_P | PF_PK);
	}
}

/* PKS-3: fetches are not checked. */

static void fetch_passes(void)
{
	if (!cpu_has_pku())
		return skip("PKU");
	vault(SUPER, AD | WD);
	expect_fetch(0, NONE);
	vault(USER, AD | WD);
	set_pkru(AD | WD);
	expect_fetch(0, NONE);
	expect_fetch(3, NONE);
}

static void nx_fetch_has_no_pk(void)
{
	if (!cpu_has_pku())
		return skip("PKU");
	vault(SUPER | PTE_NX, AD);
	expect_fetch(0, PF_P | PF_I);
	vault(USER | PTE_NX, 0);
	set_pkru(AD);
	expect_fetch(3, PF_P | PF_U | PF_I);
}

/* PKS-4: AD blocks data accesses whatever CR0.WP. */

static void ad_blocks_read(void)
{
	vault(SUPER, AD);
	expect_read(0, PF_P | PF_PK);
	clear_wp();
	expect_read(0, PF_P | PF_PK);
}

static void ad_blocks_write(void)
{
	vault(SUPER, AD);
	expect_write(0, PF_P | PF_W | PF_PK);
	clear_wp();
	expect_write(0, PF_P | PF_W | PF_PK);
}

static void ad_blocks_rmw(void)
{
	vault(SUPER, AD);
	expect_rmw(0, PF_P | PF_W | PF_PK);
}

/* Only the page's own key counts. */
static void other_keys_do_not_block(void)
{
	u32 own = KEY_AD(OWN_KEY) | KEY_WD(OWN_KEY);

	vault(SUPER, ~(own | AD | WD));
	expect_read(0, NONE);
	expect_write(0, NONE);
}

static void large_page(u64 va, int level, u64 pa, u64 offset)
{
	u64 *l = map(va, pa | SUPER, level);
	u32 *p = phys(pa + offset);

	vault(SUPER, AD);
	va += offset;
	expect("read", 0, acc_read, va, PF_P | PF_PK);
	write_pkrs(WD);
	*p = 7;
	expect("read", 0, acc_read, va, NONE);
	check((u32)trap.value == 7);
	expect("write", 0, acc_write, va, PF_P | PF_W | PF_PK);
	check(!(*l & PTE_D));
	write_pkrs(0);
	expect("write", 0, acc_write, va, NONE);
	check(*p == 1);
	check(*l & PTE_D);
}

static void leaf_2m(void)
{
	large_page(VAULT_2M, 2, RAM_FREE, 0x12340);
}

static void leaf_1g(void)
{
	if (!cpu_has_1g())
		return skip("1 GiB pages");
	large_page(VAULT_1G, 3, 0, RAM_FREE + 0x45678);
}

/* PKS-5: WD blocks writes unless CR0.WP=0. */

static void wd_blocks_write(void)
{
	vault(SUPER, WD);
	expect_write(0, PF_P | PF_W | PF_PK);
	expect_rmw(0, PF_P | PF_W | PF_PK);
}

static void wd_allows_read(void)
{
	vault(SUPER, WD);
	expect_read(0, NONE);
	check((u32)trap.value == 0xc3c3c3c3);
}

static void wp_clear_lets_write_pass(void)
{
	vault(SUPER, WD);
	clear_wp();
	expect_write(0, NONE);
	check(content[0] == 1);
	expect_rmw(0, NONE);
	check(content[0] == 2);
}

/* PKS-6: implicit accesses are supervisor data accesses. */

static void implicit(enum implicit_kind kind, bool writes)
{
	u32 code = PF_P | PF_PK | (writes ? PF_W : 0);

	vault(SUPER, 0);
	*leaf |= PTE_A | PTE_D;
	for (int cpl = 0; cpl <= 3; cpl += 3) {
		struct implicit i = implicit_arm(kind, VAULT, content);

		check(call_at(cpl, i.fn, i.arg, 0));
		write_pkrs(AD);
		check(!call_at(cpl, i.fn, i.arg, 0));
		check(trap.vector == VEC_PF);
		check(trap.error == code);
		check(trap.cr2 - VAULT - i.first < i.size);
		write_pkrs(WD);
		check(call_at(cpl, i.fn, i.arg, 0) == !writes);
		check(!writes || (trap.vector == VEC_PF && trap.error == code));
		clear_wp();
		check(call_at(cpl, i.fn, i.arg, 0));
		write_cr0(read_cr0() | CR0_WP);
		write_pkrs(0);
	}
}

static void implicit_ldt(void)
{
	implicit(IMPLICIT_LDT, false);
}

static void implicit_gdt(void)
{
	implicit(IMPLICIT_GDT, false);
}

static void implicit_idt(void)
{
	implicit(IMPLICIT_IDT, false);
}

static void implicit_tss(void)
{
	implicit(IMPLICIT_TSS, false);
}

static void implicit_push(void)
{
	implicit(IMPLICIT_PUSH, true);
}

/* PKS-7: PK tells what the key alone forbids. */

static void user_read_reports_pk(void)
{
	vault(SUPER, AD);
	expect_read(3, PF_P | PF_U | PF_PK);
}

static void user_write_reports_pk(void)
{
	vault(SUPER, AD);
	expect_write(3, PF_P | PF_W | PF_U | PF_PK);
	write_pkrs(WD);
	expect_write(3, PF_P | PF_W | PF_U | PF_PK);
}

/* PKS-5: a user-mode write is held by WD whatever CR0.WP. */
static void user_write_reports_pk_wp_clear(void)
{
	vault(SUPER, WD);
	clear_wp();
	expect_write(3, PF_P | PF_W | PF_U | PF_PK);
}

static void user_access_without_pk(void)
{
	vault(SUPER, WD);
	expect_read(3, PF_P | PF_U);
	write_pkrs(0);
	expect_write(3, PF_P | PF_W | PF_U);
	write_pkrs(AD);
	expect_fetch(3, PF_P | PF_U | PF_I);
}

static void read_only_page(void)
{
	vault(SUPER & ~PTE_W, WD);
	expect_write(0, PF_P | PF_W | PF_PK);
	write_pkrs(0);
	expect_write(0, PF_P | PF_W);
	write_pkrs(WD);
	clear_wp();
	expect_write(0, NONE);
}

static void not_present_has_no_pk(void)
{
	vault(SUPER & ~PTE_P, AD | WD);
	expect_read(0, 0);
	expect_write(0, PF_W);
	expect_read(3, PF_U);
}

static void reserved_bit_has_no_pk(void)
{
	vault(SUPER | PTE_RSVD, AD | WD);
	expect_read(0, PF_P | PF_RSVD);
	expect_write(0, PF_P | PF_W | PF_RSVD);
	expect_read(3, PF_P | PF_U | PF_RSVD);
}

static void smap_and_pk(void)
{
	if (!cpu_has_smap() || !cpu_has_pku())
		return skip("SMAP and PKU");
	vault(USER, 0);
	write_cr4(read_cr4() | CR4_SMAP);
	set_pkru(0);
	expect_read(0, PF_P);
	set_pkru(AD);
	expect_read(0, PF_P | PF_PK);
}

/* PKS-8: all keys are alike, key 0 too. */

static void one_key(int key)
{
	vault(PTE_P | PTE_W | PTE_KEY(key), KEY_AD(key));
	expect_read(0, PF_P | PF_PK);
	write_pkrs(KEY_WD(key));
	expect_read(0, NONE);
	expect_write(0, PF_P | PF_W | PF_PK);
	write_pkrs(0);
	expect_write(0, NONE);
}

static void key_0(void)
{
	one_key(0);
}

static void every_key(void)
{
	for (int key = 1; key < OWN_KEY; key++)
		one_key(key);
	own_key(0);
	one_key(OWN_KEY);
	own_key(OWN_KEY);
}

const struct test rule_tests[] = {
	{ "pks.rule1.cr4_clear_means_nothing", cr4_clear_means_nothing },
	{ "pks.rule1.compatibility_mode_checks", compatibility_mode_checks },
	{ "pks.rule1.paging_off_means_nothing", paging_off_means_nothing },
	{ "pks.rule1.two_level_means_nothing", two_level_means_nothing },
	{ "pks.rule1.pae_means_nothing", pae_means_nothing },
	{ "pks.rule2.pkrs_decides_supervisor_page", pkrs_decides_supervisor_page },
	{ "pks.rule2.pkru_decides_user_page", pkru_decides_user_page },
	{ "pks.rule2.user_page_without_pke", user_page_without_pke },
	{ "pks.rule2.upper_level_decides", upper_level_decides },
	{ "pks.rule3.fetch_passes", fetch_passes },
	{ "pks.rule3.nx_fetch_has_no_pk", nx_fetch_has_no_pk },
	{ "pks.rule4.ad_blocks_read", ad_blocks_read },
	{ "pks.rule4.ad_blocks_write", ad_blocks_write },
	{ "pks.rule4.ad_blocks_rmw", ad_blocks_rmw, TCG_RMW },
	{ "pks.rule4.other_keys_do_not_block", other_keys_do_not_block },
	{ "pks.rule4.leaf_2m", leaf_2m },
	{ "pks.rule4.leaf_1g", leaf_1g },
	{ "pks.rule5.wd_blocks_write", wd_blocks_write },
	{ "pks.rule5.wd_allows_read", wd_allows_read },
	{ "pks.rule5.wp_clear_lets_write_pass", wp_clear_lets_write_pass },
	{ "pks.rule6.ldt", implicit_ldt },
	{ "pks.rule6.gdt", implicit_gdt },
	{ "pks.rule6.idt", implicit_idt },
	{ "pks.rule6.tss", implicit_tss },
	{ "pks.rule6.event_push", implicit_push },
	{ "pks.rule7.user_read_reports_pk", user_read_reports_pk, TCG_PK },
	{ "pks.rule7.user_write_reports_pk", user_write_reports_pk, TCG_PK },
	{ "pks.rule7.user_write_reports_pk~wp_clear", user_write_reports_pk_wp_clear, TCG_PK },
	{ "pks.rule7.user_access_without_pk", user_access_without_pk },
	{ "pks.rule7.read_only_page", read_only_page },
	{ "pks.rule7.not_present_has_no_pk", not_present_has_no_pk },
	{ "pks.rule7.reserved_bit_has_no_pk", reserved_bit_has_no_pk, TCG_RSVD },
	{ "pks.rule7.smap_and_pk", smap_and_pk },
	{ "pks.rule8.key_0", key_0 },
	{ "pks.rule8.every_key", every_key },
};
const unsigned int n_rule_tests = ARRAY_SIZE(rule_tests);
