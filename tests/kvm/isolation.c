// SPDX-License-Identifier: GPL-2.0-only
/* One vCPU's PKRS is no other's, and no older one of its own (KVM-14). */
#include "ktap.h"
#include "vm.h"

enum { KEY = 3, ROUNDS = 300, VCPUS = 40, GENERATIONS = 60 };

static char *keyed_page(struct vm *vm)
{
	char *page = vm_pages(vm, 1);

	vm_map(vm, (uint64_t)page, (uint64_t)page, PTE_W | PTE_A | PTE_D | PTE_KEY(KEY), 1);
	return page;
}

/* Changes its value each round, and sees that it has kept the last. */
static void keep(uint64_t id)
{
	uint64_t mine = 0, next;

	write_cr4(read_cr4() | CR4_PKS);
	for (next = id;; next += 0x01000193) {
		if (rdmsr(MSR_PKRS) != mine)
			guest_sync(1);
		mine = next & 0xffffffff & ~KEY_BITS(OWN_KEY, 3);
		wrmsr(MSR_PKRS, mine);
		guest_sync(0);
	}
}

static void two_vms(void)
{
	struct vm *vm[2];
	struct vcpu *vcpu[2];
	int i, lost = 0;

	need_pks();
	for (i = 0; i < 2; i++) {
		vm[i] = vm_new();
		vcpu[i] = vcpu_new(vm[i], PKS_ON, keep, 0x5555 + 0x3333 * i);
	}
	for (i = 0; i < 2 * ROUNDS; i++)
		lost += vcpu_sync(vcpu[i & 1]);
	CHECK(!lost, "%d values lost", lost);
	CHECK(pkrs_get(vcpu[0]) != pkrs_get(vcpu[1]), "both have the same value");
	for (i = 0; i < 2; i++) {
		vcpu_free(vcpu[i]);
		vm_free(vm[i]);
	}
}

static void many_vcpus(void)
{
	struct vcpu *vcpu[VCPUS];
	struct vm *vm;
	int i, lost = 0;

	need_pks();
	vm = vm_new();
	for (i = 0; i < VCPUS; i++)
		vcpu[i] = vcpu_new_id(vm, i, PKS_ON, keep, 0x01010101 * i);
	for (i = 0; i < 5 * VCPUS; i++)
		lost += vcpu_sync(vcpu[i % VCPUS]);
	CHECK(!lost, "%d values lost", lost);
	for (i = 0; i < VCPUS; i++)
		vcpu_free(vcpu[i]);
	vm_free(vm);
}

/* A new vCPU has nothing of one that is gone. */
static void generations(void)
{
	int i, lost = 0;

	need_pks();
	for (i = 0; i < GENERATIONS; i++) {
		struct vm *vm = vm_new();
		struct vcpu *vcpu = vcpu_new(vm, PKS_ON, keep, ~0u);

		CHECK(!pkrs_get(vcpu), "number %d is born with %#lx", i, pkrs_get(vcpu));
		lost += vcpu_sync(vcpu);
		vcpu_free(vcpu);
		vm_free(vm);
	}
	CHECK(!lost, "%d guests did not start with 0", lost);
}

/* A guest that has PKS and one that does not, in turn on one processor. */
static void read_page(uint64_t page)
{
	for (;;)
		guest_sync(guest_probe(probe_read, (void *)page, 0, 0));
}

static void deny_page(uint64_t page)
{
	wrmsr(MSR_PKRS, ~KEY_BITS(OWN_KEY, 3));
	write_cr4(read_cr4() | CR4_PKS);
	read_page(page);
}

static void with_and_without(void)
{
	struct vm *vm[2];
	struct vcpu *vcpu[2];
	int i, got;

	need_pks();
	for (i = 0; i < 2; i++) {
		uint64_t page;

		vm[i] = vm_new();
		page = (uint64_t)keyed_page(vm[i]);
		vcpu[i] = vcpu_new(vm[i], i ? PKS_ON : PKS_OFF, i ? deny_page : read_page, page);
	}
	for (i = 0; i < ROUNDS; i++) {
		got = vcpu_sync(vcpu[0]);
		CHECK(got == NO_FAULT, "round %d: without PKS a read gives %#x", i, got);
		got = vcpu_sync(vcpu[1]);
		CHECK(got == (PF_P | PF_PK), "round %d: with PKS a read gives %#x", i, got);
	}
	for (i = 0; i < 2; i++) {
		vcpu_free(vcpu[i]);
		vm_free(vm[i]);
	}
}

/*
 * KVM finishes MOVSB and CMPSB, since one operand is not memory, and must apply
 * what the guest set last without an exit.
 */
static void emulated_after_wrmsr(uint64_t page)
{
	static const uint8_t order[] = { 0, 1, 2, 3, 0, 2, 0, 3, 1, 0 };
	unsigned int i;

	write_cr4(read_cr4() | CR4_PKS);
	for (i = 0; i < COUNT(order); i++) {
		wrmsr(MSR_PKRS, KEY_BITS(KEY, order[i]));
		guest_sync((unsigned int)guest_probe(probe_read_mmio, (void *)page, MMIO, 0) |
			   (uint64_t)order[i] << 32);
		guest_sync((unsigned int)guest_probe(probe_write_mmio, (void *)page, MMIO, 0));
	}
}

static void pkrs_then_emulated(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	int i;

	need_pks();
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_ON, emulated_after_wrmsr, (uint64_t)keyed_page(vm));
	for (i = 0; i < 10; i++) {
		uint64_t read = vcpu_sync(vcpu);
		int write = vcpu_sync(vcpu), bits = read >> 32;
		int want = bits & KEY_AD ? PF_P | PF_PK : NO_FAULT;

		CHECK((int)read == want, "%d: bits %d: a read gives %#x, not %#x", i, bits,
		      (int)read, want);
		want = bits ? PF_P | PF_W | PF_PK : NO_FAULT;
		CHECK(write == want, "%d: bits %d: a write gives %#x, not %#x", i, bits, write,
		      want);
	}
	vcpu_done(vcpu);
	vcpu_free(vcpu);
	vm_free(vm);
}

/* CR0.WP is the guest's own under EPT. */
static void emulated_after_wp(uint64_t page)
{
	int i;

	write_cr4(read_cr4() | CR4_PKS);
	wrmsr(MSR_PKRS, KEY_BITS(KEY, KEY_WD));
	for (i = 0; i < 6; i++) {
		write_cr0(read_cr0() ^ CR0_WP);
		guest_sync((unsigned int)guest_probe(probe_write_mmio, (void *)page, MMIO, 0));
	}
}

static void wp_then_emulated(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	int i;

	need_pks();
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_ON, emulated_after_wp, (uint64_t)keyed_page(vm));
	for (i = 0; i < 6; i++) {
		int want = i & 1 ? PF_P | PF_W | PF_PK : NO_FAULT, got = vcpu_sync(vcpu);

		CHECK(got == want, "CR0.WP %d: a write gives %#x, not %#x", i & 1, got, want);
	}
	vcpu_done(vcpu);
	vcpu_free(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	{ "kvm.isolation.two_vms", "KVM-3, KVM-6", two_vms, NULL },
	{ "kvm.isolation.many_vcpus", "KVM-3, KVM-6", many_vcpus, NULL },
	{ "kvm.isolation.generations", "KVM-9", generations, NULL },
	{ "kvm.isolation.with_and_without", "KVM-3, KVM-4", with_and_without, NULL },
	{ "kvm.isolation.pkrs_then_emulated", "KVM-14", pkrs_then_emulated, NULL },
	{ "kvm.isolation.wp_then_emulated", "KVM-14", wp_then_emulated, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
