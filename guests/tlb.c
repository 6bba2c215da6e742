// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a translation lives (TLB-1 to TLB-18), on a processor that keeps it as
 * long as it may: the page under test is moved in memory behind the processor's
 * back, and what is read tells which of its two places the processor knows.
 * Under KVM (machine=kvm) a translation may be gone earlier, but never be there
 * longer. Arguments: "shadow": KVM has ept=0, so that there are no keys and no EPT;
 * "fep": also what KVM's emulator has to drop (needs kvm.force_emulation_prefix=1).
 */
#include "vmx.h"

#define VAULT	0x80123000ull	/* no neighbour in a small cache of the user-mode code */
#define LARGE	0xc0000000ull
#define FLAGS	(PTE_P | PTE_W | PTE_A | PTE_D | PTE_KEY(OWN_KEY))
#define PTE_G	(1ull << 8)
#define CR4_PGE	0x00000080
#define CR4_PCIDE 0x00020000
#define CR3_KEEP (1ull << 63)
enum place { OLD = 1, NEW = 2 };

static u32 *places[3];
static enum place truth;	/* where it is, whatever the processor knows */
static bool may_drop;
static volatile u64 *leaf;
static struct l2 l2;
static void (*volatile l2_does)(void);
static volatile u32 seen;

/* Behind all writes that the program made before. */
static u32 look_at(u64 va)
{
	u32 v;

	asm volatile("mov (%1), %0" : "=r"(v) : "r"(va) : "memory");
	return v;
}

static u32 look(void)
{
	return look_at(VAULT);
}

static void move_to(enum place p, u64 flags)
{
	*leaf = (u64)places[p] | FLAGS | flags;
	truth = p;
}

static void judge(const char *when, u32 is, enum place p)
{
	if (is != p && !(may_drop && is == truth))
		fail("%s: the page is at its %s place", when, is == OLD ? "old" : "new");
}

/*
 * A change of CR0.WP drops nothing (mov_to_cr0), but has the emulated CPU leave
 * the small cache that it has in front of what it keeps.
 */
static void expect(const char *when, enum place p)
{
	judge(when, look(), p);
	write_cr0(read_cr0() ^ CR0_WP);
	judge(when, look(), p);
	write_cr0(read_cr0() ^ CR0_WP);
}

/* It is at the new place, and the processor knows the old one. */
static void know_old(u64 flags)
{
	move_to(OLD, flags);
	invlpg(VAULT);
	check(look() == OLD);
	move_to(NEW, flags);
}

static void invpcid(u64 type, u64 pcid, u64 address)
{
	u64 d[2] = { pcid, address };

	asm volatile("invpcid %0, %1" : : "m"(d), "r"(type) : "memory");
}

/* TLB-8 */
static void kept_until_invlpg(void)
{
	know_old(0);
	expect("nothing done", OLD);
	invlpg(VAULT + PAGE_SIZE);
	expect("INVLPG of another page", OLD);
	invlpg(VAULT);
	expect("INVLPG", NEW);
	write_cr4(read_cr4() | CR4_PGE);
	know_old(PTE_G);
	invlpg(VAULT);
	expect("INVLPG of a global page", NEW);
}

static void large_page_drops_whole(void)
{
	u64 *large = map(LARGE, RAM_FREE | FLAGS, 2);
	u64 at = LARGE + 0x5000;

	*(u32 *)phys(RAM_FREE + 0x5000) = OLD;
	*(u32 *)phys(RAM_FREE + 0x205000) = NEW;
	check(look_at(at) == OLD);
	*large += 0x200000;
	truth = NEW;
	judge("2 MiB page moved", look_at(at), OLD);
	invlpg(LARGE + 0x1ff000);
	judge("INVLPG elsewhere in it", look_at(at), NEW);
}

/* TLB-3: the key and the rights are the walk's, the registers the access's. */
static void rights_are_of_the_walk(void)
{
	move_to(OLD, 0);
	invlpg(VAULT);
	look();
	*leaf &= ~PTE_W;
	check(call_at(0, acc_write, VAULT, OLD) || may_drop);
	invlpg(VAULT);
	check(!call_at(0, acc_write, VAULT, OLD));
	check(trap.vector == VEC_PF);

	move_to(OLD, PTE_U);
	invlpg(VAULT);
	check(call_at(3, acc_read, VAULT, 0));
	*leaf &= ~PTE_U;
	check(call_at(3, acc_read, VAULT, 0) || may_drop);
	invlpg(VAULT);
	check(!call_at(3, acc_read, VAULT, 0));
	check(trap.vector == VEC_PF);
}

static void key_is_of_the_walk(void)
{
	move_to(OLD, 0);
	invlpg(VAULT);
	look();
	write_cr4(read_cr4() | CR4_PKS);
	*leaf ^= PTE_KEY(OWN_KEY ^ 1);
	write_pkrs(KEY_AD(1));
	check(call_at(0, acc_read, VAULT, 0) || may_drop);
	invlpg(VAULT);
	check(!call_at(0, acc_read, VAULT, 0));
	write_pkrs(0);
	check(call_at(0, acc_read, VAULT, 0));
	write_pkrs(KEY_AD(1));
	check(!call_at(0, acc_read, VAULT, 0));
	write_pkrs(0);
}

/* TLB-4 */
static void dirty_is_of_the_walk(void)
{
	move_to(OLD, 0);
	invlpg(VAULT);
	look();
	*leaf &= ~PTE_D;
	*(volatile u32 *)VAULT = OLD;
	check(!(*leaf & PTE_D) || may_drop);
	invlpg(VAULT);
	look();
	check(!(*leaf & PTE_D) || may_drop);
	*(volatile u32 *)VAULT = OLD;
	check(*leaf & PTE_D);
}

/*
 * TLB-1: an entry that refers to a table is kept, and reaches what no page is
 * kept of, until INVLPG of any address (TLB-8).
 */
static void tables_are_kept(void)
{
	for (int level = 2; level <= (cpu_has_1g() ? 4 : 3); level++) {
		u64 *e = entry(VAULT, level), was = *e;
		u64 *table = phys(was & PTE_ADDR), *without = page_alloc();
		u64 size = 1ull << (12 + 9 * (level - 2));
		u64 *beside = &table[(VAULT / size & 511) + 1], others[2] = { beside[0], beside[1] };

		beside[0] = beside[1] = 0;
		memcpy(without, table, PAGE_SIZE);
		beside[0] = beside[1] = FLAGS | (level > 2 ? PTE_PS : 0);
		flush_all();
		look();
		*e = (u64)without | (was & ~PTE_ADDR);
		check(call_at(0, acc_read, VAULT + size, 0) || may_drop);
		invlpg(ROOT_ENTRY(100));
		check(!call_at(0, acc_read, VAULT + 2 * size, 0));
		*e = was;
		beside[0] = others[0];
		beside[1] = others[1];
		flush_all();
	}
}

/* TLB-10 */
static void mov_to_cr3(void)
{
	know_old(0);
	flush_all();
	expect("MOV to CR3", NEW);
	write_cr4(read_cr4() | CR4_PGE);
	know_old(PTE_G);
	flush_all();
	expect("MOV to CR3, global", OLD);
	write_cr4(read_cr4() & ~(u64)CR4_PGE);
	expect("CR4.PGE cleared", NEW);
}

/* TLB-11, PKS-11 */
static void mov_to_cr4(void)
{
	static const struct {
		u32 bit;
		bool set_drops, clear_drops;
	} bits[] = {
		{ CR4_PKS, false, false }, { CR4_PKE, false, false }, { CR4_SMAP, false, false },
		{ CR4_SMEP, true, false }, { CR4_PGE, true, true },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
		know_old(0);
		if (write_cr4_safe(read_cr4() | bits[i].bit) != NO_FAULT)
			continue;
		expect("CR4 bit set", bits[i].set_drops ? NEW : OLD);
		know_old(0);
		write_cr4(read_cr4() & ~(u64)bits[i].bit);
		expect("CR4 bit cleared", bits[i].clear_drops ? NEW : OLD);
	}
}

/*
 * TLB-11: from PAE paging to 32-bit paging by CR4 alone. The tables are both
 * modes': to the second a PDPTE is a PDE, and the halves of a PDE are PTEs. (Not the
 * other way: the PDE is accessed then, a bit that must be 0 in a PDPTE.)
 */
static void cr4_pae(void)
{
	enum { THERE = 0x800000 };	/* where the modes differ */
	u32 *top = page_alloc(), *low = page_alloc(), *other = page_alloc();
	u32 *large = phys(RAM_FREE);
	struct legacy l = {
		.cr0 = CR0_PG | CR0_NE | CR0_ET | CR0_PE, .cr3 = (u64)top,
		.cr4 = CR4_PAE, .address = THERE, .flip = CR4_PAE,
	};

	for (u32 i = 0; i < 4 * sizeof(u64); i += 2)
		low[i] = i / 2 << 21 | PTE_PS | PTE_W | PTE_P;
	low[2 * (THERE >> 21)] = RAM_FREE | PTE_PS | PTE_W | PTE_P;
	for (u32 i = 256; i < 1024; i++)	/* 1 MiB to 4 MiB, as in PAE paging */
		low[i] = i << 12 | PTE_W | PTE_P;
	other[0] = (u64)places[NEW] | PTE_P;
	top[0] = (u64)low | PTE_P;
	top[THERE >> 22] = (u64)other | PTE_P;
	*large = 40;
	legacy_access(&l);
	check(!l.faulted);
	check(l.value == 40);
	check(*large == 41);
	if (l.after != NEW)
		fail("CR4.PAE cleared: the page is where PAE paging had it");
}

/* TLB-12: with global ones, which the new CR3 alone would leave. */
static void mov_to_cr0(void)
{
	struct legacy l = {
		.cr0 = CR0_WP | CR0_NE | CR0_ET | CR0_PE, .address = (u64)places[0],
	};

	know_old(0);
	write_cr0(read_cr0() ^ CR0_WP);
	expect("CR0.WP changed", OLD);
	write_cr4(read_cr4() | CR4_PGE);
	know_old(PTE_G);
	l.cr4 = read_cr4();
	legacy_access(&l);
	expect("CR0.PG cleared", NEW);
}

/* TLB-5, TLB-8 to TLB-11 */
static void by_pcid(void)
{
	u64 cr3 = read_cr3();

	if (!(cpuid(1, 0).c & 1u << 17) || !(cpuid(7, 0).b & 1u << 10))
		return skip("PCID and INVPCID");
	know_old(0);
	write_cr4(read_cr4() | CR4_PCIDE);
	expect("CR4.PCIDE set", OLD);
	write_cr3(cr3 | 1);
	know_old(0);
	write_cr3(cr3 | 2);
	expect("another PCID", NEW);
	invlpg(VAULT);
	write_cr3(cr3 | 1 | CR3_KEEP);
	expect("back, bit 63, after INVLPG there", OLD);
	invpcid(0, 2, VAULT);
	expect("INVPCID 0 of another PCID", OLD);
	invpcid(0, 1, VAULT + PAGE_SIZE);
	expect("INVPCID 0 of another page", OLD);
	invpcid(1, 2, 0);
	expect("INVPCID 1 of another PCID", OLD);
	invpcid(0, 1, VAULT);
	expect("INVPCID 0", NEW);
	know_old(0);
	invpcid(1, 1, 0);
	expect("INVPCID 1", NEW);
	know_old(0);
	write_cr3(cr3 | 2 | CR3_KEEP);
	invpcid(3, 0, 0);
	write_cr3(cr3 | 1 | CR3_KEEP);
	expect("INVPCID 3", NEW);
	know_old(0);
	write_cr3(cr3 | 2);
	write_cr3(cr3 | 1);
	expect("MOV to CR3, bit 63 clear", NEW);

	write_cr4(read_cr4() | CR4_PGE);
	know_old(PTE_G);
	write_cr3(cr3 | 2);
	expect("global, another PCID", OLD);
	invpcid(0, 2, VAULT);
	invpcid(1, 2, 0);
	invpcid(3, 0, 0);
	expect("global, INVPCID 0, 1 and 3", OLD);
	invpcid(2, 0, 0);
	expect("global, INVPCID 2", NEW);
	know_old(PTE_G);
	write_cr3(cr3 | 1);
	invlpg(VAULT);
	write_cr3(cr3 | 2 | CR3_KEEP);
	expect("global, INVLPG with another PCID", NEW);

	write_cr4(read_cr4() & ~(u64)CR4_PGE);
	write_cr3(cr3);
	know_old(0);
	write_cr4(read_cr4() & ~(u64)CR4_PCIDE);
	expect("CR4.PCIDE cleared", NEW);
}

/* TLB-8, TLB-10: the processor drops nothing here, KVM's emulator has to. */
static void emulated(void)
{
#define FEP ".byte 0x0f, 0x0b, 0x6b, 0x76, 0x6d\n\t"
	know_old(0);
	asm volatile(FEP "invlpg (%0)" : : "r"(VAULT) : "memory");
	expect("INVLPG", NEW);
	know_old(0);
	asm volatile(FEP "mov %0, %%cr3" : : "r"(read_cr3()) : "memory");
	expect("MOV to CR3", NEW);
}

/* As look(), but by code that is there. */
static u32 run(void)
{
	return ((u32 (*)(void))(VAULT + 16))();
}

/* TLB-13 */
static void page_fault_drops(void)
{
	know_old(0);
	check(!call_at(3, acc_read, VAULT + 2 * PAGE_SIZE, 0));
	expect("fault elsewhere", OLD);
	check(!call_at(3, acc_read, VAULT, 0));
	expect("fault there", NEW);
	know_old(PTE_NX);
	check(!call_at(0, acc_jump, VAULT, 0));
	expect("fault of a fetch there", NEW);
	know_old(0);
	judge("code", run(), OLD);
	check(!call_at(3, acc_read, VAULT, 0));
	judge("fault there, code", run(), NEW);
}

/* TLB-18 */
static void faults_are_not_kept(void)
{
	static const u64 refused[] = { 0, FLAGS | PTE_RSVD };

	for (unsigned int i = 0; i < ARRAY_SIZE(refused); i++) {
		*leaf = refused[i];
		invlpg(VAULT);
		check(!call_at(0, acc_read, VAULT, 0));
		move_to(NEW, 0);
		expect("present and without reserved bits", NEW);
	}
}

static void l2_looks(void)
{
	for (;;) {
		if (l2_does)
			l2_does();
		seen = look();
		asm volatile("vmcall");
	}
}

static void l2_invlpg(void)
{
	invlpg(VAULT);
}

static void l2_writes(void)
{
	*(volatile u32 *)VAULT = truth;
}

static bool enter(u32 reason)
{
	u32 error = l2_enter(&l2), is = vmcs_read(EXIT_REASON);

	if (error || is != reason)
		fail("VM-instruction error %u, exit reason 0x%x", error, is);
	return !error && is == reason;
}

/* Where L2 sees the page. */
static void l2_expect(const char *when, enum place p)
{
	seen = 0;
	if (enter(EXITED_VMCALL)) {
		judge(when, seen, p);
		vmcs_write(GUEST_RIP, vmcs_read(GUEST_RIP) + 3);
	} else {
		fail("%s: L2 did not see the page", when);
	}
}

/* L2 does that before it looks. */
static void l2_expect_after(const char *when, void (*does)(void), enum place p)
{
	l2_does = does;
	l2_expect(when, p);
	l2_does = 0;
}

static void make_l2(u32 vpid, bool ept)
{
	if (!(read_cr4() & CR4_VMXE))
		vmx_on();
	l2_create(&l2, l2_looks);
	vmcs_control(PROC_CONTROLS, PROC_SECONDARY, 0);
	vmcs_write(PROC2_CONTROLS, 0);
	if (ept)
		l2_use_ept();
	if (vpid) {
		vmcs_control(PROC2_CONTROLS, PROC2_VPID, 0);
		vmcs_write(VPID, vpid);
		invvpid(2, 0, 0);
	}
}

/* TLB-6: with global ones, which the CR3 that is loaded would leave. */
static void without_vpid(void)
{
	for (int ept = 0; ept <= vmx_allows(MSR_VMX_PROC2_CTLS, PROC2_EPT); ept++) {
		write_cr4(read_cr4() | CR4_PGE);
		make_l2(0, ept);
		move_to(OLD, PTE_G);
		l2_expect("first entry", OLD);
		move_to(NEW, PTE_G);
		l2_expect("next entry", NEW);
		know_old(PTE_G);
		l2_expect("L1's, at entry", NEW);
		expect("L2's, at exit", NEW);
	}
}

/* With VPID 1. */
static const struct {
	const char *what;
	u64 type, vpid, at, flags;
	enum place after;
} invvpids[] = {
	{ "INVVPID 0", 0, 1, VAULT, 0, NEW },
	{ "INVVPID 0, global", 0, 1, VAULT, PTE_G, NEW },
	{ "INVVPID 0 of another page", 0, 1, VAULT + PAGE_SIZE, 0, OLD },
	{ "INVVPID 0 of another VPID", 0, 2, VAULT, 0, OLD },
	{ "INVVPID 1", 1, 1, 0, 0, NEW },
	{ "INVVPID 1, global", 1, 1, 0, PTE_G, NEW },
	{ "INVVPID 1 of another VPID", 1, 2, 0, 0, OLD },
	{ "INVVPID 2", 2, 0, 0, 0, NEW },
	{ "INVVPID 3", 3, 1, 0, 0, NEW },
	{ "INVVPID 3, global", 3, 1, 0, PTE_G, OLD },
};

/* TLB-2, TLB-6, TLB-7, TLB-14 */
static void with_vpid(void)
{
	for (int ept = 0; ept <= vmx_allows(MSR_VMX_PROC2_CTLS, PROC2_EPT); ept++) {
		write_cr4(read_cr4() | CR4_PGE);
		make_l2(1, ept);
		know_old(0);
		invvpid(2, 0, 0);
		expect("L1's, INVVPID 2", OLD);
		l2_expect("not L1's translation", NEW);
		expect("L1's, kept over entry and exit", OLD);

		move_to(OLD, 0);
		l2_expect("kept", NEW);
		invlpg(VAULT);
		flush_all();
		l2_expect("L1 dropped its own", NEW);
		expect("L1's", OLD);
		vmcs_write(VPID, 2);
		l2_expect("another VPID", OLD);
		vmcs_write(VPID, 1);
		l2_expect("the first VPID", NEW);
		move_to(NEW, 0);
		l2_expect_after("L2's INVLPG", l2_invlpg, NEW);
		expect("L1's, after L2's INVLPG", OLD);

		for (unsigned int i = 0; i < ARRAY_SIZE(invvpids); i++) {
			move_to(OLD, invvpids[i].flags);
			invvpid(1, 1, 0);
			l2_expect("INVVPID 1", OLD);
			move_to(NEW, invvpids[i].flags);
			invvpid(invvpids[i].type, invvpids[i].vpid, invvpids[i].at);
			l2_expect(invvpids[i].what, invvpids[i].after);
		}
	}
}

/* TLB-1, TLB-15: what EPT says is kept, whatever VPID, until INVEPT. */
static void by_ept(void)
{
	u64 eptp, *pml4, *pd, *pt, *other;

	make_l2(1, true);
	eptp = vmcs_read(EPT_POINTER);
	pml4 = phys(eptp & PTE_ADDR);
	pd = phys(((u64 *)phys(pml4[0] & PTE_ADDR))[0] & PTE_ADDR);
	pt = phys(pd[EPT_HOLE >> 21] & PTE_ADDR);
	*(u32 *)phys(EPT_HOLE + 0x1000) = OLD;
	*(u32 *)phys(EPT_HOLE + 0x2000) = NEW;
	know_old(0);
	invept(2, 0);
	expect("linear ones, INVEPT 2", OLD);
	*leaf = (EPT_HOLE + 0x1000) | FLAGS;
	invlpg(VAULT);
	truth = OLD;
	l2_expect("EPT", OLD);
	pt[1] += PAGE_SIZE;
	truth = NEW;
	l2_expect("EPT changed", OLD);
	flush_all();
	vmcs_write(VPID, 2);
	l2_expect("L1's MOV to CR3, another VPID", OLD);
	invvpid(2, 0, 0);
	l2_expect("INVVPID", OLD);
	l2_expect_after("L2's INVLPG", l2_invlpg, OLD);
	invept(1, eptp + PAGE_SIZE);
	l2_expect("INVEPT of another", OLD);
	invept(1, eptp);
	l2_expect("INVEPT", NEW);
	pt[1] -= PAGE_SIZE;
	truth = OLD;
	l2_expect("EPT changed back", NEW);
	invept(2, 0);
	l2_expect("INVEPT 2", OLD);
	vmcs_write(VPID, 1);
	l2_expect("INVEPT 2, the other VPID", OLD);

	/* EPT's own tables: the entry that refers to PT is kept, not what PT has. */
	other = page_alloc();
	memcpy(other, pt, PAGE_SIZE);
	other[3] = pt[2];
	pt[3] = pt[1];
	pd[EPT_HOLE >> 21] += (u64)other - (u64)pt;
	*leaf = (EPT_HOLE + 0x3000) | FLAGS;
	truth = NEW;
	invvpid(2, 0, 0);
	l2_expect("EPT's table", OLD);
	invept(1, eptp);
	l2_expect("EPT's table, INVEPT", NEW);
	pd[EPT_HOLE >> 21] -= (u64)other - (u64)pt;
	pt[3] = EPT_HOLE + 0x3037;
	invept(2, 0);

	/* Combined ones, by EPT pointer: an invalidation drops those of all. */
	other = page_alloc();
	memcpy(other, pml4, PAGE_SIZE);
	move_to(OLD, 0);
	l2_expect("the first EPT pointer", OLD);
	vmcs_write(EPT_POINTER, eptp - (u64)pml4 + (u64)other);
	move_to(NEW, 0);
	l2_expect("another EPT pointer", NEW);
	vmcs_write(EPT_POINTER, eptp);
	l2_expect("back", OLD);
	vmcs_write(EPT_POINTER, eptp - (u64)pml4 + (u64)other);
	l2_expect_after("INVLPG there", l2_invlpg, NEW);
	vmcs_write(EPT_POINTER, eptp);
	l2_expect("INVLPG with the other EPT pointer", NEW);
}

/* TLB-16, TLB-18 */
static void ept_violation_drops(void)
{
	static const struct {
		u64 entry;
		u32 reason;
		enum place after;
	} refused[] = {
		{ EPT_HOLE + 0x2000 + 0x31, EXITED_EPT, NEW },	/* read-only */
		{ 0, EXITED_EPT, NEW },
		{ EPT_HOLE + 0x2000 + 0x32, EXITED_EPT_MISCONFIG, OLD },	/* write-only */
	};
	u64 *pt;

	for (unsigned int i = 0; i < ARRAY_SIZE(refused); i++) {
		make_l2(1, true);
		pt = phys(vmcs_read(EPT_POINTER) & PTE_ADDR);
		for (int l = 4; l > 1; l--)
			pt = phys(pt[l == 2 ? EPT_HOLE >> 21 : 0] & PTE_ADDR);
		*(u32 *)phys(EPT_HOLE + 0x1000) = OLD;
		*(u32 *)phys(EPT_HOLE + 0x2000) = NEW;
		*leaf = (EPT_HOLE + 0x1000) | FLAGS;
		pt[1] = EPT_HOLE + 0x1000 + 0x31;
		invept(2, 0);
		truth = OLD;
		l2_expect("read-only", OLD);
		pt[1] = refused[i].entry;
		l2_does = l2_writes;
		enter(refused[i].reason);
		l2_does = 0;
		pt[1] = EPT_HOLE + 0x2000 + 0x37;
		truth = NEW;
		l2_restart(&l2, l2_looks);
		l2_expect(i == 2 ? "misconfigured" : "refused", refused[i].after);
		pt[1] = EPT_HOLE + 0x1000 + 0x37;
		invept(2, 0);
	}
}

#define TEST(name) { "tlb." #name, name, 0, 0 }
static const struct test tests[] = {
	TEST(kept_until_invlpg), TEST(large_page_drops_whole), TEST(rights_are_of_the_walk),
	TEST(dirty_is_of_the_walk), TEST(tables_are_kept),
	TEST(mov_to_cr3), TEST(mov_to_cr4), TEST(cr4_pae), TEST(mov_to_cr0), TEST(by_pcid),
	TEST(page_fault_drops), TEST(faults_are_not_kept),
};
static const struct test fep_tests[] = { TEST(emulated) };
static const struct test key_tests[] = { TEST(key_is_of_the_walk) };
static const struct test vmx_tests[] = { TEST(with_vpid), TEST(without_vpid) };
static const struct test ept_tests[] = { TEST(by_ept), TEST(ept_violation_drops) };

/* What the machine lacks for an L2, or for one with EPT. */
static const char *missing(u32 controls)
{
	const char *lack = vmx_missing();

	if (lack || vmx_allows(MSR_VMX_PROC2_CTLS, controls))
		return lack;
	return "VMX with VPID and EPT";
}

void guest_main(void)
{
	bool shadow = arg_flag("shadow"), fep = arg_flag("fep");

	if (arg_value("only"))
		ktap_only = arg_value("only");
	may_drop = arg_machine() == MACHINE_KVM;
	args_done("la57, shadow, fep, only=TEST and machine=bare|kvm");
	cpu_baseline();
	for (int i = 0; i <= NEW; i++) {
		places[i] = page_alloc();
		*places[i] = i;
		/* mov $i, %eax; ret */
		memcpy(places[i] + 4, (u8[]){ 0xb8, i, 0, 0, 0, 0xc3 }, 6);
	}
	leaf = map(VAULT, (u64)places[OLD] | FLAGS, 1);
	ktap_plan(ARRAY_SIZE(tests) + ARRAY_SIZE(vmx_tests) + (fep ? ARRAY_SIZE(fep_tests) : 0) +
		  (shadow ? 0 : ARRAY_SIZE(key_tests) + ARRAY_SIZE(ept_tests)));
	ktap_run(tests, ARRAY_SIZE(tests), 0);
	ktap_run(vmx_tests, ARRAY_SIZE(vmx_tests), missing(PROC2_VPID));
	if (fep)
		ktap_run(fep_tests, ARRAY_SIZE(fep_tests), 0);
	if (!shadow) {
		ktap_run(key_tests, ARRAY_SIZE(key_tests), cpu_has_pks() ? 0 : "a processor with PKS");
		ktap_run(ept_tests, ARRAY_SIZE(ept_tests), missing(PROC2_VPID | PROC2_EPT));
	}
	ktap_exit();
}
