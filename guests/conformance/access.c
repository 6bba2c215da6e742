// SPDX-License-Identifier: GPL-2.0-only
/*
 * One case: registers, page, access. The page under test is physical page 0,
 * at the start of a leaf of each size, so that the page before it can have a
 * mapping of its own (see lib/implicit.c, and the emulated fetch here).
 */
#include "conformance.h"

#define DATA 0x80		/* offset of the word that is read and written */
#define OLD 0x11111111
#define NEW 0x22222222
#define FEP_SIZE 5

static struct implicit implicit;
static u64 target;		/* virtual address that the access touches */
static u64 target_size;
static u64 page_va;
static u64 arg;
static u64 *leaf, *upper;
static u64 reserved;		/* the first address with more bits than MAXPHYADDR */
static u32 now;			/* the registers' state, as in set_regs() */
static bool now_known;

/* Slots 1 to 3 of the root hold a 4 KiB, a 2 MiB and a 1 GiB leaf. */
static void map_page(int level)
{
	page_va = ROOT_ENTRY(level);
	leaf = map(page_va, PTE_P, level);
	upper = entry(page_va, level + 1);
}

/* The emulator fetches from the page; the prefix itself is in the one before. */
static void arm_emulated_fetch(int cpl)
{
	u8 *end = (u8 *)implicit_neighbour() + PAGE_SIZE;

	memcpy(end - FEP_SIZE, "\x0f\x0bkvm", FEP_SIZE);
	map(page_va - PAGE_SIZE, (u64)implicit_neighbour() | PTE_P | PTE_A |
	    (cpl == 3 ? PTE_U : 0) | PTE_KEY(OWN_KEY), 1);
	arg = page_va - FEP_SIZE;
}

void arm(const struct kind *k, int level)
{
	now_known = false;
	cpu_baseline();
	load_own_tables();
	map_page(level);
	reserved = 1ull << (cpuid(0x80000008, 0).a & 0xff);
	if (k->implicit != EXPLICIT) {
		implicit = implicit_arm(k->implicit, page_va, phys(0));
		target = page_va + implicit.first;
		target_size = implicit.size;
		arg = implicit.arg;
		return;
	}
	target_size = 1;
	if (k->access == ORACLE_FETCH) {
		*(u8 *)phys(0) = 0xc3;	/* RET */
		target = arg = page_va;
		if (k->fep)
			arm_emulated_fetch(k->cpl);
	} else {
		target = arg = page_va + DATA;
	}
}

static u32 key_register(bool ad, bool wd)
{
	u32 open = 3u << 2 * KEY | 3u << 2 * OTHER_KEY | 3u << 2 * OWN_KEY;

	return ~open | (ad ? KEY_AD(KEY) : 0) | (wd ? KEY_WD(KEY) : 0);
}

/* Only what changed: under KVM most of these are VM exits. */
void set_regs(u32 regs)
{
	const u32 cr4_bits = REG_SMEP | REG_SMAP | REG_PKE | REG_PKS;
	const u32 pkru_bits = REG_PKRU_AD | REG_PKRU_WD;
	const u32 pkrs_bits = REG_PKRS_AD | REG_PKRS_WD;
	u32 changed = now_known ? regs ^ now : ~0u;
	u64 cr4 = cr4_base() | (regs & REG_SMEP ? CR4_SMEP : 0) |
		  (regs & REG_SMAP ? CR4_SMAP : 0) |
		  (regs & REG_PKE ? CR4_PKE : 0) | (regs & REG_PKS ? CR4_PKS : 0);
	bool cr4_stale = changed & cr4_bits;

	if (changed & pkru_bits) {	/* WRPKRU takes CR4.PKE */
		if (cr4_stale || !(regs & REG_PKE))
			write_cr4(cr4 | CR4_PKE);
		wrpkru(key_register(regs & REG_PKRU_AD, regs & REG_PKRU_WD));
		cr4_stale = !(regs & REG_PKE);
	}
	if (cr4_stale)
		write_cr4(cr4);
	if (changed & REG_NXE)
		wrmsr(MSR_EFER, EFER_LME | (regs & REG_NXE ? EFER_NXE : 0));
	if (changed & REG_WP)
		write_cr0(CR0_PG | CR0_NE | CR0_ET | CR0_PE |
			  (regs & REG_WP ? CR0_WP : 0));
	if (changed & REG_AC)
		write_flags((read_flags() & ~(u64)EFLAGS_AC) |
			    (regs & REG_AC ? EFLAGS_AC : 0));
	if (changed & pkrs_bits)
		write_pkrs(key_register(regs & REG_PKRS_AD, regs & REG_PKRS_WD));
	now = regs;
	now_known = true;
}

static void set_page(u32 page)
{
	*leaf = (*leaf & PTE_PS) |
		(page & (PAGE_P | PAGE_W | PAGE_U)) |
		(page & PAGE_NX ? PTE_NX : 0) |
		(page & PAGE_RESERVED ? reserved : 0) |
		PTE_KEY(page & PAGE_KEY ? KEY : OTHER_KEY);
	if (page & PAGE_UPPER_U)
		*upper |= PTE_U;
	else
		*upper &= ~PTE_U;
	invlpg(page_va);
}

static bool value_ok(const struct kind *k, bool ran)
{
	u32 word = *(volatile u32 *)phys(DATA);
	u64 *frame;

	switch (k->implicit) {
	case EXPLICIT:
		break;
	case IMPLICIT_LDT:
	case IMPLICIT_GDT:
		return !ran || trap.value == arg;
	case IMPLICIT_PUSH:
		frame = phys(implicit.first);
		return frame[1] == (!ran ? 0 : k->cpl ? SEL_USER_CODE : SEL_CODE64);
	default:
		return true;
	}
	switch (k->access) {
	case ORACLE_READ:
		return !ran || (u32)trap.value == OLD;
	case ORACLE_WRITE:
		return word == (ran ? NEW : OLD);
	case ORACLE_RMW:
		return word == (ran ? OLD + NEW : OLD);
	default:
		return true;
	}
}

/*
 * KVM answers a fault in the fetch of an instruction whose emulation was forced
 * with #UD there: it can be seen that it faulted, not how.
 */
static void hide_error(struct outcome *o)
{
	o->vector = VEC_PF;
	o->error_hidden = true;
	o->address_ok = trap.rip == target;
}

struct outcome run_case(const struct kind *k, u32 page)
{
	struct outcome o = { 0 };
	bool ran;

	set_page(page);
	*(volatile u32 *)phys(DATA) = OLD;
	if (k->implicit == IMPLICIT_PUSH)
		((volatile u64 *)phys(implicit.first))[1] = 0;
	ran = call_at(k->cpl, k->fn, arg, NEW);
	o.fault = !ran;
	o.dirty = *(volatile u64 *)leaf & PTE_D;
	o.value_ok = value_ok(k, ran);
	o.address_ok = true;
	if (!ran) {
		o.vector = trap.vector;
		o.error = trap.error;
		o.address_ok = trap.cr2 - target < target_size &&
			(k->access != ORACLE_FETCH || trap.rip == target);
	}
	if (k->fep && k->access == ORACLE_FETCH && o.vector == VEC_UD)
		hide_error(&o);
	return o;
}
