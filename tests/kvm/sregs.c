// SPDX-License-Identifier: GPL-2.0-only
/* CR4.PKS and PKRS set by the host (KVM-4, KVM-12), and KVM_TRANSLATE (KVM-13). */
#include <errno.h>
#include <string.h>

#include "ktap.h"
#include "vm.h"

enum { KEY = 5, TOGGLES = 100 };

static struct vm *vm;
static struct vcpu *vcpu;
static char *page;

static void start(int pks, void (*fn)(uint64_t))
{
	need_pks();
	vm = vm_new();
	page = vm_pages(vm, 1);
	vm_map(vm, (uint64_t)page, (uint64_t)page, PTE_W | PTE_A | PTE_D | PTE_KEY(KEY), 1);
	vcpu = vcpu_new(vm, pks, fn, (uint64_t)page);
}

static void end(void)
{
	vcpu_free(vcpu);
	vm_free(vm);
}

static bool set_cr4(uint64_t set, uint64_t clear)
{
	struct kvm_sregs s = sregs_get(vcpu);

	s.cr4 = (s.cr4 | set) & ~clear;
	return sregs_set(vcpu, &s) && sregs_get(vcpu).cr4 == s.cr4;
}

/* For ever: what reading and writing the page gives. */
static void touch(uint64_t at)
{
	for (;;) {
		guest_sync(guest_probe(probe_read, (void *)at, 0, 0));
		guest_sync(guest_probe(probe_write, (void *)at, 0, 0));
		guest_sync(read_cr4() & CR4_PKS);
	}
}

static void check_touch(const char *when, int read, int write, bool cr4)
{
	int got = vcpu_sync(vcpu);

	CHECK(got == read, "%s: a read gives %#x, not %#x", when, got, read);
	got = vcpu_sync(vcpu);
	CHECK(got == write, "%s: a write gives %#x, not %#x", when, got, write);
	CHECK(!vcpu_sync(vcpu) == !cr4, "%s: the guest reads another CR4.PKS", when);
}

static void cr4_without_cpuid(void)
{
	start(PKS_OFF, touch);
	CHECK(!set_cr4(CR4_PKS, 0), "CR4.PKS can be set without PKS in CPUID");
	check_touch("without CPUID", NO_FAULT, NO_FAULT, false);
	end();
}

static void cr4_with_cpuid(void)
{
	start(PKS_ON, touch);
	CHECK(set_cr4(CR4_PKS, 0), "CR4.PKS cannot be set with PKS in CPUID");
	check_touch("PKRS 0", NO_FAULT, NO_FAULT, true);
	CHECK(set_cr4(0, CR4_PKS), "CR4.PKS cannot be cleared");
	check_touch("cleared", NO_FAULT, NO_FAULT, false);
	end();
}

/* The host changes PKRS and CR4 under a running guest; all take effect. */
static void cr4_midway(void)
{
	const int read = PF_P | PF_PK, write = PF_P | PF_W | PF_PK;

	start(PKS_ON, touch);
	pkrs_set(vcpu, KEY_BITS(KEY, KEY_AD));
	check_touch("off, AD", NO_FAULT, NO_FAULT, false);
	CHECK(set_cr4(CR4_PKS, 0), "KVM_SET_SREGS: %s", strerror(errno));
	check_touch("on, AD", read, write, true);
	pkrs_set(vcpu, KEY_BITS(KEY, KEY_WD));
	check_touch("on, WD", NO_FAULT, write, true);
	pkrs_set(vcpu, ~KEY_BITS(OWN_KEY, 3) & ~KEY_BITS(KEY, 3));
	check_touch("on, all other keys denied", NO_FAULT, NO_FAULT, true);
	pkrs_set(vcpu, KEY_BITS(KEY, KEY_AD | KEY_WD));
	check_touch("on, AD WD", read, write, true);
	CHECK(set_cr4(0, CR4_PKS), "KVM_SET_SREGS: %s", strerror(errno));
	check_touch("off again", NO_FAULT, NO_FAULT, false);
	end();
}

/*
 * The guest changes CR4.PKS, and nothing else: natively and in a walk of KVM's,
 * which MMIO asks for, the next access obeys it (PKS-11).
 */
static void toggle(uint64_t at)
{
	int native = 0, walked = 0, i;

	wrmsr(MSR_PKRS, KEY_BITS(KEY, KEY_AD));
	for (i = 0; i < TOGGLES; i++) {
		const bool on = !(i & 1), walk_first = i & 2;
		const int read = on ? PF_P | PF_PK : NO_FAULT;
		const int write = on ? PF_P | PF_W | PF_PK : NO_FAULT;

		write_cr4(read_cr4() ^ CR4_PKS);
		if (walk_first)
			walked += guest_probe(probe_read_mmio, (void *)at, MMIO, 0) != read;
		native += guest_probe(probe_read, (void *)at, 0, 0) != read;
		native += guest_probe(probe_write, (void *)at, 0, 0) != write;
		if (!walk_first)
			walked += guest_probe(probe_read_mmio, (void *)at, MMIO, 0) != read;
		guest_sync(!on);
	}
	guest_sync(native);
	guest_sync(walked);
}

static void cr4_at_once(void)
{
	uint64_t wrong;
	int i;

	start(PKS_ON, toggle);
	for (i = 0; i < TOGGLES; i++) {
		bool valid = vcpu_sync(vcpu);

		CHECK(translates(vcpu, (uint64_t)page) == valid, "change %d: KVM_TRANSLATE %s", i,
		      valid ? "refuses" : "allows");
	}
	wrong = vcpu_sync(vcpu);
	CHECK(!wrong, "%lu of %d native accesses obey another CR4.PKS", wrong, 2 * TOGGLES);
	wrong = vcpu_sync(vcpu);
	CHECK(!wrong, "%lu of %d emulated accesses obey another CR4.PKS", wrong, TOGGLES);
	end();
}

static void nothing(uint64_t unused)
{
	(void)unused;
}

/* KVM_TRANSLATE is a supervisor's read: AD forbids it, WD does not. */
static void translate(void)
{
	static const struct {
		unsigned int bits;
		bool cr4, valid;
	} cases[] = {
		{ KEY_AD, false, true }, { 0, true, true }, { KEY_AD, true, false },
		{ KEY_WD, true, true }, { KEY_AD | KEY_WD, true, false }, { 0, true, true },
	};
	unsigned int i;
	uint64_t *pte;

	start(PKS_ON, nothing);
	pte = vm_entry(vm, (uint64_t)page, 1);
	for (i = 0; i < COUNT(cases); i++) {
		uint32_t others = ~KEY_BITS(KEY, 3);

		CHECK(set_cr4(cases[i].cr4 ? CR4_PKS : 0, cases[i].cr4 ? 0 : CR4_PKS),
		      "KVM_SET_SREGS: %s", strerror(errno));
		pkrs_set(vcpu, KEY_BITS(KEY, cases[i].bits) | others);
		CHECK(translates(vcpu, (uint64_t)page) == cases[i].valid,
		      "CR4.PKS %d, bits %u: not %s", cases[i].cr4, cases[i].bits,
		      cases[i].valid ? "valid" : "refused");
	}
	/* The address is a user's: PKRU would decide, and CR4.PKE is 0 (PKS-2). */
	pkrs_set(vcpu, ~0u);
	CHECK(!translates(vcpu, (uint64_t)page), "AD does not refuse");
	*pte |= PTE_U;
	CHECK(translates(vcpu, (uint64_t)page), "PKRS refuses a user-mode address");
	*vm_entry(vm, (uint64_t)page, 2) &= ~PTE_U;
	CHECK(!translates(vcpu, (uint64_t)page), "U/S of the upper entry is not heeded");
	end();
}

/* Without EFER.LMA the keys mean nothing, whatever CR4.PKS (PKS-1). */
static void translate_legacy(void)
{
	struct kvm_sregs s;
	uint32_t *directory, *table;

	start(PKS_ON, nothing);
	pkrs_set(vcpu, 0x55555555);
	directory = vm_pages(vm, 1);
	table = vm_pages(vm, 1);
	directory[0] = (uint32_t)(uintptr_t)table | PTE_P | PTE_W | PTE_A;
	table[1] = (uint32_t)(uintptr_t)page | PTE_P | PTE_W | PTE_A;
	s = vcpu->start;
	s.efer = 0;
	s.cs.l = 0;
	s.cs.db = 1;
	s.cr3 = (uint64_t)directory;
	s.cr4 = CR4_PKS;
	CHECK(sregs_set(vcpu, &s), "CR4.PKS with 32-bit paging is refused");
	CHECK(translates(vcpu, 0x1000), "a key counts in 32-bit paging");
	CHECK(!translates(vcpu, 0x2000), "what is not mapped translates");
	s.cr0 &= ~CR0_PG;
	CHECK(sregs_set(vcpu, &s), "CR4.PKS without paging is refused");
	CHECK(translates(vcpu, (uint64_t)page), "a key counts without paging");
	/* Key 0 in 64-bit paging, as the 32-bit entries would have it. */
	*vm_entry(vm, (uint64_t)page, 1) &= ~PTE_KEY(15);
	s = vcpu->start;
	s.cr4 |= CR4_PKS;
	CHECK(sregs_set(vcpu, &s), "CR4.PKS is refused");
	CHECK(!translates(vcpu, (uint64_t)page), "key 0 is not denied in 64-bit paging");
	end();
}

static const struct test tests[] = {
	{ "kvm.sregs.cr4_without_cpuid", "KVM-4", cr4_without_cpuid, NULL },
	{ "kvm.sregs.cr4_with_cpuid", "KVM-4, KVM-12", cr4_with_cpuid, NULL },
	{ "kvm.sregs.cr4_midway", "KVM-12", cr4_midway, NULL },
	{ "kvm.sregs.cr4_at_once", "PKS-11, KVM-12", cr4_at_once, NULL },
	{ "kvm.sregs.translate", "KVM-13: PKS-2, PKS-4, PKS-5", translate, NULL },
	{ "kvm.sregs.translate_legacy", "KVM-13: PKS-1, PKS-8", translate_legacy, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
